"""`drp.monitor` of several runs: the parts of an event that several processes of this machine have, as one event.

Each process is watched as if it were alone, and the next event of each is held: its slot is ours until the event is
over, so that nothing is copied. The parts with the least timestamp are an event as soon as each process has shown its
part or a later one. What waits in the queues of drp is the window in which they are looked for.
"""

from __future__ import annotations

import fnmatch
import os
import time
from collections.abc import Iterator
from types import TracebackType
from typing import Any

from ._detector import Variable, find
from ._errors import EndOfWatch
from ._merge_feed import MergedFeed
from ._merge_source import Source
from ._merged import Joined, MergedEvent, MergedRun, Value
from ._watch import LOOK_AGAIN, place


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
        self._all = list(self.sources.values())
        self._feed = MergedFeed(self._all, choose, complete, deadline)
        self._wait = wait
        self._run: MergedRun | None = None
        self._met = False

    def __iter__(self) -> Iterator[MergedEvent]:
        """Yield the events of all runs, each valid until the next is taken."""
        for run in self.runs():
            yield from run.events()

    def runs(self) -> Iterator[MergedRun]:
        """Yield every run once: it begins with its first step or event, and ends when it does in all processes."""
        try:
            self._meet()
            while True:
                if self._run is None or self._run._over:
                    self._run = self._feed.next_run(self)
                run = self._run
                yield run
                run._over = True
        except EndOfWatch:
            return

    def Detector(self, name: str) -> Any:
        """Find a detector in whatever processes have it; if several do, it is put together of all their segments."""
        having = self._having(name)
        if isinstance(find(having[0]._config, name), Variable):
            return Value(self, name)
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
    def skipped(self) -> int:
        """Events that were passed over with `complete=True`, since a process had no part."""
        return self._feed.skipped

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
                s._look(self._feed.last)
            absent = [s.name for s in self._all if s._feed.config is None and not s._feed.gone]
            self._met = not absent
            if absent and until is not None and time.monotonic() >= until:
                raise TimeoutError(
                    f"nobody publishes {', '.join(absent)} within {self._wait:g} s: "
                    f"start drp with --monitor {absent[0]}"
                )
            if absent:
                self._feed.sleep(LOOK_AGAIN)


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
