"""A spare: a child that follows the run by replays, until it is told which worker it is."""

import os
import time

import pytest
from harness import (
    DISABLE,
    ENABLE,
    END_RUN,
    END_STEP,
    EPICS,
    SLOW,
    UNCONFIGURE,
    begin_run,
    begin_step,
    configure,
    dgram,
    event,
    shapes_data,
)  # fmt: skip
from test_child import HEAD

from drp._xtc import Entry, Names

BEGIN = (configure(), begin_run(), begin_step(), dgram(ENABLE, 4))
END = (dgram(DISABLE, 5), dgram(END_STEP, 6), dgram(END_RUN, 7))
OUT = {
    0x102: Names(0x102, "", "cam", "", "x", (1, 0, 0), 0, tuple(Entry(n, 7, 0) for n in ("w", "run", "n"))),
}  # fmt: skip
DECLARE = """
ds = DataSource()
out = ds.add_detector("cam", alg="x", fields={"w": (int, 0), "run": (int, 0), "n": (int, 0)})
n = 0
"""
# Adds the worker, the run number, and how many events it has seen.
LOOP = """
for run in ds.runs():
    for evt in run.events():
        n += 1
        out.w, out.run, out.n = drp.drp_info.worker_num, run.runnum, n
        evt.add(out)
"""
PLAIN = HEAD + DECLARE + LOOP


def follow(d, *transitions):
    return [d.replay(t) for t in transitions]


def values(d, count=3, first=0):
    """The results of some events."""
    found = []
    for a in d.events(event(first + k) for k in range(count)):
        assert a.status == 0, a.error
        x = a.blocks(OUT)["cam", "x"]
        found.append((x["w"], x["run"], x["n"]))
    return found


def counting(tmp_path, body):
    """A script that notes how often it begins."""
    return HEAD + f"\nwith open({str(tmp_path / 'began')!r}, 'a') as f: f.write('x')\n" + body


def began(tmp_path):
    return len((tmp_path / "began").read_text())


def test_follows_the_run_and_goes_on_where_it_is(drp, tmp_path):
    with drp(counting(tmp_path, DECLARE + LOOP), spare=True) as d:
        assert d.hello["version"] == 2 and d.hello["pid"] == d.process.pid
        slow = dgram(SLOW, 9, shapes_data(EPICS, 20.5))
        assert follow(d, *BEGIN, slow, *END, begin_run(15), *BEGIN[2:]) == [0] * 11
        d.attach(3)
        assert values(d) == [(3, 15, 1), (3, 15, 2), (3, 15, 3)]
        assert d.end().status == 0
    assert began(tmp_path) == 1


def test_attach_comes_first(drp):
    with drp(PLAIN, spare=True) as d:
        d.attach(2)
        d.begin()
        assert values(d) == [(2, 14, 1), (2, 14, 2), (2, 14, 3)]
        d.end()


def test_attach_before_anything_then_replay(drp):
    with drp(PLAIN, spare=True) as d:
        d.attach(2)
        assert follow(d, *BEGIN) == [0] * 4
        assert values(d, 1) == [(2, 14, 1)]


def test_a_new_configure_reads_the_script_again(drp, tmp_path):
    with drp(counting(tmp_path, DECLARE + LOOP), spare=True) as d:
        assert follow(d, *BEGIN, *END, dgram(UNCONFIGURE, 8), *BEGIN) == [0] * 12
        assert follow(d, *END, *BEGIN) == [0] * 7  # without Unconfigure
        d.attach(1)
        assert values(d, 2) == [(1, 14, 1), (1, 14, 2)]
    assert began(tmp_path) == 3


def test_idiom_of_a_single_run(drp):
    source = HEAD + DECLARE + LOOP.replace("for run in ds.runs():", "run = next(ds.runs())\nif True:")
    with drp(source, spare=True) as d:
        assert follow(d, *BEGIN, *END, begin_run(15), begin_step()) == [0] * 9
        d.attach(1)
        assert values(d, 2) == [(1, 15, 1), (1, 15, 2)]
        d.end()


