"""The steps of a run that is merged, against drp processes that are played here."""

import itertools
import threading
import time

import pytest
from harness import BEGIN_RUN, BEGIN_STEP, END_RUN, END_STEP, INFO, SCAN, SLOW, dgram, shapes_data
from test_merge import begin, publish
from test_watch import AVAILABLE

import drp
from drp._watch import END, TRANSITION


class Played:
    """A process that is played: events by their number, transitions as (service, time, value)."""

    def __init__(self, p, number=2):
        self.p, self.number = p, number

    def frames(self, items):
        """Publish what is an event, and give what goes over the socket."""
        found = []
        for item in items:
            if isinstance(item, int):
                publish(self.p, item, transitions=self.number)
                continue
            service, at, *value = item
            names = {BEGIN_STEP: SCAN, BEGIN_RUN: INFO}.get(service)
            said = [*value, "a step"] if service == BEGIN_STEP else ["x", *value]
            self.number += 1
            data = dgram(service, 1 << 32 | at, shapes_data(names, *said) if names else b"")
            found.append(self.p.frame(TRANSITION, data, self.number))
        return found

    def say(self, *items):
        """Go on, while somebody watches."""
        for frame in self.frames(items):
            self.p.peer.sendall(frame)

    def end(self, at=99):
        self.say((END_RUN, at))
        self.p.peer.sendall(self.p.frame(END, b"", self.number + 1))


def played(publishers, *scripts, end=True):
    """Play a process for each script, all of which is there at once."""
    made = []
    for segment, items in enumerate(scripts):
        p = Played(publishers(segment))
        frames = [*begin(p.p, at=0), *p.frames([*items, *([(END_RUN, 99)] if end else [])])]
        p.p.serve(*frames, *([p.p.frame(END, b"", p.number + 1)] if end else []))
        made.append(p)
    return made


def b(at, value=0.0):
    return BEGIN_STEP, at, value


def e(at):
    return END_STEP, at


def watch(*names, **options):
    options = {"wait": AVAILABLE, "restarts": False, "deadline": AVAILABLE, **options}
    return drp.monitor(*(names or ("tst/0", "tst/1")), **options)


def key(evt):
    return evt.timestamp & 0xFFFFFFFF


def walk(run):
    """Give the steps of a run: number, value, events; and see that the value is that of the step at each event, too."""
    motor, seen = run.Detector("motor1"), []
    for step in run.steps():
        value, keys = motor(step), []
        for evt in step.events():
            assert run.step(evt) is step
            assert motor(evt) == value
            keys.append(key(evt))
        seen.append((step.number, value, keys))
    return seen


