"""The child of drp: requests come in by one pipe, answers go out by another, the data stays in shared memory.

The records are described in docs/formats.md. Requests are read as many at a time as there are. The answers of a whole
group of events are made from the requests beforehand, with the outcome "nothing added"; an event only touches its
answer when the script adds something. They are written when the group is done, after a millisecond, or at once for an
event that drp marks as solo.

A spare is a child that is no worker yet. It gets replays only, until a record tells it which worker it is to be; that
record is taken where the script waits for the next datagram, and the script does not notice.
"""

from __future__ import annotations

import base64
import json
import os
import platform
import struct
import sys
from collections.abc import Iterator
from time import perf_counter
from typing import Any, NoReturn

import numpy as np

from . import _shm
from ._calib import Part
from ._config import Config
from ._errors import ConstantsError
from ._event import Batch, Event
from ._feed import FAILED, LIVE, REPLAY, Feed
from ._hits import Area
from ._info import Deferred, SpareInfo, drp_info
from ._param import Board, Param
from ._sequence import EVENT
from ._title import set_title
from ._version import __version__

VERSION = 2
HELLO, REPLAYED, TRANSITION, L1, ATTACH, SCRIPT, WANT = 1, 2, 3, 4, 5, 6, 7
DEFERRED = 1  # the status of a replay that the script cannot stand before the attach
WORKER = ("worker", "raw", "result")  # what a spare is told later
SOLO = 1
SETTINGS = 16  # layout from this bit on: the entry of the board with the values for the event
PARTS = 2  # flags from this bit on: how many parts drp has prepared for the event
RECORD = struct.Struct("<BBHIIIIIQ")
RECORD_TYPE = np.dtype(
    [
        ("kind", "u1"),
        ("status", "u1"),
        ("count", "<u2"),
        ("slot", "<u4"),
        ("generation", "<u4"),
        ("bytes", "<u4"),
        ("layout", "<u4"),
        ("service", "<u4"),
        ("time", "<u8"),
    ]
)
READ_BYTES = 65536
FLUSH_SECONDS = 1e-3