def test_results_of_replays_are_thrown_away(drp):
    source = (
        HEAD
        + DECLARE
        + """
for run in ds.runs():
    out.w = out.run = out.n = 1; run.add(out)
    for evt in run.events(): pass
    out.w = out.run = out.n = 2; run.add(out)
"""
    )
    with drp(source, spare=True) as d:
        assert follow(d, *BEGIN, *END, *BEGIN[1:]) == [0] * 10
        d.attach(1)
        assert d.events([event(1)])[0].status == 0
        assert d.end().blocks(OUT)["cam", "x"] == {"w": 2, "run": 2, "n": 2}


ASKING = {
    "worker_num": "w = drp.drp_info.worker_num",
    "is_supervisor": "if drp.drp_info.is_supervisor: pass",
    "pebble_bufsize": "w = drp.drp_info.pebble_bufsize",
    "repr": "w = str(drp.drp_info)",
    "vars": "w = vars(drp.drp_info)",
    "dict": "w = drp.drp_info.__dict__",
    "getattr": "w = getattr(drp.drp_info, 'worker_num', 7)",
    "copy": "import copy; w = copy.copy(drp.drp_info)",
    "pickle": "import pickle; w = pickle.dumps(drp.drp_info)",
    "swallowed": "try: w = drp.drp_info.worker_num\nexcept: w = 99",
    "swallowed and raised": "try: w = drp.drp_info.worker_num\nexcept BaseException: raise ValueError('no number')",
    "in a thread": (
        "import threading\nt = threading.Thread(target=lambda: drp.drp_info.worker_num)\nt.start()\nt.join()"
    ),
    "in a pool": (
        "from concurrent.futures import ThreadPoolExecutor\n"
        "with ThreadPoolExecutor(2) as pool: w = list(pool.map(lambda i: drp.drp_info.worker_num, range(3)))"
    ),
    "in a finalizer": "class F:\n    def __del__(self): drp.drp_info.worker_num\nF()",
    "in a module": "import helper",
    "by a fork": "pid = os.fork()\nif not pid: os._exit(0)\nos.waitpid(pid, 0)",
}


@pytest.mark.parametrize("how", ASKING)
@pytest.mark.parametrize("at", ["configure", "begin_run", "end_run"])
def test_asks_too_early(drp, tmp_path, how, at):
    """The answer is "deferred", the script begins anew after the attach, and sees its worker then."""
    (tmp_path / "helper.py").write_text("import drp\nw = drp.drp_info.worker_num\n")
    ask = ASKING[how]
    loop = LOOP
    if at == "configure":
        source = ask + "\n" + DECLARE + loop
    elif at == "begin_run":
        source = DECLARE + loop.replace("    for evt", "".join(f"    {x}\n" for x in ask.split("\n")) + "    for evt")
    else:
        source = DECLARE + loop + "".join(f"    {x}\n" for x in ask.split("\n"))
    # A finalizer's exception is shown by Python, not raised.
    with drp(counting(tmp_path, source), spare=True, flags=("-W", "default")) as d:
        everything = (*BEGIN, *END, *BEGIN[1:])
        first = {"configure": 0, "begin_run": 1, "end_run": 6}[at]
        assert follow(d, *everything) == [0] * first + [1] * (len(everything) - first)
        d.attach(4)
        assert follow(d, *BEGIN) == [0] * 4
        assert values(d, 2) == [(4, 14, 1), (4, 14, 2)]
        assert d.end().status == 0
    assert began(tmp_path) == 2
    assert "Traceback" not in d.stderr or how == "in a finalizer"


def test_a_module_of_the_script_is_forgotten_with_it(drp, tmp_path):
    (tmp_path / "helper.py").write_text("seen = []\n")
    source = (
        "import helper; helper.seen.append(1); once = len(helper.seen)\n"
        + HEAD
        + DECLARE
        + LOOP.replace("    for evt", "    w = drp.drp_info.worker_num\n    assert once == 1\n    for evt")
    )
    with drp(source, spare=True) as d:
        assert follow(d, *BEGIN) == [0, 1, 1, 1]
        d.attach(1)
        assert follow(d, *BEGIN) == [0] * 4
        assert values(d, 1) == [(1, 14, 1)]


