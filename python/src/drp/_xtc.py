"""The XTC2 byte format: walk datagrams, read Names and ShapesData, write Names.

Everything here works on a buffer and byte offsets into it and copies no array data. All numbers are little-endian and
nothing is aligned. Offsets inside a datagram are kept relative to its first byte, so that what was learnt from one
datagram serves for every other of the same layout.

    datagram = time low u32 | time high u32 | env u32 | Xtc header | children
    Xtc      = src u32 | damage u16 | contains u16 | extent u32 (including these 12 bytes) | children or data
"""

from __future__ import annotations

import enum
import re
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ._errors import XtcError

PARENT, SHAPES_DATA, SHAPES, DATA, NAMES = range(5)
CORRUPTED = 1 << 3
TRUNCATED = 1 << 0
USER_DEFINED = 1 << 12

DGRAM = struct.Struct("<IIIIHHI")
XTC = struct.Struct("<IHHI")
NAMES_HEAD = struct.Struct("<I256s256s256s256sII")
ENTRY = struct.Struct("<256sI256sII")
HEADER_BYTES = DGRAM.size
MAX_DEPTH = 8  # of Parents below that of the datagram
MAX_EXTENT = 0x7FFFFFFF  # what readers in C++ can hold

CHARSTR, ENUMVAL, ENUMDICT = 10, 11, 12
DTYPES = tuple(
    np.dtype(code) for code in ("u1", "<u2", "<u4", "<u8", "i1", "<i2", "<i4", "<i8", "<f4", "<f8", "S1", "<i4", "<i4")
)
SCALARS = tuple(struct.Struct("<" + code) for code in "BHIQbhiqfdcii")


class TransitionId(enum.IntEnum):
    """What a datagram is; an `L1Accept` is an event."""

    ClearReadout = 0
    Reset = 1
    Configure = 2
    Unconfigure = 3
    BeginRun = 4
    EndRun = 5
    BeginStep = 6
    EndStep = 7
    Enable = 8
    Disable = 9
    SlowUpdate = 10
    L1AcceptEndOfBatch = 11
    L1Accept = 12


@dataclass(frozen=True)
class Entry:
    """One field of a Names: its name, data type code (0..12) and rank."""

    name: str
    type: int
    rank: int


@dataclass(frozen=True)
class Names:
    """The description of one kind of block: whose it is and which fields it holds, in order."""

    id: int
    det_type: str
    det_name: str
    det_id: str
    alg: str
    version: tuple[int, int, int]
    segment: int
    entries: tuple[Entry, ...]
    index: dict[str, int] = field(default_factory=dict, compare=False, repr=False)


def header_trouble(buf: Any, off: int) -> str:
    """Say why the 24 bytes at `off` cannot be the header of a datagram; nothing when they can."""
    _, _, env, _, _, contains, extent = DGRAM.unpack_from(buf, off)
    if not 12 <= extent <= MAX_EXTENT:
        return f"extent {extent}"
    if contains & 0xFFF != PARENT:
        return f"it contains type {contains & 0xFFF}"
    if env >> 24 & 0xF > TransitionId.L1Accept:
        return f"transition id {env >> 24 & 0xF}"
    if env >> 28 > 2:
        return f"env {env:#010x}"
    return ""


def text(raw: bytes) -> str:
    r"""Decode a NUL-terminated string; what follows the NUL may be garbage.

    >>> text(b"epix\0junk")
    'epix'
    """
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


