"""Read XTC2 files and say what is in them, line by line, for comparison with what another reader said.

usage: differential.py FOLDER

Beside each FILE.xtc2 lies FILE.txt with what is expected. The first difference of each file is printed.
"""

import math
import re
import struct
import sys
import zlib
from pathlib import Path

import numpy as np

from drp import _xtc
from drp.xtc import XtcError, open_xtc


def hexed(text):
    """Make text comparable: how many marks stand for how many bad bytes is a matter of taste."""
    return re.sub("\ufffd+", "\ufffd", text).encode().hex() or "-"


def described(value):
    if isinstance(value, str):
        return f"text {hexed(value)}"
    if isinstance(value, np.ndarray):
        return f"array {'x'.join(map(str, value.shape))} {zlib.crc32(value.tobytes()):08x}"
    if isinstance(value, _xtc.EnumValue):
        return f"enum {value.value} " + ",".join(f"{k}={hexed(v)}" for k, v in sorted(value.names.items()))
    if isinstance(value, float):
        return "float " + ("nan" if math.isnan(value) else struct.pack(">d", value).hex())
    return f"int {value}"


def names_lines(table):
    for names in table.values():
        texts = " ".join(map(hexed, (names.det_type, names.det_name, names.det_id, names.alg)))
        yield f"names {names.id:x} {texts} {'.'.join(map(str, names.version))} {names.segment}"
        yield from (f"entry {hexed(e.name)} {e.type} {e.rank}" for e in names.entries)


def values_lines(dgram):
    dgram.fields()
    layout = dgram.layout()
    for names_id in layout:
        names, where = dgram.names[names_id], layout.places(dgram.buf, dgram.offset, names_id)
        yield f"block {names_id:x}"
        for i in range(len(names.entries)):
            yield described(_xtc.read_field(dgram.buf, dgram.offset, names, where, i))


def lines(path):
    at = 0
    with open_xtc(path) as file:
        try:
            for d in file:
                at = d.offset + d.size
                yield f"datagram {d.offset} {int(d.service)} {d.timestamp} {d.env} {d.src} {d.damage} {d.size}"
                if d.service == _xtc.TransitionId.Configure:
                    yield from names_lines(d.names)
                try:
                    found = list(values_lines(d))
                except XtcError:
                    found = ["bad"]
                yield from found
        except XtcError:
            yield f"nonsense at {at}"
            return
        yield f"left {file.leftover}"


def main():
    differ = 0
    for path in sorted(Path(sys.argv[1]).glob("*.xtc2")):
        got, want = list(lines(path)), path.with_suffix(".txt").read_text().splitlines()
        for i in range(max(len(got), len(want))):
            a, b = (side[i] if i < len(side) else "nothing" for side in (got, want))
            if a != b:
                differ += 1
                print(f"{path.name}: line {i + 1}: Python says {a!r}, expected is {b!r}")
                break
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
