"""How a field is read from a datagram of a known layout: a view of the memory wherever that is possible.

A reader is worked out once per layout and then only adds the offset of the datagram. `one` reads from a single
datagram, `many` from `n` datagrams that lie `step` bytes apart.
"""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np

from . import _xtc
from ._xtc import Layout, Names, Place


class Strided:
    """An array, possibly over several segments, that is a view of the datagram."""

    __slots__ = ("dtype", "offset", "shape", "strides")

    def __init__(self, offset: int, dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> None:
        self.offset = offset
        self.dtype = dtype
        self.shape = shape
        self.strides = strides

    def one(self, buf: Any, off: int) -> Any:
        return np.ndarray(self.shape, self.dtype, buf, off + self.offset, self.strides)

    def many(self, buf: Any, off: int, n: int, step: int) -> Any:
        return np.ndarray((n, *self.shape), self.dtype, buf, off + self.offset, (step, *self.strides))


class Scalar:
    """A number."""

    __slots__ = ("dtype", "offset", "unpack_from")

    def __init__(self, offset: int, code: int) -> None:
        self.offset = offset
        self.dtype = _xtc.DTYPES[code]
        self.unpack_from = _xtc.SCALARS[code].unpack_from

    def one(self, buf: Any, off: int) -> Any:
        return self.unpack_from(buf, off + self.offset)[0]

    def many(self, buf: Any, off: int, n: int, step: int) -> Any:
        return np.ndarray((n,), self.dtype, buf, off + self.offset, (step,))


class Absent:
    """A detector that is not in the datagram."""

    __slots__ = ()

    def one(self, buf: Any, off: int) -> Any:
        return None

    def many(self, buf: Any, off: int, n: int, step: int) -> Any:
        return None


class Pieces:
    """Anything else: what the segments hold, put together by copying, or as a list."""

    __slots__ = ("index", "join", "layout", "names")

    def __init__(self, layout: Layout, names: list[Names], index: list[int], join: bool) -> None:
        self.layout = layout
        self.names = names
        self.index = index
        self.join = join

    def one(self, buf: Any, off: int) -> Any:
        values = [
            _xtc.read_field(buf, off, n, self.layout.places(buf, off, n.id), i)
            for n, i in zip(self.names, self.index, strict=True)
        ]
        if len(values) == 1:
            return values[0]
        if not self.join:
            return values
        result = np.concatenate(values) if np.ndim(values[0]) >= 3 else np.stack(values)
        result.flags.writeable = False
        return result

    def many(self, buf: Any, off: int, n: int, step: int) -> Any:
        values = [self.one(buf, off + k * step) for k in range(n)]
        return np.stack(values) if self.join or isinstance(values[0], np.ndarray) else values


Reader = Strided | Scalar | Absent | Pieces


def reader(layout: Layout, candidates: list[Names], field: str, buf: Any, off: int) -> Reader:
    """Work out how to read a field of several segments from datagrams of this layout."""
    names = [n for n in candidates if n.id in layout and field in n.index]
    if not names:
        return Absent()
    index = [n.index[field] for n in names]
    entries = [n.entries[i] for n, i in zip(names, index, strict=True)]
    found = [layout.places(buf, off, n.id)[i] for n, i in zip(names, index, strict=True)]
    code, rank = entries[0].type, entries[0].rank
    alike = all(e.type == code and e.rank == rank for e in entries) and code < _xtc.CHARSTR
    if not alike:
        return Pieces(layout, names, index, join=False)
    if rank == 0 and len(found) == 1:
        return Scalar(found[0].offset, code)
    equal = all(p.shape == found[0].shape for p in found)
    if rank >= 3:
        equal = all(p.shape[1:] == found[0].shape[1:] for p in found)
    return (strided(found, _xtc.DTYPES[code], rank) if equal else None) or Pieces(layout, names, index, join=equal)


def strided(found: list[Place], dtype: np.dtype[Any], rank: int) -> Strided | None:
    """Cover all segments with one strided view, if they lie at equal distances."""
    shape = found[0].shape
    strides = tuple(dtype.itemsize * math.prod(shape[k + 1 :]) for k in range(rank))
    offset = found[0].offset
    if len(found) == 1:
        return Strided(offset, dtype, shape, strides) if rank != 2 else view(found, dtype, shape, strides)
    if any(p.shape != shape for p in found):
        return None
    if rank >= 3:
        if shape[0] != 1:
            return None
        shape, strides = shape[1:], strides[1:]
    return view(found, dtype, shape, strides)


def view(found: list[Place], dtype: np.dtype[Any], shape: tuple[int, ...], strides: tuple[int, ...]) -> Strided | None:
    """Add the axis of the segments."""
    steps = {b.offset - a.offset for a, b in pairwise(found)}
    if len(steps) > 1:
        return None
    return Strided(found[0].offset, dtype, (len(found), *shape), (steps.pop() if steps else 0, *strides))
