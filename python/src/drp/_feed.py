"""Where a script's datagrams come from and its results go: what the child and the reader of files have in common.

The script pulls. Whatever it asks for next answers what it holds: there is at most one datagram (or one batch) in its
hands, `current`, and everything the script adds goes there. The fields

    service, time, base, off, size, layout   the datagram that is there, a transition or an event
    have    a datagram was fetched and is not answered yet
    taken   the script has seen it

say where we are. They live here and not in the script's generators, because a script may leave a loop at any moment,
by `break` or by an exception, and the next loop, or the restarted script, goes on from here.
"""

from __future__ import annotations

import errno
import json
import math
import os
import struct
import sys
import traceback
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from . import _xtc
from ._calib import Constants, announced, attach
from ._config import Config, unknown
from ._errors import ConstantsError, FieldError, ResultTooLarge
from ._hits import Area, Recorded
from ._param import DETECTOR, FIELDS, MOST, Param, declaration
from ._results import Declared, Field, Result, make_entry, ready, write, write_batch
from ._sequence import BEGIN_RUN, BEGIN_STEP, CONFIGURE, END_RUN, END_STEP, EVENT, SLOW_UPDATE, UNCONFIGURE, Sequence
from ._xtc import HEADER_BYTES, Names

if TYPE_CHECKING:
    from ._event import Batch, Event

OK, REJECTED, FAILED, OVERSIZE = range(4)
# Where a datagram comes from: LIVE is answered, REPLAY (drp repeats it) without its results, CACHED (we do) not at all.
LIVE, REPLAY, CACHED = range(3)
SCRATCH_BYTES = 64 << 20
LACKS = (errno.EMFILE, errno.ENOMEM)
CAUSES = 20  # of an exception that are looked at


