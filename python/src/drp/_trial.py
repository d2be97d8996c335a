"""One event of a file, to see what the script makes of it: the Python side of `drp test`.

The script runs as it does in the pipeline, from Configure on. What it adds, removes and rejects is printed, and the
first failure ends the trial. With `--pdb` the debugger opens where the script failed.
"""

from __future__ import annotations

import bdb
import faulthandler
import json
import os
import pdb
import signal
import sys
from typing import Any

import numpy as np

from . import _xtc
from ._calib import IMAGE, Constants
from ._child import leave
from ._errors import ConstantsError
from ._feed import OVERSIZE, REJECTED, Failure
from ._files import FileFeed
from ._info import drp_info
from ._sequence import CONFIGURE, EVENT
from ._session import EndOfData, Session

HEAD = ("", "DETECTOR", "ALG", "FIELD", "TYPE", "SHAPE", "VALUES")
DAMAGE = {0: "Truncated", 1: "OutOfOrder", 2: "OutOfSynch", 3: "Corrupted", 4: "DroppedContribution",
          5: "MissingData", 6: "TimedOut", 12: "UserDefined"}  # fmt: skip
TEXT = 60  # characters of a string that are shown


class TrialFeed(FileFeed):
    """The datagrams of the file; answers are shown."""

    def __init__(self, path: str, debug: bool) -> None:
        super().__init__([path], restarts=True)
        self.debug = debug
        self.outcome = {"outcome": "passed", "where": ""}

    def corrected(self, kind: int, names_id: int, where: str) -> np.ndarray[Any, Any]:
        """Give what drp has made of the event, from its files."""
        det, _, name = where.split(".")
        made = self._array(det, name, where)
        made = made[np.newaxis] if kind == IMAGE else made
        return made[np.newaxis] if self.lead else made

    def _array(self, det: str, name: str, where: str) -> np.ndarray[Any, Any]:
        path = os.path.join(os.environ.get("DRP_TRIAL_CALIB", ""), f"{det}-{name}.npy")
        if not os.path.isfile(path):
            if name == "image" and os.path.isfile(path.replace("-image.npy", "-calib.npy")):
                raise ConstantsError(f"{where}: the constants of {det} have no geometry, or one that does not fit")
            raise missing(where)
        made: np.ndarray[Any, Any] = np.load(path, allow_pickle=False)
        made.flags.writeable = False
        return made

    def constants_of(self, det: str) -> Constants:
        """Give the constants that the event was corrected with."""
        names = ("pedestals", "gains", "rms", "status", "mask")
        folder = os.environ.get("DRP_TRIAL_CALIB", "")
        there = [name for name in names if os.path.isfile(os.path.join(folder, f"{det}-{name}.npy"))]
        if not there:
            raise missing(det)
        return Constants({name: self._array(det, name, det) for name in there}, {"detector": det, "generation": 0})

    def reply(self, status: Any, length: int, count: int) -> None:
        """Show the answer; a failure ends the trial."""
        status = int(status if isinstance(status, int) else status[0])
        name = _xtc.TransitionId(self.service).name
        if status > REJECTED:
            self.outcome = {"outcome": "failed", "where": name}
            failure = self.failure
            if failure is not None and not (self.debug and failure.trace):  # else it was shown
                print(failure.trace or f"{failure.fields['type']}: {failure.fields['message']}", file=sys.stderr)
            if self.service >= EVENT:
                self._show_damage(_xtc.TRUNCATED | _xtc.USER_DEFINED if status == OVERSIZE else _xtc.USER_DEFINED)
                print("the event is recorded as it came")
            raise EndOfData
        rows = self._added(length) + self._removed()
        if self.service < EVENT:
            if rows:
                print(f"{name}: added")
                show(rows)
            return
        if rows:
            show(rows)
        else:
            print("the script adds and removes nothing")
        if status == REJECTED:
            self.outcome["outcome"] = "rejected"
            print("rejected: the event is not recorded")
        self._show_damage(0)

    def fail(self, error: BaseException | str) -> None:
        """Let the event fail; first look at it, if that is wanted."""
        if isinstance(error, BaseException):
            examine(error, self)
        super().fail(error)

    def _added(self, length: int) -> list[tuple[str, ...]]:
        skip = len(self.names_bytes) if self.service == CONFIGURE else 0
        body = bytes(self.area[self.at + skip : self.at + length]) if length else b""
        data = _xtc.DGRAM.pack(0, 0, 0, 0, 0, _xtc.PARENT, _xtc.XTC.size + len(body)) + body
        table = {declared.names.id: declared.names for declared in self.declared}
        layout = _xtc.Layout(data, 0, len(data), table)
        rows: list[tuple[str, ...]] = []
        for names_id in layout:
            names, where = table[names_id], layout.places(data, 0, names_id)
            for k, entry in enumerate(names.entries):
                value = _xtc.read_field(data, 0, names, where, k)
                rows.append(("+", names.det_name, names.alg, entry.name, *describe(value, entry.type)))
        return rows

    def _removed(self) -> list[tuple[str, ...]]:
        segments: dict[tuple[str, str], int] = {}
        for names_id in self.removed if self.config is not None and self.service >= EVENT else ():
            names = self.config.names[names_id] if self.config is not None else None
            if names is not None:
                key = (names.det_name, names.alg)
                segments[key] = segments.get(key, 0) + 1
        return [("-", *key, "", "", "", f"{n} segment{'s' if n > 1 else ''}") for key, n in segments.items()]

    def _show_damage(self, more: int) -> None:
        damage = _xtc.DGRAM.unpack_from(self.base, self.raw_offset)[4] | more
        names = [DAMAGE.get(bit, f"bit{bit}") for bit in range(16) if damage >> bit & 1]
        print("damage: " + ("|".join(names) or "none"))