BOTH = [b(10, 0.1), 11, 12, e(20), b(30, 0.3), 31, e(40)]
TABLE = {
    "both the same": (BOTH, BOTH, [(0, 0.1, [11, 12]), (1, 0.3, [31])]),
    "one lacks events": (BOTH, [b(10, 0.1), 11, e(20), b(30, 0.3), 31, e(40)], [(0, 0.1, [11, 12]), (1, 0.3, [31])]),
    "the first lacks events": ([b(10, 0.1), 11, e(20), b(30, 0.3), 31], BOTH, [(0, 0.1, [11, 12]), (1, 0.3, [31])]),
    "one has no steps": (BOTH, [11, 12, 31], [(0, 0.1, [11, 12]), (1, 0.3, [31])]),
    "the first has no steps": ([11, 12, 31], BOTH, [(0, 0.1, [11, 12]), (1, 0.3, [31])]),
    "nobody has steps": ([11, 12], [11, 12], [(0, None, [11, 12])]),
    "nobody ends them": (
        [b(10, 0.1), 11, b(30, 0.3), 31],
        [b(10, 0.1), 11, b(30, 0.3), 31],
        [(0, 0.1, [11]), (1, 0.3, [31])],
    ),
    "one ends none": (BOTH, [b(10, 0.1), 11, 12, b(30, 0.3), 31], [(0, 0.1, [11, 12]), (1, 0.3, [31])]),
    "without events": (
        [b(10, 0.1), 11, e(20), b(30, 0.3), e(40), b(50, 0.5), 51, e(60), b(70, 0.7), e(80)],
        [b(10, 0.1), 11, e(20), b(30, 0.3), e(40), b(50, 0.5), 51, e(60), b(70, 0.7), e(80)],
        [(0, 0.1, [11]), (1, 0.3, []), (2, 0.5, [51]), (3, 0.7, [])],
    ),
    "outside of steps": (
        [b(10, 0.1), 11, e(20), 25, b(30, 0.3), 31],
        [b(10, 0.1), 11, e(20), 25, b(30, 0.3), 31],
        [(0, 0.1, [11]), (1, 0.1, [25]), (2, 0.3, [31])],
    ),
    "one is a bit later": (BOTH, [b(11, 0.1), 12, e(21), b(32, 0.3), 33, e(41)], [(0, 0.1, [12]), (1, 0.3, [31, 33])]),
    "one lacks a step": (
        [b(10, 0.1), 11, e(20), b(30, 0.3), 31, e(40), b(50, 0.5), 51, e(60)],
        [b(10, 0.1), 11, e(20), 31, b(50, 0.5), 51, e(60)],
        [(0, 0.1, [11]), (1, 0.3, [31]), (2, 0.5, [51])],
    ),
    "one lacks a step, and is longer in the next": (
        [b(10, 0.1), 11, b(50, 0.5), 51, 65, e(66)],
        [b(10, 0.1), 11, b(30, 0.3), 31, b(50, 0.5), 51, e(60)],
        [(0, 0.1, [11]), (1, 0.3, [31]), (2, 0.5, [51, 65])],
    ),
    "one goes on when the other has ended": (
        [b(10, 0.1), 11, e(20), b(30, 0.3), 31],
        [b(10, 0.1), 11, 25, e(26), b(30, 0.3), 31],
        [(0, 0.1, [11, 25]), (1, 0.3, [31])],
    ),
    "one comes in the second": (
        [b(10, 0.1), 11, e(20), b(30, 0.3), 31, 32, e(40)],
        [b(30, 0.3), 32, e(40)],
        [(0, 0.1, []), (1, 0.3, [32])],  # 11 and 31 are before what both can have
    ),
    "slow updates wait, too": (
        [b(10, 0.1), 11, (SLOW, 12), 13, e(20), b(30, 0.3), (SLOW, 31), 32],
        [b(10, 0.1), 11, (SLOW, 12), 14, e(20), b(30, 0.3), 33],
        [(0, 0.1, [11, 13, 14]), (1, 0.3, [32, 33])],
    ),
}


@pytest.mark.parametrize("case", TABLE)
@pytest.mark.parametrize("turned", [False, True])
def test_steps(publishers, case, turned):
    one, other, want = TABLE[case]
    played(publishers, *((other, one) if turned else (one, other)))
    with watch() as mon:
        assert [walk(run) for run in mon.runs()] == [want]
    assert [s.late for s in mon.sources.values()] == [0, 0]


def test_steps_count_from_0_in_each_run(publishers):
    script = [b(10, 0.1), 11, e(20), (END_RUN, 25), (BEGIN_RUN, 26, 15), b(30, 0.3), 31, e(40)]
    played(publishers, script, script)
    with watch() as mon:
        assert [(run.runnum, walk(run)) for run in mon.runs()] == [(14, [(0, 0.1, [11])]), (15, [(0, 0.3, [31])])]


def test_a_run_that_is_left_does_not_come_again(publishers):
    script = [b(10, 0.1), 11, 12, 13, e(20), (END_RUN, 25), (BEGIN_RUN, 26, 15), b(30, 0.3), 31, e(40)]
    for names in (("tst/0",), ("tst/0", "tst/1")):
        played(publishers, *[script] * len(names))
        with watch(*names) as mon:
            assert [(run.runnum, key(next(run.events()))) for run in mon.runs()] == [(14, 11), (15, 31)]


def test_it_ends_when_all_have_ended_it(publishers):
    """Nobody waits for the next event to see that a step is over, nor does one process speak for the other."""
    one, other = played(publishers, [b(10, 0.1), 11], [b(10, 0.1), 11], end=False)
    with watch() as mon:
        run = next(mon.runs())
        steps = run.steps()
        step = next(steps)
        events = step.events()
        assert key(next(events)) == 11
        one.say(e(20))
        other.say(12, e(20))
        assert key(next(events)) == 12
        assert list(events) == []
        assert run.step() is None
        one.say(b(30, 0.3))
        other.say(b(30, 0.3))
        step = next(steps)
        assert (step.number, run.Detector("motor1")(step)) == (1, 0.3)
        one.end()
        other.end()
        assert list(step.events()) == list(steps) == []


