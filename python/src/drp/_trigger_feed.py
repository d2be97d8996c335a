"""What lies between drp and a trigger script: batches of events in shared memory, and the verdicts about them.

    slot:    | seed u64 | count u32 | given up u32 | 48 bytes | event | event | ... | generation u64 | 0 | values |
    event:   | pulse | time | ordinal | groups, damage, contributions | row of each contributor |
    result:  | accept u8 | 0 | reason u16 | monitor u32 | for each event, and why it failed on the first it did, as JSON

The views of a slot are made once. See docs/formats.md.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator, Sequence
from typing import Any, NoReturn

import numpy as np

from ._child import ChildFeed
from ._errors import FieldError
from ._feed import LIVE, Failure
from ._param import HEAD as SETTINGS_HEAD
from ._param import MOST, Param, declaration, read_cells
from ._sequence import CONFIGURE, EVENT, UNCONFIGURE
from ._trigger import HEAD, VERDICT, TriggerBatch, no_such_field

SLOT = struct.Struct("<QII")
SLOT_BYTES = 64  # of the head of a slot
FAILED = 3  # the reason of an event at which the script failed
ORDINAL = 16
HEAD_TYPES = ("<u8", "<u8", "<u2", "<u2", "<u4")
HEAD_OFFSETS = (0, 8, 24, 26, 28)
SAID_BYTES = 4096  # of what a script says that failed on an event
PRESENT, DAMAGE = 21, 18  # in the row of a contributor


def packed(names: list[str], formats: Sequence[Any], offsets: Sequence[int], size: int) -> np.dtype[Any]:
    """Make a structured type of fields at these places."""
    return np.dtype({"names": names, "formats": list(formats), "offsets": list(offsets), "itemsize": size})


class Layout:
    """What an event looks like, as drp says at Configure."""

    def __init__(self, text: bytes) -> None:
        told = json.loads(text)
        self.first: int = told["reason"]
        self.most: int = told["events"]
        self.settings: int = told["settings"]
        self.contributors: dict[str, np.dtype[Any]] = {}
        names, types, offsets = list(HEAD), list[Any](HEAD_TYPES), list(HEAD_OFFSETS)
        for c in told["contributors"]:
            own: dict[str, tuple[Any, int]] = {"present": ("?", PRESENT), "damage": ("<u2", DAMAGE)}
            for f in c["fields"]:
                own[f["name"]] = ((f["type"], (f["len"],)) if f["len"] else f["type"], f["at"])
            kinds, places = zip(*own.values(), strict=True)
            dtype = packed(list(own), kinds, places, c["bytes"])
            self.contributors[c["name"]] = dtype
            names.append(c["name"])
            types.append(dtype)
            offsets.append(c["at"])
        self.dtype = packed(names, types, offsets, told["event_bytes"])
        self._ordinal = packed(["n"], ["<u8"], [ORDINAL], self.dtype.itemsize)
        self._over: dict[str, tuple[list[str], Any]] = {}

    def over(self, field: str) -> tuple[list[str], Any]:
        """Give the contributors that have a field of one value, and the type that holds all of them."""
        found = self._over.get(field)
        if found is None:
            have = {name: d[field] for name, d in self.contributors.items() if field in (d.names or ())}
            if not have:
                raise no_such_field(field, self)
            arrays = [name for name, dtype in have.items() if dtype.shape]
            if arrays:
                raise FieldError(f'{field} of {arrays[0]} is an array: use batch.events["{arrays[0]}"]["{field}"]')
            kind = np.float64 if any(d.kind == "f" for d in have.values()) else np.int64
            found = self._over[field] = (list(have), kind)
        return found

    def check(self, name: str, field: str = "") -> None:
        """Raise `FieldError` where there is no such contributor, or it has no such field."""
        if name not in self.contributors:
            if name not in HEAD:
                raise FieldError(f"there is no {name}; there are: {', '.join(HEAD)}, {self.names()}")
        elif field and field not in (self.contributors[name].names or ()):
            raise FieldError(f"contributor {name} has no field {field}; there are: {self.names()}")

    def names(self) -> str:
        """List what contributors bring."""
        return ", ".join(f"{c}.{f}" for c, dtype in self.contributors.items() for f in dtype.names or ())

    def ordinals(self, events: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
        """Count the events of the lowest readout group of each event."""
        ordinals: np.ndarray[Any, Any] = events.view(self._ordinal)["n"]
        return ordinals


class Tried(BaseException):
    """Ends a script that was tried on events without values."""


class TriggerFeed(ChildFeed):
    """Batches that drp hands to this process."""

    role = "trigger"
    _views: dict[int, tuple[Any, ...]]
    layout_of: Layout | None = None
    tried = False  # the script has been, since the Configure at hand came
    trying = False
    single: int | None = None  # the event in the hands of a script that takes them one by one
    resume = 0  # where such a script goes on in a batch, after it failed
    knobs: list[Param]  # of the script, whose values are those of the batch at hand
    said = b""  # why it failed on the first event of the batch at hand that it did

    def prepare(self) -> NoReturn:
        """Refuse a script that wants datagrams."""
        raise RuntimeError("a trigger decides about events, and has no datagrams: use drp.TriggerSource()")

    def arrived(self, service: int, data: bytes) -> None:
        """Take note of a transition."""
        if service == CONFIGURE:
            self.tried = self.mode != LIVE
        super().arrived(service, data)

    def reset(self) -> None:
        """Forget what a script declared."""
        super().reset()
        self._views = {}
        self.knobs = []
        self.single = None

    def declare_param(self, param: Param) -> None:
        """Take a parameter of the script; only before the loop."""
        if self.frozen:
            raise RuntimeError("param must be called before the loop over events begins")
        if any(p.name == param.name for p in self.knobs):
            raise ValueError(f"param({param.name!r}) is declared twice")
        if len(self.knobs) == MOST:
            raise ValueError(f"param({param.name!r}): a script can declare {MOST} parameters")
        self.knobs.append(param)

    def describe(self, source: Any) -> Layout:
        """Give what events look like to a script that begins."""
        if self.data_source is not None:
            raise RuntimeError("a script has one TriggerSource")
        self.data_source = source
        self.take()
        self.layout_of = Layout(bytes(self.base))
        return self.layout_of

    def trial(self) -> Iterator[tuple[TriggerBatch, tuple[Any, int]]]:
        """Give two events without values, if the script was not tried yet: one brought by all, and one by nobody.

        Whatever it does with them is forgotten: it runs again from the top.
        """
        if self.tried:
            return
        assert self.layout_of is not None
        self.frozen = self.trying = True
        area = bytearray(2 * self.layout_of.dtype.itemsize)
        events = np.frombuffer(area, self.layout_of.dtype)
        for name in self.layout_of.contributors:
            events[name]["present"][0] = True
        events["contributions"][0] = len(self.layout_of.contributors)
        events["groups"] = 1
        verdicts = bytearray(2 * VERDICT.itemsize)
        self.resume = 0
        events.flags.writeable = False
        yield self._batch(0, events, np.frombuffer(verdicts, VERDICT)), (verdicts, 0)
        self.tried = True
        raise Tried

    def configured(self, reasons: list[dict[str, Any]]) -> None:
        """Answer the Configure at hand."""
        self.frozen = True
        if self.service == CONFIGURE and self.taken:
            declared = {"reasons": reasons, "parameters": json.loads(declaration(self.knobs))}
            self.put(json.dumps(declared).encode())

    def next_batch(self) -> tuple[TriggerBatch, tuple[Any, int]] | None:
        """Answer the batch at hand, and give the next; None when it is over."""
        while True:
            service = self.ask()
            if service in (CONFIGURE, UNCONFIGURE):
                return None
            self.take()
            if service < EVENT:
                continue
            view = self._views.get(self.slot)
            if view is None:
                view = self._views[self.slot] = self._view(self.slot)
            head, events, verdicts, raw_verdicts = view
            seed, count, given_up = SLOT.unpack_from(self._raw, head)
            self._turn_knobs(head)
            self._begin()
            if given_up:  # drp waits no longer for it: it is here again since it hung once
                continue
            if not self.resume:
                raw_verdicts[: VERDICT.itemsize * count] = 0
                self.said = b""
            end = self.at + VERDICT.itemsize * count
            self.area[end : end + len(self.said)] = self.said
            self.pos = VERDICT.itemsize * count + len(self.said)
            return self._batch(seed, events[:count], verdicts[:count]), (self.area, self.at)

    def _turn_knobs(self, head: int) -> None:
        """Take over the values that stand in a slot, where drp has written any: their generations begin with 1."""
        if not self.knobs:
            return
        assert self.layout_of is not None
        at = head + self.layout_of.settings
        if any(self._raw[at : at + 8]):
            read_cells(self._raw, at + SETTINGS_HEAD, self.knobs)

    def _view(self, slot: int) -> tuple[Any, ...]:
        assert self.layout_of is not None
        head = self.raw_offset + slot * self.raw_step
        most, out = self.layout_of.most, self.out_offset + slot * self.out_step
        events = np.frombuffer(self._raw, self.layout_of.dtype, most, head + SLOT_BYTES)
        verdicts = np.frombuffer(self._out, VERDICT, most, out)
        return head, events, verdicts, np.frombuffer(self._out, np.uint8, most * VERDICT.itemsize, out)

    def _batch(self, seed: int, events: Any, verdicts: Any) -> TriggerBatch:
        assert self.layout_of is not None
        return TriggerBatch(self.layout_of, seed, events, (verdicts["accept"], verdicts["reason"], verdicts["monitor"]))

    def resumed(self) -> int:
        """Say with which event of the batch at hand a script goes on."""
        at, self.resume = self.resume, 0
        return at

    def skip(self, i: int, why: Failure) -> None:
        """Let the batch at hand come again, from the event behind one at which the script failed."""
        struct.pack_into("<?xHI", self.area, self.at + VERDICT.itemsize * i, False, FAILED, 0)
        self.said = self.said or why.encode(SAID_BYTES)
        self.resume = i + 1
        self.rewind()
        self.restart()
