"""`drp.monitor` against a drp that is played here, in an order of things that the real one has only at times."""

import itertools
import json
import os
import socket
import struct
import threading

import numpy as np
import pytest
from harness import BEGIN_RUN, END_RUN, PAGE, Segment, begin_run, configure, dgram, event

import drp
from drp import _watch
from drp._watch import END, FRAME, HELLO, REFUSED, REPLAY, RESTART, TRANSITION

SLOTS, STEP, LENGTH = 4, 4096, 1024
AVAILABLE = 30  # seconds that anything may take


class Publisher:
    """One drp that is watched by one consumer."""

    def __init__(self, path):
        self.data = Segment(PAGE + SLOTS * STEP)
        self.queue = Segment(PAGE + 128 + LENGTH * 32)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()
        self.listener.settimeout(AVAILABLE)
        self.head = self.seq = 0
        self.said = b""
        self.hello = {
            "version": 1,
            "publisher": "x",
            "data": {"id": self.data.id, "offset": PAGE, "count": SLOTS, "bytes": STEP},
            "queue": {"id": self.queue.id, "offset": PAGE + 128, "count": LENGTH, "bytes": 32},
        }

    def frame(self, kind, payload=b"", number=0, at=None):
        return FRAME.pack(kind, len(payload), number, self.head if at is None else at) + payload

    def serve(self, *frames, hang_up=False):
        """Let the consumer in, and say all of this at once."""

        def run():
            self.peer, _ = self.listener.accept()
            self.said = self.peer.recv(4096)
            self.peer.sendall(self.frame(HELLO, json.dumps(self.hello).encode()) + b"".join(frames))
            if hang_up:
                self.peer.close()

        self.thread = threading.Thread(target=run)
        self.thread.start()

    def publish(self, data, slot, ordinal, number=0, transitions=0, flags=0, bits=0):
        self.seq += 1
        at = PAGE + slot * STEP
        struct.pack_into("<QQIIII", self.data.view, at, self.seq, number, len(data), 1, flags, bits)
        self.data.view[at + 64 : at + 64 + len(data)] = data
        entry = PAGE + 128 + self.head % LENGTH * 32
        struct.pack_into("<QQQI", self.queue.view, entry, self.seq, ordinal, transitions, slot)
        self.head += 1
        struct.pack_into("<QQ", self.queue.view, PAGE, self.head, ordinal)

    def word(self, index):
        return struct.unpack_from("<Q", self.queue.view, PAGE + 8 * index)[0]

    def die(self):
        """End as by kill -9: the memory goes with the last who has it."""
        self.thread.join()
        self.peer.close()
        self.listener.close()
        self.data.close()

    def close(self):
        self.thread.join()
        self.peer.close()
        self.listener.close()
        self.data.close()
        self.queue.close()


