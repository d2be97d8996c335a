"""Detectors as a script sees them: `det.<alg>.<field>(evt)`.

The attributes are made once from Configure, so that reading a field costs plain attribute look-ups and one call.
"""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

from . import _xtc
from ._calib import CALIB, CALIBRATION, IMAGE, Constants, Corrected, not_an_event
from ._config import LAYOUTS_MAX, SPECIAL, Config, fill, main_field, unknown
from ._errors import UnknownName
from ._param import DETECTOR as SETTINGS
from ._xtc import Layout, Names


class Group:
    """A level of names with dots in them: `det.raw.fex.ymin` is the entry `fex.ymin`."""

    _where = ""

    def __getattr__(self, name: str) -> Any:
        known = [k for k in self.__dict__ if not k.startswith("_")]
        raise AttributeError(f"{self._where}: {unknown('field', name, known)}")


class Field(Group):
    """One field of a detector, over all of its segments. Call it with an event or a batch to read it.

    Arrays of rank 2 come as (segments, rows, cols), those of rank 3 joined along their first axis; numbers and arrays
    of rank 1 of a single segment come as they are, of several segments stacked, or as a list where shapes differ.
    Arrays are read-only views of the datagram wherever the segments lie at equal distances. None if the event lacks
    the detector. An event that lacks some segments gives those that it has, while `calib(evt)` has all of them.
    """

    def __init__(self, config: Config, names: list[Names], name: str, where: str) -> None:
        self._config = config
        self._names = names
        self._name = name
        self._where = where
        self._readers: dict[int, Any] = {}

    def __call__(self, evt: Any) -> Any:
        """Read the field from an event, or from every event of a batch."""
        try:
            read = evt._read
        except AttributeError:
            raise not_an_event(self._where, evt) from None
        return read(self)

    def among(self, layout: Layout) -> list[Names]:
        """Give the blocks to read from events of a layout."""
        return self._names

    def _keep(self, layout: int, reader: Any) -> None:
        if len(self._readers) >= LAYOUTS_MAX:
            self._readers.clear()
        self._readers[layout] = reader

    def __repr__(self) -> str:
        return f"<field {self._where}>"


class Latest(Field):
    """A field of what drp notes at an event: of several runs of drp that the event went through, the latest counts."""

    def among(self, layout: Layout) -> list[Names]:
        """Give the block with the highest segment, which is the latest."""
        return [n for n in self._names if n.id in layout][-1:]


class Alg:
    """What one algorithm made of a detector: its fields."""

    def __init__(self, config: Config, det: str, alg: str, names: list[Names]) -> None:
        self._config = config
        self._det = det
        self._alg = alg
        self._names = names
        for entry in dict.fromkeys(e for n in names for e in n.entries):
            if entry.type != _xtc.ENUMDICT:
                self._attach(entry.name.split(":")[0] if entry.type == _xtc.ENUMVAL else entry.name, entry.name)
        image = next((e.name for n in names for e in n.entries if e.name == main_field(n) and e.rank >= 2), "")
        if alg != "raw" or not image:
            return
        if "raw" not in self.__dict__ and "." not in image:
            self.raw = self.__dict__[image]
        ids = [n.id for n in names if image in n.index]
        for name, kind in (("calib", CALIB), ("image", IMAGE)):
            self.__dict__.setdefault(name, Corrected(f"{det}.{alg}.{name}", kind, ids))

    def _attach(self, path: str, name: str) -> None:
        *parts, last = path.split(".")
        space: Any = self
        where = f"{self._det}.{self._alg}"
        for part in parts:
            where += f".{part}"
            inner = space.__dict__.get(part)
            if not isinstance(inner, Group):
                inner = Group()
                inner._where = where
                setattr(space, part, inner)
            space = inner
        kind = Latest if self._det == CALIBRATION else Field
        field = kind(self._config, [n for n in self._names if name in n.index], name, f"{where}.{last}")
        old = space.__dict__.get(last)
        if isinstance(old, Group):
            field.__dict__.update({k: v for k, v in old.__dict__.items() if not k.startswith("_")})
        setattr(space, last, field)

    def segments(self, evt: Any) -> dict[int, SimpleNamespace]:
        """Read every field of an event, segment by segment."""
        base, off, layout = evt._blocks()
        found: dict[int, SimpleNamespace] = {}
        for names in self._names:
            if names.id in layout:
                fill(found.setdefault(names.segment, SimpleNamespace()), base, layout, names, off)
        return found

    def mask(self) -> Any:
        """Give the pixels that can be used, (segments, rows, cols) uint8, 1 is good; a read-only view.

        Raises `ConstantsError` when drp has no constants for this detector and run.
        """
        return self._config.feed.constants_of(self._det).arrays["mask"]

    def _seg_configs(self) -> dict[int, SimpleNamespace]:
        return {
            segment: SimpleNamespace(config=values(self._config, self._det, segment))
            for segment in sorted({n.segment for n in self._config.of(self._det, "config")})
        }

    def __getattr__(self, name: str) -> Any:
        where = f"{self.__dict__.get('_det')}.{self.__dict__.get('_alg')}"
        known = [k for k in self.__dict__ if not k.startswith("_")]
        raise AttributeError(f"{where}: {unknown('field', name, known)}")

    def __repr__(self) -> str:
        return f"<{self._det}.{self._alg}>"


