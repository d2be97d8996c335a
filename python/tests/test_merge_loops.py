"""The loops over a merged run: what a reader does with two processes that have the same gives what it does with one."""

import itertools

import pytest
from test_merge_steps import b, e, key, played, walk, watch


def all_steps(run):
    yield from walk(run)


def events_then_steps(run):
    yield from (key(evt) for evt in itertools.islice(run.events(), 1))
    yield from walk(run)


def steps_then_events(run):
    step = next(run.steps())
    yield step.number, key(next(step.events()))
    yield run.step() is step
    for evt in run.events():
        yield key(evt), run.step(evt).number
    yield list(step.events())


def steps_without_events(run):
    motor = run.Detector("motor1")
    yield from ((step.number, motor(step)) for step in run.steps())
    yield list(run.events())
    yield list(run.steps())


def one_step_twice(run):
    for step in run.steps():
        yield step.number, [key(evt) for evt in step.events()], list(step.events())


def left_early(run):
    with pytest.raises(RuntimeError, match="the loop over the events was left while the step went on"):
        for step in run.steps():
            for evt in step.events():
                yield key(evt)
                break
    yield from walk(run)


def taken_up(run):
    for step in run.steps():
        yield [key(evt) for evt in itertools.islice(step.events(), 1)]
        yield [key(evt) for evt in step.events()]


READERS = all_steps, events_then_steps, steps_then_events, steps_without_events, one_step_twice, left_early, taken_up


@pytest.mark.parametrize("read", READERS, ids=lambda f: f.__name__)
def test_it_is_read_as_a_run_of_one(publishers, read):
    script = [b(10, 0.1), 11, 12, e(20), b(30, 0.3), 31, 32, e(40)]
    found = []
    for names in (("tst/0",), ("tst/0", "tst/1")):
        played(publishers, *[script] * len(names))
        with watch(*names) as mon:
            found.append([list(read(run)) for run in mon.runs()])
    assert found[0] == found[1]
    assert found[0][0]
