"""One of the runs that `drp.monitor` merges: what it has next."""

from __future__ import annotations

from collections import deque
from typing import NamedTuple

from ._config import Config
from ._run import Run
from ._sequence import BEGIN_RUN, CONFIGURE, END_RUN, EVENT, UNCONFIGURE
from ._watch import Watched, WatchFeed

EVERYTHING = {"hits": False, "bits": 0, "every": 1, "newest": False}
ENDS = (END_RUN, UNCONFIGURE)


class Mark(NamedTuple):
    """A transition of a process that waits for its time, with what it says."""

    time: int
    service: int
    data: bytes


class AheadFeed(WatchFeed):
    """A run that is watched, of which transitions hold only when `note` says so: they are read ahead of their time."""

    def arrived(self, service: int, data: bytes) -> None:
        """Take note of what a run begins or ends with; let others be at hand and no more."""
        if service in (CONFIGURE, BEGIN_RUN, *ENDS):
            super().arrived(service, data)
        else:
            self.service = service
            self._present(data)

    def note(self, mark: Mark) -> None:
        """Let a transition hold."""
        if mark.service not in ENDS:
            self._note(mark.service, mark.data)


class Source:
    """One of the runs that are merged."""

    def __init__(self, name: str, wait: float | None, restarts: bool) -> None:
        self.name = name
        self.late = 0  #: its parts that came when their event, or their step, was over
        self.absent = 0  #: events that were given without it
        self._feed = AheadFeed(name, dict(EVERYTHING), wait, restarts)
        self._feed.data_source = self
        self._head: Watched | None = None
        self._marks: deque[Mark] = deque()  # that come before it
        self._shown: int | None = None  # the time of what it has next, when it was looked at
        self._run: Run | None = None
        self._number: int | None = None  # of the run
        self._fresh = True  # its run has begun since an event was given
        self._silent = False  # it was waited for, and had nothing
        self._passed = 0
        self._read = -1  # the time of what was read last: it has nothing before that
        self._start = 0  # what is before was not to be given
        self._step: int | None = None  # the latest step that it has come to, see `Scan`
        self._inside = False  # it has not ended that
        self._behind = False  # its own step was over when it came to that

    @property
    def missed(self) -> int:
        """Its events that were not got, since they came faster than they were taken."""
        return self._feed.missed + self._passed

    @property
    def got(self) -> int:
        """Its events that were got."""
        return self._feed.got - self._passed

    @property
    def state(self) -> str:
        """What its run does: "waiting" (for drp), "running", "ended", "lost" (drp has died), or "closed"."""
        return self._feed.state

    @property
    def _config(self) -> Config:
        config = self._feed.config
        if config is None:
            raise RuntimeError(f"{self.name} is not configured at this moment")
        return config

    @property
    def _alive(self) -> bool:
        """Whether its drp is there."""
        return self._feed.connection is not None

    @property
    def _ending(self) -> bool:
        """Whether its run ends with what is read: what is behind it belongs to the next."""
        return bool(self._marks) and self._marks[-1].service in ENDS

    def _look(self, last: int) -> None:
        """Take what is there, up to an event after `last`, or to the end of its run; say from when on it is."""
        self._feed.claim()  # also while what it has waits for the others
        if self._head is None:
            self._take(last)
        self._shown = None if self._head is None else self._head.timestamp
        if self._marks and (self._shown is None or self._marks[0].time < self._shown):  # which is not behind the event
            self._shown = self._marks[0].time

    def _take(self, last: int) -> None:
        feed = self._feed
        while not self._ending and feed.look():
            if feed.service >= EVENT:
                if self._run is None:
                    self._begin()
                self._read = feed.time
                if feed.time > last:
                    self._head = feed.event = Watched(feed, feed.slot, feed.size, feed.layout, feed.time)
                    return
                if feed.time < self._start:
                    self._passed += 1
                else:
                    self.late += 1
            elif feed.service == CONFIGURE:
                self._over()
                feed.run = feed.step = None
                feed._ids = {}
                feed._parsed = (None, None)
                feed.taken = True
                feed.prepare()
            elif feed.service == BEGIN_RUN:
                self._over()
                self._begin()
                self._fresh, self._silent = True, False
            elif self._run is not None:
                self._read = feed.time
                self._marks.append(Mark(feed.time, feed.service, bytes(feed.base)))
            elif feed.service not in ENDS:
                feed._note(feed.service, feed.base)  # nothing is given before it
            feed.take()
            if feed.service == BEGIN_RUN:
                return  # whether `last` still counts is for others to say

    def _begin(self) -> None:
        self._run = Run(self, self._feed)
        self._number = self._run.runnum

    def _over(self) -> None:
        """Let its run be over, with all that was read of it."""
        self._marks.clear()
        self._run = self._feed.run = self._step = None
        self._inside = self._behind = False
        self._read = -1

    def _drop(self) -> None:
        """Let go of the event at hand."""
        if self._head is not None:
            self._head = None
            self._feed.take()
            self._feed.finish()
            self._feed._release()

    def _pass(self) -> None:
        """Let go of the event at hand, which nobody has seen."""
        self._passed += self._head is not None
        self._drop()

    def __repr__(self) -> str:
        return f"<{self.name}, {self.state}, missed {self.missed}, late {self.late}, absent {self.absent}>"