def test_a_thread_that_asks_between_replays(drp, tmp_path):
    """The script stands in its loop and a thread of it asks: after the attach it begins anew, by itself."""
    source = (
        "import threading, time\n"
        + DECLARE
        + """
asked = []
def ask():
    while not os.path.exists(sys.argv[1]): time.sleep(0.001)
    try: asked.append(drp.drp_info.worker_num)
    finally: open(sys.argv[1] + str(len(asked)), "w").close()
threading.Thread(target=ask, daemon=True).start()
"""
        + LOOP
    )
    go = tmp_path / "go"
    with drp(counting(tmp_path, source), go, spare=True) as d:
        assert follow(d, *BEGIN) == [0] * 4
        go.touch()
        while not (tmp_path / "go0").exists():
            time.sleep(0.001)
        d.attach(5)
        assert values(d, 2) == [(5, 14, 1), (5, 14, 2)]
        patience = time.monotonic() + 20
        while not (tmp_path / "go1").exists() and time.monotonic() < patience:  # the thread asks in its own time
            time.sleep(0.001)
        assert (tmp_path / "go1").exists()
        assert d.end().status == 0
    assert began(tmp_path) == 2 and "Traceback" not in d.stderr


def test_a_thread_outlives_its_script(drp, tmp_path):
    """It asks when no script is running, be it before a replay or before the attach."""
    source = (
        "import threading, time\n"
        + DECLARE
        + """
def ask():
    while not os.path.exists(sys.argv[1]): time.sleep(0.001)
    try: drp.drp_info.worker_num
    finally: open(sys.argv[1] + "asked", "w").close()
threading.Thread(target=ask, daemon=True).start()
"""
        + LOOP
        + "    break\n"
    )
    for late in (False, True):
        go, asked = tmp_path / f"go{late}", tmp_path / f"go{late}asked"
        with drp(counting(tmp_path, source), go, spare=True) as d:
            assert follow(d, *BEGIN, *END) == [0] * 7
            go.touch()
            while not asked.exists():
                time.sleep(0.001)
            if late:
                d.attach(5)
                assert follow(d) == []
            else:
                assert follow(d, begin_run()) in ([0], [1])
                d.attach(5)
                assert follow(d, configure()) == [0]
            d.transition(begin_run(16))
            assert values(d, 1)[0][:2] == (5, 16)


def test_threads_and_slow_imports_do_no_harm(drp, tmp_path):
    (tmp_path / "slow.py").write_text("import time\ntime.sleep(0.5)\n")
    source = (
        "import slow, threading, itertools\nbeat = itertools.count()\n"
        "def spin():\n    while True: next(beat); time.sleep(0.001)\nimport time\n"
        "threading.Thread(target=spin, daemon=True).start()\n"
    )
    with drp(counting(tmp_path, source + DECLARE + LOOP), spare=True) as d:
        assert follow(d, *BEGIN[:2], dgram(END_RUN, 7), *BEGIN[1:2]) == [0] * 4
        begin = time.perf_counter()
        d.attach(1)
        assert values(d, 50)[-1] == (1, 14, 50)
        assert time.perf_counter() - begin < 0.4  # the import is over
    assert began(tmp_path) == 1


def test_everything_may_lie_in_the_pipe_at_once(drp):
    for ask in ("", "drp.drp_info.worker_num\n"):
        with drp(HEAD + ask + DECLARE + LOOP, spare=True) as d:
            statuses = []
            for t in BEGIN:
                d.send(2, t, t[11] & 15)
            place = d.place
            d.send(5, __import__("json").dumps({**place, "worker": 6}).encode())
            for _ in BEGIN:
                statuses.append(d.answer().status)
            assert statuses == [bool(ask)] * 4
            assert d.answer().kind == 5
            if ask:
                assert follow(d, *BEGIN) == [0] * 4
            assert values(d, 1) == [(6, 14, 1)]