def leave(code: int = 0) -> NoReturn:
    """End because drp is gone."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            pass
    os._exit(code)


class ChildFeed(Feed):
    """The datagrams that drp hands to this process."""

    restarts = True
    role = "worker"  # in the title of the process

    def __init__(self, requests: int, answers: int) -> None:
        super().__init__()
        self._requests = requests
        self._answers = answers
        self._data = b""
        self._p = 0
        # The group of events at hand: records, answers, next event, number of events, answers written.
        self._records = b""
        self._reply = bytearray()
        self._i = self._n = self._sent = 0
        self._breaks: np.ndarray[Any, Any] | None = None
        self._singles = 0  # events that come one by one, after a batch failed
        self._record: tuple[int, ...] = ()
        self._flush_at = 0.0
        self._at = 0  # of the record that was looked for
        self._words = sys.argv[1:]  # the script and its arguments; sys.argv will be the script's own
        self._number = ""  # of the worker; a spare has none
        self._shown = ""  # the detector, from Configure on
        self._parts: dict[tuple[int, int], Part] = {}  # what can be asked for, by kind and NamesId
        self._prepared: dict[int, memoryview] = {}  # the segments of these
        self._place: dict[str, int] | None = None  # of the board, which is attached when a parameter is declared
        self._board: Board | None = None
        self._entry = 0  # of the board, for the datagram at hand
        self.attached = False
        self._deferred = False  # nothing is shown to the script until everything comes again, after the attach
        os.register_at_fork(after_in_child=self._forked)
        self._hello()

    def _hello(self) -> None:
        self._need(RECORD.size)
        record = RECORD.unpack_from(self._data, self._p)
        if record[0] != HELLO:
            raise ValueError(f"the first record is of kind {record[0]}, not a hello")
        self._p += RECORD.size
        hello = json.loads(self._inline(record[5]))
        if hello["version"] != VERSION:
            raise ValueError(
                f"drp speaks version {hello['version']} of the child protocol, this package version {VERSION}"
            )
        transitions = hello["transitions"]
        self._transitions = _shm.attach(transitions["id"], _extent(transitions))
        self._transition_at = (transitions["offset"], transitions["slot_bytes"])
        self.transition_bytes = transitions["slot_bytes"]  # what a spare goes by
        self.detector = str(hello.get("detector") or "")
        self.publisher = str(hello.get("publisher") or "")
        self.decided = bool(hello.get("decided"))
        self.stream = int(hello.get("stream") or 0)
        self._place = hello.get("settings")
        if hello.get("source"):
            self.source = base64.b64decode(hello["source"])
        drp_info._hello(hello)
        if any(key in hello for key in WORKER):
            self._attach(hello)
        else:
            SpareInfo.asked = False
            drp_info.__class__ = SpareInfo
            os.register_at_fork(after_in_parent=self._parted)
            self._entitle()
        answer = json.dumps(
            {
                "version": VERSION,
                "pid": os.getpid(),
                "python": platform.python_version(),
                "numpy": np.__version__,
                "drp": __version__,
            }
        ).encode()
        self._write(RECORD.pack(HELLO, 0, 0, 0, 0, len(answer), 0, 0, 0) + answer)

    def _attach(self, place: dict[str, Any]) -> None:
        raw, out = place["raw"], place["result"]
        self._raw = _shm.attach(raw["id"], _extent(raw))
        end = max(_extent(out), out["transition_offset"] + out["transition_bytes"])
        self._out = _shm.attach(out["id"], end, writable=True)
        self.raw_offset, self.raw_step = raw["offset"], raw["slot_bytes"]
        self.out_offset, self.out_step, self.out_bytes = out["offset"], out["slot_bytes"], out["slot_bytes"]
        self.transition_offset, self.transition_bytes = out["transition_offset"], out["transition_bytes"]
        self.area_of_hits = Area(place["hits"]) if place.get("hits") else None
        drp_info._attach(place["worker"], raw["slot_bytes"])
        self.attached = True
        self._number = str(place["worker"])
        self._entitle()

    def prepare(self) -> Config:
        """Read the Configure at hand, which says which detector there is."""
        config = super().prepare()
        camera = config.camera()
        if camera and camera[0] != self._shown:
            self._shown = camera[0]
            self._entitle()
        return config

    def _entitle(self) -> None:
        """Let the system show who this is: worker, detector, script and arguments."""
        who = [self.role, self._number or "spare", self._shown]
        script = os.path.basename(self._words[0]) if self._words else ""
        title = " ".join(["drp", *(word for word in who if word), script, *self._words[1:]])
        set_title(title, f"drp-{self._number or 's'} {script}")

    def _promote(self, size: int) -> None:
        """Become a worker."""
        if self.attached:
            self._give_up("this worker was told once more who it is")
        try:
            self._attach(json.loads(self._inline(size)))
        except (OSError, ValueError, KeyError, TypeError) as error:
            self._give_up(f"become a worker: {error!r}")
        self._deferred = False
        self._write(RECORD.pack(ATTACH, 0, 0, 0, 0, 0, 0, 0, 0))
        if SpareInfo.asked:  # by a thread, which ended of it; the script stands between two datagrams
            SpareInfo.asked, self.due = False, True
            raise Deferred

    @property
    def early(self) -> bool:
        """Say whether the script asked who it is, which is not known yet."""
        return SpareInfo.asked and not self.attached

    def defer(self) -> None:
        """Answer the replay at hand, forget what came before, and show the script nothing until the attach."""
        SpareInfo.asked = False
        self._deferred = True
        self.kept = {}
        self.replays, self.held = [], None
        self.reset()
        if self.have:
            self.have = self.taken = False
            self.reply(DEFERRED, 0, 0)

    def _parted(self) -> None:
        """Take note that the script has forked a process, which would never learn who it is."""
        if not self.attached:
            SpareInfo.asked = True

    def _give_up(self, why: str) -> NoReturn:
        print(f"drp child: {why}", file=sys.stderr)
        leave(1)

    # -- the pipes ----------------------------------------------------------------------------------------------

    def _forked(self) -> None:
        """Take the pipes away from a process that the script forks: it must not speak in the worker's name."""
        self.forked = True
        for fd in (self._requests, self._answers):
            try:
                os.close(fd)
            except OSError:
                pass

    def _read(self, size: int) -> bytes:
        if self.forked:
            leave()
        try:
            data = os.read(self._requests, size)
        except OSError as error:
            if error.errno is None:  # a signal handler of the script raised it
                raise
            self._cut_off(error)
        if not data:
            leave()
        return data

    def _cut_off(self, error: OSError) -> NoReturn:
        print(f"drp: the script closed the pipes to drp: {error}", file=sys.stderr)
        leave(1)

    def _need(self, size: int) -> None:
        while len(self._data) - self._p < size:
            more = self._read(READ_BYTES)
            self._data = self._data[self._p :] + more
            self._p = 0

    def _inline(self, size: int) -> bytes:
        parts = [self._data[self._p : self._p + size]]
        self._p += len(parts[0])
        left = size - len(parts[0])
        while left:
            more = self._read(min(left, 1 << 20))
            parts.append(more)
            left -= len(more)
        return b"".join(parts)

    def _write(self, data: Any) -> None:
        if self.forked:
            leave()
        view = memoryview(data)
        try:
            while view:
                view = view[os.write(self._answers, view) :]
        except BrokenPipeError:
            leave()
        except OSError as error:
            self._cut_off(error)

    def flush(self) -> None:
        """Send the answers that wait."""
        if self._sent < self._i:
            size = RECORD.size
            self._write(memoryview(self._reply)[self._sent * size : self._i * size])
            self._sent = self._i
        self._flush_at = perf_counter() + FLUSH_SECONDS

    # -- what Feed asks for ---------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Get the next datagram."""
        if self._i < self._n:
            self._show()
            return
        self.flush()
        while True:
            self._need(RECORD.size)
            kind = self._data[self._p]
            if kind == L1:
                self._group()
                self._show()
                return
            self._record = RECORD.unpack_from(self._data, self._p)
            self._p += RECORD.size
            if kind == ATTACH:
                self._promote(self._record[5])
                continue
            if kind == SCRIPT:
                self.source = self._inline(self._record[5])
                continue
            data = self._transition_data(kind)
            if kind == REPLAYED and self._deferred:
                self.reply(DEFERRED, 0, 0)
                continue
            self.arrived(self._record[7], data)
            return

    def _transition_data(self, kind: int) -> bytes:
        """Copy the transition that the record at hand announces."""
        slot, size, service = self._record[3], self._record[5], self._record[7]
        self.service = service
        if kind == REPLAYED:
            self.mode = REPLAY
            self._turn(self._board.latest() if self._board is not None else 0)
            return self._inline(size)
        if kind != TRANSITION or not self.attached:
            self._give_up(f"a record of kind {kind} came from drp" + ("" if self.attached else " to a spare"))
        self.mode = LIVE
        self._turn(self._record[6] >> SETTINGS)
        offset, step = self._transition_at
        return bytes(self._transitions[offset + slot * step : offset + slot * step + size])

    def _group(self) -> None:
        size = RECORD.size
        p, data = self._p, self._data
        kinds = data[p : len(data) - (len(data) - p) % size : size]
        n = len(kinds) - len(kinds.lstrip(b"\x04"))
        records = self._alike_in_settings(n) if self.params else data[p : p + n * size]
        n = len(records) // size
        self._records = records
        self._p = p + n * size
        if n == 1:
            _, _, _, slot, generation, _, _, service, time = RECORD.unpack(records)
            self._reply = bytearray(RECORD.pack(L1, 0, 0, slot, generation, 0, 0, service, time))
        else:
            self._reply = bytearray(records)
            answers = np.frombuffer(self._reply, RECORD_TYPE)
            for name in ("status", "count", "bytes", "layout"):
                answers[name] = 0
        self._i, self._n, self._sent = 0, n, 0
        self._breaks = None

    def _alike_in_settings(self, n: int) -> bytes:
        """Give the first of the next events that have the same values of parameters, and take these over."""
        records = np.frombuffer(self._data, RECORD_TYPE, n, self._p)
        entries = records["layout"] >> SETTINGS
        others = np.flatnonzero(entries != entries[0])
        records = records[: int(others[0]) if others.size else n].copy()
        records["layout"] &= (1 << SETTINGS) - 1
        self._turn(int(entries[0]))
        return records.tobytes()

    def _turn(self, entry: int) -> None:
        """Take over the values of an entry of the board."""
        if entry != self._entry:
            self._entry = entry
            if self._board is not None:
                self._board.read(entry, self.params)

    def declare_param(self, param: Param) -> None:
        """Take a parameter of the script, whose value others can set from now on."""
        super().declare_param(param)
        if self._place is not None:
            if self._board is None:
                self._board = Board(self._place)
                if self.mode == REPLAY:
                    self._entry = self._board.latest()
            self._board.read(self._entry, self.params)

    def _show(self) -> None:
        self.mode = LIVE
        self.base = self._raw
        _, _, _, self.slot, _, self.size, self.layout, self.service, self.time = RECORD.unpack_from(
            self._records, self._i * RECORD.size
        )

    def data(self) -> memoryview:
        """Give the bytes of the slot or transition at hand."""
        at = self.raw_offset + self.slot * self.raw_step if self.service >= EVENT else 0
        return memoryview(self.base)[at : at + self.size].toreadonly()

    def put(self, data: bytes) -> None:
        """Answer with these bytes what is at hand; for children that run no script."""
        self._begin()
        self._room(len(data))
        self.area[self.at : self.at + len(data)] = data
        self.pos = len(data)

    def writable(self) -> tuple[memoryview, int, int]:
        """Give area, offset and capacity for the results of the datagram at hand."""
        if self.service < EVENT:
            return self._out, self.transition_offset, self.transition_bytes
        slot = int.from_bytes(self._records[self._i * 32 + 4 : self._i * 32 + 8], "little")
        return self._out, self.out_offset + slot * self.out_step, self.out_bytes

    def reply(self, status: Any, length: int, count: int) -> None:
        """Answer the datagram at hand."""
        if self.service < EVENT:
            kind, _, _, slot, generation, _, _, service, time = self._record
            if kind == REPLAYED:
                if self.early and not self._deferred:
                    raise Deferred
                status = min(status, FAILED)
            self._write(RECORD.pack(kind, status, count, slot, generation, length, self._holds(), service, time))
            return
        n = max(self.lead, 1)
        solo = self._records[self._i * RECORD.size + 1] & SOLO
        self._patch(n, status, length, count)
        self._i += n
        self._singles = max(self._singles - n, 0)
        if solo or self._i == self._n or perf_counter() > self._flush_at:
            self.flush()

    def _patch(self, n: int, status: Any, length: int, count: int) -> None:
        if n > 1:
            answers = np.frombuffer(self._reply, RECORD_TYPE)[self._i : self._i + n]
            answers["status"] = status
            answers["count"] = count
            answers["bytes"] = length
        else:
            at = self._i * RECORD.size
            status = int(status[0]) if isinstance(status, np.ndarray) else status
            struct.pack_into("<BH", self._reply, at + 1, status, count)
            struct.pack_into("<I", self._reply, at + 12, length)

    def rewind(self) -> None:
        """Let the events of the batch at hand come again, one by one."""
        self._singles = self.lead
        super().rewind()

    def _holds(self) -> int:
        """Say which constants this process holds: the lower half of the latest generation, 0 if none."""
        return max((c.generation for c in self.constants.values()), default=0) & 0xFFFFFFFF

    # -- what drp makes on request ------------------------------------------------------------------------------------

    def forget_parts(self) -> None:
        """Forget where corrected data lies: it is made with other constants from here on."""
        self._parts.clear()

    def corrected(self, kind: int, names_id: int, where: str) -> np.ndarray[Any, Any]:
        """Give corrected pixels of the event or batch at hand: prepared by drp, or made at this moment."""
        part = self._parts.get((kind, names_id))
        _, flags, place = RECORD.unpack_from(self._records, self._i * RECORD.size)[:3]
        if part is not None and place and part.number < flags >> PARTS:
            return part.at(place - 1, self.lead)
        if not self.lead:
            return self._want(kind, names_id, where, self._i)
        first = self._want(kind, names_id, where, self._i)
        made = np.empty((self.lead, *first.shape), np.float32)
        made[0] = first
        for k in range(1, self.lead):  # each comes to the same place
            made[k] = self._want(kind, names_id, where, self._i + k)
        made.flags.writeable = False
        return made

    def _want(self, kind: int, names_id: int, where: str, i: int) -> np.ndarray[Any, Any]:
        """Ask drp for something about event `i` of the group at hand; it stays until the next request."""
        self.flush()
        _, _, _, slot, generation, *_ = RECORD.unpack_from(self._records, i * RECORD.size)
        self._write(RECORD.pack(WANT, 0, 0, slot, generation, 0, names_id, kind, 0))
        _, refused, number, place, segment, size, stride, places, shape = self._wanted()
        if refused:
            text = self._cut(self._at, size)
            raise ConstantsError(f"{where}: {text.decode()}")
        if segment not in self._prepared:
            self._prepared[segment] = _shm.attach(segment, _shm.PAGE + places * stride)
        rows, cols = shape >> 32, shape & 0xFFFFFFFF
        part = Part(number, self._prepared[segment], stride, (size // (4 * rows * cols), rows, cols))
        self._parts[kind, names_id] = part
        return part.at(place, 0)

    def _wanted(self) -> tuple[int, ...]:
        """Take the answer out of what comes in; requests before it stay where they are."""
        self._at = self._p
        while True:
            while len(self._data) - self._at < RECORD.size:
                self._data += self._read(READ_BYTES)
            if self._data[self._at] == WANT:
                return RECORD.unpack(self._cut(self._at, RECORD.size))
            self._at += RECORD.size

    def _cut(self, at: int, size: int) -> bytes:
        while len(self._data) - at < size:
            self._data += self._read(READ_BYTES)
        cut = self._data[at : at + size]
        self._data = self._data[:at] + self._data[at + size :]
        return cut

    # -- the hot loops ----------------------------------------------------------------------------------------------

    def events(self, owner: Any, in_step: bool) -> Iterator[Event]:
        """Yield event after event."""
        make = Event
        clock = perf_counter
        while not owner._over and self.pull(in_step):
            i = self._i
            records = memoryview(self._records)[i * RECORD.size :]
            for _, flags, _, slot, _, size, layout, _, time in RECORD.iter_unpack(records):
                self.event = evt = make(self, slot, size, layout, time)
                self.have = self.taken = True
                yield evt
                if self.event is not evt or self._i != i:
                    break  # another loop went on from here
                if self.dirty:
                    self._patch(1, *(self.seal() if self.failure is None else self.seal_failure()))
                    self.clear()
                i += 1
                self._i = i
                if flags & SOLO or clock() > self._flush_at:
                    self.flush()
            else:
                self.event = None
                self.have = self.taken = False
                self._singles = 0
                self.flush()
        owner._over = True

    def batches(self, owner: Any, in_step: bool, max_events: int | None) -> Iterator[Batch]:
        """Yield the events that are waiting, as many at a time as lie side by side and have the same layout."""
        while not owner._over and self.pull(in_step):
            n = 1 if self._singles else min(self._alike(), max_events or READ_BYTES)
            records = np.frombuffer(self._records, RECORD_TYPE)
            times = records["time"][self._i : self._i + n].copy()
            batch = Batch(self, self.slot, self.size, self.layout, times)
            self.event = batch
            self.lead = n
            self.taken = True
            yield batch
        owner._over = True

    def _alike(self) -> int:
        if self._n == 1:
            return 1
        if self._breaks is None:
            records = np.frombuffer(self._records, RECORD_TYPE)
            now, then = records[1:], records[:-1]
            new = (now["slot"] != then["slot"] + 1) | (now["layout"] != then["layout"]) | (now["layout"] == 0)
            new |= ((now["status"] | then["status"]) & SOLO) != 0
            new |= (now["status"] != then["status"]) | ((now["count"] != then["count"] + 1) & (now["count"] != 0))
            self._breaks = np.append(np.flatnonzero(new) + 1, self._n)
        following = self._breaks[np.searchsorted(self._breaks, self._i, "right")]
        return int(following) - self._i


def _extent(segment: dict[str, int]) -> int:
    return segment["offset"] + segment["slots"] * segment["slot_bytes"]
