"""`drp.monitor` of several runs, against drp processes that are played here."""

import itertools
import threading
import time

import numpy as np
import pytest
from harness import BEGIN_RUN, CAM, CONFIGURE, END_RUN, INFO, SCAN, Names, dgram, event, image, shapes_data
from test_watch import AVAILABLE, PAGE

import drp
from drp import _watch, _xtc
from drp._merge import expand
from drp._merged import together
from drp._watch import END, REPLAY, RESTART, TRANSITION

ONLY = Names(0x130, "x", "gauge", "g", "raw", (1, 0, 0), 0, (CAM[0].entries[1],))


def begin(p, run=14, at=None):
    names = [INFO, SCAN, CAM[p.segment], *([ONLY] if p.segment else [])]
    configure = dgram(CONFIGURE, 1, b"".join(map(_xtc.encode_names, names)))
    return p.frame(RESTART, configure, 1, at), p.frame(REPLAY, dgram(BEGIN_RUN, 2, shapes_data(INFO, "x", run)), 2, at)


def publish(p, k, transitions=2, flags=0, bits=0):
    more = dgram(0, 0, shapes_data(ONLY, 1000 + k))[24:] if p.segment else b""
    data = bytearray(event(k, (p.segment,)) + more)
    data[20:24] = (len(data) - 12).to_bytes(4, "little")
    p.ordinal += 1
    p.publish(bytes(data), (p.ordinal - 1) % 4, p.ordinal, number=k, transitions=transitions, flags=flags, bits=bits)


def ended(p, number=3):
    return p.frame(TRANSITION, dgram(END_RUN, 9), number), p.frame(END, b"", number + 1)


def served(publishers, *events, end=True):
    """Play a process for each list of events, all of which are there at once."""
    made = []
    for segment, ks in enumerate(events):
        p = publishers(segment)
        for k in ks:
            publish(p, k)
        p.serve(*begin(p, at=0), *(ended(p) if end else ()))
        made.append(p)
    return made


def test_parts_are_joined_by_timestamp(publishers):
    served(publishers, (0, 1, 3), (1, 2, 3))
    mon = drp.monitor("tst/0", "tst/1", wait=AVAILABLE, restarts=False)
    seen = []
    for run in mon.runs():
        assert run.runnum == 14
        det, gauge = run.Detector("cam"), run.Detector("gauge")
        assert run.detnames == {"cam", "gauge"}
        for evt in run.events():
            k = evt.timestamp & 0xFFFFFFFF
            raw = det.raw.raw(evt)
            there = [s for s in (0, 1) if f"tst/{s}" in evt.parts]
            assert np.array_equal(raw, np.stack([image(k, s) for s in there]))
            assert not raw.flags.writeable
            assert gauge.raw.n(evt) == (1000 + k if 1 in there else None)
            assert np.array_equal(det.raw.n(evt), [k] * len(there) if len(there) > 1 else k)
            assert sorted(det.raw.segments(evt)) == there
            assert evt.complete == (len(there) == 2) and evt.intact
            seen.append((k, evt.missing))
    assert seen == [(1, ()), (2, ("tst/0",)), (3, ())]  # they begin where both are
    assert [(s.got, s.missed, s.absent, s.state) for s in mon.sources.values()] == [
        (2, 1, 1, "ended"),
        (3, 0, 0, "ended"),
    ]


def test_what_one_has_is_no_copy(publishers):
    a, b = served(publishers, (1,), (1,), end=False)
    with drp.monitor("tst/0", "tst/1", wait=AVAILABLE) as mon:
        evt = next(iter(mon))
        for p, name in ((a, "tst/0"), (b, "tst/1")):
            raw = evt.parts[name]._feed.config
            raw = drp._detector.find(raw, "cam").raw.raw(evt.parts[name])
            assert np.shares_memory(raw, np.frombuffer(evt.parts[name]._feed.connection.memory, np.uint8))
            assert p.word(_watch.Q_HELD) == 1
        a.data.view[PAGE : PAGE + 8] = bytes(8)  # drp has taken the slot back
        assert not evt.intact


def test_only_complete_ones(publishers):
    served(publishers, (1, 2, 3), (1, 3, 4))
    mon = drp.monitor("tst/0", "tst/1", wait=AVAILABLE, restarts=False, complete=True)
    assert [evt.timestamp & 0xFF for evt in mon] == [1, 3]
    assert mon.skipped == 2


def test_choices_are_of_the_whole(publishers):
    a, b = publishers(0), publishers(1)
    for k in range(1, 5):
        publish(a, k, flags=k == 2, bits=k)
        publish(b, k, flags=k == 3)
    for p in (a, b):
        p.serve(*begin(p, at=0), *ended(p))
    mon = drp.monitor("tst/0", "tst/1", wait=AVAILABLE, restarts=False, hits=True)
    assert [(evt.timestamp & 0xFF, evt.is_hit, evt.bits) for evt in mon] == [(2, True, 2), (3, True, 3)]


