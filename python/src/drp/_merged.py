"""A run and an event of several processes, and the detectors that can be read from it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from ._detector import Alg, Field, Group, find
from ._sequence import Steps

if TYPE_CHECKING:
    from types import SimpleNamespace

    from ._merge import Merge
    from ._merge_feed import MergedFeed
    from ._merge_source import Source
    from ._run import Run
    from ._watch import Watched


class MergedEvent:
    """One event of several processes. Valid until the next is asked for."""

    __slots__ = ("missing", "parts", "timestamp")

    def __init__(self, timestamp: int, parts: dict[str, Watched], missing: tuple[str, ...]) -> None:
        self.timestamp = timestamp  #: the 64-bit timestamp, by which the parts belong together
        self.parts = parts  #: the event of each process, by its name
        self.missing = missing  #: names of the processes without a part

    @property
    def complete(self) -> bool:
        """Whether all processes have a part."""
        return not self.missing

    @property
    def pulse_id(self) -> int:
        """The key of the event, its timestamp."""
        return self.timestamp

    @property
    def missed(self) -> int:
        """Events of any process that were not got since the one before."""
        return sum(part.missed for part in self.parts.values())

    @property
    def is_hit(self) -> bool:
        """Whether drp found a hit in any part."""
        return any(part.is_hit for part in self.parts.values())

    @property
    def rejected(self) -> bool:
        """Whether the script has rejected each part."""
        return all(part.rejected for part in self.parts.values())

    @property
    def vetoed(self) -> bool:
        """Whether the trigger did not want it."""
        return any(part.vetoed for part in self.parts.values())

    @property
    def bits(self) -> int:
        """What the trigger says for monitors, 32 bits."""
        bits = 0
        for part in self.parts.values():
            bits |= part.bits
        return bits

    @property
    def intact(self) -> bool:
        """Whether all parts are still what was published."""
        return all(part.intact for part in self.parts.values())

    def __repr__(self) -> str:
        return f"<event {self.timestamp >> 32}.{self.timestamp & 0xFFFFFFFF:09d} of {', '.join(self.parts)}>"


class MergedLoop:
    """What a merged run and a step of it have in common: the loop over events."""

    _in_step = False

    def __init__(self, feed: MergedFeed, timestamp: int) -> None:
        self._feed = feed
        self._over = False
        self._looping = False
        self.timestamp = timestamp  #: of the transition that began it, in the process that came to it first

    def events(self) -> Iterator[MergedEvent]:
        """Yield every event; each is valid until the next is taken."""
        self._looping = True
        self._over = self._over or (self._in_step and self._feed.step is not self)
        return self._feed.events(self, self._in_step)


class MergedRun(MergedLoop, Steps["MergedStep"]):
    """A run that several processes take part in."""

    def __init__(self, owner: Merge, feed: MergedFeed, run: Run) -> None:
        super().__init__(feed, run.timestamp)
        self._owner = owner
        self.runnum = run.runnum  #: the number; None if no process says it
        self.expt = run.expt  #: the experiment

    def Detector(self, name: str) -> Any:
        """Find a detector, an EPICS variable or a scan variable; an unknown name raises `KeyError`."""
        return self._owner.Detector(name)

    @property
    def detnames(self) -> set[str]:
        """The names of all detectors."""
        return set(self._owner.detnames)

    def __repr__(self) -> str:
        return f"<run {self.runnum} of {self.expt}>"


class MergedStep(MergedLoop):
    """A step of a scan that several processes take part in, or the whole run when there is no scan."""

    _in_step = True

    def __init__(self, run: MergedRun, feed: MergedFeed, number: int, timestamp: int) -> None:
        super().__init__(feed, timestamp)
        self.run = run
        self.number = number  #: counts from 0 in each run

    def __repr__(self) -> str:
        return f"<step {self.number}>"


class Value:
    """An EPICS or scan variable of several processes."""

    def __init__(self, owner: Merge, name: str) -> None:
        self._owner, self._name = owner, name

    def __call__(self, evt: Any = None) -> Any:
        """Read the latest value, of the first process that has one; those in the present step come first."""
        for source in self._owner._feed.scan.nearest(self._owner._having(self._name)):
            value: Any = find(source._config, self._name)(evt)  # type: ignore[operator]
            if value is not None:
                return value
        return None

    def __repr__(self) -> str:
        return f"<{self._name} of {self._owner!r}>"


class Joined:
    """A detector, or what belongs to it, in one process or in several."""

    def __init__(self, owner: Merge, name: str, path: tuple[str, ...] = ()) -> None:
        self._owner, self._name, self._path = owner, name, path

    def _found(self) -> list[tuple[Source, Any]]:
        """Find it in each process that has it, in the order of their segments."""
        found = []
        wrong: Exception | None = None
        for source in self._owner._having(self._name):
            try:
                value = find(source._config, self._name)
                for attribute in self._path:
                    value = getattr(value, attribute)
            except (AttributeError, KeyError) as error:
                wrong = error
            else:
                found.append((source, value))
        if not found and wrong is not None:
            raise wrong
        return found

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        inner = Joined(self._owner, self._name, (*self._path, name))
        values = [value for _, value in inner._found()]
        if not values or callable(values[0]) or isinstance(values[0], (Group, Alg)):
            return inner
        return values[0]

    def __call__(self, *args: Any) -> Any:
        """Read it from an event, or ask for what needs none; several processes' segments are put together."""
        found = self._found()
        if args and isinstance(args[0], MergedEvent):
            evt, rest = args[0], args[1:]
            parts = [(value, evt.parts.get(source.name)) for source, value in found]
            values = [value(part, *rest) for value, part in parts if part is not None]
        else:
            values = [value(*args) for _, value in found]
        rank = next(
            (
                e.rank
                for _, v in found
                if isinstance(v, Field)
                for n in v._names
                for e in n.entries
                if e.name == v._name
            ),
            3,
        )
        return together([value for value in values if value is not None], rank)

    def __repr__(self) -> str:
        return f"<{'.'.join((self._name, *self._path))} of {self._owner!r}>"


def together(values: list[Any], rank: int) -> Any:
    """Put together what several processes have of the segments of a detector; `rank` is that of one segment.

    >>> together([np.zeros((1, 4, 6)), np.zeros((2, 4, 6))], 2).shape
    (3, 4, 6)
    >>> together([1.5, np.array([2.5, 3.5])], 0).tolist()
    [1.5, 2.5, 3.5]
    >>> together([np.zeros(3), np.zeros(2)], 1)
    [array([0., 0., 0.]), array([0., 0.])]
    """
    if len(values) < 2:
        return values[0] if values else None
    if all(isinstance(value, dict) for value in values):
        merged: dict[int, SimpleNamespace] = {}
        for value in values:
            merged.update(value)
        return merged
    if all(isinstance(value, (np.ndarray, np.generic, int, float)) for value in values):
        arrays = [np.asarray(value) for value in values]
        rows = [a[np.newaxis] if a.ndim == rank and rank < 3 else a for a in arrays]
        if len({(a.dtype, a.shape[1:]) for a in rows}) == 1:
            joined = np.concatenate(rows)
            joined.flags.writeable = False
            return joined
    return [one for value in values for one in (value if isinstance(value, list) else [value])]
