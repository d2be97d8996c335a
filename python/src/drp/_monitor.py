"""`drp.monitor`: look at the events of a run from another process of this machine."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, SupportsFloat, SupportsIndex, cast

from ._config import Config
from ._detector import find
from ._errors import EndOfWatch
from ._run import Run
from ._sequence import BEGIN_RUN, CONFIGURE, END_RUN, EVENT, UNCONFIGURE

if TYPE_CHECKING:
    from ._watch import Watched, WatchFeed


class Current:
    """A detector of whatever run is watched at present."""

    def __init__(self, owner: Monitor, name: str) -> None:
        self._owner = owner
        self._name = name

    def __getattr__(self, name: str) -> Any:
        return getattr(find(self._owner._config, self._name), name)

    def __call__(self, evt: Any = None) -> Any:
        """Read the latest value of an EPICS or scan variable."""
        variable: Any = find(self._owner._config, self._name)
        return variable(evt)

    def __repr__(self) -> str:
        return f"<{self._name} of {self._owner!r}>"


class Monitor:
    """A run that is watched, and those that follow it under the same name. Iterate over it to get the events.

    Close it, or use it in a `with` statement. It belongs to one thread.
    """

    def __init__(self, feed: WatchFeed) -> None:
        self._feed = feed

    @property
    def _config(self) -> Config:
        """What the Configure at hand says; the first is waited for."""
        feed = self._feed
        if feed.config is None:
            if feed.taken or feed.ask() != CONFIGURE:
                raise RuntimeError(f"{feed.name} is not configured at this moment")
            feed.prepare()
        assert feed.config is not None
        return feed.config

    def __iter__(self) -> Iterator[Watched]:
        """Yield the events of all runs, each valid until the next is taken."""
        for run in self.runs():
            yield from cast("Iterator[Watched]", run.events())

    def runs(self) -> Iterator[Run]:
        """Yield every run; the loop over its events ends when the run does, or when drp dies.

        One that goes on already is the first. Ends with the first run of drp if the monitor was made with
        `restarts=False`, and never else.
        """
        feed = self._feed
        feed.data_source = self
        feed.run = None
        while True:
            try:
                service = feed.ask()
            except EndOfWatch:
                return
            if service == CONFIGURE:
                feed.run = feed.step = None
                feed._ids = {}
                feed._parsed = (None, None)
                feed.take()
                feed.prepare()
            elif service == BEGIN_RUN or (service >= EVENT and feed.run is None):
                if service == BEGIN_RUN:
                    feed.take()
                run = Run(self, feed)
                yield run
                run._over = True
                feed.run = run if feed.have and feed.service != END_RUN else None
            else:
                if service in (END_RUN, UNCONFIGURE):
                    feed.run = None
                feed.take()

    def Detector(self, name: str) -> Any:
        """Find a detector, as `run.Detector` does; it is that of whatever run is watched when it is used."""
        find(self._config, name)
        return Current(self, name)

    @property
    def camera(self) -> str | None:
        """The name of the first detector with images; None if there is none."""
        found = self._config.camera()
        return found[0] if found else None

    @property
    def detnames(self) -> list[str]:
        """The names of all detectors."""
        return self._config.detectors()

    @property
    def missed(self) -> int:
        """Events so far that were chosen and not got, since they came faster than they were taken."""
        return self._feed.missed

    @property
    def got(self) -> int:
        """Events so far that were got."""
        return self._feed.got

    @property
    def state(self) -> str:
        """What the run does: "waiting" (for drp), "running", "ended", "lost" (drp has died), or "closed" (by us).

        Between two runs of a drp that goes on it is "ended".
        """
        return self._feed.state

    def close(self) -> None:
        """Stop watching."""
        self._feed.leave()

    def __enter__(self) -> Monitor:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<monitor of {self._feed.name}, {self.state}>"


def monitor(
    *names: str,
    hits: bool = False,
    bits: int = 0,
    every: int = 1,
    newest: bool = False,
    wait: float | None = None,
    restarts: bool = True,
    complete: bool = False,
    deadline: float = 1.0,
) -> Any:
    """Watch the run of this machine and this user that was started with `drp --monitor NAME`, or several as one.

        for evt in drp.monitor("tmo/epix"):
            print(evt.timestamp, evt.missed)

    The run never waits: what comes faster than it is taken is missed, and counted. `hits` chooses hits only, `bits` the
    events for which the trigger's word for monitors has any of these bits, `every` one in so many of what is chosen;
    `newest` gives whatever comes next after one asks, and never one that has waited. Nothing is copied: an event is a
    view of memory that is not overwritten until the next is asked for.

    Of several names, or of a pattern as "tmo/*" (the runs that are there now), each event has the parts of all
    processes that belong together by their timestamp, see `Merge`. A process that has shown nothing for `deadline`
    seconds is not waited for until it does; `complete` passes over events that lack a part.

    When the run has ended, the next one of the same name is waited for, also when drp has died, unless `restarts` is
    False: then the loop ends. `wait` is the longest wait for drp in seconds, after which `TimeoutError` is raised; None
    is for ever. Raises `MonitorError` when drp refuses, `ValueError` for what cannot be a name or a choice, and
    `TypeError` for what is no text or no number.
    """
    _check(names, {"every": every, "bits": bits}, {"wait": 0 if wait is None else wait, "deadline": deadline})
    from ._merge import Merge, expand  # which scripts under drp have no use for, and would wait for
    from ._watch import WatchFeed

    choose = {"hits": bool(hits), "bits": int(bits), "every": int(every), "newest": bool(newest)}
    found = expand(names)
    if not found:
        raise ValueError("give the name of a run, as drp --monitor has it")
    if found == [*names] and len(found) == 1 and not complete:
        return Monitor(WatchFeed(found[0], choose, wait, restarts))
    return Merge(found, choose, complete, deadline, wait, restarts)


def _check(names: tuple[Any, ...], whole: dict[str, Any], seconds: dict[str, Any]) -> None:
    """Refuse what drp would not understand, or what cannot be meant."""
    for n, name in enumerate(names):
        if not isinstance(name, str):
            raise TypeError(f"{name!r} is no name of a run: give text, as drp --monitor has it")
        if name in names[:n]:
            raise ValueError(f"{name} is given twice")
    for what, value in whole.items():
        if not isinstance(value, SupportsIndex):
            raise TypeError(f"{what}={value!r}: give a whole number")
    for what, value in seconds.items():
        if isinstance(value, str) or not isinstance(value, SupportsFloat):
            raise TypeError(f"{what}={value!r}: give seconds")
        if not float(value) >= 0:  # nor NaN
            raise ValueError(f"{what}={value}: give seconds that are not negative")
    if not 1 <= whole["every"] < 1 << 64 or not 0 <= whole["bits"] < 1 << 32:
        raise ValueError(
            f"every={whole['every']}, bits={whole['bits']:#x}: give every=1 or more, bits of up to 32 bits"
        )
