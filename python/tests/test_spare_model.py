"""Random sequences of transitions, events and the attach, against a model of what a child answers."""

import json
import random
import select

import pytest
from harness import (
    BEGIN_RUN,
    CONFIGURE,
    DISABLE,
    ENABLE,
    END_RUN,
    END_STEP,
    SLOW,
    UNCONFIGURE,
    begin_run,
    begin_step,
    configure,
    dgram,
    event,
)  # fmt: skip
from test_spare import DECLARE, HEAD, OUT

# What may follow, and what then holds: the kinds are those of the transitions.
NEXT = {
    "unconfigured": [CONFIGURE],
    "configured": [BEGIN_RUN, BEGIN_RUN, UNCONFIGURE, CONFIGURE],
    "run": [6, 6, END_RUN, SLOW],
    "step": [ENABLE, ENABLE, END_STEP, SLOW],
    "enabled": [DISABLE, SLOW],
}
THEN = {CONFIGURE: "configured", UNCONFIGURE: "unconfigured", BEGIN_RUN: "run", END_RUN: "configured", 6: "step",
        END_STEP: "run", ENABLE: "enabled", DISABLE: "step"}  # fmt: skip
ENDS = {CONFIGURE: UNCONFIGURE, BEGIN_RUN: END_RUN, 6: END_STEP, ENABLE: DISABLE, SLOW: END_RUN}

SCRIPT = (
    HEAD
    + "import signal, threading\nask = sys.argv[1]\nif ask == 'top': drp.drp_info.worker_num\n"
    + DECLARE
    + """
def asks():
    if 'thread' in sys.argv:
        t = threading.Thread(target=lambda: drp.drp_info.worker_num); t.start(); t.join()
    else: drp.drp_info.worker_num
begun = 0
for run in ds.runs():
    begun += 1
    if ask == f"begin{begun}": asks()
    for evt in run.events():
        n += 1
        if evt.nanoseconds % 7 == 3: raise ValueError("an unlucky number")
        out.w, out.run, out.n = drp.drp_info.worker_num, run.runnum, n
        evt.add(out)
    if ask == f"end{begun}": asks()
"""
)


class Model:
    """What the child knows, and must answer."""

    def __init__(self, ask):
        self.ask = ask
        self.attached = self.deferred = False
        self.place = "unconfigured"
        self.held = []  # what a replacement is shown
        self.begun = self.run = self.n = 0

    def follow(self, kind, data):
        """The status of a transition, be it a replay or not."""
        self.place = THEN.get(kind, self.place)
        if kind in (CONFIGURE, UNCONFIGURE):
            self.held = []
        self.held = [d for d in self.held if ENDS[d[11] & 15] != kind and d[11] & 15 != kind]
        if kind in ENDS:
            self.held.append(data)
        return self.see(kind)

    def see(self, kind):
        """What the script makes of it."""
        if self.deferred:
            return 1
        asked = kind == CONFIGURE and self.ask == "top"
        if kind == CONFIGURE:
            self.begun = self.n = 0
        elif kind == BEGIN_RUN:
            self.begun += 1
            asked = self.ask == f"begin{self.begun}"
        elif kind == END_RUN:
            asked = self.ask == f"end{self.begun}"
        self.deferred = asked and not self.attached
        return int(self.deferred)

    def restarted(self):
        self.n = 0
        self.begun = 1


def transition(kind, rng):
    if kind == CONFIGURE:
        return configure()
    if kind == BEGIN_RUN:
        return begin_run(rng.randrange(1, 99))
    return begin_step() if kind == 6 else dgram(kind, 9)


def play(d, rng, model, worker):
    run = number = 0
    for _ in range(60):
        if not model.attached and rng.random() < 0.06:
            attach(d, model, worker)
        elif model.place == "enabled" and model.attached and rng.random() < 0.7:
            count = rng.randrange(1, 6)
            answers = d.events((event(number + k) for k in range(count)), rng.choice((0, 1)), rng.choice((0, 1)))
            for k, a in enumerate(answers, number):
                model.n += 1
                if k % 7 == 3:
                    assert a.status == 2 and a.error["message"] == "an unlucky number"
                    model.restarted()
                else:
                    assert a.status == 0, a.error
                    assert a.blocks(OUT)["cam", "x"] == {"w": worker, "run": run, "n": model.n}
            number += count
        else:
            kind = rng.choice(NEXT[model.place])
            data = transition(kind, rng)
            if kind == BEGIN_RUN:
                run = int.from_bytes(data[-4:], "little")
            want = model.follow(kind, data)
            got = d.transition(data).status if model.attached else d.replay(data)
            assert got == want, (kind, model.place)


def attach(d, model, worker):
    d.attach(worker)
    model.attached = True
    if model.deferred:
        model.deferred = False
        for data in model.held:
            assert d.replay(data) == model.see(data[11] & 15) == 0


@pytest.mark.parametrize("seed", range(24))
def test_random(drp, seed):
    rng = random.Random(seed)
    ask = rng.choice(("never", "never", "top", "begin1", "begin2", "end1", "end2"))
    model = Model(ask)
    with drp(SCRIPT, ask, rng.choice(("thread", "main")), spare=True, slots=16) as d:
        play(d, rng, model, rng.randrange(1, 9))
        assert not select.select([d.ans], [], [], 0.01)[0], "an answer too many"


def test_all_in_one_write(drp):
    """Whatever lies in the pipe together is answered one by one, in order, and once."""
    for ask in ("never", "top", "begin1"):
        with drp(SCRIPT, ask, spare=True) as d:
            for t in (configure(), begin_run(), begin_step()):
                d.send(2, t, t[11] & 15)
            d.send(5, json.dumps({**d.place, "worker": 3}).encode())
            kinds = [(a.kind, a.status) for a in (d.answer() for _ in range(4))]
            first = {"never": 3, "top": 0, "begin1": 1}[ask]
            assert kinds == [(2, int(k >= first)) for k in range(3)] + [(5, 0)]
            assert not select.select([d.ans], [], [], 0.05)[0]


def test_a_signal_while_waiting(drp):
    """A script whose signal handler raises between two events begins anew, and no event pays for it."""
    source = (
        HEAD
        + "import signal, time\ndef late(*_): raise TimeoutError('late')\nsignal.signal(signal.SIGALRM, late)\n"
        + DECLARE
        + "for run in ds.runs():\n    for evt in run.events():\n        n += 1\n"
        "        out.w, out.run, out.n = 0, 0, n\n        evt.add(out)\n"
        "        if evt.nanoseconds == 2: signal.setitimer(signal.ITIMER_REAL, 0.05)\n"
    )
    with drp(source) as d:
        d.begin()
        first = d.events(event(k) for k in range(3))
        assert not select.select([d.ans], [], [], 0.3)[0], "an answer too many"
        then = d.events(event(k) for k in range(3, 5))
        assert [a.blocks(OUT)["cam", "x"]["n"] for a in first + then] == [1, 2, 3, 1, 2]
        d.end()
    assert "TimeoutError: late" in d.stderr