@pytest.fixture
def publisher(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    (tmp_path / "drp" / "monitor").mkdir(parents=True, mode=0o700)
    made = []

    def make():
        path = tmp_path / "drp" / "monitor" / "tst+cam"
        path.unlink(missing_ok=True)
        made.append(Publisher(path))
        return made[-1]

    yield make
    for p in made:
        p.close()


def begun(p):
    return p.frame(RESTART, configure(), 1), p.frame(REPLAY, begin_run(), 2)


def test_what_comes_with_the_greeting_is_seen(publisher):
    p = publisher()
    p.serve(*begun(p))
    with drp.monitor("tst/cam", wait=AVAILABLE, hits=True, every=3) as mon:
        run = next(mon.runs())
        assert run.runnum == 14
        assert mon.detnames == ["cam"]
    assert mon.state == "closed" and "closed" in repr(mon)
    asked = json.loads(p.said)
    assert asked["choose"] == {"hits": True, "bits": 0, "every": 3, "newest": False}
    assert asked["version"] == 1


def test_an_event_without_a_configure_is_passed_over(publisher):
    p = publisher()
    p.publish(event(0), 0, 1, number=431, transitions=2)
    first = p.frame(TRANSITION, configure(), 3), p.frame(TRANSITION, begin_run(), 4)
    p.publish(event(1), 1, 2, number=0, transitions=4)
    p.serve(*first)
    with drp.monitor("tst/cam", wait=AVAILABLE) as mon:
        evt = next(iter(mon))
        assert (evt.number, evt.missed, mon.got, mon.missed) == (0, 1, 1, 1)


def test_events_are_views_that_are_held(publisher):
    p = publisher()
    for k in range(3):
        p.publish(event(k), k, 1 + k, number=10 + k, transitions=2, flags=k, bits=1 << 31)
    p.serve(*(p.frame(RESTART, configure(), 1, 0), p.frame(REPLAY, begin_run(), 2, 0)))
    with drp.monitor("tst/cam", wait=AVAILABLE) as mon:
        det = mon.Detector("cam")
        for k, evt in enumerate(itertools.islice(mon, 3)):
            raw = det.raw(evt) if callable(det.raw) else det.raw.raw(evt)
            assert np.shares_memory(raw, np.frombuffer(mon._feed.connection.memory, np.uint8))
            assert not raw.flags.writeable
            with pytest.raises(ValueError, match="WRITEABLE"):  # to write there would end this process
                raw.flags.writeable = True
            assert p.word(_watch.Q_HELD) == 1 + k
            assert p.word(_watch.Q_TAIL) == k
            assert (evt.number, evt.missed, evt.bits, evt.is_hit, evt.rejected, evt.vetoed) == (
                10 + k, 0, 1 << 31, k == 1, k == 2, False,
            )  # fmt: skip
            assert evt.intact
            struct.pack_into("<Q", p.data.view, PAGE + k * STEP, 99)  # drp has taken the slot back
            assert not evt.intact


def test_what_was_overwritten_is_missed(publisher):
    p = publisher()
    p.publish(event(0), 0, 1, transitions=2)
    p.publish(event(1), 0, 2, transitions=2)  # into the same slot
    p.publish(event(2), 1, 9, transitions=2)
    p.serve(*(p.frame(RESTART, configure(), 1, 0), p.frame(REPLAY, begin_run(), 2, 0)))
    with drp.monitor("tst/cam", wait=AVAILABLE) as mon:
        assert [evt.missed for evt in itertools.islice(mon, 2)] == [1, 6]
        assert (mon.missed, mon.got) == (7, 2)


def test_a_run_that_dies_ends(publisher):
    p = publisher()
    p.publish(event(0), 0, 1, transitions=2)
    p.serve(*(p.frame(RESTART, configure(), 1, 0), p.frame(REPLAY, begin_run(), 2, 0)), hang_up=True)
    mon = drp.monitor("tst/cam", wait=AVAILABLE)
    seen = []
    for run in mon.runs():
        seen.append(sum(1 for _ in run.events()))
        if mon.state == "lost":
            break
    assert seen == [1]
    second = publisher()
    second.publish(event(0), 0, 1, transitions=2)
    second.publish(event(1), 1, 2, transitions=2)
    second.serve(*(second.frame(RESTART, configure(), 1, 0), second.frame(REPLAY, begin_run(15), 2, 0)))
    run = next(mon.runs())
    assert run.runnum == 15
    assert [evt.missed for evt in itertools.islice(run.events(), 2)] == [0, 0]
    mon.close()
    with pytest.raises(RuntimeError, match="has ended"):
        mon._feed.ask()
        mon._feed.take()
        mon._feed.ask()


def test_the_end_is_told(publisher):
    p = publisher()
    last = [p.frame(TRANSITION, dgram(END_RUN, 9), 3), p.frame(END, b"", 4)]
    p.serve(*begun(p), *last, hang_up=True)
    mon = drp.monitor("tst/cam", wait=AVAILABLE, restarts=False)
    assert list(mon) == []
    assert mon.state == "ended"


def test_that_it_died_stays_said(publisher):
    p = publisher()
    p.serve(*begun(p), hang_up=True)
    with drp.monitor("tst/cam", wait=AVAILABLE, restarts=False) as mon:
        assert list(mon) == []
    assert mon.state == "lost"


def test_transitions_keep_their_place(publisher):
    p = publisher()
    frames = [*begun(p)]
    p.publish(event(0), 0, 1, transitions=2)
    frames += [p.frame(TRANSITION, dgram(END_RUN, 9), 3), p.frame(TRANSITION, dgram(BEGIN_RUN, 10), 4)]
    p.publish(event(1), 1, 2, number=1, transitions=4)
    p.publish(event(2), 2, 3, number=2, transitions=4)
    frames.append(p.frame(TRANSITION, dgram(END_RUN, 11), 5))
    frames.append(p.frame(END, b"", 6))
    p.serve(*frames)
    mon = drp.monitor("tst/cam", wait=AVAILABLE, restarts=False)
    assert mon.state == "waiting"
    seen = [([(evt.number, mon.state) for evt in run.events()], mon.state) for run in mon.runs()]
    assert seen == [([(0, "running")], "ended"), ([(1, "running"), (2, "running")], "ended")]


def test_who_was_too_far_behind_begins_anew(publisher):
    p = publisher()
    frames = [*begun(p)]
    p.publish(event(0), 0, 1, transitions=2)
    p.publish(event(1), 1, 2, transitions=50)  # behind transitions that never come
    frames += [p.frame(RESTART, configure(), 99), p.frame(REPLAY, begin_run(15), 100)]
    p.publish(event(2), 2, 7, number=7, transitions=100)
    frames.append(p.frame(END, b"", 101))
    p.serve(*frames)
    mon = drp.monitor("tst/cam", wait=AVAILABLE, restarts=False)
    seen = [(run.runnum, evt.number, evt.missed) for run in mon.runs() for evt in run.events()]
    assert seen[-1][:2] == (15, 7)
    assert mon.missed + mon.got == 7


def test_refused(publisher, tmp_path):
    p = publisher()
    p.frame = lambda kind, payload=b"", *rest: FRAME.pack(REFUSED, 4, 0, 0) + b"full"
    p.serve()
    with pytest.raises(drp.MonitorError, match="full"):
        next(iter(drp.monitor("tst/cam", wait=AVAILABLE)))
    with pytest.raises(TimeoutError, match="--monitor tst/none"):
        next(iter(drp.monitor("tst/none", wait=0)))
    for name in ("", "a/b/c", "../x", "a b"):
        with pytest.raises(ValueError, match="give PARTITION/DETECTOR"):
            drp.monitor(name)
    for names, choice, error, says in [
        (("tst/cam",), {"every": 0}, ValueError, "every=0"),
        (("tst/cam",), {"every": "a"}, TypeError, "every='a': give a whole number"),
        (("tst/cam",), {"bits": 1.5}, TypeError, "bits=1.5: give a whole number"),
        (("tst/cam",), {"wait": -1}, ValueError, "wait=-1: give seconds that are not negative"),
        (("tst/cam",), {"deadline": "1"}, TypeError, "deadline='1': give seconds"),
        (("tst/cam", "tst/cam"), {}, ValueError, "tst/cam is given twice"),
        ((5,), {}, TypeError, "5 is no name of a run"),
    ]:
        with pytest.raises(error, match=says):
            drp.monitor(*names, **choice)
    os.chmod(tmp_path / "drp" / "monitor", 0o755)
    with pytest.raises(drp.MonitorError, match="0700"):
        next(iter(drp.monitor("tst/cam", wait=0)))


def test_nothing_can_be_added(publisher):
    p = publisher()
    p.publish(event(0), 0, 1, transitions=2)
    p.serve(*(p.frame(RESTART, configure(), 1, 0), p.frame(REPLAY, begin_run(), 2, 0)))
    with drp.monitor("tst/cam", wait=AVAILABLE) as mon:
        for run in mon.runs():
            with pytest.raises(RuntimeError, match="before the loop"):
                run.add_detector("x", fields={"y": (float, 0)})
            for evt in run.events():
                for what in (evt.reject, lambda evt=evt: evt.remove("cam", "raw"), lambda evt=evt: evt.trigger(sum=1)):
                    with pytest.raises(RuntimeError, match="only watched"):
                        what()
                with pytest.raises(drp.ConstantsError, match="that is watched"):
                    _ = run.Detector("cam").calibconst
                break
            break


def test_frames_come_in_pieces():
    """A wake-up is taken without a look at what it says, but never the rest of a transition that looks like one."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        c = _watch.Connection.__new__(_watch.Connection)
        c.socket, c._came, c._data, c.over = ours, bytearray(64), bytearray(), False
        wake = FRAME.pack(_watch.WAKE, 0, 0, 0)
        transition = FRAME.pack(TRANSITION, len(wake), 3, 0) + wake
        theirs.sendall(transition[: FRAME.size])
        assert list(c.receive()) == []
        theirs.sendall(transition[FRAME.size :])
        assert list(c.receive()) == [(TRANSITION, 3, 0, wake)]
        theirs.sendall(wake)
        assert list(c.receive()) == []
        theirs.sendall(wake + 5 * transition + wake)  # more than is received at once
        assert [f[0] for f in c.receive()] == [_watch.WAKE, *[TRANSITION] * 5, _watch.WAKE]
        assert list(c.receive(socket.MSG_DONTWAIT)) == []
        assert not c.over
        theirs.close()
        assert list(c.receive()) == []
        assert c.over
