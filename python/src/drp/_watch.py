"""Watch a run of this machine: the feed behind `drp.monitor`.

drp copies the events that somebody wants into slots of shared memory, which this process attaches read-only, and puts
an entry for each into a queue that is ours alone. Transitions come by the socket, with their place in the queue.
Everything is described in docs/formats.md; monitor/layout.go and monitor/frame.go of drp are the other side.

What is in a slot must not change while it is looked at. So we say which event we hold, and then look whether it is
still in its slot; drp takes its number out of the slot, and then looks who holds it. One of the two sees the other.
"""

from __future__ import annotations

import errno
import json
import os
import re
import select
import socket
import stat
import struct
import sys
import threading
import time
from collections import deque
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

import numpy as np

from . import _shm
from ._calib import CALIB, Constants
from ._errors import ConstantsError, EndOfWatch, MonitorError
from ._event import Event
from ._feed import Feed
from ._sequence import BEGIN_RUN, CONFIGURE, END_RUN, EVENT, UNCONFIGURE

VERSION = 1
HELLO, REFUSED, TRANSITION, REPLAY, RESTART, WAKE, END = range(1, 8)
FRAME = struct.Struct("<B3xIQQ")
PEER = struct.Struct("3i")
TIME = struct.Struct("@ll")
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}(/[A-Za-z0-9_][A-Za-z0-9_.-]{0,63})?")
ENTRIES = 128  # of a queue, after the words
SLOT_HEAD = 64
HIT, REJECTED, VETOED = 1, 2, 4
GREETING = 5.0  # seconds
LOOK_AGAIN = 0.05  # seconds: how long a wake-up that was lost can cost
RECEIVE_BYTES = 1 << 16
GONE = (errno.EINVAL, errno.EIDRM)  # what the system says of a segment that is no more
PAUSE = 0.1  # seconds between two attempts to connect

# Words of 8 bytes in a queue, and in a slot.
Q_HEAD, Q_OFFERED, Q_BEFORE, Q_TAIL, Q_HELD, Q_WAITING = 0, 1, 2, 8, 9, 10
S_SEQ, S_NUMBER, S_SIZE, S_FLAGS = 0, 1, 2, 3


def place(name: str) -> str:
    """Give the path of the socket of a name.

    >>> os.path.basename(place("tmo/epix"))
    'tmo+epix'
    """
    if not NAME.fullmatch(name):
        raise ValueError(
            f"{name!r}: give PARTITION/DETECTOR, each up to 64 letters, digits, '_', '.' and '-', "
            "of which the last two come not first"
        )
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    temporary = os.environ.get("TMPDIR") or "/tmp"
    base = os.path.join(runtime, "drp") if runtime else os.path.join(temporary, f"drp-{os.getuid()}")
    return os.path.join(base, "monitor", name.replace("/", "+"))


def _attach(segment: int, size: int, writable: bool = False) -> memoryview:
    """Attach memory of drp; raises `ConnectionError` if that is no more."""
    try:
        return _shm.attach(segment, size, writable)
    except OSError as error:
        if error.errno in GONE:
            raise ConnectionError("drp has ended meanwhile") from error
        raise


