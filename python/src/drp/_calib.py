"""Corrected data: `det.raw.calib(evt)`, `det.raw.image(evt)`, `det.raw.mask()`, and the constants themselves.

Under drp the pixels are corrected by its workers, in memory that this process only reads; nothing is computed here. The
constants of a run come with its BeginRun, as the place of a shared-memory segment that all processes read.
"""

from __future__ import annotations

import json
import math
import shlex
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _shm
from ._config import unknown
from ._errors import ConstantsError, UnknownName

if TYPE_CHECKING:
    from ._config import Config
    from ._event import Batch, Event

CALIB, IMAGE = 1, 2  # as drp/prepare.go numbers what can be asked for
CALIBRATION = "calibration"  # the detector under which drp tells of constants


class Corrected:
    """`det.raw.calib` or `det.raw.image`. Call it with an event, or with a batch for one axis more in front.

    `calib` gives (segments, rows, cols) float32 in the unit of the constants: ADU - pedestal - common mode, divided by
    the gain of the pixel's range; pixels that are masked, dead or wrong are 0. `image` gives the same assembled by the
    geometry, (rows, cols). Both are read-only views, valid as long as the event; what drp makes on the spot, because
    it did not know yet that it is wanted, only until something else is asked for. Raises `ConstantsError` when drp has
    no constants for this detector and run.

    None if the event lacks the detector. If it lacks some segments, these are 0 and the shape stays that of all, as
    `mask()` and the constants have it. `raw(evt)` has the segments of the event alone, so the two do not go together
    then: `det.raw.segments(evt)` tells which are there.
    """

    def __init__(self, where: str, kind: int, names_ids: list[int]) -> None:
        self._where = where
        self._kind = kind
        self._names_ids = names_ids  # of the segments
        self._there: dict[int, bool] = {}  # whether events of a layout have any of them

    def __call__(self, evt: Event | Batch) -> Any:
        """Give the corrected pixels, None if the event has none."""
        try:
            feed = evt._current()
        except AttributeError:
            raise not_an_event(self._where, evt) from None
        there = self._there.get(evt._layout)
        if there is None:
            layout = feed.parse(evt, evt._layout, feed.base, feed.raw_offset + evt._slot * feed.raw_step, evt.size)
            there = any(names_id in layout for names_id in self._names_ids)
            if evt._layout:  # drp numbers a bounded number of them
                self._there[evt._layout] = there
        if not there:
            return None
        made = feed.corrected(self._kind, self._names_ids[0], self._where)
        return made[..., 0, :, :] if self._kind == IMAGE else made

    def __repr__(self) -> str:
        return f"<{self._where}>"


def not_an_event(where: str, given: object) -> TypeError:
    """Say what a field is called with."""
    return TypeError(
        f"{where} is called with an event of run.events() or a batch of run.batches(), not with {type(given).__name__}"
    )


class Part:
    """Where drp prepares one kind of corrected data for this process."""

    def __init__(self, number: int, memory: memoryview, stride: int, shape: tuple[int, int, int]) -> None:
        self.number = number
        self._memory = memory
        self._stride = stride
        self._shape = shape

    def at(self, place: int, events: int) -> np.ndarray[Any, Any]:
        """View one place; with events > 0 so many places side by side."""
        offset = _shm.PAGE + place * self._stride
        rows, cols = self._shape[1:]
        strides = (4 * rows * cols, 4 * cols, 4)
        if not events:
            return np.ndarray(self._shape, np.float32, self._memory, offset, strides)
        shape = (events, *self._shape)
        return np.ndarray(shape, np.float32, self._memory, offset, (self._stride, *strides))


def without_drp(what: str, files: list[str]) -> ConstantsError:
    """Say how the script gets what only drp has: over the files, or on one of their events."""
    script = sys.argv if sys.argv[0] not in ("", "-c", "-m") else ["SCRIPT"]
    sources = " ".join(f"-s {shlex.quote(path)}" for path in files)
    one = f"--event {shlex.quote(files[0])} --event-number 0 --calib STORE"
    dashed = any(word.startswith("-") for word in script)  # which drp would take as its own
    one = f"{one} -- {shlex.join(script)}" if dashed else f"{shlex.join(script)} {one}"
    return ConstantsError(
        f"{what}: pixels are corrected by drp, and this script runs over files without it. Use drp {sources} "
        f"-p {shlex.quote(shlex.join(script))} --calib STORE, or, for one event, drp test {one}"
    )


class Constants(Mapping[str, "tuple[np.ndarray[Any, Any], dict[str, Any]]"]):
    """The constants of one detector for one run, by name: a read-only array and what is known of it, as psana has them.

    `UnknownName`, a `KeyError`, says which there are.
    """

    __eq__ = object.__eq__  # that of a Mapping compares arrays
    __hash__ = object.__hash__

    def __init__(self, arrays: dict[str, np.ndarray[Any, Any]], told: dict[str, Any]) -> None:
        self.arrays = arrays
        self.told = told
        self.generation = int(told["generation"])

    def __getitem__(self, name: str) -> tuple[np.ndarray[Any, Any], dict[str, Any]]:
        """Give an array and what is known of it."""
        if name not in self.arrays:
            raise UnknownName(unknown("constant", name, self.arrays))
        return self.arrays[name], self.told

    def __iter__(self) -> Iterator[str]:
        """Go through the names."""
        return iter(self.arrays)

    def __len__(self) -> int:
        """Count them."""
        return len(self.arrays)

    def __repr__(self) -> str:
        return f"<constants {', '.join(self.arrays)} of {self.told.get('detector')}, generation {self.generation}>"


def announced(config: Config, data: bytes, publisher: str) -> list[dict[str, Any]]:
    """Read what a transition says of constants of this publisher; a recorded file also has what another told of."""
    said = (
        {e.name: config.slow(names.id, i) for i, e in enumerate(names.entries)}
        for names in config.of(CALIBRATION, "constants")
        if config.came_with(names.id, data)
    )
    return [told for told in said if publisher and told.get("publisher") == publisher]


def attach(told: dict[str, Any]) -> Constants:
    """Attach the constants that drp has told of: views of memory that is given back with the last of them."""
    layout = json.loads(told["layout"])
    sizes = [math.prod(a["shape"]) * np.dtype(a["dtype"]).itemsize for a in layout]
    end = max(a["offset"] + size for a, size in zip(layout, sizes, strict=True))
    memory = _shm.attach(int(told["segment"]), end)
    arrays = {a["name"]: np.ndarray(a["shape"], a["dtype"], memory, a["offset"]) for a in layout}
    return Constants(arrays, told)