def walk(buf: Any, off: int, end: int, depth: int = 0) -> Iterator[tuple[int, int, int, int]]:
    """Yield (type, NamesId, offset, extent) of every Names and ShapesData in [off, end), parents entered.

    Those that are marked Corrupted are yielded too, see `corrupted`; a Parent that is gets passed over.
    """
    while off < end:
        if end - off < 12:
            raise XtcError(f"xtc: {end - off} stray bytes at offset {off}")
        src, damage, contains, extent = XTC.unpack_from(buf, off)
        if extent < 12 or off + extent > end:
            raise XtcError(f"xtc: extent {extent} at offset {off} does not fit its parent")
        kind = contains & 0xFFF
        if kind == PARENT:
            if not damage & CORRUPTED:
                if depth == MAX_DEPTH:
                    raise XtcError(f"xtc: parents are nested deeper than {MAX_DEPTH} at offset {off}")
                yield from walk(buf, off + 12, off + extent, depth + 1)
        elif kind in (SHAPES_DATA, NAMES) or damage & CORRUPTED:
            yield kind, src & 0xFFFFF, off, extent
        else:
            raise XtcError(f"xtc: type {kind} in a datagram at offset {off}")
        off += extent


def corrupted(buf: Any, off: int) -> bool:
    """Tell whether nobody is to look into the Xtc at `off`."""
    return bool(XTC.unpack_from(buf, off)[1] & CORRUPTED)


def parse_names(buf: Any, off: int, extent: int) -> Names:
    """Read the Names at `off`."""
    src = XTC.unpack_from(buf, off)[0]
    count, rest = divmod(extent - 12 - NAMES_HEAD.size, ENTRY.size)
    if rest or count < 0:
        raise XtcError(f"xtc: Names of {extent} bytes at offset {off} holds no whole number of entries")
    arrays, det_type, det_name, det_id, alg, version, segment = NAMES_HEAD.unpack_from(buf, off + 12)
    strings = [det_type, det_name, det_id, alg]
    body = memoryview(buf)[off + 12 + NAMES_HEAD.size : off + extent]
    found = []
    for entry_alg, _, name, code, rank in ENTRY.iter_unpack(body):
        strings += [entry_alg, name]
        if code >= len(DTYPES) or rank > 5 or (code == CHARSTR and rank != 1):
            raise XtcError(f"xtc: entry {text(name)!r} has data type {code} and rank {rank}")
        found.append(Entry(text(name), code, rank))
        arrays -= rank > 0
    if arrays or not all(b"\0" in string for string in strings):
        what = "announces another number of arrays than it describes" if arrays else "has a string without an end"
        raise XtcError(f"xtc: Names at offset {off} {what}")
    entries = tuple(found)
    return Names(
        id=src & 0xFFFFF,
        det_type=text(det_type),
        det_name=text(det_name),
        det_id=text(det_id),
        alg=text(alg),
        version=(version >> 16 & 0xFF, version >> 8 & 0xFF, version & 0xFF),
        segment=segment,
        entries=entries,
        index={entry.name: i for i, entry in enumerate(entries)},
    )


def encode_names(names: Names) -> bytes:
    """Write a Names; every string is filled up with zeros.

    >>> one = Names(0x101, "cam", "cam0", "", "raw", (1, 2, 3), 4, (Entry("image", 1, 2),))
    >>> data = encode_names(one)
    >>> len(data), parse_names(data, 0, len(data)) == one
    (1572, True)
    """
    arrays = sum(1 for entry in names.entries if entry.rank)
    major, minor, micro = names.version
    parts = [
        XTC.pack(names.id, 0, NAMES, 12 + NAMES_HEAD.size + ENTRY.size * len(names.entries)),
        NAMES_HEAD.pack(
            arrays,
            names.det_type.encode(),
            names.det_name.encode(),
            names.det_id.encode(),
            names.alg.encode(),
            major << 16 | minor << 8 | micro,
            names.segment,
        ),
    ]
    parts += [ENTRY.pack(b"", 0, entry.name.encode(), entry.type, entry.rank) for entry in names.entries]
    return b"".join(parts)


@dataclass(frozen=True)
class Place:
    """Where one field of one block lies, relative to the datagram, and its shape; () for a scalar."""

    offset: int
    shape: tuple[int, ...]