def values(config: Config, det: str, segment: int) -> SimpleNamespace:
    """Read the present configuration values of one segment."""
    return config.values(n for n in settings(config, det) if n.segment == segment)


def settings(config: Config, det: str) -> list[Names]:
    """Find what a Configure says of a detector: its configuration, or the reasons of the trigger event builder."""
    return config.of(det, "config") + config.of(det, "reasons")


class Detector:
    """A detector: its algorithms as attributes, and its configuration."""

    def __init__(self, config: Config, name: str) -> None:
        self._config = config
        self._det_name = name
        for alg in dict.fromkeys(n.alg for n in config.of(name)):
            if alg not in SPECIAL:
                setattr(self, alg, Alg(config, name, alg, config.of(name, alg)))

    def config(self, segment: int | None = None) -> SimpleNamespace:
        """Read the configuration of a segment (the first) as Configure and later transitions set it."""
        known = sorted({n.segment for n in settings(self._config, self._det_name)})
        if segment is None:
            segment = known[0] if known else 0
        if segment not in known:
            raise KeyError(f"{self._det_name} has no configuration for segment {segment}; there are: {known}")
        return values(self._config, self._det_name, segment)

    @property
    def calibconst(self) -> Constants:
        """The constants of the present run: `det.calibconst["pedestals"][0]` is an array, psana's way.

        Raises `ConstantsError` when drp has none.
        """
        found: Constants = self._config.feed.constants_of(self._det_name)
        return found

    def __getattr__(self, name: str) -> Any:
        known = [k for k in self.__dict__ if not k.startswith("_")]
        raise AttributeError(f"detector {self.__dict__.get('_det_name')}: {unknown('alg', name, known)}")

    def __repr__(self) -> str:
        return f"<detector {self._det_name}>"


class Variable:
    """An EPICS or scan variable. Call it with an event or a step: the latest value, None before the first."""

    def __init__(self, config: Config, name: str, where: tuple[int, int]) -> None:
        self._config = config
        self._name = name
        self._where = where

    def __call__(self, evt: Any = None) -> Any:
        """Read the latest value."""
        return self._config.slow(*self._where)

    def __repr__(self) -> str:
        return f"<variable {self._name}>"


def find(config: Config, name: str) -> Detector | Variable:
    """Find a detector, an EPICS variable or a scan variable by its name; cheap enough for every event."""
    found: Detector | Variable | None = config.found.get(name)
    if found is None:
        found = config.found[name] = _find(config, name)
    return found


def _find(config: Config, name: str) -> Detector | Variable:
    if name in config.detectors():
        return Detector(config, name)
    if name == CALIBRATION and config.of(name, "used"):
        det = Detector(config, name)
        det.__dict__.pop("constants", None)  # which no event has
        return det
    if name == SETTINGS and any(not n.alg.endswith("info") for n in config.of(name)):
        det = Detector(config, name)
        for alg in [alg for alg in det.__dict__ if alg.endswith("info")]:
            del det.__dict__[alg]  # which no event has
        return det
    tables = {det: config.table(det) for det in ("epics", "scan", "step")}
    for table in tables.values():
        if name in table:
            return Variable(config, name, table[name])
    raise UnknownDetector(
        unknown("detector", name, [*config.detectors(), *(variable for table in tables.values() for variable in table)])
    )


class UnknownDetector(UnknownName):
    """A name that Configure does not hold."""
