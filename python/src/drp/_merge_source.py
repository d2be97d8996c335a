"""One of the runs that `drp.monitor` merges: what it has next."""

from __future__ import annotations

from ._config import Config
from ._run import Run
from ._sequence import BEGIN_RUN, CONFIGURE, END_RUN, EVENT, UNCONFIGURE
from ._watch import Watched, WatchFeed

EVERYTHING = {"hits": False, "bits": 0, "every": 1, "newest": False}


class Source:
    """One of the runs that are merged."""

    def __init__(self, name: str, wait: float | None, restarts: bool) -> None:
        self.name = name
        self.late = 0  #: its parts that came when their event had been given
        self.absent = 0  #: events that were given without it
        self._feed = WatchFeed(name, dict(EVERYTHING), wait, restarts)
        self._feed.data_source = self
        self._head: Watched | None = None
        self._run: Run | None = None
        self._number: int | None = None  # of the run
        self._fresh = True  # its run has begun since an event was given
        self._silent = False  # it was waited for, and had nothing
        self._passed = 0

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

    def _look(self, last: int) -> None:
        """Take what is there, up to an event after `last`."""
        feed = self._feed
        while self._head is None and feed.look():
            if feed.service >= EVENT:
                if self._run is None:
                    self._begin()
                if feed.time > last:
                    self._head = feed.event = Watched(feed, feed.slot, feed.size, feed.layout, feed.time)
                    return
                self.late += 1
            elif feed.service == CONFIGURE:
                self._run = feed.run = feed.step = None
                feed._ids = {}
                feed._parsed = (None, None)
                feed.taken = True
                feed.prepare()
            elif feed.service == BEGIN_RUN:
                self._begin()
                self._fresh, self._silent = True, False
            elif feed.service in (END_RUN, UNCONFIGURE):
                self._run = feed.run = None
            feed.take()
            if feed.service == BEGIN_RUN:
                return  # whether `last` still counts is for others to say

    def _begin(self) -> None:
        self._run = Run(self, self._feed)
        self._number = self._run.runnum

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
