"""The same script over XTC2 files: a feed that reads files and, if asked to, writes what the pipeline would record."""

from __future__ import annotations

import atexit
import os
import sys
from collections.abc import Iterable, Iterator
from typing import Any, BinaryIO

import numpy as np

from . import _xtc
from ._calib import Constants, without_drp
from ._errors import XtcError
from ._feed import OVERSIZE, REJECTED, Feed
from ._param import given
from ._results import Result, ready, write
from ._sequence import BEGIN_RUN, BEGIN_STEP, CONFIGURE, END_RUN, EVENT, UNCONFIGURE
from .xtc import Datagram, XtcFile

ENABLE = int(_xtc.TransitionId.Enable)


def paths(files: Any) -> list[str]:
    """Name the files to read: those given, else those of `DRP_FILES`, separated by colons."""
    if files is None:
        return [path for path in os.environ.get("DRP_FILES", "").split(":") if path]
    if isinstance(files, (str, os.PathLike)):
        return [os.fspath(files)]
    return [os.fspath(path) for path in files]


def stream(path: str) -> Iterator[Datagram]:
    """Yield the datagrams of a file and of the chunks that follow it."""
    names = None
    seen: list[str] = []
    while path:
        seen.append(path)
        file = XtcFile(path, names)
        following = ""
        for dgram in file:
            if dgram.service == ENABLE and dgram.size > _xtc.HEADER_BYTES:
                following = _next_chunk(dgram) or following
            yield dgram
        if file.leftover:
            print(f"drp: {path}: the last {file.leftover} bytes are an incomplete datagram", file=sys.stderr)
        if following:
            following = os.path.join(os.path.dirname(path), os.path.basename(following))
            if not os.path.exists(following):
                print(f"drp: {path} goes on in {following}, which is not there", file=sys.stderr)
                return
            if following in seen:
                raise XtcError(f"{path} goes on in {following}, which came before it")
        path, names = following, file.names


def _next_chunk(dgram: Datagram) -> str | None:
    for (det, _, _), fields in dgram.fields().items():
        if det == "chunkinfo":
            return str(getattr(fields, "filename", ""))
    return None


class Merger:
    """Merges streams by timestamp: datagrams of the same kind and time become one.

    Each stream numbers its detectors for itself; a NamesId that an earlier stream has is moved to a node of its own.
    """

    def __init__(self, files: list[str]) -> None:
        self.streams = [stream(path) for path in files]
        self.heads = [next(s, None) for s in self.streams]
        self.moves: list[dict[int, int]] = [{} for _ in files]

    def __iter__(self) -> Iterator[tuple[Any, int, int]]:
        """Yield (buffer, offset, size) of every datagram."""
        while True:
            there = [(k, head) for k, head in enumerate(self.heads) if head is not None]
            if not there:
                return
            lead = min(there, key=lambda pair: pair[1].timestamp)[1]
            service = int(lead.service)
            if all(head.service == CONFIGURE for _, head in there):
                service, chosen = CONFIGURE, there
                self._number([head for _, head in there])
            else:
                chosen = [
                    (k, head) for k, head in there if head.timestamp == lead.timestamp and head.service == service
                ]
            if len(self.heads) == 1:
                yield lead.buf, lead.offset, lead.size
            else:
                data = self._join(lead, chosen)
                yield data, 0, len(data)
            for k, _ in chosen:
                self.heads[k] = next(self.streams[k], None)

    def _number(self, heads: list[Datagram]) -> None:
        used: set[int] = set()
        nodes = {names_id >> 8 for head in heads for names_id in head.names}
        for k, head in enumerate(heads):
            move: dict[int, int] = {}
            clash = {names_id >> 8 for names_id in head.names if names_id in used}
            for old in sorted(clash):
                new = next((n for n in range(4096) if n not in nodes), None)
                if new is None:
                    raise XtcError("xtc: the files together have more nodes than there are numbers for")
                nodes.add(new)
                move.update({i: new << 8 | i & 0xFF for i in head.names if i >> 8 == old})
            self.moves[k] = move
            used |= {move.get(i, i) for i in head.names}

    def _join(self, lead: Datagram, chosen: list[tuple[int, Datagram]]) -> bytes:
        body = bytearray()
        damage = 0
        sound = any(not dgram.damage & _xtc.CORRUPTED for _, dgram in chosen)
        for k, dgram in chosen:
            start = len(body)
            broken = dgram.damage & _xtc.CORRUPTED
            if broken and sound:  # in a Parent of its own it does not hide the others
                body += _xtc.XTC.pack(dgram.src, dgram.damage, _xtc.PARENT, dgram.size - 12)
            body += dgram.buf[dgram.offset + _xtc.HEADER_BYTES : dgram.offset + dgram.size]
            damage |= dgram.damage & ~_xtc.CORRUPTED if sound else dgram.damage
            if broken:
                continue
            for _, names_id, at, _ in _xtc.walk(body, start, len(body)):
                if names_id in self.moves[k]:
                    _xtc.XTC.pack_into(body, at, self.moves[k][names_id], *_xtc.XTC.unpack_from(body, at)[1:])
        if 12 + len(body) > _xtc.MAX_EXTENT:
            raise XtcError(f"xtc: datagrams of {len(body)} bytes are too large to be one")
        high, low = divmod(lead.timestamp, 1 << 32)
        return _xtc.DGRAM.pack(low, high, lead.env, lead.src, damage, _xtc.PARENT, 12 + len(body)) + bytes(body)


