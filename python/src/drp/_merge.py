"""`drp.monitor` of several runs: the parts of an event that several processes of this machine have, as one event.

Each process is watched as if it were alone, and the next event of each is held: its slot is ours until the event is
over, so that nothing is copied. The parts with the least timestamp are an event as soon as each process has shown its
part or a later one. What waits in the queues of drp is the window in which they are looked for.
"""

from __future__ import annotations

import fnmatch
import os
import select
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ._detector import Variable, find
from ._errors import EndOfWatch
from ._merge_source import Source
from ._merged import Joined, MergedEvent, MergedRun
from ._monitor import Current
from ._watch import LOOK_AGAIN, Q_WAITING, place


class Merge:
    """Runs of several processes that are watched as one. Iterate over it to get the events.

    Close it, or use it in a `with` statement. It belongs to one thread.
    """

    def __init__(
        self,
        names: list[str],
        choose: dict[str, Any],
        complete: bool,
        deadline: float,
        wait: float | None,
        restarts: bool,
    ) -> None:
        self.sources = {name: Source(name, wait, restarts) for name in names}  #: what became of each, by its name
        self.skipped = 0  #: events that were passed over with `complete=True`, since a process had no part
        self._all = list(self.sources.values())
        self._choose, self._complete, self._deadline, self._wait = choose, complete, deadline, wait
        self._last = -1
        self._fitting = 0
        self._event: MergedEvent | None = None
        self._ready: MergedEvent | None = None  # the first of the next run
        self._run: MergedRun | None = None
        self._aligned = False  # all sources have come to a common beginning
        self._met = False

    def __iter__(self) -> Iterator[MergedEvent]:
        """Yield the events of all runs, each valid until the next is taken."""
        for run in self.runs():
            yield from run.events()

    def runs(self) -> Iterator[MergedRun]:
        """Yield every run that has events, once: it begins with the first, and ends when it does in all processes."""
        try:
            while True:
                if self._run is None or self._run._over:
                    self._run = self._begin()
                run = self._run
                yield run
                run._over = True
        except EndOfWatch:
            return

    def Detector(self, name: str) -> Any:
        """Find a detector in whatever processes have it; if several do, it is put together of all their segments."""
        having = self._having(name)
        if isinstance(find(having[0]._config, name), Variable):
            return Current(having[0], name)  # type: ignore[arg-type]
        return Joined(self, name)

    @property
    def camera(self) -> str | None:
        """The name of the first detector with images; None if there is none."""
        found = [s._config.camera() for s in self._configured()]
        return next((f[0] for f in found if f), None)

    @property
    def detnames(self) -> list[str]:
        """The names of all detectors."""
        return list(dict.fromkeys(name for s in self._configured() for name in s._config.detectors()))

    @property
    def missed(self) -> int:
        """Events of all processes that were not got; `sources` has each one's."""
        return sum(s.missed for s in self._all)

    @property
    def state(self) -> str:
        """What the run does: "waiting" (for all), "running" (anywhere); then "lost" (any), "closed" or "ended"."""
        over = self._run is not None and self._run._over  # though the next may have begun in some
        states = {s.state for s in self._all}
        return next((s for s in ("waiting", "running", "lost", "closed")[2 * over :] if s in states), "ended")

    def close(self) -> None:
        """Stop watching."""
        for s in self._all:
            s._drop()
            s._feed.leave()

    def __enter__(self) -> Merge:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<monitor of {', '.join(self.sources)}>"

    # -- whom there is ------------------------------------------------------------------------------------------

    def _configured(self) -> list[Source]:
        """Wait until all are there for the first time; give those that are configured."""
        self._meet()
        return [s for s in self._all if s._feed.config is not None]

    def _having(self, name: str) -> list[Source]:
        """Give the processes that have a detector or a variable, in the order of their segments."""
        having = []
        wrong: Exception = RuntimeError(f"nothing is configured at this moment: {self!r}")
        for s in self._configured():
            try:
                find(s._config, name)
            except KeyError as error:
                wrong = error
            else:
                having.append(s)
        if not having:
            raise wrong
        return sorted(having, key=lambda s: min((n.segment for n in s._config.of(name)), default=0))

    def _meet(self) -> None:
        """Wait, once, until all processes are there and configured."""
        until = None if self._wait is None else time.monotonic() + self._wait
        while not self._met:
            for s in self._all:
                s._look(self._last)
            absent = [s.name for s in self._all if s._feed.config is None and not s._feed.gone]
            self._met = not absent
            if absent and until is not None and time.monotonic() >= until:
                raise TimeoutError(
                    f"nobody publishes {', '.join(absent)} within {self._wait:g} s: "
                    f"start drp with --monitor {absent[0]}"
                )
            if absent:
                self._sleep(LOOK_AGAIN)

    # -- events -------------------------------------------------------------------------------------------------

    def _begin(self) -> MergedRun:
        """Wait for the first event of the next run."""
        self._meet()
        while True:
            first = self._first() if self._ready is not None else None
            if first is not None and first._run is not None:
                return MergedRun(self, first._run)
            self._ready = self._next(None)
            if self._ready is None:
                if all(s._feed.gone for s in self._all):
                    raise EndOfWatch("all runs have ended")
                self._sleep(LOOK_AGAIN)

    def _pull(self, run: MergedRun) -> bool:
        """Go on to the next event of a run; False at its end."""
        if self._ready is None:
            self._event = None
            self._ready = self._next(run)
        first = self._first()
        if self._ready is None or first is None or first._number != run.runnum:
            return False
        self._event, self._ready = self._ready, None
        return True

    def _first(self) -> Source | None:
        """Give a process that has a part of the event at hand."""
        return next((s for s in self._all if s._head is not None and s._head.timestamp == self._last), None)

    def _next(self, run: MergedRun | None) -> MergedEvent | None:
        """Find the next event; None when nobody has a run, or `run` has ended."""
        self._let_go()
        since: float | None = None
        while True:
            for s in self._all:
                s._look(self._last)
            if all(s._fresh or s._feed.connection is None for s in self._all):
                self._last = -1  # all have begun anew, maybe with earlier times
            heads = [s for s in self._all if s._head is not None]
            if not heads:
                since = None
                if all(s._run is None for s in self._all):
                    return None
            else:
                now = time.monotonic()
                since = now if since is None else since
                absent = [s for s in self._all if s._head is None and s._run is not None and not s._silent]
                if not absent or now - since >= self._deadline:
                    for s in absent:
                        s._silent = True
                    since = None
                    evt = self._take(heads)
                    if evt is not None:
                        return evt
                    continue
            self._sleep(
                LOOK_AGAIN if since is None else min(LOOK_AGAIN, max(0, since + self._deadline - time.monotonic()))
            )

    def _let_go(self) -> None:
        """Let go of the event that was given, and with `newest` of all that has waited."""
        for s in self._all:
            if s._head is not None and s._head.timestamp == self._last:
                s._drop()
            if self._choose["newest"]:
                s._pass()
                s._feed.skip()
                self._aligned = False

    def _take(self, heads: list[Source]) -> MergedEvent | None:
        """Make an event of the earliest parts, if it is wanted."""
        if not self._aligned:  # begin with what all can have
            self._aligned = True
            start = max(s._head.timestamp for s in heads if s._head is not None)
            if any(s._head is not None and s._head.timestamp < start for s in heads):
                self._last = start - 1
                self._aligned = False
                for s in heads:
                    if s._head is not None and s._head.timestamp < start:
                        s._pass()
                return None
        self._last = min(s._head.timestamp for s in heads if s._head is not None)
        parts = {s.name: s._head for s in heads if s._head is not None and s._head.timestamp == self._last}
        missing = tuple(name for name in self.sources if name not in parts)
        for s in self._all:
            s._fresh = False
            s._silent = s._silent and s._head is None
            s.absent += s.name in missing
        evt = MergedEvent(self._last, parts, missing)
        if self._complete and missing:
            self.skipped += 1
        elif self._wanted(evt):
            return evt
        for s in self._all:
            if s.name in parts:
                s._drop()
        return None

    def _wanted(self, evt: MergedEvent) -> bool:
        c = self._choose
        if (c["hits"] and not evt.is_hit) or (c["bits"] and not evt.bits & c["bits"]):
            return False
        self._fitting += 1
        return bool((self._fitting - 1) % c["every"] == 0)

    def _sleep(self, seconds: float) -> None:
        """Wait until one of those who have nothing has something."""
        poll = select.poll()
        idle = [s._feed for s in self._all if s._head is None and s._feed.connection is not None]
        waking = [feed.wants_waking() for feed in idle]
        if all(waking):
            for feed in idle:
                assert feed.connection is not None
                poll.register(feed.connection.socket, select.POLLIN)
            poll.poll(max(1, int(seconds * 1000)))
        for feed in idle:
            assert feed.connection is not None
            feed.connection.queue[Q_WAITING] = 0


def expand(names: tuple[str, ...]) -> list[str]:
    """Give names, and for patterns as `tmo/*` the names of the runs that can be watched now."""
    found: list[str] = []
    for name in names:
        if not any(c in name for c in "*?["):
            place(name)
            found.append(name)
            continue
        folder = os.path.dirname(place("x"))
        files = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
        here = [n.replace("+", "/") for n in files if not n.endswith(".lock")]
        fits = [n for n in here if fnmatch.fnmatchcase(n, name)]
        if not fits:
            raise ValueError(
                f"{name!r}: there are none of this name; runs that can be watched: {', '.join(here) or 'none'}"
            )
        found += fits
    return list(dict.fromkeys(found))