def test_one_that_says_nothing_is_not_waited_for(publishers):
    a, b = served(publishers, (1, 2, 3), (), end=False)
    mon = drp.monitor("tst/0", "tst/1", wait=AVAILABLE, deadline=0.05)
    events = iter(mon)
    assert [(next(events).timestamp & 0xFF, mon._feed._event.missing) for _ in range(2)] == [
        (1, ("tst/1",)),
        (2, ("tst/1",)),
    ]
    publish(b, 1)  # too late
    publish(b, 3)
    evt = next(events)
    while not evt.complete:  # unless we were faster
        publish(a, (evt.timestamp & 0xFF) + 1)
        publish(b, (evt.timestamp & 0xFF) + 1)
        evt = next(events)
    assert mon.sources["tst/1"].late >= 1
    assert mon.sources["tst/1"].absent >= 2
    mon.close()


def test_one_that_dies_comes_back(publishers):
    a = publishers(0)
    publish(a, 1)
    a.serve(*begin(a, at=0))
    b = publishers(1)
    publish(b, 1)
    b.serve(*begin(b, at=0), hang_up=True)
    mon = drp.monitor("tst/0", "tst/1", wait=AVAILABLE, deadline=AVAILABLE)
    runs = mon.runs()
    run = next(runs)
    events = run.events()
    assert next(events).complete
    publish(a, 2)
    assert next(events).missing == ("tst/1",)  # without a wait
    assert (mon.sources["tst/1"].state, mon.state) == ("lost", "running")
    again = publishers(1)
    publish(again, 3)
    again.serve(*begin(again, at=0))
    publish(a, 3)
    evt = next(events)
    assert evt.timestamp & 0xFF == 3
    while not evt.complete:
        time.sleep(0.02)  # the queue of who has not come back has an end
        k = (evt.timestamp & 0xFF) + 1
        publish(a, k)
        publish(again, k)
        evt = next(events)
    assert mon.Detector("cam").raw.raw(evt).shape[0] == 2
    for p in (a, again):
        p.peer.close()
    assert list(events) == []
    assert mon.state == "lost"
    mon.close()
    assert mon.state == "lost"


def test_a_run_comes_once(publishers):
    made = []
    for segment in (0, 1):
        p = publishers(segment)
        frames = [*begin(p, at=0)]
        publish(p, 1)
        frames += [
            p.frame(TRANSITION, dgram(END_RUN, 9), 3),
            p.frame(TRANSITION, dgram(BEGIN_RUN, 10, shapes_data(INFO, "x", 15)), 4),
        ]
        publish(p, 2, transitions=4)
        publish(p, 3, transitions=4)
        p.serve(*frames, *ended(p, 5))
        made.append(p)
    mon = drp.monitor("tst/*", wait=AVAILABLE, restarts=False)
    assert mon.state == "waiting"
    seen = []
    for run in mon.runs():
        seen += [(run.runnum, evt.timestamp & 0xFF, mon.state) for evt in run.events()]
        seen.append(mon.state)
    assert seen == [(14, 1, "running"), "ended", (15, 2, "running"), (15, 3, "running"), "ended"]
    assert mon.state == "ended"


def test_newest_passes_over_what_waits(publishers):
    a, b = served(publishers, (1, 2), (1, 2, 3), end=False)
    mon = drp.monitor("tst/0", "tst/1", wait=AVAILABLE, newest=True, deadline=AVAILABLE)
    events = iter(mon)
    got = []

    stop = threading.Event()

    def go_on():
        for k in itertools.count(4):
            for p in (a, b):
                if p.head - p.word(_watch.Q_TAIL) < 3:
                    publish(p, k)
            if stop.wait(0.002):
                return

    t = threading.Thread(target=go_on)
    t.start()
    try:
        for _ in range(5):
            evt = next(events)
            assert evt.complete and evt.timestamp & 0xFFFFFFFF >= 4
            got.append(evt.timestamp)
    finally:
        stop.set()
        t.join()
    assert got == sorted(set(got))
    mon.close()


def test_names(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    folder = tmp_path / "drp" / "monitor"
    folder.mkdir(parents=True, mode=0o700)
    for name in ("tst+0", "tst+0.lock", "tst+1", "other"):
        (folder / name).touch()
    assert expand(("tst/1", "tst/*", "a/b")) == ["tst/1", "tst/0", "a/b"]
    with pytest.raises(ValueError, match="runs that can be watched: other, tst/0, tst/1$"):
        drp.monitor("x/*")
    with pytest.raises(ValueError, match="give the name"):
        drp.monitor()
    with pytest.raises(TimeoutError, match="--monitor a/b"):
        next(iter(drp.monitor("a/b", "a/c", wait=0)))
    assert together([], 2) is None
    assert together(["a", ["b"]], 1) == ["a", "b"]