class Connection:
    """One run of drp that is watched: its socket, our queue, and its slots once we read them."""

    def __init__(self, path: str, choose: dict[str, Any], follows: bool) -> None:
        # One that follows another has had us from its beginning: what was there before is missed, if we can know of it.
        self._follows = follows and not choose["hits"] and not choose["bits"] and choose["every"] == 1
        folder = os.lstat(os.path.dirname(path))
        if folder.st_uid != os.getuid() or stat.S_IMODE(folder.st_mode) != 0o700:
            raise MonitorError(f"{os.path.dirname(path)} is not a folder of this user alone (mode 0700)")
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_CLOEXEC)
        try:
            self._greet(path, choose)
        except BaseException:
            self.socket.close()
            raise

    def _greet(self, path: str, choose: dict[str, Any]) -> None:
        self.socket.settimeout(GREETING)
        self.socket.connect(path)
        pid, uid, _ = PEER.unpack(self.socket.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, PEER.size))
        if uid != os.getuid():
            raise MonitorError(f"process {pid}, which listens at {path}, belongs to user {uid}")
        who = os.path.basename(sys.argv[0] or "python")
        self.socket.sendall(json.dumps({"version": VERSION, "choose": choose, "name": who}).encode() + b"\n")
        self._data = bytearray()
        self.over = False
        kind, _, _, payload = self._frame()
        if kind == REFUSED:
            raise MonitorError(f"{path}: {payload.decode(errors='replace')}")
        told = json.loads(payload)
        if kind != HELLO or told["version"] != VERSION:
            raise MonitorError(f"{path}: what drp says makes no sense: {payload[:100]!r}")
        self.publisher = str(told["publisher"])
        data, queue = told["data"], told["queue"]
        self._segment, self.offset, self.step, self.slots = data["id"], data["offset"], data["bytes"], data["count"]
        end = queue["offset"] + queue["count"] * queue["bytes"]
        mine = _attach(queue["id"], end, writable=True)
        self.queue = mine[queue["offset"] - ENTRIES : end].cast("Q")
        self.length = queue["count"]
        self._came = bytearray(RECEIVE_BYTES)
        self._end = select.poll()
        self._end.register(self.socket, 0)
        self.socket.settimeout(None)
        # The system's timeout, since that of Python is one call more for each event.
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, TIME.pack(0, int(LOOK_AGAIN * 1e6)))

    def attach(self) -> None:
        """Attach the slots: not before they are read, since they stay for as long as anybody has them, drp or not."""
        self.memory = _attach(self._segment, self.offset + self.slots * self.step)
        self.words = self.memory.cast("Q")

    def left(self, ordinal: int = 0) -> int:
        """Count the events that were chosen and not got, behind the one of this number; none is 0 or less."""
        return int(self.queue[Q_OFFERED]) - ordinal + (self.before if ordinal <= 0 else 0)

    @property
    def before(self) -> int:
        """How many events there were before we came that count as missed."""
        return int(self.queue[Q_BEFORE]) if self._follows else 0

    @property
    def dead(self) -> bool:
        """Whether there is no drp any more; what it has left can be read."""
        return bool(self._end.poll(0))

    def _frame(self) -> tuple[int, int, int, bytes]:
        """Wait for the greeting."""
        while True:
            found = self.parse()
            if found is not None:
                return found
            more = self.socket.recv(1 << 16)
            if not more:
                raise ConnectionError("drp has hung up")
            self._data += more

    def parse(self) -> tuple[int, int, int, bytes] | None:
        """Take a frame from what has come: kind, number, place in the queue, payload."""
        if len(self._data) < FRAME.size:
            return None
        kind, size, number, at = FRAME.unpack_from(self._data)
        end = FRAME.size + size
        if len(self._data) < end:
            return None
        payload = bytes(self._data[FRAME.size : end])
        del self._data[:end]
        return kind, number, at, payload

    def receive(self, flags: int = 0) -> Iterator[tuple[int, int, int, bytes]]:
        """Yield the frames that come within a while, or are there; `over` says whether there will be no more."""
        came = self._came
        n = len(came)
        while n == len(came):
            try:
                n = self.socket.recv_into(came, 0, flags)
            except (BlockingIOError, InterruptedError):
                break
            except OSError:
                n = 0
            if n == 0:
                self.over = True
                break
            if n == FRAME.size and came[0] == WAKE and not self._data:
                break  # as for nearly every event that is waited for
            self._data += memoryview(came)[:n]
            flags = socket.MSG_DONTWAIT
        while (found := self.parse()) is not None:
            yield found

    def close(self) -> None:
        """Hang up."""
        self.socket.close()


class Watched(Event):
    """An event of a run that is watched: it can be read as in a script, and nothing can be added to it."""

    __slots__ = ("_seq", "missed", "number")

    def __init__(self, feed: WatchFeed, slot: int, size: int, layout: int, timestamp: int) -> None:
        self._feed, self._slot, self._layout = feed, slot, layout  # here, since Event's would be one call more for each
        self.size, self.timestamp = size, timestamp
        self.missed = feed.gap  #: events between the one before and this one that were chosen and not got
        self.number = feed.number  #: of the event in its run of drp, counted from 0
        self._seq = feed.seq

    @property
    def rejected(self) -> bool:
        """Whether the script has rejected it."""
        return bool(self._facts() & REJECTED)

    @property
    def vetoed(self) -> bool:
        """Whether the trigger did not want it."""
        return bool(self._facts() & VETOED)

    @property
    def is_hit(self) -> bool:
        """Whether drp found a hit."""
        return bool(self._facts() & HIT)

    @property
    def bits(self) -> int:
        """What the trigger says for monitors, 32 bits."""
        return self._facts() >> 32

    @property
    def intact(self) -> bool:
        """Whether it is still what was published. It is, unless it was held for seconds while others held all slots."""
        feed: Any = self._current()
        return bool(feed.slot_word(self._slot, S_SEQ) == self._seq)

    def _facts(self) -> int:
        feed: Any = self._current()
        return int(feed.slot_word(self._slot, S_FLAGS))


