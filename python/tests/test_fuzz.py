"""Broken files: only documented exceptions, no hang, no more memory than the files are large."""

import os
import random
import signal
import struct
import time
import tracemalloc
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from harness import CAM, INFO, SCAN, begin_run, begin_step, configure, dgram, event, shapes_data

from drp import _files, _xtc
from drp._config import Config
from drp._xtc import Entry, Names
from drp.xtc import XtcError, open_xtc

CASES = int(os.environ.get("DRP_TEST_CASES", "200"))
SEED = int(os.environ.get("DRP_TEST_SEED", str(time.time_ns() % 1000000)))
CHUNK = Names(
    0x1FC, "chunkinfo", "chunkinfo", "", "chunkinfo", (0, 0, 1), 0, (Entry("filename", 10, 1), Entry("chunkid", 2, 0))
)
ENUMS = Names(
    0x130, "ts", "ts", "", "config", (1, 0, 0), 0,
    (Entry("gain:G", 11, 0), Entry("low:G", 12, 0), Entry("high:G", 12, 0), Entry("mode:G", 11, 1)),
)  # fmt: skip


@contextmanager
def limits(seconds, size, factor=4, constant=4 << 20):
    """Raise when what is inside takes too long, or at its peak more memory than it may for an input of that size."""

    def late(*_):
        raise TimeoutError("a hang")

    before = signal.signal(signal.SIGALRM, late)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    tracemalloc.start()
    try:
        yield
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
    assert peak <= factor * size + constant


def whole(chunk=""):
    """Make a small run with everything in it."""
    names = b"".join(map(_xtc.encode_names, (CHUNK, ENUMS)))
    first = configure() + names + shapes_data(ENUMS, 1, 0, 1, [0, 1])
    first = dgram(2, 1, first[24:])
    enable = shapes_data(CHUNK, chunk, 1) if chunk else b""
    nested = struct.pack("<IHHI", 5, 0, 0, 12 + len(event(7)) - 24) + event(7)[24:]
    return [first, begin_run(), begin_step(), dgram(8, 4, enable), event(5), event(6), dgram(12, 1 << 32 | 7, nested),
            dgram(10, 1 << 32 | 8), dgram(9, 1 << 32 | 9), dgram(7, 1 << 32 | 10), dgram(5, 1 << 32 | 11)]  # fmt: skip