@pytest.mark.parametrize("wait", [False, True])
def test_decorated_functions(drp, wait):
    source = (
        HEAD
        + ("w = drp.drp_info.worker_num\n" if wait else "")
        + """
seen = 0
@drp.fex(alg="x", fields={"w": (int, 0), "run": (int, 0), "n": (int, 0)})
def x(evt, raw):
    global seen
    seen += 1
    return {"w": drp.drp_info.worker_num, "run": 0, "n": seen}
"""
    )
    with drp(source, spare=True) as d:
        assert follow(d, *BEGIN) == [int(wait)] * 4
        d.attach(7)
        if wait:
            assert follow(d, *BEGIN) == [0] * 4
        assert values(d, 2) == [(7, 0, 1), (7, 0, 2)]
        d.end()


@pytest.mark.parametrize(
    ("source", "answers"),
    [
        ("1 / 0", [2, 0, 0, 0]),
        (HEAD, [2, 0, 0, 0]),
        (HEAD + DECLARE + "for run in ds.runs(): 1 / 0", [0, 2, 0, 0]),
        (HEAD + DECLARE + "for run in ds.runs():\n  for step in run.steps(): 1 / 0", [0, 0, 2, 0]),
        (HEAD + "ds = DataSource()\nds.add_detector('c', fields={'a': (np.uint8, 1)}).a = np.zeros(1)", [2, 0, 0, 0]),
        (
            HEAD
            + DECLARE.replace("int, 0)})", "int, 0), 'a': (np.uint8, 1)})")
            + "out.w = out.run = out.n = 1\nout.a = np.zeros(1 << 16, np.uint8)\nds.add(out)",
            [2, 0, 0, 0],
        ),
    ],
)  # fmt: skip
def test_failures(drp, source, answers):
    with drp(source, spare=True) as d:
        assert follow(d, *BEGIN) == answers
    assert "Error" in d.stderr or "Ended" in d.stderr or "Large" in d.stderr


def test_a_failure_after_the_attach_costs_one_event(drp, tmp_path):
    source = DECLARE + LOOP + "        if evt.nanoseconds == 1: 1 / 0\n"
    with drp(counting(tmp_path, source), spare=True) as d:
        assert follow(d, *BEGIN) == [0] * 4
        d.attach(2)
        assert [a.status for a in d.events(event(k) for k in range(4))] == [0, 2, 0, 0]
        assert values(d, 1, 10) == [(2, 14, 3)]
        assert d.end().status == 0
    assert began(tmp_path) == 2


@pytest.mark.parametrize(
    ("what", "words"),
    [("twice", "once more"), ("early", "to a spare"), ("json", "become a worker"), ("segment", "become a worker"),
     ("kind", "a record of kind 9")],
)  # fmt: skip
def test_nonsense_ends_the_child(drp, what, words):
    d = drp(PLAIN, spare=True)
    assert follow(d, *BEGIN) == [0] * 4
    if what == "twice":
        d.attach()
        d.send(5, b"{}")
    elif what == "early":
        d.send(3, b"", 5)
    elif what == "json":
        d.send(5, b"{")
    elif what == "segment":
        d.send(5, b'{"worker": 1, "raw": {"id": -1, "offset": 0, "slots": 1, "slot_bytes": 1}, "result": {}}')
    else:
        d.send(9, b"", 5)
    with pytest.raises(EOFError, match=words):
        d.read(32)
    assert d.process.wait() == 1
    os.close(d.req)
    os.close(d.ans)


def test_version_and_half_a_worker(drp):
    for more, words in (({"version": 1}, "version 1 .*this package version 2"), ({"worker": 1}, "raw")):
        with pytest.raises(EOFError, match=words):
            drp(PLAIN, spare=True, **more)
