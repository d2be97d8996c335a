"""Plays drp for one child: shared-memory segments, two pipes, and a detector made up on the spot."""

import ctypes
import json
import os
import struct
import subprocess
import sys
from pathlib import Path

import numpy as np

from drp import _xtc
from drp._child import RECORD
from drp._xtc import Entry, Names

SRC = Path(__file__).resolve().parents[1] / "src"
PAGE = 4096
(CONFIGURE, UNCONFIGURE, BEGIN_RUN, END_RUN, BEGIN_STEP, END_STEP, ENABLE, DISABLE, SLOW, L1) = (
    2, 3, 4, 5, 6, 7, 8, 9, 10, 12,
)  # fmt: skip
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p
libc.shmat.argtypes = (ctypes.c_int, ctypes.c_void_p, ctypes.c_int)
libc.shmdt.argtypes = (ctypes.c_void_p,)
libc.shmget.argtypes = (ctypes.c_int, ctypes.c_size_t, ctypes.c_int)


class Segment:
    """A segment of our own, removed as soon as it is attached."""

    def __init__(self, size):
        self.id = libc.shmget(0, size, 0o1600)
        assert self.id >= 0, os.strerror(ctypes.get_errno())
        self.address = libc.shmat(self.id, None, 0)
        libc.shmctl(self.id, 0, None)
        self.view = memoryview((ctypes.c_ubyte * size).from_address(self.address)).cast("B")
        self.view[:8] = b"drpshm1\0"
        struct.pack_into("<II", self.view, 8, 1, os.getpid())

    def close(self):
        if self.view is not None:
            self.view = None
            libc.shmdt(self.address)


def shapes_data(names, *values):
    """Write one ShapesData, apart from the package's own way of doing it."""
    shapes, data = b"", b""
    for entry, value in zip(names.entries, values, strict=True):
        if entry.type == 10:
            value = np.frombuffer(value.encode() + b"\0" * (4 - len(value) % 4), "S1")
        array = np.asarray(value, _xtc.DTYPES[entry.type])
        if entry.rank:
            shapes += struct.pack("<5I", *array.shape, *[0] * (5 - array.ndim))
        data += array.tobytes()
    body = struct.pack("<IHHI", 0, 0, 2, 12 + len(shapes)) + shapes
    body += struct.pack("<IHHI", 0, 0, 3, 12 + len(data)) + data
    return struct.pack("<IHHI", names.id, 0, 1, 12 + len(body)) + body


def dgram(service, time, payload=b"", src=1):
    return (
        struct.pack("<IIIIHHI", time & 0xFFFFFFFF, time >> 32, service << 24 | 1, src, 0, 0, 12 + len(payload))
        + payload
    )


CAM = [
    Names(0x100 + s, "fakecam", "cam", f"serial{s}", "raw", (2, 0, 0), s, (Entry("array_raw", 1, 2), Entry("n", 3, 0)))
    for s in range(2)
]
CONF = Names(0x110, "fakecam", "cam", "serial0", "config", (2, 0, 0), 0, (Entry("user.gain", 2, 0),))
INFO = Names(0x1FF, "runinfo", "runinfo", "", "runinfo", (0, 0, 1), 0, (Entry("expt", 10, 1), Entry("runnum", 2, 0)))
EPICS = Names(0x120, "epics", "epics", "", "raw", (2, 0, 0), 0, (Entry("XPP:TEMP", 9, 0),))
SCAN = Names(0x121, "scan", "scan", "", "raw", (2, 0, 0), 0, (Entry("motor1", 9, 0), Entry("step_docstring", 10, 1)))
ALL = (*CAM, CONF, INFO, EPICS, SCAN)
SHAPE = (32, 48)


def configure():
    return dgram(CONFIGURE, 1, b"".join(map(_xtc.encode_names, ALL)) + shapes_data(CONF, 7))


def begin_run(run=14):
    return dgram(BEGIN_RUN, 2, shapes_data(INFO, "xpptut15", run))


def begin_step(x=41.0):
    return dgram(BEGIN_STEP, 3, shapes_data(SCAN, x, "a step"))


def image(k, segment=0):
    return (np.arange(SHAPE[0] * SHAPE[1]) + 100 * k + segment).astype(np.uint16).reshape(SHAPE)


def event(k, segments=(0, 1)):
    return dgram(L1, 1 << 32 | k, b"".join(shapes_data(CAM[s], image(k, s), k) for s in segments))


class Answer:
    def __init__(self, record, area):
        (self.kind, self.status, self.count, self.slot, self.generation, self.bytes, _, self.service, self.time) = (
            record
        )
        self.result = bytes(area[: self.bytes])
        at = (self.bytes + 3) // 4 * 4
        self.side = struct.unpack_from(f"<{self.count}I", area, at)

    @property
    def error(self):
        assert self.status in (2, 3)
        return json.loads(self.result)

    def blocks(self, names):
        """The ShapesData as {(det, alg): {field: value}}."""
        header = dgram(self.service, 0, self.result)
        table = {**{n.id: n for n in ALL}, **names}
        layout = _xtc.Layout(header, 0, len(header), table)
        found = {}
        for i in layout:
            n = table[i]
            where = layout.places(header, 0, i)
            found[n.det_name, n.alg] = {
                e.name: _xtc.read_field(header, 0, n, where, k) for k, e in enumerate(n.entries)
            }
        return found


