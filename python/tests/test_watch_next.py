"""The drp that comes after one that has died, while `drp.monitor` still reads what that has left in its queue."""

import contextlib
import itertools
import math
import struct

import pytest
from harness import PAGE
from test_merge import begin, publish
from test_watch import AVAILABLE

import drp
from drp import _shm, _watch
from drp._watch import END


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch):
    monkeypatch.setattr(_watch, "PAUSE", 0)


@pytest.fixture
def serve(publishers):
    """Play the next process for a segment, with these events."""

    def make(*numbers, segment=0, run=14, end=False):
        p = publishers(segment)
        for n in numbers:
            publish(p, n)
        p.serve(*begin(p, run, at=0), *([p.frame(END, b"", 3)] if end else ()))
        return p

    return make


def seen(events, n=None):
    return [(evt.number, evt.missed) for evt in itertools.islice(events, n)]


@contextlib.contextmanager
def come_back(serve, *numbers):
    """Watch one that has died, and give the second, which was there when the event 1 of the first was taken."""
    first = serve(*numbers)
    with drp.monitor("tst/0", wait=AVAILABLE) as mon:
        runs = mon.runs()
        events = next(runs).events()
        assert seen(events, 1) == [(0, 0)]
        first.die()
        second = serve()
        assert seen(events, 1) == [(1, 0)]
        yield mon, runs, events, second


@pytest.mark.parametrize("end", [False, True])
def test_its_queue_is_ours_at_once(serve, end):
    first = serve(0, 1, 2, end=end)
    with drp.monitor("tst/0", wait=AVAILABLE) as mon:
        runs = mon.runs()
        events = next(runs).events()
        assert seen(events, 1) == [(0, 0)]
        first.die()
        second = serve(run=15)
        assert seen(events, 1) == [(1, 0)]
        assert second.said
        publish(second, 0)
        publish(second, 1)
        assert seen(events) == [(2, 0)]
        run = next(runs)
        assert run.runnum == 15
        assert seen(run.events(), 2) == [(0, 0), (1, 0)]


def test_one_that_dies_before_it_is_read_is_missed(serve):
    with come_back(serve, 0, 1, 2, 3) as (mon, runs, events, second):
        for n in range(3):
            publish(second, n)
        second.die()
        with pytest.raises(OSError, match="attach"):  # that we are there does not keep its memory
            _shm.attach(second.data.id, PAGE)
        third = serve()
        assert seen(events, 1) == [(2, 0)]
        publish(third, 0)
        third.ordinal += 4  # for which it has no room
        publish(third, 5)
        assert seen(events) == [(3, 0)]
        assert seen(next(runs).events(), 2) == [(0, 3), (5, 4)]
        assert (mon.missed, mon.got) == (7, 6)


def test_one_that_dies_when_it_would_be_read_is_missed(serve):
    with come_back(serve, 0, 1) as (mon, runs, events, second):
        publish(second, 0)
        second.die()
        mon._feed._again = math.inf  # we have just looked
        serve(0)
        assert seen(events) == []
        assert seen(next(runs).events(), 1) == [(0, 1)]


@pytest.mark.parametrize(("choose", "missed"), [({}, 43), ({"hits": True}, 3), ({"bits": 1}, 3), ({"every": 2}, 3)])
def test_what_was_there_before_us_is_missed(serve, choose, missed):
    first = serve(0, 1)
    struct.pack_into("<Q", first.queue.view, PAGE + 8 * _watch.Q_BEFORE, 10)  # which is none of ours
    with drp.monitor("tst/0", wait=AVAILABLE, **choose) as mon:
        runs = mon.runs()
        events = next(runs).events()
        assert seen(events, 1) == [(0, 0)]
        first.die()
        second = serve(0, 1, 2)
        struct.pack_into("<Q", second.queue.view, PAGE + 8 * _watch.Q_BEFORE, 20)
        assert seen(events, 1) == [(1, 0)]
        second.die()
        third = serve(0, 1)
        struct.pack_into("<Q", third.queue.view, PAGE + 8 * _watch.Q_BEFORE, 20)
        assert seen(events) == []
        assert seen(next(runs).events(), 2) == [(0, missed), (1, 0)]


def test_what_the_last_one_had_no_room_for_is_missed(serve):
    first = serve(0, end=True)
    struct.pack_into("<Q", first.queue.view, PAGE + 8 * _watch.Q_OFFERED, 5)
    with drp.monitor("tst/0", wait=AVAILABLE) as mon:
        runs = mon.runs()
        events = next(runs).events()
        assert seen(events, 1) == [(0, 0)]
        first.die()
        serve(0)
        assert seen(events) == []
        assert seen(next(runs).events(), 1) == [(0, 4)]


def test_the_newest_has_not_waited(serve):
    first = serve(0, 1)
    with drp.monitor("tst/0", wait=AVAILABLE, newest=True) as mon:
        runs = mon.runs()
        events = next(runs).events()
        assert seen(events, 1) == [(0, 0)]
        first.die()
        second = serve(0)
        assert seen(events) == [(1, 0)]
        assert not second.said
        next(runs)
        assert second.said


def test_of_several(serve):
    a, b = serve(1, 2, 3), serve(1, 2, 3, segment=1)
    with drp.monitor("tst/0", "tst/1", wait=AVAILABLE, deadline=AVAILABLE) as mon:
        events = iter(mon)
        assert next(events).complete
        b.die()
        again = serve(segment=1)
        assert next(events).complete
        assert again.said
        publish(a, 5)
        for k in (6, 7):
            publish(again, k)
        assert next(events).complete
        publish(a, 6)
        assert [(evt.timestamp & 0xFF, evt.missing) for evt in itertools.islice(events, 2)] == [
            (5, ("tst/1",)),
            (6, ()),
        ]
        assert [(s.got, s.missed, s.late, s.absent) for s in mon.sources.values()] == [(5, 0, 0, 0), (4, 0, 0, 1)]


def test_of_several_it_is_there_while_another_is_waited_for(serve):
    serve(*range(1, 4))
    b = serve(1, 8, segment=1)
    with drp.monitor("tst/0", "tst/1", wait=AVAILABLE, deadline=AVAILABLE) as mon:
        events = iter(mon)
        assert next(events).complete
        assert next(events).missing == ("tst/1",)  # whose next is at hand
        b.die()
        again = serve(segment=1)
        assert next(events).missing == ("tst/1",)
        assert again.said


def test_of_several_one_after_the_other(serve):
    a, b = serve(1), serve(1, 2, 3, segment=1)
    with drp.monitor("tst/0", "tst/1", wait=AVAILABLE, deadline=AVAILABLE) as mon:
        events = next(mon.runs()).events()
        assert next(events).complete
        a.die()
        a = serve(3, 4)
        assert [evt.missing for evt in itertools.islice(events, 2)] == [("tst/0",), ()]
        b.die()
        assert next(events).missing == ("tst/1",)  # and the run goes on