def missing(where: str) -> ConstantsError:
    """Say that drp found no constants for the event."""
    return ConstantsError(f"{where}: there are no constants for it: name a store with drp test --calib")


def describe(value: Any, kind: int) -> tuple[str, str, str]:
    """Give type, shape and the values in short."""
    if isinstance(value, str):
        return "str", "", repr(value if len(value) <= TEXT else value[:TEXT] + "…")
    dtype = str(_xtc.DTYPES[kind])
    if not isinstance(value, np.ndarray):
        return dtype, "", str(value)
    shape = " x ".join(map(str, value.shape))
    nan = int(np.isnan(value).sum()) if value.dtype.kind == "f" else 0
    if value.size == nan:
        return dtype, shape, "all NaN" if nan else "empty"
    mean = float(np.nanmean(value) if nan else value.mean())
    text = f"min {np.nanmin(value):.6g} max {np.nanmax(value):.6g} mean {mean:.6g}"
    return dtype, shape, text + (f", {nan} NaN" if nan else "")


def show(rows: list[tuple[str, ...]]) -> None:
    """Print a table."""
    rows = [HEAD, *rows]
    widths = [max(len(row[k]) for row in rows) for k in range(len(HEAD))]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def examine(error: BaseException, feed: TrialFeed) -> None:
    """Show a failure and open the debugger there; does nothing without --pdb."""
    if isinstance(error, bdb.BdbQuit):
        feed.outcome = {"outcome": "stopped", "where": ""}
        if not feed.debug:
            print("the script stops at a breakpoint: drp test --pdb lets you go on from there", file=sys.stderr)
        raise EndOfData
    if not feed.debug or not isinstance(error, Exception):
        return
    print(Failure(error, feed.script).trace, file=sys.stderr, flush=True)
    where = error.__traceback__
    while where is not None and where.tb_frame.f_code.co_filename != feed.script:
        where = where.tb_next
    if where is not None:
        pdb.post_mortem(where)


class TrialSession(Session):
    """A session that lets the user look at a failure."""

    def after(self, error: BaseException | None) -> bool:
        """Look before the failure is answered."""
        if error is not None:
            assert isinstance(self.feed, TrialFeed)
            examine(error, self.feed)
        return super().after(error)


def trial(note: str, script: str, args: list[str]) -> int:
    """Run the script on the file of DRP_FILES; what came of it is written to `note`, if it gets so far."""
    faulthandler.enable()
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    sys.dont_write_bytecode = True
    debug = bool(os.environ.pop("DRP_TRIAL_PDB", ""))
    drp_info.trial = True
    _write(note, {"outcome": "started", "where": ""})
    feed = TrialFeed(os.environ.pop("DRP_FILES"), debug)
    try:
        TrialSession(feed, script, args).serve()
    except EndOfData:
        pass
    _write(note, feed.outcome)
    leave({"failed": 5, "stopped": 1}.get(feed.outcome["outcome"], 0))  # threads of the script may still run


def _write(path: str, outcome: dict[str, str]) -> None:
    with open(path, "w") as file:
        json.dump(outcome, file)