class Drp:
    """Owns the segments and one child."""

    def __init__(self, script, *args, slots=64, slot_bytes=1 << 15, out_bytes=1 << 14, transition_bytes=1 << 16,
                 env=None, python=sys.executable, flags=(), spare=False, **more):  # fmt: skip
        self.slots, self.slot_bytes, self.out_bytes = slots, slot_bytes, out_bytes
        self.transition_offset = PAGE + slots * out_bytes
        self.transition_bytes = transition_bytes
        self.transitions = Segment(PAGE + 4 * transition_bytes)
        self.raw = Segment(PAGE + slots * slot_bytes)
        self.out = Segment(self.transition_offset + transition_bytes)
        self.next = 0
        self.names = {}
        self.generation = 0
        req_r, self.req = os.pipe()
        self.ans, ans_w = os.pipe()

        environ = {**os.environ, "PYTHONPATH": str(SRC), "DRP_CHILD": f"{req_r},{ans_w}", **(env or {})}
        self.process = subprocess.Popen(
            [python, "-W", "error", *flags, "-m", "drp", str(script), *map(str, args)],
            pass_fds=(req_r, ans_w), env=environ, stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip
        os.close(req_r)
        os.close(ans_w)
        part = lambda s, n, b: {"id": s.id, "offset": PAGE, "slots": n, "slot_bytes": b}  # noqa: E731
        self.place = {
            "worker": 0, "raw": part(self.raw, slots, slot_bytes),
            "result": {**part(self.out, slots, out_bytes), "transition_offset": self.transition_offset,
                       "transition_bytes": transition_bytes},
        }  # fmt: skip
        hello = json.dumps({
            "version": 2, "workers": 1, "expt": "xpptut15", "run": 14,
            "transitions": part(self.transitions, 4, transition_bytes), **({} if spare else self.place), **more,
        }).encode()  # fmt: skip
        self.send(1, hello)
        record = RECORD.unpack(self.read(32))
        assert record[0] == 1
        self.hello = json.loads(self.read(record[5]))

    def send(self, kind, data, service=0):
        os.write(self.req, RECORD.pack(kind, 0, 0, 0, 0, len(data), 0, service, 0) + data)

    def read(self, size):
        data = b""
        while len(data) < size:
            more = os.read(self.ans, size - len(data))
            if not more:
                self.close()
                raise EOFError(self.process.communicate()[1])
            data += more
        return data

    def __enter__(self):
        return self

    def __exit__(self, *error):
        os.close(self.req)
        try:
            self.stdout, self.stderr = self.process.communicate(timeout=10)
        finally:
            self.process.kill()
            os.close(self.ans)
            self.close()
        if not error[0]:
            assert self.process.returncode == 0, self.stderr

    def close(self):
        for segment in (self.transitions, self.raw, self.out):
            if segment.view is not None:
                segment.close()

    def answer(self):
        record = RECORD.unpack(self.read(32))
        if record[0] == 4:
            at = PAGE + record[3] * self.out_bytes
            return Answer(record, self.out.view[at : at + self.out_bytes])
        return Answer(record, self.out.view[self.transition_offset :][: self.transition_bytes])

    def replay(self, data):
        self.send(2, data, data[11] & 15)
        a = self.answer()
        assert (a.kind, a.service, a.bytes) == (2, data[11] & 15, 0)
        return a.status

    def attach(self, worker=0):
        """Make a spare a worker."""
        self.send(5, json.dumps({**self.place, "worker": worker}).encode())
        assert self.read(32) == RECORD.pack(5, 0, 0, 0, 0, 0, 0, 0, 0)

    def transition(self, data):
        service = data[11] & 15
        self.generation += 1
        self.transitions.view[PAGE + self.transition_bytes : PAGE + self.transition_bytes + len(data)] = data
        time = struct.unpack_from("<II", data)
        os.write(self.req, RECORD.pack(3, 0, 0, 1, self.generation, len(data), 0, service, time[1] << 32 | time[0]))
        answer = self.answer()
        assert (answer.kind, answer.service, answer.generation) == (3, service, self.generation)
        if service == CONFIGURE and answer.status == 0:
            header = dgram(CONFIGURE, 0, answer.result)
            self.names = _xtc.read_names(header, 0, len(header))
        return answer

    def post(self, datagrams, layout=1, flags=0):
        """Write records for L1Accepts in one go."""
        records = b""
        for data in datagrams:
            slot = self.next
            self.next = (slot + 1) % self.slots
            at = PAGE + slot * self.slot_bytes
            self.raw.view[at : at + len(data)] = data
            low, high = struct.unpack_from("<II", data)
            records += RECORD.pack(4, flags, 0, slot, 1000 + slot, len(data), layout, L1, high << 32 | low)
        os.write(self.req, records)

    def events(self, datagrams, layout=1, flags=0):
        datagrams = list(datagrams)
        self.post(datagrams, layout, flags)
        answers = [self.answer() for _ in datagrams]
        for data, answer in zip(datagrams, answers, strict=True):
            low, high = struct.unpack_from("<II", data)
            assert (answer.kind, answer.service, answer.time) == (4, L1, high << 32 | low)
            assert answer.generation == 1000 + answer.slot
        return answers

    def begin(self, run=14):
        answers = [self.transition(d) for d in (configure(), begin_run(run), begin_step(), dgram(ENABLE, 4))]
        assert [a.status for a in answers] == [0] * 4, [a.error for a in answers if a.status]
        return answers[0]

    def end(self):
        self.transition(dgram(DISABLE, 5))
        self.transition(dgram(END_STEP, 6))
        end_run = self.transition(dgram(END_RUN, 7))
        assert self.transition(dgram(UNCONFIGURE, 8)).status == 0
        return end_run
