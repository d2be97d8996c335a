"""DataSource, runs and steps: what a script loops over."""

from __future__ import annotations

import ast
import os
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

from . import _xtc
from ._config import HIDDEN, Config
from ._detector import Detector, Variable, find
from ._event import Batch, Event
from ._feed import Feed
from ._info import drp_info
from ._param import Param
from ._results import Field, Result, make_entry
from ._sequence import BEGIN_RUN, CONFIGURE, END_RUN, EVENT, UNCONFIGURE, Steps
from ._xtc import Names


@dataclass(frozen=True)
class DetectorDef:
    """psana's way of naming a detector."""

    name: str
    dettype: str
    detid: str


@dataclass(frozen=True)
class AlgDef:
    """psana's way of naming an algorithm and its version."""

    name: str
    major: int
    minor: int
    micro: int


class Adder:
    """What can be said of the datagram at hand from anywhere: `add` works on an event and on an open transition."""

    _feed: Feed

    def add(self, result: Result) -> None:
        """Add a result to the event at hand, or to the transition that is open (Configure, BeginRun, EndRun, ...)."""
        self._feed.add(result)

    def add_data(self, result: Result) -> None:
        """Add a result; psana's word for `add`."""
        self._feed.add(result)

    def remove_data(self, det: str, alg: str) -> None:
        """Leave the blocks of a detector and alg out of the record of this event; psana's word for `evt.remove`."""
        self._feed.remove(det, alg)

    def add_detector(
        self,
        name: str | DetectorDef,
        alg: str | AlgDef = "fex",
        fields: Mapping[str, Any] | None = None,
        version: tuple[int, int, int] = (1, 0, 0),
        segment: int | None = None,
        reduce: str | None = None,
        det_type: str | None = None,
        det_id: str | None = None,
        nodeId: int | None = None,  # noqa: N803 - psana's names
        namesId: int | None = None,  # noqa: N803
    ) -> Any:
        """Declare a result: which fields (name to (type, rank)) the script may add, under which detector and alg.

        `reduce` ("sum", "max", "min") says how the values that several workers add to one transition are merged.
        With psana's `DetectorDef` and `AlgDef` the result is the attribute named after the alg of what is returned.
        Must be called before the loop over `ds.runs()`, else `RuntimeError`.
        """
        feed = self._feed
        if feed.frozen or feed.config is None:
            raise RuntimeError("add_detector must be called before the loop over ds.runs() begins")
        old_style = isinstance(name, DetectorDef) or isinstance(alg, AlgDef)
        if isinstance(alg, AlgDef):
            version = (alg.major, alg.minor, alg.micro)
            alg = alg.name
        if isinstance(name, DetectorDef):
            det_type, det_id = name.dettype, name.detid
            name = name.name
        if not fields:
            raise ValueError(f'add_detector({name!r}): give fields={{"name": (type, rank), ...}}')
        checked = tuple(Field(key, spec) for key, spec in fields.items())
        names = self._names(name, alg, version, segment, det_type, det_id, nodeId, namesId, checked)
        result = Result(feed.declare(names, checked, reduce))
        return SimpleNamespace(**{alg: result}) if old_style else result

    def _names(
        self,
        name: str,
        alg: str,
        version: tuple[int, int, int],
        segment: int | None,
        det_type: str | None,
        det_id: str | None,
        node: int | None,
        index: int | None,
        fields: tuple[Field, ...],
    ) -> Names:
        feed = self._feed
        assert feed.config is not None
        _xtc.check_name("detector", name)
        _xtc.check_name("alg", alg)
        for other in (det_type, det_id):
            if other is not None and len(other.encode()) > 255:
                raise ValueError(f"add_detector({name!r}): {other[:20]!r}... is longer than 255 bytes")
        if len(version) != 3 or not all(0 <= part <= 255 for part in version):
            raise ValueError(f"version {version}: expected three numbers of 0 to 255")
        known = [n for n in feed.config.names.values() if n.det_name == name]
        like = next((n for n in known if n.alg not in ("config",)), known[0] if known else None)
        node = (like.id >> 8 if like else feed.config.src) if node is None else node
        names_id = feed.free_id(node) if index is None else node << 8 | index
        if names_id in feed.config.names or any(d.names.id == names_id for d in feed.declared):
            raise ValueError(f"add_detector({name!r}): NamesId {names_id:#x} is taken")
        return Names(
            id=names_id,
            det_type=(like.det_type if like else name) if det_type is None else det_type,
            det_name=name,
            det_id=(like.det_id if like else name) if det_id is None else det_id,
            alg=alg,
            version=version,
            segment=min((n.segment for n in known if n.alg != "config"), default=0) if segment is None else segment,
            entries=tuple(make_entry(field) for field in fields),
        )


