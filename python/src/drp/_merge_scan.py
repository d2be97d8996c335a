"""Which step of a scan a run is in that several processes take part in."""

from __future__ import annotations

from ._merge_source import Source
from ._sequence import BEGIN_STEP, END_RUN, END_STEP, SLOW_UPDATE, UNCONFIGURE


class Scan:
    """The steps of a merged run. A step is known by the timestamp of the BeginStep that opened it.

    It is opened by the first process that goes on from the step that is open, or by any if none is open; those which
    follow, at the same timestamp or later, are in it from then on. It is closed when one has ended it and none is in it
    any more, or when the next is opened. A process that dies has not ended its step.
    """

    def __init__(self, sources: list[Source]) -> None:
        self._sources = sources
        self.begin()

    def begin(self) -> None:
        """Begin with a run."""
        self.opened: int | None = None  # the step that is open
        self.latest: int | None = None  # the last that was opened
        self._ended = False  # a process has ended it
        self._at = -1  # the latest event that was given, or beginning of a step
        for s in self._sources:
            s._step, s._inside, s._behind = None, False, False

    def transition(self, s: Source, service: int, time: int) -> int:
        """Go on to a transition of a process, and say what it is of the whole: BeginStep, or nothing (SlowUpdate)."""
        if service == BEGIN_STEP:
            return BEGIN_STEP if self._begins(s, time) else SLOW_UPDATE
        if service == END_STEP:
            s._behind = False
            if s._inside and s._step == self.opened:
                s._inside, self._ended = False, True
        elif service in (END_RUN, UNCONFIGURE):
            s._over()
        return SLOW_UPDATE

    def _begins(self, s: Source, time: int) -> bool:
        """Let a process come to a step, and say whether it opens it."""
        s._behind = False
        if self.opened is None:
            s._behind = time < self._at or time == self.latest
        elif time < self.opened and s._step != self.opened:
            s._behind = True
            return False
        elif time == self.opened or (s._step != self.opened and self.inside()):
            s._step, s._inside = self.opened, True
            return False
        if s._behind:
            return False
        self._open(time)
        s._step, s._inside = time, True
        return True

    def given(self, time: int) -> None:
        """Go on to an event; outside of all steps it opens one, for all who are there."""
        self._at = max(self._at, time)
        if self.opened is None:
            self._open(time)
            for s in self._sources:
                if s._run is not None:
                    s._step, s._inside = time, True

    def _open(self, time: int) -> None:
        self.opened = self.latest = time
        self._at = max(self._at, time)
        self._ended = False

    def inside(self) -> bool:
        """Say whether any process is in the step that is open."""
        return any(s._inside and s._step == self.opened for s in self._sources)

    def close(self) -> bool:
        """Close the step that is open, if it is over; say whether it was."""
        over = self.opened is not None and self._ended and not self.inside()
        if over:
            self.opened = None
        return over

    def late(self, s: Source, time: int) -> bool:
        """Say whether an event belongs to a step of its process that is over for the others."""
        if self.opened is None:
            return s._behind
        return time < self.opened and s._step != self.opened

    def nearest(self, sources: list[Source]) -> list[Source]:
        """Give those first that have come to the latest step, and then those which have a run."""
        return sorted(sources, key=lambda s: (s._step is None or s._step != self.latest, s._run is None))
