"""What several processes show, put in one order: the events, and the transitions that begin and end steps.

Each process shows its next event, and the transitions before it, which hold when their time has come: so the values of
a step that are read at an event are those of its step, however far a process is ahead.
"""

from __future__ import annotations

import select
import time
from collections.abc import Iterator
from typing import Any

from ._errors import EndOfWatch
from ._merge_scan import Scan
from ._merge_source import ENDS, Source
from ._merged import MergedEvent, MergedLoop, MergedRun, MergedStep
from ._sequence import BEGIN_STEP, END_RUN, END_STEP, EVENT, Sequence
from ._watch import LOOK_AGAIN, Q_WAITING

MOST = 64  # transitions of a process that wait for what others have before them


class MergedFeed(Sequence):
    """The events of several processes, as one sequence."""

    def __init__(self, sources: list[Source], choose: dict[str, Any], complete: bool, deadline: float) -> None:
        self.sources = sources
        self.skipped = 0
        self.run: MergedRun | None = None
        self.step: MergedStep | None = None
        self.scan = Scan(sources)
        self.time = 0  # of what is there
        self.last = -1  # event
        self._choose, self._complete, self._deadline = choose, complete, deadline
        self._service: int | None = None  # of what is there, if it is known
        self._taken = False
        self._event: MergedEvent | None = None
        self._lead: Source | None = None  # who showed it
        self._steps_seen = 0
        self._fitting = 0
        self._aligned = False  # all sources have come to a common beginning

    # -- the sequence -------------------------------------------------------------------------------------------

    def ask(self) -> int:
        """Say what is there next: an event, the beginning or the end of a step, or the end of the run."""
        if self._taken:
            self._service, self._taken = None, False
        if self._service is None:
            self._let_go()
            self._service = self._fetch()
        return self._service

    def take(self) -> None:
        """Take it."""
        self._taken = True
        if self._service == END_RUN:
            self.run = None

    def begin_step(self) -> None:
        """Note that a step begins with what is there."""
        assert self.run is not None
        self.step = MergedStep(self.run, self, self._steps_seen, self.time)
        self._steps_seen += 1

    def events(self, owner: MergedLoop, in_step: bool) -> Iterator[MergedEvent]:
        """Yield event after event."""
        while not owner._over and self.pull(in_step):
            assert self._event is not None
            self._taken = True
            yield self._event
        owner._over = True

    def next_run(self, owner: Any) -> MergedRun:
        """Wait for the first event or step of the next run; what is left of the present one is passed over."""
        while self.run is not None:
            self.ask()
            self.take()
        self._service, self.step, self._steps_seen = None, None, 0
        self.scan.begin()
        while self.ask() == END_RUN:
            self.take()
            if all(s._feed.gone for s in self.sources):
                raise EndOfWatch("all runs have ended")
            self.sleep(LOOK_AGAIN)
        assert self._lead is not None
        assert self._lead._run is not None
        for s in self.sources:
            s._fresh = False
        self.run = MergedRun(owner, self, self._lead._run)
        return self.run

    # -- what comes next ----------------------------------------------------------------------------------------

    def _let_go(self) -> None:
        """Let go of the event that was given, and with `newest` of all that has waited."""
        for s in self.sources:
            if self._event is not None and s.name in self._event.parts:
                s._drop()
            if self._choose["newest"]:
                s._pass()
                s._feed.skip()
                self._aligned = False
        self._event = None

    def _fetch(self) -> int:
        """Go on to what is next and counts; that is END_RUN when nobody has a run, or the next has begun."""
        since: float | None = None  # something has to be given
        while True:
            if self.scan.close():
                return END_STEP
            for s in self.sources:
                s._look(self.last)
            fresh = [s for s in self.sources if s._fresh]
            if fresh and all(s._fresh or s._run is None for s in self.sources):
                self.last = -1  # all have begun anew, maybe with earlier times
                for s in self.sources:
                    s._start = 0
                if self.run is not None:
                    return END_RUN
            shown = [s for s in self.sources if s._shown is not None]
            if not shown:
                if all(s._run is None for s in self.sources):
                    return END_RUN
                self.sleep(LOOK_AGAIN)
                continue
            now = time.monotonic()
            if since is None and any(s._head is not None or s._ending for s in shown):
                since = now
            first = min(shown, key=self._order)
            if not self._due(first, since is not None and now - since >= self._deadline):
                left = LOOK_AGAIN if since is None else min(LOOK_AGAIN, max(0, since + self._deadline - now))
                self.sleep(left)
                continue
            if self.run is not None and first._number not in (None, self.run.runnum):
                return END_RUN
            since = None
            if (service := self._go_on(first)) is not None:
                return service

    def _order(self, s: Source) -> tuple[int, bool, bool]:
        """Say which comes first: the earliest, of these transitions, of these those of who is in the step."""
        assert s._shown is not None
        return s._shown, not s._marks, s._step != self.scan.opened

    def _due(self, first: Source, late: bool) -> bool:
        """Say whether nobody can have anything before it; who has nothing is not waited for any more if it is late."""
        at = first._shown
        assert at is not None
        if None not in [s._head for s in self.sources]:
            return True
        begins = self.run is None  # who is between two runs is to begin this one, too
        waited = [
            s
            for s in self.sources
            if s._head is None and not s._silent and (s._run is not None or (begins and s._alive))
        ]
        if first._marks or self._aligned:  # else all are waited for, to begin with what all can have
            waited = [s for s in waited if not s._marks and s._read < at]
        else:
            waited = [s for s in waited if not s._ending]
        if not waited or len(first._marks) > MOST:
            return True
        if late and any(s._head is not None for s in self.sources):
            for s in waited:
                s._silent = True
        return late

    def _go_on(self, first: Source) -> int | None:
        """Go on to what a process shows; None if it is nothing for us."""
        self._lead = first
        if not first._marks:
            self._event = self._take()
            return None if self._event is None else EVENT
        assert first._shown is not None
        self.time = first._shown
        mark = first._marks.popleft()
        first._feed.note(mark)
        service = self.scan.transition(first, mark.service, self.time)
        if mark.service in ENDS:  # all that end do so at once, since what begins anew may have earlier times
            for s in self.sources:
                if s._marks and s._marks[0].service in ENDS:
                    s._over()
        return BEGIN_STEP if service == BEGIN_STEP else None

    def _take(self) -> MergedEvent | None:
        """Make an event of the earliest parts, if it is wanted."""
        heads = [s for s in self.sources if s._head is not None]
        if not self._aligned and not self._align(heads):
            return None
        self.time = self.last = min(s._head.timestamp for s in heads if s._head is not None)
        there = [s for s in heads if s._head is not None and s._head.timestamp == self.last]
        for s in there[:]:
            if self.scan.late(s, self.last):
                s.late += 1
                s._drop()
                there.remove(s)
        if not there:
            return None
        for s in there:
            s._fresh = False  # what it has begun is this run
        parts = {s.name: s._head for s in there if s._head is not None}
        missing = tuple([s.name for s in self.sources if s.name not in parts])
        for s in self.sources:
            s._silent = s._silent and s._head is None
            s.absent += s.name not in parts
        evt = MergedEvent(self.last, parts, missing)
        if self._complete and missing:
            self.skipped += 1
        elif self._wanted(evt):
            self.scan.given(self.last)
            return evt
        for s in there:
            s._drop()
        return None

    def _align(self, heads: list[Source]) -> bool:
        """Begin with what all can have: pass over what is before, and say whether there was nothing."""
        start = max(s._head.timestamp for s in heads if s._head is not None)
        before = [s for s in heads if s._head is not None and s._head.timestamp < start]
        self._aligned = not before
        if before:
            self.last = start - 1
            for s in self.sources:
                s._start = start
        for s in before:
            s._pass()
        return self._aligned

    def _wanted(self, evt: MergedEvent) -> bool:
        c = self._choose
        if (c["hits"] and not evt.is_hit) or (c["bits"] and not evt.bits & c["bits"]):
            return False
        self._fitting += 1
        return bool((self._fitting - 1) % c["every"] == 0)

    def sleep(self, seconds: float) -> None:
        """Wait until one of those who have nothing has something."""
        poll = select.poll()
        idle = [s._feed for s in self.sources if s._head is None and s._feed.connection is not None]
        waking = [feed.wants_waking() for feed in idle]
        if all(waking):
            for feed in idle:
                assert feed.connection is not None
                poll.register(feed.connection.socket, select.POLLIN)
            poll.poll(max(1, int(seconds * 1000)))
        for feed in idle:
            assert feed.connection is not None
            feed.connection.queue[Q_WAITING] = 0