class DataSource(Adder):
    """The source of runs. Under drp it is the pipeline; elsewhere XTC2 files, given here or by `DRP_FILES`.

    `files` is one path or several; the streams of several files are merged by timestamp.
    """

    def __init__(self, files: Any = None, drp: Any = None, **ignored: Any) -> None:
        from ._session import current_feed

        self._feed = feed = current_feed(files)
        if feed.data_source is not None:
            raise RuntimeError("a script has one DataSource; this is the second")
        if feed.ask() != CONFIGURE:
            raise RuntimeError(f"expected Configure, got {_xtc.TransitionId(feed.service).name}")
        feed.take()
        feed.data_source = self
        drp_info._configure(feed.prepare())

    @property
    def camera(self) -> str | None:
        """The name of the first detector with images, or the one named by --detector; None if there is none."""
        found = self._config.camera()
        return found[0] if found else None

    @property
    def _config(self) -> Config:
        assert self._feed.config is not None
        return self._feed.config

    @property
    def detnames(self) -> list[str]:
        """The names of all detectors."""
        return self._config.detectors()

    def add_trigger(self, **values: type) -> None:
        """Declare the values of `evt.trigger`, for example `ds.add_trigger(sum=float)`. Recorded as float64.

        Without this call they are found by looking for `.trigger(name=...)` in the script.
        """
        for name, kind in values.items():
            if kind not in (float, int, bool) and not hasattr(kind, "dtype"):
                raise TypeError(f"add_trigger: {name}={kind!r}; a trigger value is a number: {name}=float")
        if not values:
            raise ValueError("add_trigger: name at least one value, for example sum=float")
        self._feed.declare_trigger(list(values))

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
        """Declare a parameter that can be changed while the run goes on, by `drp set NAME=VALUE` for one.

        The default, an `int`, `float`, `bool` or `str`, says of which type it is; numbers may have `min` and `max`, and
        all may have `choices`. `.value` of what is returned is the value for the event at hand. Names twice, and a
        default that is not allowed, raise `ValueError`; other types `TypeError`.
        """
        param = Param(name, default, min, max, choices, unit, doc)
        self._feed.declare_param(param)
        return param

    def runs(self) -> Iterator[Run]:
        """Yield every run. From here on nothing more can be declared."""
        feed = self._feed
        if not feed.frozen:
            if feed.trigger is None:
                found = trigger_names(feed.script)
                if found:
                    feed.declare_trigger(found)
            feed.freeze()
        if feed.taken and feed.service == UNCONFIGURE:
            return
        while feed.data_source is self:
            service = feed.ask()
            if service == UNCONFIGURE:
                feed.take()
                return
            if service == CONFIGURE:
                return
            if service == BEGIN_RUN or (service >= EVENT and feed.run is None):
                if service == BEGIN_RUN:
                    feed.take()
                run = Run(self, feed)
                yield run
                if run._looping and not run._over:
                    raise RuntimeError("the loop over the events was left while the run went on")
                run._over = True
                feed.run = run if feed.have and feed.service != END_RUN else None
            else:
                if service == END_RUN:
                    feed.run = None
                feed.take()