def _text(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return "an exception that cannot be printed"


def _exhausted(error: BaseException) -> bool:
    """Say whether the process lacks memory or descriptors, so that another may do better."""
    cause: BaseException | None = error
    for _ in range(CAUSES):
        if isinstance(cause, MemoryError) or (isinstance(cause, OSError) and cause.errno in LACKS):
            return True
        if cause is None:
            break
        cause = cause.__cause__ or cause.__context__
    return False


class Failure:
    """Why a datagram could not be worked on, as it is told to drp."""

    def __init__(self, error: BaseException | str, script: str = "") -> None:
        self.status = OVERSIZE if isinstance(error, ResultTooLarge) else FAILED
        self.fields: dict[str, Any] = {"type": "ScriptEnded", "message": error, "file": script, "line": 0}
        self.trace = ""
        if isinstance(error, BaseException):
            self.fields.update(type=type(error).__name__, message=_text(error), exhausted=_exhausted(error))
            self._locate(error, script)

    def _locate(self, error: BaseException, script: str) -> None:
        tb = first = error.__traceback__
        while tb is not None:
            if tb.tb_frame.f_code.co_filename == script:
                self.fields["line"] = tb.tb_lineno
            tb = tb.tb_next
        while first is not None and first.tb_frame.f_code.co_filename != script:
            first = first.tb_next
        if isinstance(error, SyntaxError) and error.filename and first is None:
            self.fields.update(file=error.filename, line=error.lineno or 0)
        self.trace = "".join(traceback.format_exception(type(error), error, first))

    def encode(self, limit: int) -> bytes:
        """Write the JSON in at most `limit` bytes, the traceback cut first, from its front."""
        fields = dict(self.fields, traceback=self.trace)
        for key in ("traceback", "message", "file", "type"):
            data = json.dumps(fields).encode()
            while len(data) > limit and fields[key]:
                keep = max(0, len(fields[key]) - max(len(data) - limit, 16))
                fields[key] = fields[key][len(fields[key]) - keep :] if key == "traceback" else fields[key][:keep]
                data = json.dumps(fields).encode()
            if len(data) <= limit:
                return data
        return b""


class Feed(Sequence):
    """The base of the child's feed and of the reader of files."""

    decided = False  # that the events are recorded: the script comes after the trigger
    forked = False  # this process was forked by the script: it is no worker
    restarts = False  # a session restarts the script after a failure
    due = False  # the script asked who it is before that was known; now it is, and the script has to be run again
    transition_bytes = SCRATCH_BYTES
    raw_offset = raw_step = 0
    out_offset = out_step = 0
    out_bytes = SCRATCH_BYTES

    def __init__(self) -> None:
        self.config: Config | None = None
        self.detector = os.environ.get("DRP_DETECTOR", "")  # the child is told by drp
        self.data_source: Any = None
        self.stream = 0  # of the run, that is recorded
        self.script = ""
        self.source: bytes | None = None  # its text, when drp sends it
        # The datagram at hand.
        self.service = 0
        self.time = 0
        self.base: Any = b""
        self.slot = self.size = self.layout = 0
        self.have = self.taken = False
        self.mode = LIVE
        self.held: Any = None  # a transition that waits until a restarted script has seen what came before it
        self.event: Event | Batch | None = None
        self.lead = 0  # events in the batch at hand, 0 outside of run.batches()
        # What the script adds to it.
        self.dirty = False
        self.area = memoryview(b"")
        self.at = self.pos = 0
        self.cap = 0
        self.added: list[Declared] = []
        self.removed: dict[int, None] = {}
        self.trig: Any = None
        self.status: Any = OK
        self.failure: Failure | None = None
        self._scratch: memoryview | None = None
        # What it declared.
        self.declared: list[Declared] = []
        self.trigger: Declared | None = None
        self.trigger_plan: Any = None
        self.trigger_struct: Any = None
        self.names_bytes = b""
        self.frozen = False
        self.params: list[Param] = []
        self.settings: Declared | None = None  # how their values are recorded
        # Where in the run we are, and what a restarted script has to see again.
        self.kept: dict[int, bytes] = {}
        self.replays: list[int] = []
        self.run: Any = None
        self.step: Any = None
        self.steps_seen = 0
        self._ids: dict[tuple[str, str], tuple[int, ...]] = {}
        self._parsed: tuple[Any, Any] = (None, None)
        self.constants: dict[str, Constants] = {}  # of the present run, by detector
        self.area_of_hits: Area | None = None  # where drp puts what it finds; nowhere, without --hits
        self._recorded: Recorded | None = None
        self.publisher = ""  # who tells of them; nobody, over files

    # -- to be provided -----------------------------------------------------------------------------------------

    def fetch(self) -> None:
        """Get the next datagram: set `service`, `time`, `base`, `slot`, `size`, `layout`; a transition by `arrived`."""
        raise NotImplementedError

    def reply(self, status: int, length: int, count: int) -> None:
        """Answer the datagram at hand; results lie in `area` from `at` on, the side list after them."""
        raise NotImplementedError

    def writable(self) -> tuple[memoryview, int, int]:
        """Give area, offset and capacity for the results of the datagram at hand."""
        raise NotImplementedError

    def corrected(self, kind: int, names_id: int, where: str) -> np.ndarray[Any, Any]:
        """Give corrected pixels of the event or batch at hand, (events,) segments, rows, cols."""
        raise NotImplementedError

    def constants_of(self, det: str) -> Constants:
        """Give the constants of a detector in the present run; raises `ConstantsError` if there are none."""
        found = self.constants.get(det)
        if found is None:
            raise ConstantsError(
                f"there are no constants of {det} for this run: give drp a store that has them (--calib)"
            )
        return found

    def recorded_hits(self) -> Recorded:
        """Give the reader of the hits that the data have."""
        assert self.config is not None
        if self._recorded is None or self._recorded.config is not self.config:
            self._recorded = Recorded(self.config)
        return self._recorded

    @property
    def early(self) -> bool:
        """Say whether the script asked who it is, which is not known yet."""
        return False

    def defer(self) -> None:
        """Answer the replay at hand: the script goes no further until it is known which worker this is."""
        raise NotImplementedError

    # -- the sequence -------------------------------------------------------------------------------------------

    def ask(self) -> int:
        """Answer what the script holds, and say what is there next."""
        if self.taken:
            self.finish()
        if not self.have:
            if self.replays:
                self.replay(self.replays.pop(0))
            elif self.held is not None:
                self.service, self.mode, data = self.held
                self.held = None
                self._transition(data)
            else:
                self.mode = LIVE
                self.fetch()
            self.have = True
        return self.service

    def take(self) -> None:
        """Hand the datagram to the script."""
        self.taken = True

    def flush(self) -> None:
        """Send the answers that wait; what comes next may take long."""

    def finish(self) -> None:
        """Seal what the script added to the datagram at hand, and answer it."""
        if self.failure is not None:
            status, length, count = self.seal_failure()
        elif self.dirty or (self.service == CONFIGURE and self.names_bytes):
            status, length, count = self.seal()
        else:
            status = length = count = 0
        if self.service < EVENT:
            try:
                sys.stdout.flush()
            except (OSError, ValueError, AttributeError):
                pass  # the script closed or replaced it
        if self.mode == LIVE:
            self.reply(status, length, count)
        elif self.mode == REPLAY:
            self.reply(status, 0, 0)
            if self.failure is not None:
                print(self.failure.trace or self.failure.fields["message"], file=sys.stderr, flush=True)
        self.have = self.taken = False
        self.clear()

    def arrived(self, service: int, data: bytes) -> None:
        """Take note of a transition; `data` is our own copy."""
        self.service = service
        if service == CONFIGURE:
            self.kept = {}
        elif service == BEGIN_RUN:
            self.kept = {CONFIGURE: self.kept.get(CONFIGURE, b"")}
        elif service in (END_RUN, UNCONFIGURE):
            for old in (BEGIN_RUN, BEGIN_STEP, SLOW_UPDATE):
                self.kept.pop(old, None)
        elif service == END_STEP:
            self.kept.pop(BEGIN_STEP, None)
        if service in (CONFIGURE, BEGIN_RUN, BEGIN_STEP, SLOW_UPDATE):
            self.kept[service] = data
        self._transition(data)

    def _transition(self, data: bytes) -> None:
        self._present(data)
        self._note(self.service, data)

    def _present(self, data: bytes) -> None:
        """Let a transition be the datagram at hand."""
        self.base, self.slot, self.size, self.layout = data, 0, len(data), 0
        self.time = _time(data)

    def _note(self, service: int, data: bytes) -> None:
        """Let what a transition says hold from now on."""
        if service == CONFIGURE:
            self.config = None
        elif self.config is not None:
            self.config.update(data)
        if service in (CONFIGURE, BEGIN_RUN, BEGIN_STEP):
            self._calibrate(service, data)

    def _calibrate(self, service: int, data: bytes) -> None:
        """Take over the constants that a transition announces."""
        if service != BEGIN_STEP:
            self.constants = {}
            self.forget_parts()
        if self.config is None:
            return
        for told in announced(self.config, data, self.publisher):
            held = self.constants.get(told["detector"])
            if held is None or held.generation != told["generation"]:
                self.forget_parts()
                try:
                    self.constants[told["detector"]] = attach(told)
                except (OSError, ValueError) as error:  # drp is told by the answer, which says what is held
                    self.constants.pop(told["detector"], None)
                    print(f"drp: no constants of {told['detector']}: {error}", file=sys.stderr)

    def forget_parts(self) -> None:
        """Forget where corrected data lies: it is made with other constants from here on."""

    def replay(self, service: int) -> None:
        """Show a restarted script a transition it has seen before its failure."""
        self.mode = CACHED
        self.service = service
        self._transition(self.kept[service])

    def restart(self) -> None:
        """Get ready to show the script everything again from Configure on; a transition at hand comes after that."""
        self.replays = [s for s in (CONFIGURE, BEGIN_RUN, BEGIN_STEP, SLOW_UPDATE) if s in self.kept]
        if self.have:
            self.replays = self.replays[: self.replays.index(self.service)]
            self.held = (self.service, self.mode, self.base)
            self.have = False
        self.reset()

    def rewind(self) -> None:
        """Let the events of the batch at hand come again, one by one."""
        self.have = self.taken = False
        self.clear()

    def prepare(self) -> Config:
        """Read the Configure at hand."""
        if self.config is None:
            self.config = Config(self.base, self.detector)
            self.config.feed = self
        return self.config

    def reset(self) -> None:
        """Forget what a script declared."""
        self.config = self.data_source = self.run = self.step = None
        self.declared, self.trigger, self.names_bytes, self.frozen = [], None, b"", False
        self.params, self.settings = [], None
        self._ids = {}
        self._parsed = (None, None)
        self.steps_seen = 0
        self.clear()

    def clear(self) -> None:
        """Forget what was added to the datagram at hand."""
        self.dirty = False
        self.event = None
        self.lead = self.pos = 0
        self.added.clear()
        self.removed.clear()
        self.trig = self.failure = None
        self.status = OK

    def begin_step(self) -> None:
        """Note that a step begins with the datagram at hand."""
        from ._run import Step

        self.step = Step(self.run, self, self.steps_seen, self.time)
        self.steps_seen += 1

    def events(self, owner: Any, in_step: bool) -> Iterator[Event]:
        """Yield event after event."""
        from ._event import Event

        while not owner._over and self.pull(in_step):
            evt = Event(self, self.slot, self.size, self.layout, self.time)
            self.event = evt
            self.taken = True
            yield evt
        owner._over = True

    def batches(self, owner: Any, in_step: bool, max_events: int | None) -> Iterator[Batch]:
        """Yield batches; here of one event each."""
        from ._event import Batch

        while not owner._over and self.pull(in_step):
            batch = Batch(self, self.slot, self.size, self.layout, np.array([self.time], np.uint64))
            self.event = batch
            self.lead = 1
            self.taken = True
            yield batch
        owner._over = True

    # -- declaring ----------------------------------------------------------------------------------------------

    def declare(self, names: Names, fields: tuple[Field, ...], reduce: str | None) -> Declared:
        """Declare a result; only while Configure is at hand."""
        if self.frozen:
            raise RuntimeError("add_detector must be called before the loop over ds.runs() begins")
        for other in self.declared:
            n = other.names
            if (n.det_name, n.alg, n.segment) == (names.det_name, names.alg, names.segment):
                raise ValueError(f"{n.det_name} {n.alg} segment {n.segment} is declared twice")
        declared = Declared(self, names, fields, reduce)
        more = _xtc.encode_names(names)
        self._begin()
        self._room(len(more))
        self.declared.append(declared)
        self.names_bytes += more
        return declared

    def declare_param(self, param: Param) -> None:
        """Take a parameter of the script; only while Configure is at hand."""
        if self.frozen or self.config is None:
            raise RuntimeError("param must be called before the loop over ds.runs() begins")
        if any(p.name == param.name for p in self.params):
            raise ValueError(f"param({param.name!r}) is declared twice")
        if len(self.params) == MOST:
            raise ValueError(f"param({param.name!r}): a script can declare {MOST} parameters")
        self.params.append(param)

    def freeze(self) -> None:
        """Let nothing more be declared; how parameters are recorded is the last."""
        if self.params:
            assert self.config is not None
            alg = "post" if self.decided else "script"
            fields = {"generation": (np.int64, 0), **{p.name: FIELDS[p.kind] for p in self.params}}
            self.settings = self._declare_settings(alg, fields)
            info = Result(self._declare_settings(alg + "info", {"parameters": (str, 1)}))
            info.parameters = declaration(self.params)
            self.add(info)
        self.frozen = True

    def _declare_settings(self, alg: str, specs: dict[str, Any]) -> Declared:
        assert self.config is not None
        fields = tuple(Field(name, spec) for name, spec in specs.items())
        entries = tuple(make_entry(field) for field in fields)
        before = [n.segment + 1 for n in self.config.of(DETECTOR, alg)]  # of earlier passes
        segment = max([self.stream, *before])
        names_id = self.free_id(self.config.src)
        return self.declare(Names(names_id, DETECTOR, DETECTOR, "", alg, (1, 0, 0), segment, entries), fields, None)

    def free_id(self, node: int) -> int:
        """Find the lowest NamesId of a node that nobody uses."""
        assert self.config is not None
        used = self.config.names.keys() | {d.names.id for d in self.declared}
        for index in range(252):
            if node << 8 | index not in used:
                return node << 8 | index
        raise ValueError(f"no NamesId is free in node {node}")

    def declare_trigger(self, names: list[str]) -> None:
        """Declare the scalars that `evt.trigger` takes."""
        assert self.config is not None
        self._undecided("evt.trigger")
        if self.trigger is not None:
            raise ValueError("add_trigger was called twice; name all values in one call")
        fields = tuple(Field(name, (np.float64, 0)) for name in names)
        entries = tuple(make_entry(field) for field in fields)
        names_id = self.free_id(self.config.src)
        before = [n.segment + 1 for n in self.config.of("trigger", "input")]  # by scripts of earlier passes
        segment = max([self.stream, *before])
        block = Names(names_id, "trigger", "trigger", "trigger", "input", (1, 0, 0), segment, entries)
        self.trigger = self.declare(block, fields, None)
        self.trigger_plan = self.trigger.plan(((),) * len(fields))
        self.trigger_struct = struct.Struct(f"<{len(fields)}d")

    # -- adding -------------------------------------------------------------------------------------------------

    def _begin(self) -> None:
        if self.dirty:
            return
        if not self.taken:
            raise RuntimeError("there is no event or transition to add to")
        if self.mode != LIVE:
            if self._scratch is None or len(self._scratch) < self.transition_bytes:
                self._scratch = memoryview(bytearray(self.transition_bytes))
            self.area, self.at, self.cap = self._scratch, 0, self.transition_bytes
        else:
            self.area, self.at, self.cap = self.writable()
        self.pos = 0
        self.dirty = True

    def _room(self, more: int, words: int = 0) -> None:
        words += len(self.removed) if self.service >= EVENT else 2 * len(self.added)
        need = self.pos + len(self.names_bytes if self.service == CONFIGURE else b"") + more
        if self.trig is not None and self.trigger is not None:
            need += self.trigger_plan.total
        if words:
            need = (need + 3) // 4 * 4 + 4 * words
        if need > self.cap:
            raise ResultTooLarge(need, self.cap, "--transition-bytes" if self.service < EVENT else "--fex-bytes")

    def add(self, result: Result) -> None:
        """Write a result for the datagram at hand."""
        declared = result._declared
        if declared.feed is not self or (declared not in self.declared):
            raise RuntimeError(f"{result!r} was not declared in this DataSource")
        if declared in self.added:
            raise ValueError(f"{result!r} was already added to this event")
        if self.event is not None and result._stamp is not self.event:
            result._turn(self.event)
        lead = self.lead
        values, shapes = ready(result, lead)
        plan = declared.plan(shapes)
        self._begin()
        self._room(plan.total, 2 if self.service < EVENT else 0)
        if lead:
            write_batch(declared, plan, values, self.area, self.at + self.pos, lead, self.out_step)
        else:
            write(declared, plan, values, self.area, self.at + self.pos)
        self.pos += plan.total
        self.added.append(declared)
        result._clear()

    def remove(self, det: str, alg: str) -> None:
        """Leave every block of a detector and alg out of the record of this event."""
        if self.service < EVENT or not self.taken:
            raise RuntimeError("remove works on events: call it inside the loop over run.events()")
        ids = self._ids.get((det, alg))
        if ids is None:
            assert self.config is not None
            ids = self._ids[det, alg] = tuple(n.id for n in self.config.of(det, alg))
        if ids:
            self._begin()
            self._room(0, sum(1 for i in ids if i not in self.removed))
            self.removed.update(dict.fromkeys(ids))

    def set_trigger(self, values: dict[str, Any]) -> None:
        """Set trigger inputs of the event at hand."""
        declared = self.trigger
        self._undecided("evt.trigger")
        if self.service < EVENT or not self.taken:
            raise RuntimeError("trigger works on events: call it inside the loop over run.events()")
        for name in values:
            if declared is None or name not in declared.by_name:
                known = declared.by_name if declared else ()
                raise AttributeError(
                    f"trigger: {unknown('value', name, known)}. "
                    f"Declare it before the loop: ds.add_trigger({name}=float, ...)"
                )
        if declared is None:
            return
        checked = {name: declared.fields[declared.by_name[name]].check(v, self.lead) for name, v in values.items()}
        self._begin()
        if self.trig is None:
            count = len(declared.fields)
            self.trig = np.full((count, self.lead), np.nan) if self.lead else [math.nan] * count
            try:
                self._room(0)
            except ResultTooLarge:
                self.trig = None
                raise
        for name, value in checked.items():
            self.trig[declared.by_name[name]] = value

    def reject(self, mask: Any = None) -> None:
        """Do not record this event, or those of the batch where `mask` is true."""
        self._undecided("reject")
        self._begin()
        if mask is None:
            self.status = REJECTED
            return
        mask = np.asarray(mask)
        if mask.dtype != np.bool_ or mask.shape != (self.lead,):
            raise FieldError(f"reject: expected {self.lead} booleans, got {mask.dtype} of shape {mask.shape}")
        old = self.status if isinstance(self.status, np.ndarray) else np.full(self.lead, self.status, np.uint8)
        self.status = np.where(mask, np.uint8(REJECTED), old)

    def _undecided(self, what: str) -> None:
        if self.decided:
            raise RuntimeError(
                f"{what}: it is decided already that the event is recorded, since this script was given with --post; "
                "do so in the script of -p, or by the rules of the trigger"
            )

    def seal(self) -> tuple[Any, int, int]:
        """Complete the bytes of the results; give status, length and length of the side list."""
        if not self.dirty:
            self._begin()
        n, step = max(self.lead, 1), self.out_step
        if self.trig is not None and self.trigger is not None:
            plan, at = self.trigger_plan, self.at + self.pos
            if self.lead:
                write_batch(self.trigger, plan, list(self.trig), self.area, at, n, step)
            else:
                self.area[at : at + len(plan.header)] = plan.header
                self.trigger_struct.pack_into(self.area, at + len(plan.header), *self.trig)
            self.pos += plan.total
        if self.service == CONFIGURE and self.names_bytes:
            names = len(self.names_bytes)
            blocks = bytes(self.area[self.at : self.at + self.pos])
            self.area[self.at : self.at + names] = self.names_bytes
            self.pos += names
            self.area[self.at + names : self.at + self.pos] = blocks
        words = self._side_list()
        if words:
            side = struct.pack(f"<{len(words)}I", *words)
            at = self.at + (self.pos + 3) // 4 * 4
            for k in range(n):
                self.area[at + k * step : at + k * step + len(side)] = side
        return self.status, self.pos, len(words)

    def _side_list(self) -> list[int]:
        if self.service >= EVENT:
            return list(self.removed)
        return [word for d in self.added if d.operation for word in (d.names.id, d.operation)]

    def seal_failure(self) -> tuple[int, int, int]:
        """Write why the datagram at hand failed."""
        failure = self.failure
        assert failure is not None
        self.dirty = False
        self._begin()
        data = failure.encode(self.cap)
        self.area[self.at : self.at + len(data)] = data
        return failure.status, len(data), 0

    def fail(self, error: BaseException | str) -> None:
        """Let the event at hand fail; it is answered when the next is asked for."""
        self.failure = Failure(error, self.script)
        self.dirty = True

    # -- reading ------------------------------------------------------------------------------------------------

    def parse(self, evt: Any, number: int, buf: Any, off: int, size: int) -> Any:
        """Find the blocks of the event at hand."""
        assert self.config is not None
        if number:
            return self.config.layout(number, buf, off, size)
        if self._parsed[0] is not evt:
            self._parsed = (evt, self.config.layout(0, buf, off, size))
        return self._parsed[1]


def _time(data: bytes) -> int:
    if len(data) < HEADER_BYTES:
        return 0
    low, high = struct.unpack_from("<II", data)
    return int(high) << 32 | int(low)