BEGINNING = (BEGIN_RUN, BEGIN_STEP, ENABLE)


def complete(dgrams: Iterable[tuple[Any, int, int]]) -> Iterator[tuple[Any, int, int]]:
    """Put in the transitions that a file lacks: what begins before an event, and what ends at the end of the file."""
    open_: list[int] = []  # of run, step and enable, those that have begun
    time = 0
    for dgram in dgrams:
        low, high, env, *_ = _xtc.DGRAM.unpack_from(dgram[0], dgram[1])
        time = high << 32 | low
        service = env >> 24 & 0xF
        if service >= EVENT:
            missing = [s for s in BEGINNING if s not in open_]
            yield from (_empty(s, max(time - len(missing) + k, 0)) for k, s in enumerate(missing))
            open_ += missing
        elif service in (CONFIGURE, UNCONFIGURE, BEGIN_RUN) and open_:
            yield from (_empty(s + 1, time) for s in reversed(open_))
            open_ = []
        elif service == END_RUN:
            yield from (_empty(s + 1, time) for s in reversed(open_) if s != BEGIN_RUN)
            open_ = []
        elif service - 1 in open_:
            open_.remove(service - 1)
        if service in BEGINNING and service not in open_:
            open_.append(service)
        yield dgram
    yield from (_empty(s + 1, time + 1 + k) for k, s in enumerate(reversed(open_)))


def _empty(service: int, time: int) -> tuple[bytes, int, int]:
    high, low = divmod(min(time, (1 << 64) - 1), 1 << 32)
    return _xtc.DGRAM.pack(low, high, service << 24, 0, 0, _xtc.PARENT, 12), 0, _xtc.HEADER_BYTES