def comes_back(mon):
    """Find the first process again, which is done between events else."""
    source = mon.sources["tst/0"]
    for _ in range(AVAILABLE * 100):
        source._look(mon._feed.last)
        if source.state == "running" and source._head is not None:
            return
        time.sleep(0.01)
    raise AssertionError(source)


def test_one_dies_in_the_middle(publishers):
    one, other = played(publishers, [b(10, 0.1), 11], [b(10, 0.1), 11], end=False)
    with watch(restarts=True) as mon:
        run = next(mon.runs())
        motor, steps = run.Detector("motor1"), run.steps()
        step = next(steps)
        events = step.events()
        assert next(events).complete
        one.p.peer.close()
        one.p.listener.close()
        other.say(12, e(20), b(30, 0.3), 31)
        assert [(key(evt), evt.missing) for evt in events] == [(12, ("tst/0",))]
        step = next(steps)
        events = step.events()
        assert (step.number, motor(step), key(next(events))) == (1, 0.3, 31)  # 0.1 is what the dead has said last
        again = Played(publishers(0))
        again.p.serve(*begin(again.p), *again.frames([b(30, 0.3), 32]))
        comes_back(mon)
        other.say(32, e(40), b(50, 0.5), 51, e(60))
        again.say(e(40), b(50, 0.5), 51, e(60))
        assert [(key(evt), evt.missing) for evt in events] == [(32, ())]
        again.end()
        other.end()
        assert [(s.number, motor(s), [key(evt) for evt in s.events()]) for s in steps] == [(2, 0.5, [51])]


@pytest.mark.parametrize("back", [b(10, 0.1), b(30, 0.3)])
def test_the_only_one_with_steps_dies(publishers, back):
    """Its step goes on for the others; it comes back to it, or to the next."""
    one, other = played(publishers, [b(10, 0.1), 11], [11], end=False)
    with watch(restarts=True) as mon:
        run = next(mon.runs())
        steps = run.steps()
        step = next(steps)
        events = step.events()
        assert next(events).complete
        one.p.peer.close()
        one.p.listener.close()
        other.say(12)
        assert key(next(events)) == 12
        again = Played(publishers(0))
        again.p.serve(*begin(again.p), *again.frames([back, 31]))
        comes_back(mon)
        other.say(31)
        again.end()
        other.end()
        assert [key(evt) for evt in events] == ([31] if back[1] == 10 else [])
        found = [(s.number, run.Detector("motor1")(s), [key(evt) for evt in s.events()]) for s in steps]
        assert found == ([] if back[1] == 10 else [(1, 0.3, [31])])


def test_one_that_is_silent_comes_late(publishers):
    """What it has of a step that is over is late, and makes no step of its own."""
    script = [b(10, 0.1), 11]
    one, other = played(publishers, script, script, end=False)
    with watch(deadline=0.05) as mon:
        run = next(mon.runs())
        steps = run.steps()
        step = next(steps)
        one.say(13, e(20), b(30, 0.3))
        assert [key(evt) for evt in itertools.islice(step.events(), 2)] == [11, 13]
        one.say(31)
        assert list(step.events()) == []
        step = next(steps)
        other.say(14, e(20), b(30, 0.3), 31, 32)
        one.say(32, e(40))
        other.say(e(40))
        assert [key(evt) for evt in step.events()] == [31, 32]
        one.end()
        other.end()
        assert list(steps) == []
        assert mon.sources["tst/1"].late == 1


@pytest.mark.parametrize("at", [9, 10])
def test_one_comes_to_a_step_when_it_is_over(publishers, at):
    one, other = played(publishers, [b(10, 0.1), 11], [], end=False)
    with watch(deadline=0.05) as mon:
        steps = next(mon.runs()).steps()
        step = next(steps)
        events = step.events()
        assert key(next(events)) == 11
        one.say(e(20))
        assert list(events) == []
        other.say(b(at, 0.1), 12, e(20), b(30, 0.3), 31)
        one.say(b(30, 0.3), 31)
        step = next(steps)
        assert (step.number, step.timestamp & 0xFF, key(next(step.events()))) == (1, 30, 31)
        assert mon.sources["tst/1"].late == 1