def broken(rng, data):
    """Change a few things, most of them where headers, shapes and types are."""
    b = bytearray(data)
    values = [
        0,
        1,
        3,
        5,
        6,
        11,
        12,
        13,
        24,
        0x7FFFFFFF,
        0x80000000,
        0xFFFFFFFF,
        0x10000,
        rng.getrandbits(32),
        rng.randrange(64),
    ]
    for _ in range(rng.randint(1, 4)):
        at = rng.randrange(max(1, len(b)))
        if rng.random() < 0.7:  # the small numbers of a file are what holds it together
            spots = [i for i in range(at, min(at + 400, len(b) - 3)) if b[i + 2] == b[i + 3] == 0 and b[i]]
            at = rng.choice(spots or [at])
        kind = rng.randrange(6)
        if kind == 0 and at < len(b):
            b[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del b[at:]
        elif kind == 2:
            del b[at : at + rng.randint(1, 40)]
        elif kind == 3:
            b[at:at] = b[at : at + rng.randint(1, 40)]
        elif at + 4 <= len(b):
            struct.pack_into("<I", b, at, rng.choice(values))
    return bytes(b)


def use(files):
    """Do with files what a script can do; `XtcError` is what it may meet."""
    config = None
    for buf, off, size in _files.complete(_files.Merger(files)):
        data = bytes(buf[off : off + size])
        service = data[11] & 0xF
        removed = dict.fromkeys([CAM[0].id, INFO.id])
        assert len(_files.without(buf, off + 24, off + size, removed)) <= size - 24
        with suppress(XtcError):
            if service == 2:
                config = None
                config = Config(data)
            elif config is not None and service < 12:
                config.update(data)
        if config is None:
            continue
        with suppress(XtcError):
            config.camera()
            for det in {n.det_name for n in config.names.values()}:
                config.values(config.of(det))
                config.table(det)
                config.enums(det)


def read(path):
    with open_xtc(path) as file:
        for d in file:
            assert repr(d)
            with suppress(XtcError):
                d.fields()


def test_broken_files(tmp_path, capsys):
    rng = random.Random(SEED)
    one, two = tmp_path / "one.xtc2", tmp_path / "two.xtc2"
    two.write_bytes(b"".join(whole()))
    for case in range(CASES):
        data = broken(rng, b"".join(whole("one.xtc2" if rng.random() < 0.2 else "")))
        one.write_bytes(data)
        try:
            with limits(20, len(data) + two.stat().st_size):
                with suppress(XtcError):
                    read(one)
                for files in ([one], [one, two], [two, one]):
                    with suppress(XtcError):
                        use([str(path) for path in files])
        except Exception as error:
            raise AssertionError(f"DRP_TEST_SEED={SEED} DRP_TEST_CASES={CASES}, case {case}: {error!r}") from error
    capsys.readouterr()


def write(path, *dgrams):
    path.write_bytes(b"".join(dgrams))
    return str(path)


def test_a_chunk_that_names_itself(tmp_path):
    path = write(tmp_path / "a.xtc2", *whole("a.xtc2"))
    with limits(20, 1 << 20), pytest.raises(XtcError, match="which came before it"):
        use([path])


def test_parents_in_parents(tmp_path):
    payload = b""
    for _ in range(3000):
        payload = struct.pack("<IHHI", 0, 0, 0, 12 + len(payload)) + payload
    path = write(tmp_path / "a.xtc2", configure(), dgram(12, 5, payload))
    with open_xtc(path) as file, pytest.raises(XtcError, match="nested deeper than 8"):
        for d in file:
            d.fields()
    assert _files.without(payload, 0, len(payload), {1: None}) == payload


def test_what_is_no_block_stays():
    nothing = struct.pack("<IHHI", 1, 0, 1, 0) + b"rest"
    with limits(5, 100):
        assert _files.without(nothing, 0, len(nothing), {1: None}) == nothing


def test_the_end_of_time(tmp_path):
    path = write(tmp_path / "a.xtc2", configure(), dgram(12, (1 << 64) - 1))
    ends = list(_files.complete(_files.Merger([path])))[-3:]
    assert [_xtc.DGRAM.unpack_from(b, off)[:2] for b, off, _ in ends] == [(0xFFFFFFFF, 0xFFFFFFFF)] * 3


def test_too_many_nodes(tmp_path):
    every = [Names(node << 8, "t", "d", "", "raw", (0, 0, 0), 0, ()) for node in range(4096)]
    first = dgram(2, 1, b"".join(map(_xtc.encode_names, every)))
    files = [write(tmp_path / name, first) for name in ("a.xtc2", "b.xtc2")]
    with pytest.raises(XtcError, match="more nodes than there are numbers"):
        use(files)


def test_a_corrupted_stream_does_not_hide_the_other(tmp_path):
    good = whole()
    bad = [bytearray(d) for d in good]
    bad[4][16] |= 8
    bad[4][24:] = b"x" * len(bad[4][24:])
    files = [write(tmp_path / "a.xtc2", *good), write(tmp_path / "b.xtc2", *bad)]
    for order in (files, files[::-1]):
        joined = [bytes(b[off : off + size]) for b, off, size in _files.Merger(order)]
        table = _xtc.read_names(joined[0], 0, len(joined[0]))
        assert not joined[4][16] & 8
        assert len(list(_xtc.Layout(joined[4], 0, len(joined[4]), table))) == len(CAM)


def test_names_that_python_keeps(tmp_path):
    names = Names(
        0x140,
        "t",
        "d",
        "",
        "raw",
        (0, 0, 0),
        0,
        (Entry("__class__", 2, 0), Entry("__dict__.x", 2, 0), Entry("n", 2, 0)),
    )
    path = write(tmp_path / "a.xtc2", dgram(2, 1, _xtc.encode_names(names)), dgram(12, 2, shapes_data(names, 1, 2, 3)))
    with open_xtc(path) as file:
        fields = list(file)[1].fields()["d", 0, "raw"]
    assert (fields.n, vars(fields)["__class__"]) == (3, 1)


def test_symbols_that_are_arrays(tmp_path):
    names = Names(0x140, "t", "d", "", "config", (0, 0, 0), 0, (Entry("v:K", 11, 0), Entry("a:K", 12, 1)))
    data = dgram(2, 1, _xtc.encode_names(names) + shapes_data(names, 4, np.zeros(0)))
    with open_xtc(write(tmp_path / "a.xtc2", data)) as file:
        assert next(iter(file)).fields()["d", 0, "config"].v.names == {}
    assert Config(data).enums("d") == {}


def test_many_enums_share_their_symbols(tmp_path):
    n = 2000
    entries = tuple(Entry(f"v{i}:K", 11, 0) for i in range(n)) + tuple(Entry(f"s{i}:K", 12, 0) for i in range(n))
    names = Names(0x140, "t", "d", "", "config", (0, 0, 0), 0, entries)
    data = dgram(2, 1, _xtc.encode_names(names) + shapes_data(names, *range(n), *range(n)))
    path = write(tmp_path / "a.xtc2", data)
    with limits(20, len(data)), open_xtc(path) as file:
        fields = next(iter(file)).fields()["d", 0, "config"]
    assert (fields.v7.value, fields.v7.names[8]) == (7, "s8")


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda b: struct.pack_into("<I", b, 20, 1 << 31), "extent"),
        (lambda b: struct.pack_into("<H", b, 18, 1), "type 1"),
        (lambda b: struct.pack_into("<B", b, 11, 0x3C), "env"),
        (lambda b: struct.pack_into("<B", b, 11, 13), "transition id 13"),
    ],
)
def test_headers_that_make_no_sense(tmp_path, change, says):
    bad = bytearray(event(1))
    change(bad)
    with open_xtc(write(tmp_path / "a.xtc2", configure(), bytes(bad))) as file, pytest.raises(XtcError, match=says):
        list(file)


@pytest.mark.parametrize(
    ("payload", "says"),
    [
        (_xtc.encode_names(CAM[0]) * 2, "is there twice"),
        (shapes_data(INFO, "x", 1) + _xtc.encode_names(INFO), "before its Names"),
        (_xtc.encode_names(INFO).replace(b"expt" + b"\0" * 252, b"expt" + b"!" * 252), "without an end"),
        (_xtc.encode_names(INFO)[:12] + struct.pack("<I", 7) + _xtc.encode_names(INFO)[16:], "number of arrays"),
        (_xtc.encode_names(INFO) + shapes_data(INFO, "abc", 1).replace(b"abc\0", b"abcd"), "string without an end"),
        (struct.pack("<IHHI", 0, 0, 3, 12), "type 3"),
        (_xtc.encode_names(SCAN)[:-4] + struct.pack("<I", 2), "rank 2"),
    ],
)
def test_configure_that_makes_no_sense(tmp_path, payload, says):
    with open_xtc(write(tmp_path / "a.xtc2", dgram(2, 1, payload))) as file, pytest.raises(XtcError, match=says):
        list(file)