class WatchFeed(Feed):
    """The datagrams of a run that is watched; of the next one, when that has ended."""

    def __init__(self, name: str, choose: dict[str, Any], wait: float | None, restarts: bool) -> None:
        super().__init__()
        self.frozen = True
        self.name = name
        self.connection: Connection | None = None
        self._claimed: Connection | None = None  # to the drp that follows, while we read what the last has left
        self.state = (
            "waiting"  # or running, ended (by EndRun, or drp is over), lost (it has died), closed (we have left)
        )
        self.missed = 0
        self.got = 0
        self.gap = self.number = self.seq = 0
        self._path = place(name)
        self._choose = choose
        self._wait = wait
        self._goes_on = restarts
        self._frames: deque[tuple[int, int, int, bytes]] = deque()  # that belong behind what is still in the queue
        self._tail = self._transitions = self._ordinal = 0
        self._lost = 0  # events of those that are gone, chosen and not got, of which the next event tells
        self._again = 0.0  # before which we do not try to connect
        self._begun = False  # a Configure holds
        self._makers: dict[str, Any] = {}  # of corrected pixels, by detector
        self._fence = threading.Lock()  # taken and given back, it keeps what is read after from being read before

    # -- what the base asks for ---------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Wait for the next transition or event; a connection that is lost ends what was begun."""
        self._release()
        self.claim()
        while True:
            if self.connection is None:
                if self._begun:
                    self._over()
                    return
                self._connect()
            try:
                if self._next():
                    return
            except ConnectionError:
                self.hang_up("lost")

    def finish(self) -> None:
        """Leave what is at hand; to an event nothing can have been added, and nobody waits for an answer."""
        if self.service < EVENT:
            super().finish()
        else:
            self.have = self.taken = False
            self.event = None
            self.lead = 0

    def look(self) -> bool:
        """Fetch the next datagram if it is there, as `ask` does, and say whether one is at hand; never wait."""
        if self.taken:
            self.finish()
        if not self.have:
            self._release()
        while not self.have:
            if self.connection is None:
                if self._begun:
                    self._over()
                    self.have = True
                elif not self._attempt():
                    return False
                continue
            before = self._tail, self._transitions, len(self._frames)
            try:
                self.have = self._next(wait=False)
            except ConnectionError:
                self.hang_up("lost")
                continue
            if not self.have and self.connection and before == (self._tail, self._transitions, len(self._frames)):
                return False
        return True

    def skip(self) -> None:
        """Pass over all events that wait; they count as missed."""
        if self.taken:
            self.finish()
        if self._claimed is not None:
            self._claimed.queue[Q_TAIL] = self._claimed.queue[Q_HEAD]
        if self.connection is not None and not self.have:
            self._tail = self.connection.queue[Q_TAIL] = self.connection.queue[Q_HEAD]

    def reply(self, status: int, length: int, count: int) -> None:
        """Do nothing: there is nobody who waits for an answer."""

    def writable(self) -> tuple[memoryview, int, int]:
        """Raise `RuntimeError`: who watches adds nothing."""
        raise RuntimeError("this run is only watched: nothing can be added to it, removed from it or rejected")

    def set_trigger(self, values: dict[str, Any]) -> None:
        """Raise `RuntimeError`: the trigger is told by the script."""
        self.writable()

    def corrected(self, kind: int, names_id: int, where: str) -> np.ndarray[Any, Any]:
        """Correct the pixels of the event at hand by the constants of its run: drp does so for its own scripts only."""
        if kind != CALIB:
            raise ConstantsError(f"{where}: those who watch have no picture: let the script add it, or use calib(evt)")
        assert self.config is not None
        det = self.config.names[names_id].det_name
        maker = self._makers.get(det)
        if maker is None:
            from ._corrected import Maker  # which scripts under drp have no use for

            maker = self._makers[det] = Maker(self.config, det, self.constants_of(det))
        off = self.raw_offset + self.slot * self.raw_step
        pixels = maker.event(self.base, off, self.parse(self.event, self.layout, self.base, off, self.size))
        return pixels[None] if self.lead else pixels

    def _calibrate(self, service: int, data: bytes) -> None:
        self._makers.clear()  # the configuration of the pixels may be another, too
        super()._calibrate(service, data)

    def constants_of(self, det: str) -> Constants:
        """Give the constants of a detector in the present run; raises `ConstantsError` if there are none."""
        found = self.constants.get(det)
        if found is None:
            raise ConstantsError(f"there are no constants of {det} for the run of {self.name} that is watched")
        return found

    def events(self, owner: Any, in_step: bool) -> Iterator[Event]:
        """Yield event after event."""
        while not owner._over and self.pull(in_step):
            evt = Watched(self, self.slot, self.size, self.layout, self.time)
            self.event = evt
            self.taken = True
            yield evt
        owner._over = True

    # -- the queue ----------------------------------------------------------------------------------------------

    def slot_word(self, slot: int, word: int) -> int:
        """Read a word of the head of a slot; of the event at hand its datagram lies in the same slot."""
        c = self.connection
        if c is None:
            return 0
        return int(c.words[(c.offset + slot * c.step >> 3) + word])

    @property
    def offered(self) -> int:
        """How many events were chosen since drp was found, got or not."""
        return int(self.connection.queue[Q_OFFERED]) if self.connection else 0

    def _next(self, wait: bool = True) -> bool:
        """Take the next transition or event, or else wait for some milliseconds, if asked to."""
        c = self.connection
        assert c is not None
        if self._frames and self._tail >= self._frames[0][2]:
            return self._transition_came(*self._frames.popleft())
        queue = c.queue
        if self._tail < queue[Q_HEAD]:
            at = ENTRIES // 8 + self._tail % c.length * 4
            if queue[at + 2] <= self._transitions:
                return self._event(c, queue[at], queue[at + 1], queue[at + 3] & 0xFFFFFFFF)
            self._listen(c, wait)
            return False
        if self.wants_waking():
            self._listen(c, wait)
        queue[Q_WAITING] = 0
        return False

    def wants_waking(self) -> bool:
        """Ask drp to wake us by the socket when there is an event; False if there is one already."""
        assert self.connection is not None
        queue = self.connection.queue
        queue[Q_WAITING] = 1
        with self._fence:
            pass
        return bool(self._tail >= queue[Q_HEAD])

    def _event(self, c: Connection, seq: int, ordinal: int, slot: int) -> bool:
        self._tail += 1
        c.queue[Q_HELD] = seq
        with self._fence:
            pass
        at = c.offset + slot * c.step
        head = at >> 3
        # It was overwritten before we came to it, or nothing says what is in it.
        if slot >= c.slots or c.words[head + S_SEQ] != seq or not self._begun:
            c.queue[Q_HELD] = 0
            c.queue[Q_TAIL] = self._tail
            return False
        self.seq, self.number = seq, c.words[head + S_NUMBER]
        size = c.words[head + S_SIZE]
        self.base, self.raw_offset, self.raw_step = c.memory, c.offset + SLOT_HEAD, c.step
        self.slot, self.size, self.layout = slot, size & 0xFFFFFFFF, size >> 32
        time = c.words[head + SLOT_HEAD // 8]
        self.time = time
        self.service = c.memory[at + SLOT_HEAD + 11] & 0xF
        self.gap = ordinal - self._ordinal - 1
        if self._ordinal <= 0:
            self.gap += c.before
        self.missed += self.gap
        self.got += 1
        self._ordinal = ordinal
        return True

    def _release(self) -> None:
        if self.seq and self.connection is not None:
            self.connection.queue[Q_HELD] = 0
            self.connection.queue[Q_TAIL] = self._tail
        self.seq = 0

    def _transition_came(self, kind: int, number: int, at: int, payload: bytes) -> bool:
        if kind == END:
            self.hang_up("ended")
            return False
        service = payload[11] & 0xF
        if service >= EVENT:
            raise MonitorError(f"{self.name}: drp sent an event where a transition belongs")
        self.arrived(service, payload)
        if service == CONFIGURE:
            self._begun = True
        elif service == UNCONFIGURE:
            self._begun = False
        elif service == BEGIN_RUN:
            self.state = "running"
        elif service == END_RUN:
            self.state = "ended"
        return True

    def _listen(self, c: Connection, wait: bool) -> None:
        """Take what comes by the socket; raises `ConnectionError` when all that ever came is through."""
        if c.over:
            raise ConnectionError("drp has hung up")
        self._hear(c, 0 if wait else socket.MSG_DONTWAIT)

    def _hear(self, c: Connection, flags: int = 0) -> None:
        """Take note of the frames that come."""
        for frame in c.receive(flags):
            kind, number, at, _ = frame
            if kind == WAKE:
                continue
            if kind == RESTART and at > self._tail:  # what lies before it is of transitions that were lost
                self._frames.clear()
                self._tail = at
                c.queue[Q_TAIL] = at
            self._transitions = max(self._transitions, number)
            self._frames.append(frame)

    # -- drp comes and goes -------------------------------------------------------------------------------------

    @property
    def gone(self) -> bool:
        """Whether the run has ended, and no other is waited for."""
        return (
            self.state in ("ended", "lost", "closed")
            and not self._goes_on
            and self.connection is None
            and not self._begun
        )

    def claim(self) -> None:
        """Take a place in the queue of the next drp as soon as it is there, also while we read what a dead one left.

        One that dies in its turn before we come to it is given up, with what it had: of the dead we keep only one.
        """
        latest = self._claimed or self.connection
        now = time.monotonic()
        if latest is None or now < self._again:
            return
        self._again = now + PAUSE
        if not latest.dead or not self._goes_on or self._choose["newest"]:
            return
        self._give_up()
        with suppress(OSError, MonitorError):  # which is said when there is nothing else to read
            self._claimed = Connection(self._path, self._choose, True)

    def _give_up(self) -> None:
        """Hang up on the drp that was to follow."""
        if self._claimed is not None:
            self._lost += self._claimed.left()
            self._claimed.close()
            self._claimed = None

    def _attempt(self) -> bool:
        """Try to connect, if it is time to try again."""
        now = time.monotonic()
        if self.gone or (now < self._again and self._claimed is None):
            return False
        self._again = now + PAUSE
        try:
            self._open()
        except (FileNotFoundError, ConnectionError, TimeoutError):
            return False
        return True

    def _connect(self) -> None:
        if self.gone:
            raise EndOfWatch(f"the run of {self.name} has ended")
        deadline = None if self._wait is None else time.monotonic() + self._wait
        while True:
            try:
                self._open()
                return
            except (FileNotFoundError, ConnectionError, TimeoutError) as error:
                if deadline is not None and time.monotonic() >= deadline:
                    raise TimeoutError(
                        f"nobody publishes {self.name} within {self._wait:g} s ({error}): "
                        f"start drp with --monitor {self.name}"
                    ) from None
            time.sleep(PAUSE)

    def _open(self) -> None:
        c = self._claimed = self._claimed or Connection(self._path, self._choose, self.state != "waiting")
        try:
            c.attach()
        except BaseException:
            self._give_up()
            raise
        self.connection, self._claimed = c, None
        self.state = "running"
        self.publisher = c.publisher
        self._frames.clear()
        self._tail, self._transitions = c.queue[Q_TAIL], 0
        self._ordinal, self._lost = -self._lost, 0  # so that the first event tells of all that was lost
        self._hear(self.connection, socket.MSG_DONTWAIT)  # what came together with the greeting

    def hang_up(self, state: str) -> None:
        """End the connection, if there is one; the memory goes with the last view of it."""
        self.seq = 0
        self.base, self.event = b"", None
        self.state = state
        if self.connection is not None:
            self._lost += self.connection.left(self._ordinal)
            self.connection.close()
            self.connection = None

    def leave(self) -> None:
        """Hang up for good; that the run is over stays said."""
        self._goes_on = False
        self._give_up()
        self.hang_up(self.state if self.state in ("ended", "lost") else "closed")

    def _over(self) -> None:
        """Let whatever was begun end, as at an Unconfigure."""
        self._begun = False
        self.service = UNCONFIGURE
        self.base, self.slot, self.size, self.layout = b"", 0, 0, 0