class FileFeed(Feed):
    """The datagrams of files."""

    def __init__(self, files: list[str], out: str | None = None, restarts: bool = False) -> None:
        super().__init__()
        for path in files:
            if not os.path.isfile(path):
                raise FileNotFoundError(f"no file {path}")
        self.restarts = restarts
        self._files = files
        self.failures = 0
        self._dgrams = complete(Merger(files))
        self._said = ""
        self._block = b""  # the values of parameters, as they are recorded
        self._results: memoryview | None = None
        self._done = False
        self._out: BinaryIO | None = None
        self._path = out
        if out:
            self._out = open(out + ".inprogress", "wb")  # noqa: SIM115
            atexit.register(self.close)

    def fetch(self) -> None:
        """Get the next datagram; at the end of the files an Unconfigure, once."""
        found = next(self._dgrams, None)
        if found is None:
            if self._done:
                from ._session import EndOfData

                raise EndOfData
            self._done = True
            self.close()
            self.base, self.slot, self.size, self.service = b"", 0, 0, UNCONFIGURE
            return
        buf, off, size = found
        header = _xtc.DGRAM.unpack_from(buf, off)
        service = header[2] >> 24 & 0xF
        if service < EVENT:
            self.arrived(service, bytes(buf[off : off + size]))
            return
        self.service = service
        self.time = header[1] << 32 | header[0]
        self.base, self.raw_offset, self.slot, self.size, self.layout = buf, off, 0, size, 0

    def writable(self) -> tuple[memoryview, int, int]:
        """Give area, offset and capacity for the results of the datagram at hand."""
        if self._results is None:
            self._results = memoryview(bytearray(self.out_bytes))
        return self._results, 0, self.out_bytes

    def corrected(self, kind: int, names_id: int, where: str) -> np.ndarray[Any, Any]:
        """Raise `ConstantsError`: drp corrects pixels, and it is not there."""
        raise without_drp(where, self._files)

    def constants_of(self, det: str) -> Constants:
        """Raise `ConstantsError`: what a file says of constants lay in memory that is gone."""
        raise without_drp(f"constants of {det}", self._files)

    def reply(self, status: Any, length: int, count: int) -> None:
        """Write the datagram at hand as the pipeline would record it."""
        if not isinstance(status, int):
            status = int(status[0])
        result = bytes(self.area[:length]) if length else b""
        if self.service >= EVENT:
            result += self._values()
        if status > REJECTED:
            self.failures += 1
            if self.restarts and self.failure is not None:
                self._say(self.failure.trace or f"{self.failure.fields['message']}\n")
            result = self._values() if self.service >= EVENT else b""
        if self._out is None or status == REJECTED or not self.size:
            return
        removed = self.removed if status == 0 and self.service >= EVENT else {}
        off = self.raw_offset if self.service >= EVENT else 0
        low, high, env, src, damage, contains, _ = _xtc.DGRAM.unpack_from(self.base, off)
        if status > REJECTED:
            damage |= _xtc.TRUNCATED if status == OVERSIZE else _xtc.USER_DEFINED
        if damage & _xtc.CORRUPTED:
            removed = {}  # what looks like a block may be none
        body = without(self.base, off + _xtc.HEADER_BYTES, off + self.size, removed) + result
        self._out.write(_xtc.DGRAM.pack(low, high, env, src, damage, contains, 12 + len(body)) + body)

    def freeze(self) -> None:
        """Let nothing more be declared; from here on parameters have the values that DRP_SET says."""
        given(os.environ.get("DRP_SET", ""), self.params)
        super().freeze()
        self._block = b""
        if self.settings is not None:
            result = Result(self.settings)
            result.generation = 0
            for p in self.params:
                setattr(result, p.name, p.value)
            values, shapes = ready(result, 0)
            plan = self.settings.plan(shapes)
            area = memoryview(bytearray(plan.total))
            write(self.settings, plan, values, area, 0)
            self._block = bytes(area)

    def _values(self) -> bytes:
        return self._block if self.frozen else b""

    def _say(self, trace: str) -> None:
        """Show each failure once."""
        if trace == self._said:
            return
        self._said = trace
        print(f"drp: {_xtc.TransitionId(self.service).name} {self.time:#x} failed\n{trace}", file=sys.stderr)

    def close(self) -> None:
        """Complete the file that is written; what was left before the end keeps the name `.inprogress`."""
        if self._out is None:
            return
        if self.taken and self.service == END_RUN and not self._done:
            self.finish()
            self._done = next(self._dgrams, None) is None
        self._out.close()
        self._out = None
        if not self._done:
            print(f"drp: {self._path}.inprogress is not complete", file=sys.stderr)
            return
        os.replace(f"{self._path}.inprogress", str(self._path))


def without(buf: Any, off: int, end: int, removed: dict[int, None], depth: int = 0) -> bytes:
    """Copy the children in [off, end) but for the ShapesData of some NamesIds.

    What follows the first thing that is no Xtc stays.
    """
    if not removed:
        return bytes(buf[off:end])
    parts: list[bytes] = []
    while end - off >= 12:
        src, damage, contains, extent = _xtc.XTC.unpack_from(buf, off)
        if not 12 <= extent <= end - off:
            break
        kind = contains & 0xFFF
        if kind == _xtc.PARENT and not damage & _xtc.CORRUPTED and depth < _xtc.MAX_DEPTH:
            inner = without(buf, off + 12, off + extent, removed, depth + 1)
            parts.append(_xtc.XTC.pack(src, damage, contains, 12 + len(inner)) + inner)
        elif kind != _xtc.SHAPES_DATA or src & 0xFFFFF not in removed:
            parts.append(bytes(buf[off : off + extent]))
        off += extent
    return b"".join(parts) + bytes(buf[off:end])
