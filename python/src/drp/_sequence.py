"""The order in which a run goes, and how the loops over its steps and events walk along it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Generic, TypeVar

from ._xtc import TransitionId

CONFIGURE, UNCONFIGURE = int(TransitionId.Configure), int(TransitionId.Unconfigure)
BEGIN_RUN, END_RUN = int(TransitionId.BeginRun), int(TransitionId.EndRun)
BEGIN_STEP, END_STEP = int(TransitionId.BeginStep), int(TransitionId.EndStep)
SLOW_UPDATE, EVENT = int(TransitionId.SlowUpdate), 11


class Sequence:
    """What a run is made of, one after the other; the loops ask for the next, and take it."""

    run: Any
    step: Any

    def ask(self) -> int:
        """Say what is there next; what was taken is over."""
        raise NotImplementedError

    def take(self) -> None:
        """Take it."""
        raise NotImplementedError

    def begin_step(self) -> None:
        """Note that a step begins with what is there."""
        raise NotImplementedError

    def pull(self, in_step: bool) -> bool:
        """Go on to the next event; False at the end of the run or step."""
        while True:
            service = self.ask()
            if service >= EVENT:
                return True
            if service in (CONFIGURE, UNCONFIGURE, BEGIN_RUN):
                return False
            if service == END_RUN:
                if not in_step:
                    self.take()
                return False
            if service == BEGIN_STEP:
                if in_step:
                    return False
                self.begin_step()
            self.take()
            if service == END_STEP:
                self.step = None
                if in_step:
                    return False


S = TypeVar("S")


class Steps(Generic[S]):
    """A run, as far as it has steps."""

    _feed: Any
    _over: bool
    _looping: bool

    def step(self, evt: Any = None) -> S | None:
        """Give the step that is going on."""
        step: S | None = self._feed.step
        return step

    def steps(self) -> Iterator[S]:
        """Yield every step of the run."""
        feed = self._feed
        self._looping = True
        while not self._over:
            service = feed.ask()
            if service == BEGIN_STEP or (service >= EVENT and feed.step is None):
                feed.begin_step()
                if service == BEGIN_STEP:
                    feed.take()
                step = feed.step
                yield step
                if step._looping and not step._over:
                    raise RuntimeError("the loop over the events was left while the step went on")
            elif service in (CONFIGURE, UNCONFIGURE, BEGIN_RUN):
                self._over = True
            else:
                feed.take()
                if service == END_STEP:
                    feed.step = None
                elif service == END_RUN:
                    self._over = True
