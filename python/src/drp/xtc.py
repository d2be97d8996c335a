"""Read XTC2 files, datagram by datagram."""

from __future__ import annotations

import mmap
import os
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

from . import _xtc
from ._config import fill
from ._errors import XtcError
from ._xtc import Layout, Names, TransitionId

__all__ = ["Datagram", "XtcFile", "XtcError", "open_xtc"]


class Datagram:
    """One datagram of a file. Its arrays are views of the file."""

    __slots__ = ("_names", "buf", "damage", "env", "offset", "size", "src", "timestamp")

    def __init__(self, buf: Any, offset: int, names: dict[int, Names]) -> None:
        low, high, self.env, self.src, self.damage, _, extent = _xtc.DGRAM.unpack_from(buf, offset)
        self.timestamp: int = high << 32 | low
        self.size: int = 12 + extent
        self.buf = buf
        self.offset = offset
        self._names = names

    @property
    def service(self) -> TransitionId:
        """What kind of datagram it is."""
        return TransitionId(self.env >> 24 & 0xF)

    @property
    def data(self) -> bytes:
        """A copy of its bytes."""
        return bytes(self.buf[self.offset : self.offset + self.size])

    @property
    def names(self) -> dict[int, Names]:
        """The Names that describe it, by NamesId."""
        return self._names

    def layout(self) -> Layout:
        """Find its blocks."""
        return Layout(self.buf, self.offset, self.size, self._names)

    def fields(self) -> dict[tuple[str, int, str], SimpleNamespace]:
        """Read everything: (detector, segment, alg) to a namespace of fields.

        Raises `XtcError` when anything in the datagram makes no sense.
        """
        found: dict[tuple[str, int, str], SimpleNamespace] = {}
        layout = self.layout()
        layout.check(self.buf, self.offset)
        for names_id in layout:
            names = self._names[names_id]
            space = found.setdefault((names.det_name, names.segment, names.alg), SimpleNamespace())
            fill(space, self.buf, layout, names, self.offset)
        return found

    def __repr__(self) -> str:
        return f"<{self.service.name} {self.timestamp:#x}, {self.size} bytes>"


class XtcFile:
    """An open XTC2 file; iterate over it to get its datagrams.

    The loop raises `XtcError` where a header makes no sense, or a Configure: nothing after it can be read.
    """

    def __init__(self, path: str | os.PathLike[str], names: dict[int, Names] | None = None) -> None:
        self.path = os.fspath(path)
        self.names: dict[int, Names] = dict(names or {})  #: of the latest Configure
        self.leftover = 0  #: bytes of an incomplete datagram at the end, known when the end was reached
        with open(self.path, "rb") as file:
            size = os.fstat(file.fileno()).st_size
            self.buf: Any = memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)) if size else b""

    def __iter__(self) -> Iterator[Datagram]:
        buf, at = self.buf, 0
        while at < len(buf):
            left = len(buf) - at
            if left < _xtc.HEADER_BYTES:
                self.leftover = left
                return
            trouble = _xtc.header_trouble(buf, at)
            if trouble:
                raise XtcError(f"{self.path}: no datagram at offset {at}: {trouble}")
            extent, service = _xtc.DGRAM.unpack_from(buf, at)[6], buf[at + 11] & 0xF
            if 12 + extent > left:
                self.leftover = left
                return
            if service == TransitionId.Configure:
                self.names = _xtc.read_names(buf, at, 12 + extent)
            yield Datagram(buf, at, self.names)
            at += 12 + extent

    def __enter__(self) -> XtcFile:
        return self

    def __exit__(self, *args: object) -> None:
        self.buf = b""


def open_xtc(path: str | os.PathLike[str], names: dict[int, Names] | None = None) -> XtcFile:
    """Open an XTC2 file. `names` are those of the file before, for a later chunk, which has none of its own."""
    return XtcFile(path, names)
