"""Trigger scripts: what is recorded, decided by what all contributors brought for each event.

    import drp

    ts = drp.TriggerSource()
    hit = ts.reason("hit")
    for batch in ts.batches():
        batch.accept[:] = batch.sum("photons") >= 100
        batch.reason[batch.accept] = hit

A batch is one structured NumPy array over the events, in the order of their pulse IDs, with a nested struct for each
contributor. Its memory is shared with drp and holds other events once the loop takes the next batch.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from ._errors import FieldError
from ._param import Param

if TYPE_CHECKING:
    from ._trigger_feed import Layout, TriggerFeed

HEAD = ("pulse", "time", "groups", "damage", "contributions")
BUILTIN = ("rejected", "prescale", "default", "failed", "transition")
VERDICT = np.dtype(
    {"names": ["accept", "reason", "monitor"], "formats": ["?", "<u2", "<u4"], "offsets": [0, 2, 4], "itemsize": 8}
)
_WHOLE = (1 << 64) - 1
_Array = npt.NDArray[Any]


def offset(seed: int, group: int, n: int) -> int:
    """Say where a prescaler of a readout group begins to count, as drp does (the finaliser of SplitMix64)."""
    x = (seed + group * 0x9E3779B97F4A7C15 + 0x9E3779B97F4A7C15) & _WHOLE
    x = (x ^ x >> 30) * 0xBF58476D1CE4E5B9 & _WHOLE
    x = (x ^ x >> 27) * 0x94D049BB133111EB & _WHOLE
    return (x ^ x >> 31) % n


class TriggerBatch:
    """Events to decide about.

    `events` is a structured array, read-only: `pulse`, `time` (uint64), `groups`, `damage` (uint16), `contributions`
    (uint32, how many brought something), and for each contributor a struct with its fields, `present` (bool) and
    `damage`. What a contributor that is not there would have brought is 0. `accept` (bool), `monitor` (uint32, a bit
    for each destination) and `reason` (uint16) are arrays to be filled; they begin as 0. An event that is accepted
    without a reason gets the first one of the script.
    """

    __slots__ = ("_accept", "_columns", "_layout", "_monitor", "_reason", "_seed", "events")

    def __init__(self, layout: Layout, seed: int, events: _Array, verdicts: tuple[_Array, _Array, _Array]) -> None:
        self.events = events
        self._accept, self._reason, self._monitor = verdicts
        self._layout, self._seed = layout, seed
        self._columns: dict[Any, list[Any]] = {}

    def __len__(self) -> int:
        return len(self.events)

    def __getitem__(self, name: str) -> _Array:
        """Give a column: of the events, or the struct of a contributor."""
        return self.events[name]

    @property
    def accept(self) -> _Array:
        """Which events are recorded."""
        return self._accept

    @accept.setter
    def accept(self, value: npt.ArrayLike) -> None:
        self._accept[:] = value

    @property
    def monitor(self) -> _Array:
        """Where events are shown: a bit for each destination."""
        return self._monitor

    @monitor.setter
    def monitor(self, value: npt.ArrayLike) -> None:
        self._monitor[:] = value

    @property
    def reason(self) -> _Array:
        """Why: numbers that `TriggerSource.reason` gave."""
        return self._reason

    @reason.setter
    def reason(self, value: npt.ArrayLike) -> None:
        self._reason[:] = value

    def values(self, field: str) -> _Array:
        """Give a field of all that have it: (events, contributors), int64 or float64, 0 for who is absent."""
        names, kind = self._layout.over(field)
        return np.stack([self.events[name][field].astype(kind) for name in names], axis=1)

    def sum(self, field: str) -> _Array:
        """Add up a field over the contributors that have it: int64 or float64, one for each event."""
        names, kind = self._layout.over(field)
        total = self.events[names[0]][field].astype(kind)
        for name in names[1:]:
            total += self.events[name][field]
        return total

    def prescale(self, n: int) -> _Array:
        """Say which are the one in `n` events of their lowest readout group: exactly, over all batches and workers."""
        if n <= 1:
            return np.full(len(self), n == 1)
        groups = self.events["groups"]
        low = groups & (~groups + 1)
        group = np.zeros(len(self), np.intp)
        for bit, mask in enumerate((0xAAAA, 0xCCCC, 0xF0F0, 0xFF00)):
            group |= ((low & mask) != 0).astype(np.intp) << bit
        begin = np.array([offset(self._seed, g, n) for g in range(16)], np.uint64)
        wanted: _Array = (self._layout.ordinals(self.events) + begin[group]) % np.uint64(n) == 0
        return wanted

    def _column(self, key: Any, make: Any) -> list[Any]:
        """Give a column as numbers of Python, which are faster one by one."""
        found = self._columns.get(key)
        if found is None:
            found = self._columns[key] = make().tolist()
        return found


class Contribution:
    """What one contributor brought for an event: its fields as attributes or by name, `present` and `damage`."""

    __slots__ = ("_batch", "_i", "_name")

    def __init__(self, batch: TriggerBatch, name: str, i: int) -> None:
        self._batch, self._name, self._i = batch, name, i

    def __getitem__(self, field: str) -> Any:
        batch, name = self._batch, self._name
        found = batch._columns.get((name, field))
        if found is None:
            batch._layout.check(name, field)
            found = batch._column((name, field), lambda: batch.events[name][field])
        return found[self._i]

    def __getattr__(self, field: str) -> Any:
        if field.startswith("__"):
            raise AttributeError(field)
        return self[field]


class TriggerEvent:
    """One event: `pulse`, `time`, `groups`, `damage`, `contributions`, all contributors: by name or as attributes."""

    __slots__ = ("_batch", "_i")

    def __init__(self, batch: TriggerBatch, i: int) -> None:
        self._batch, self._i = batch, i

    def __getitem__(self, name: str) -> Any:
        batch = self._batch
        if name in batch._layout.contributors:
            return Contribution(batch, name, self._i)
        found = batch._columns.get(name)
        if found is None:
            batch._layout.check(name)
            found = batch._column(name, lambda: batch.events[name])
        return found[self._i]

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return self[name]

    def values(self, field: str) -> list[Any]:
        """Give a field of all contributors that have it, 0 for who is absent."""
        batch = self._batch
        return list(batch._column(("values", field, ""), lambda: batch.values(field))[self._i])

    def sum(self, field: str) -> Any:
        """Add up a field over the contributors that have it."""
        batch = self._batch
        return batch._column(("sum", field, ""), lambda: batch.sum(field))[self._i]

    def prescale(self, n: int) -> bool:
        """Say whether this is the one in `n` events of its lowest readout group."""
        batch = self._batch
        return bool(batch._column(("prescale", n, ""), lambda: batch.prescale(n))[self._i])


class TriggerSource:
    """The events of a trigger script: `batches()`, or `events()` one at a time.

    Attributes: `contributors`, their names in order; `dtype`, that of the array of events; `worker`.

    Raises `RuntimeError` where drp does not run the script as a trigger.
    """

    def __init__(self) -> None:
        from ._session import _feed
        from ._trigger_feed import TriggerFeed

        if not isinstance(_feed, TriggerFeed):
            raise RuntimeError(
                'there is nothing to decide about: give this script to a trigger: drp teb -t "script.py args", '
                'or drp --trigger "script.py args"'
            )
        self._feed: TriggerFeed = _feed
        self._layout = _feed.describe(self)
        self._reasons: dict[str, int] = {}
        self._numbers: dict[str | None, int] = {None: 0}
        self._pack = struct.Struct("<?xHI").pack_into
        self._at: tuple[Any, int] | None = None  # where the verdict of the event at hand goes
        self.contributors = tuple(self._layout.contributors)
        self.dtype = self._layout.dtype

    def reason(self, name: str, prescale: int = 0) -> int:
        """Declare a reason before the loop; gives the number of it.

        The name is written into the record of each event that has it. With `prescale` only one in so many of its
        accepted events is kept, counted over all workers.
        """
        if self._feed.frozen:
            raise RuntimeError("reason() must be called before the loop over events begins")
        if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,62}", name):
            raise ValueError(f"a reason has letters, digits and _, at most 63, and begins with no digit: {name!r}")
        if name in BUILTIN or name in self._reasons:
            raise ValueError(f"there is a reason {name!r} already: give it another name")
        if not 0 <= prescale < 1 << 32:
            raise ValueError(f"reason {name}: prescale={prescale}: give 0, for none, to {(1 << 32) - 1}")
        number = self._layout.first + len(self._reasons)
        self._reasons[name] = int(prescale)
        self._numbers[name] = number
        return number

    def param(
        self,
        name: str,
        default: Any,
        *,
        min: Any = None,  # noqa: A002
        max: Any = None,  # noqa: A002
        choices: Any = None,
        unit: str = "",
        doc: str = "",
    ) -> Param:
        """Declare a parameter that can be changed while events come, by `drp set NAME=VALUE` for one.

        As `DataSource.param`, before the loop. `.value` of what is returned is the same for all events of a batch, and
        the decision about each of them is recorded with the generation of the values.
        """
        param = Param(name, default, min, max, choices, unit, doc)
        self._feed.declare_param(param)
        return param

    def batches(self) -> Iterator[TriggerBatch]:
        """Yield the events that wait, as many as there are; the loop ends when drp configures anew."""
        for batch, _ in self._all():
            self._feed.resumed()
            yield batch

    def events(self) -> Iterator[TriggerEvent]:
        """Yield event after event; say what becomes of it with `result`. Without that it is not recorded."""
        feed = self._feed
        for batch, (area, at) in self._all():
            for i in range(feed.resumed(), len(batch)):
                self._at = (area, at + VERDICT.itemsize * i)
                feed.single = i
                yield TriggerEvent(batch, i)
            self._at = feed.single = None

    def result(self, persist: bool, monitor: int = 0, reason: int | str | None = None) -> None:
        """Decide about the event at hand; `reason` is a name, or the number that `reason()` gave for it."""
        if self._at is None:
            raise RuntimeError("result() is for an event: call it inside the loop over ts.events()")
        number = reason if isinstance(reason, int) else self._numbers.get(reason)
        if number is None:
            raise FieldError(f"no reason {reason!r} is declared, there are: {', '.join(self._reasons) or 'none'}")
        try:
            self._pack(*self._at, bool(persist), number, monitor)
        except struct.error:
            raise FieldError(
                f"monitor={monitor!r}, reason={reason!r}: monitor is a mask of 32 bits, 0 to {(1 << 32) - 1}, "
                "and reason a name, or the number that ts.reason() gave for it"
            ) from None

    def _all(self) -> Iterator[tuple[TriggerBatch, tuple[Any, int]]]:
        if not self._reasons:
            self.reason("trigger")
        feed = self._feed
        yield from feed.trial()
        feed.configured([{"name": name, "prescale": n} for name, n in self._reasons.items()])
        while (batch := feed.next_batch()) is not None:
            yield batch


def no_such_field(name: str, layout: Layout) -> FieldError:
    """Say that nobody has a field, and what there is."""
    return FieldError(f"no contributor has a field {name}; there are: {layout.names()}")