def places(buf: Any, base: int, off: int, extent: int, names: Names) -> list[Place]:
    """Find every field of the ShapesData at `off` of a datagram that starts at `base`."""
    shapes = data = -1
    data_end = 0
    at, end = off + 12, off + extent
    while at < end:
        if end - at < 12:
            raise XtcError(f"xtc: {end - at} stray bytes in the ShapesData at offset {off}")
        _, _, contains, size = XTC.unpack_from(buf, at)
        if size < 12 or at + size > end:
            raise XtcError(f"xtc: extent {size} at offset {at} does not fit its ShapesData")
        if contains & 0xFFF == SHAPES and shapes < 0:
            shapes = at + 12
            if size - 12 < 20 * sum(1 for entry in names.entries if entry.rank):
                raise XtcError(f"xtc: Shapes of {names.det_name} {names.alg} is too short")
        elif contains & 0xFFF == DATA and data < 0:
            data, data_end = at + 12, at + size
        else:
            raise XtcError(f"xtc: type {contains & 0xFFF} in the ShapesData at offset {off}")
        at += size
    if data < 0:
        raise XtcError(f"xtc: ShapesData of {names.det_name} {names.alg} has no Data")
    found: list[Place] = []
    for entry in names.entries:
        size = DTYPES[entry.type].itemsize
        shape: tuple[int, ...] = ()
        if entry.rank:
            if shapes < 0:
                raise XtcError(f"xtc: ShapesData of {names.det_name} {names.alg} has no Shapes")
            shape = struct.unpack_from(f"<{entry.rank}I", buf, shapes)
            shapes += 20
            for length in shape:
                size *= length
        if data + size > data_end:
            raise XtcError(f"xtc: field {entry.name!r} of {names.det_name} {names.alg} overruns its Data")
        if entry.type == CHARSTR and size and b"\0" not in bytes(memoryview(buf)[data : data + size]):
            raise XtcError(f"xtc: field {entry.name!r} of {names.det_name} {names.alg} is a string without an end")
        found.append(Place(data - base, shape))
        data += size
    return found


class Layout:
    """The blocks of one datagram: NamesId to the places of its fields, worked out when first asked for."""

    __slots__ = ("_blocks", "_hidden", "_places", "names")

    def __init__(self, buf: Any, off: int, size: int, names: dict[int, Names]) -> None:
        self.names = names
        self._blocks: dict[int, tuple[int, int]] = {}
        self._places: dict[int, list[Place]] = {}
        self._hidden: list[tuple[int, int, int]] = []  # blocks behind which another of the same NamesId comes
        if size < HEADER_BYTES or DGRAM.unpack_from(buf, off)[6] + 12 > size:
            raise XtcError(f"xtc: datagram of {size} bytes is cut off")
        _, _, env, _, damage, _, whole = DGRAM.unpack_from(buf, off)
        if damage & CORRUPTED:
            return
        for kind, names_id, at, extent in walk(buf, off + HEADER_BYTES, off + 12 + whole):
            if corrupted(buf, at):
                continue
            if kind == SHAPES_DATA:
                if names_id in self._blocks:
                    self._hidden.append((names_id, *self._blocks[names_id]))
                self._blocks[names_id] = (at - off, extent)
            elif env >> 24 & 0xF != TransitionId.Configure:  # there they were read before
                parse_names(buf, at, extent)

    def __contains__(self, names_id: int) -> bool:
        return names_id in self._blocks

    def __iter__(self) -> Iterator[int]:
        return iter(self._blocks)

    def places(self, buf: Any, off: int, names_id: int) -> list[Place]:
        """Give the places of the fields of one block; `off` is where the datagram starts."""
        found = self._places.get(names_id)
        if found is None:
            if names_id not in self.names:
                raise XtcError(f"xtc: ShapesData {names_id:#x} has no Names")
            at, extent = self._blocks[names_id]
            found = self._places[names_id] = places(buf, off, off + at, extent, self.names[names_id])
        return found

    def check(self, buf: Any, off: int) -> None:
        """Check every block, also those behind which another of the same NamesId comes."""
        for names_id in self:
            self.places(buf, off, names_id)
        for names_id, at, extent in self._hidden:
            places(buf, off, off + at, extent, self.names[names_id])