class Loops(Adder):
    """What a run and a step have in common: the loops over events and batches."""

    _in_step = False

    def __init__(self, feed: Feed, timestamp: int) -> None:
        self._feed = feed
        self._over = False
        self._looping = False
        self.timestamp = timestamp  #: of the transition that began it

    def events(self) -> Iterator[Event]:
        """Yield every event; each is valid until the next is taken."""
        self._looping = True
        return self._feed.events(self, self._in_step)

    def batches(self, max_events: int | None = None) -> Iterator[Batch]:
        """Yield the events that are waiting, several at a time where their layout allows it."""
        if max_events is not None and max_events < 1:
            raise ValueError(f"max_events={max_events}; expected 1 or more")
        self._looping = True
        return self._feed.batches(self, self._in_step, max_events)


class Run(Loops, Steps["Step"]):
    """One run."""

    def __init__(self, source: DataSource | Any, feed: Feed) -> None:
        super().__init__(feed, feed.time)
        self._source = source
        self._config = source._config
        self._books_before = {names.id: self._config.latest(names.id) for names in self._config.of("drp", "books")}
        feed.run = self
        feed.step = None
        feed.steps_seen = 0

    @property
    def runnum(self) -> int | None:
        """The run number; None if BeginRun does not say."""
        number = self._runinfo("runnum")
        return None if number is None else int(number)

    @property
    def expt(self) -> str | None:
        """The name of the experiment; None if BeginRun does not say."""
        name = self._runinfo("expt")
        return None if name is None else str(name)

    def _runinfo(self, field: str) -> Any:
        for names in self._config.of("runinfo"):
            if field in names.index:
                value = self._config.slow(names.id, names.index[field])
                if value is not None:
                    return value
        return None

    @property
    def books(self) -> dict[str, int] | None:
        """What became of the events of the run, by outcome, as its EndRun says; None before that, or if none does."""
        for names in reversed(self._config.of("drp", "books")):  # the last are those of the latest pass
            if self._config.latest(names.id) is not self._books_before.get(names.id):
                return {e.name: int(self._config.slow(names.id, i)) for i, e in enumerate(names.entries)}
        return None

    @property
    def detnames(self) -> set[str]:
        """The names of all detectors."""
        return set(self._config.detectors())

    @property
    def detinfo(self) -> dict[tuple[str, str], list[str]]:
        """The fields of every (detector, alg)."""
        info: dict[tuple[str, str], list[str]] = {}
        for names in self._config.names.values():
            if names.det_name not in HIDDEN:
                fields = info.setdefault((names.det_name, names.alg), [])
                fields += [e.name for e in names.entries if e.type != _xtc.ENUMDICT and e.name not in fields]
        return info

    @property
    def scaninfo(self) -> dict[tuple[str, str], str]:
        """The scan variables there are."""
        return {(name, "raw"): "raw" for name in (*self._config.table("scan"), *self._config.table("step"))}

    @property
    def epicsinfo(self) -> dict[tuple[str, str], str]:
        """The EPICS variables there are."""
        return {(name, "raw"): "raw" for name in self._config.table("epics")}

    def Detector(self, name: str) -> Detector | Variable | Any:
        """Find a detector, an EPICS variable or a scan variable; an unknown name raises `KeyError`."""
        return find(self._config, name)

    def __repr__(self) -> str:
        return f"<run {self.runnum} of {self.expt}>"


class Step(Loops):
    """One step of a scan, or the whole run when there is no scan."""

    _in_step = True

    def __init__(self, run: Run, feed: Feed, number: int, timestamp: int) -> None:
        super().__init__(feed, timestamp)
        self.run = run
        self.number = number  #: counts from 0 in each run

    def __repr__(self) -> str:
        return f"<step {self.number}>"


def trigger_names(script: str) -> list[str]:
    """Find the names in calls of `.trigger(name=...)`, in the order of their first appearance.

    >>> trigger_names("")
    []
    """
    path = script or getattr(sys.modules.get("__main__"), "__file__", None) or ""
    if not os.path.isfile(path):
        return []
    try:
        with open(path, "rb") as file:
            tree = ast.parse(file.read())
    except (OSError, SyntaxError, ValueError):
        return []
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "trigger"
    ]
    calls.sort(key=lambda node: (node.lineno, node.col_offset))
    return list(dict.fromkeys(key.arg for call in calls for key in call.keywords if key.arg))