def test_it_begins_where_both_have_events(publishers):
    """What one says of steps is no event: its first is waited for."""
    _, other = played(publishers, [b(10, 0.1), 11, e(20), b(30, 0.3), 31], [b(10, 0.1), e(20), b(30, 0.3)], end=False)
    with watch() as mon:
        sleep, late = mon._feed.sleep, iter([31])

        def wait(seconds):
            other.say(*itertools.islice(late, 1))
            sleep(seconds)

        mon._feed.sleep = wait
        steps = next(mon.runs()).steps()
        first = next(steps)
        assert (first.number, list(first.events())) == (0, [])
        second = next(steps)
        evt = next(second.events())
        assert (second.number, key(evt), evt.missing) == (1, 31, ())


def test_the_events_of_a_step_are_not_those_of_another(publishers):
    script = [b(10, 0.1), 11, e(20), b(30, 0.3), 31, e(40)]
    played(publishers, script, script)
    with watch() as mon:
        run = next(mon.runs())
        first, second = next(run.steps()), next(run.steps())
        assert (list(first.events()), [key(evt) for evt in second.events()]) == ([], [31])


def test_a_run_of_the_same_number_is_another(publishers):
    """As when files are replayed again and again: times begin anew, too."""
    script = [b(10, 0.1), 11, e(20), (END_RUN, 25), (BEGIN_RUN, 5, 14), b(6, 0.3), 7, e(8)]
    played(publishers, script, script)
    with watch() as mon:
        assert [(run.runnum, walk(run)) for run in mon.runs()] == [(14, [(0, 0.1, [11])]), (14, [(0, 0.3, [7])])]


def test_one_is_in_the_next_run(publishers):
    """The other is in its run yet, first with events and then for ever."""
    one = [b(10, 0.1), 11, e(20), (END_RUN, 25), (BEGIN_RUN, 26, 15), b(30, 0.3), 31, e(40)]
    played(publishers, one, [11, 22], end=False)
    with watch(deadline=0.05) as mon:
        runs = mon.runs()
        run = next(runs)
        assert (run.runnum, walk(run)) == (14, [(0, 0.1, [11]), (1, 0.1, [22])])
        run = next(runs)
        step = next(run.steps())
        assert (run.runnum, step.number, key(next(step.events()))) == (15, 0, 31)


def test_newest_misses_no_step(publishers):
    script = [b(10, 0.1), 11, 12, e(20), b(30, 0.3), 31, e(40)]
    played(publishers, script, script)
    with watch(newest=True) as mon:
        assert [(s.number, len(list(s.events()))) for run in mon.runs() for s in run.steps()] == [(0, 0), (1, 0)]


def test_what_waits_for_others_has_an_end(publishers):
    """A process that has a run and shows nothing does not keep the transitions of others for ever."""
    quiet = [item for k in range(100) for item in (b(10 + 4 * k, k), e(12 + 4 * k))]
    played(publishers, quiet, [], end=False)
    with watch() as mon:
        steps = next(mon.runs()).steps()
        assert [next(steps).number for _ in range(50)] == list(range(50))


@pytest.mark.parametrize("slow", [0, 1])
def test_a_run_begins_with_who_is_a_moment_later(publishers, slow):
    first, second = [b(2), 3, e(4), (END_RUN, 5)], [(BEGIN_RUN, 10, 15), b(11), 12, 13, e(14)]
    made = played(publishers, *(first if i == slow else first + second for i in (0, 1)), end=False)
    later = threading.Timer(0.3, lambda: made[slow].say(*second))
    with watch() as mon:
        runs = mon.runs()
        assert [key(evt) for evt in itertools.islice(next(runs).events(), 1)] == [3]
        later.start()
        run = next(runs)
        assert [(run.runnum, key(evt), evt.missing) for evt in itertools.islice(run.events(), 2)] == [
            (15, 12, ()),
            (15, 13, ()),
        ]
        later.join()
        assert all(s.late == 0 for s in mon.sources.values())


def test_who_does_not_begin_a_run_is_waited_for_no_longer(publishers):
    first, second = [b(2), 3, e(4), (END_RUN, 5)], [(BEGIN_RUN, 10, 15), b(11), 12, 13, e(14)]
    played(publishers, first, first + second, end=False)
    with watch(deadline=0.1) as mon:
        runs = mon.runs()
        assert [key(evt) for evt in itertools.islice(next(runs).events(), 1)] == [3]
        seen = [(key(evt), evt.missing) for evt in itertools.islice(next(runs).events(), 2)]
        assert seen == [(12, ("tst/0",)), (13, ("tst/0",))]