class EnumValue:
    """The value of an enum field: `value` is the number, `names` maps numbers to names."""

    __slots__ = ("names", "value")

    def __init__(self, value: int, names: dict[int, str]) -> None:
        self.value = value
        self.names = names

    def __eq__(self, other: object) -> bool:
        return self.value == (other.value if isinstance(other, EnumValue) else other)

    def __hash__(self) -> int:
        return hash(self.value)

    def __int__(self) -> int:
        return self.value

    def __repr__(self) -> str:
        return f"<{self.names.get(self.value, '?')}: {self.value}>"


Symbols = dict[str, dict[int, str]]


def symbols(buf: Any, off: int, names: Names, where: Sequence[Place]) -> Symbols:
    """Read the dictionaries of the enum types of a block."""
    found: Symbols = {}
    for entry, place in zip(names.entries, where, strict=True):
        if entry.type == ENUMDICT and not entry.rank:
            symbol, _, kind = entry.name.partition(":")
            found.setdefault(kind, {})[SCALARS[ENUMDICT].unpack_from(buf, off + place.offset)[0]] = symbol
    return found


def read_field(buf: Any, off: int, names: Names, where: Sequence[Place], i: int, known: Symbols | None = None) -> Any:
    """Read field `i` of a block: a number, a str, an `EnumValue`, or an array that is a view of `buf`.

    Who reads many fields of a block gives its `symbols`, which otherwise are read again for each enum.
    """
    entry, place = names.entries[i], where[i]
    at = off + place.offset
    if entry.type == CHARSTR:
        return text(bytes(memoryview(buf)[at : at + place.shape[0]])) if place.shape else ""
    if entry.rank:
        try:
            return np.ndarray(place.shape, DTYPES[entry.type], buf, at)
        except ValueError:  # NumPy multiplies the lengths also where one of them is 0
            raise XtcError(f"xtc: field {entry.name!r} has a shape that no array can have: {place.shape}") from None
    value = SCALARS[entry.type].unpack_from(buf, at)[0]
    if entry.type == ENUMVAL:
        if known is None:
            known = symbols(buf, off, names, where)
        return EnumValue(value, known.get(entry.name.partition(":")[2], {}))
    return value


def read_names(buf: Any, off: int, size: int) -> dict[int, Names]:
    """Read all the Names of a Configure datagram, in their order, and check its blocks against them."""
    table: dict[int, Names] = {}
    if DGRAM.unpack_from(buf, off)[4] & CORRUPTED:
        return table
    for kind, names_id, at, extent in walk(buf, off + HEADER_BYTES, off + size):
        if corrupted(buf, at):
            continue
        if kind == SHAPES_DATA:
            if names_id not in table:
                raise XtcError(f"xtc: ShapesData {names_id:#x} at offset {at} comes before its Names")
            places(buf, off, at, extent, table[names_id])
            continue
        if names_id in table:
            raise XtcError(f"xtc: Names {names_id:#x} at offset {at} is there twice")
        table[names_id] = parse_names(buf, at, extent)
    return table


_ENTRY_NAME = re.compile(r"[A-Za-z0-9_.:]{1,255}")
_DET_NAME = re.compile(r"[A-Za-z0-9_]{1,255}")


def check_name(kind: str, name: str, entry: bool = False) -> None:
    """Refuse a name that other readers of the format would refuse."""
    if not isinstance(name, str) or not (_ENTRY_NAME if entry else _DET_NAME).fullmatch(name):
        allowed = "letters, digits, _ . :" if entry else "letters, digits and _"
        raise ValueError(f"{kind} {name!r}: only {allowed}, 1 to 255 characters")
