"""What a Configure datagram says: the detectors there are, and the slow values that transitions bring.

A `Config` lives from one Configure to the next. It owns copies of the transition datagrams it read values from, so what
it hands out stays valid until it is replaced.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from types import SimpleNamespace
from typing import Any

from . import _xtc
from ._xtc import Layout, Names

HIDDEN = frozenset({"runinfo", "epicsinfo", "chunkinfo", "smdinfo", "calibration", "settings"})
SPECIAL = frozenset({"config", "runinfo", "epicsinfo", "chunkinfo", "offsetAlg"})
LAYOUTS_MAX = 4096
TABLES = frozenset({"epics", "scan", "step"})


def unknown(kind: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is unknown, what there is, and which of that may have been meant.

    >>> unknown("detector", "epxquad", ["epixquad", "gmd"])
    "no detector 'epxquad'; there are: epixquad, gmd (did you mean 'epixquad'?)"
    """
    there = sorted(set(known))
    close = difflib.get_close_matches(name, there, 1)
    return f"no {kind} {name!r}; there are: {', '.join(there) or 'none'}" + (
        f" (did you mean {close[0]!r}?)" if close else ""
    )


def put(space: Any, name: str, value: Any) -> None:
    """Set a field of a namespace; dots in the name make nested ones, the type of an enum is dropped.

    A name that Python keeps for itself, as `__class__`, is only found in `vars`.
    """
    *path, last = name.split(":")[0].split(".") if isinstance(value, _xtc.EnumValue) else name.split(".")
    for part in path:
        inner = space.__dict__.get(part)
        if not isinstance(inner, SimpleNamespace):
            inner = SimpleNamespace() if inner is None else SimpleNamespace(value=inner)
            space.__dict__[part] = inner
        space = inner
    space.__dict__[last] = value


class Config:
    """The Names of one Configure and the latest value of every block that transitions carried."""

    def __init__(self, data: bytes, detector: str = "") -> None:
        self.detector = detector  # the one the user named as the script's own
        self.names = _xtc.read_names(data, 0, len(data))
        self.src: int = _xtc.DGRAM.unpack_from(data, 0)[3] & 0xFFF
        self.generation = 0  # counts the updates of slow values
        self._slow: dict[int, tuple[bytes, Layout]] = {}
        self._layouts: dict[int, Layout] = {}
        self.found: dict[str, Any] = {}  # detectors and variables that were asked for
        self.feed: Any = None  # that it came by, which knows the constants
        self.update(data)

    def update(self, data: bytes) -> None:
        """Take over the values of a transition; the newest value of every NamesId is kept."""
        if len(data) <= _xtc.HEADER_BYTES:
            return
        layout = Layout(data, 0, len(data), self.names)
        for names_id in layout:
            self._slow.pop(names_id, None)
            self._slow[names_id] = (data, layout)
        self.generation += 1

    def layout(self, number: int, buf: Any, off: int, size: int) -> Layout:
        """Parse a datagram, or remember how another one of the same layout number was parsed."""
        found = self._layouts.get(number)
        if found is None:
            found = Layout(buf, off, size, self.names)
            if number:
                if len(self._layouts) >= LAYOUTS_MAX:
                    self._layouts.clear()
                self._layouts[number] = found
        return found

    def of(self, det: str, alg: str | None = None) -> list[Names]:
        """Give the Names of a detector (and alg), by segment."""
        found = [n for n in self.names.values() if n.det_name == det and (alg is None or n.alg == alg)]
        return sorted(found, key=lambda n: n.segment)

    def detectors(self) -> list[str]:
        """Name the detectors in the order of Configure."""
        return list(dict.fromkeys(n.det_name for n in self.names.values() if n.det_name not in HIDDEN | TABLES))

    def camera(self) -> tuple[str, str, str] | None:
        """Find the first (detector, alg, field) that holds images, of the detector the user named if there is one."""
        if self.detector and not self.of(self.detector):
            raise KeyError(unknown("detector", self.detector, self.detectors()) + ": see --detector")
        for names in self.names.values():
            if names.alg in SPECIAL or names.det_name in HIDDEN | TABLES:
                continue
            if self.detector and names.det_name != self.detector:
                continue
            for entry in names.entries:
                if entry.rank >= 2 and entry.type < _xtc.CHARSTR:
                    return names.det_name, names.alg, main_field(names)
        return None

    def slow(self, names_id: int, i: int) -> Any:
        """Read the latest value of field `i` of a block that came with a transition; None if there was none."""
        if names_id not in self._slow:
            return None
        data, layout = self._slow[names_id]
        return _xtc.read_field(data, 0, self.names[names_id], layout.places(data, 0, names_id), i)

    def latest(self, names_id: int) -> bytes | None:
        """Give the transition that the latest block came with; None if there was none."""
        return self._slow[names_id][0] if names_id in self._slow else None

    def came_with(self, names_id: int, data: bytes) -> bool:
        """Say whether the latest block came with this transition."""
        return names_id in self._slow and self._slow[names_id][0] is data

    def values(self, names: Iterable[Names]) -> SimpleNamespace:
        """Gather the latest values of several blocks in one namespace; what came last wins."""
        space = SimpleNamespace()
        wanted = {n.id for n in names}
        for names_id in self._slow:
            if names_id in wanted:
                fill(
                    space, *self._slow[names_id], self.names[names_id], enums=self.enums(self.names[names_id].det_name)
                )
        return space

    def enums(self, det: str) -> dict[str, dict[int, str]]:
        """Gather the enum types of a detector; a block may carry a value without its dictionary."""
        found: dict[str, dict[int, str]] = {}
        for names in self.of(det):
            for i, entry in enumerate(names.entries):
                if entry.type == _xtc.ENUMDICT and not entry.rank and names.id in self._slow:
                    symbol, _, kind = entry.name.partition(":")
                    found.setdefault(kind, {})[self.slow(names.id, i)] = symbol
        return found

    def table(self, det: str) -> dict[str, tuple[int, int]]:
        """Map the variables of `epics` or `scan` to (NamesId, field)."""
        found: dict[str, tuple[int, int]] = {}
        for names in self.of(det):
            for i, entry in enumerate(names.entries):
                found.setdefault(entry.name, (names.id, i))
        if det == "epics":
            for names in self.of("epicsinfo"):
                for entry in names.entries:
                    value = self.slow(names.id, names.index[entry.name])
                    if entry.name in found and isinstance(value, str):
                        found.setdefault(value.replace("\n", ",").split(",")[0], found[entry.name])
        return found


def main_field(names: Names) -> str:
    """Name the field with the image: `raw` if there is one, else the first of rank 2 or more."""
    images = [e.name for e in names.entries if e.rank >= 2 and e.type < _xtc.CHARSTR]
    for name in ("raw", "array_raw", "array"):
        if name in images:
            return name
    return images[0] if images else names.entries[0].name


def fill(
    space: SimpleNamespace,
    data: Any,
    layout: Layout,
    names: Names,
    off: int = 0,
    enums: dict[str, dict[int, str]] | None = None,
) -> None:
    """Put every field of one block in a namespace."""
    where = layout.places(data, off, names.id)
    known = _xtc.symbols(data, off, names, where)
    for i, entry in enumerate(names.entries):
        if entry.type != _xtc.ENUMDICT:
            value = _xtc.read_field(data, off, names, where, i, known)
            if enums and isinstance(value, _xtc.EnumValue) and not value.names:
                value.names = enums.get(entry.name.partition(":")[2], {})
            put(space, entry.name, value)
