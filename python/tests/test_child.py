"""A real child over pipes and shared memory."""

import signal
import time

import numpy as np
import pytest
from harness import (
    BEGIN_RUN,
    BEGIN_STEP,
    DISABLE,
    ENABLE,
    END_RUN,
    END_STEP,
    EPICS,
    SHAPE,
    SLOW,
    SRC,
    UNCONFIGURE,
    Drp,
    begin_run,
    begin_step,
    configure,
    dgram,
    event,
    image,
    shapes_data,
)  # fmt: skip

HEAD = """
import sys, os, numpy as np
import drp
from drp import DataSource
"""
READ_ONLY = """
def stays_read_only(array):
    try:
        array.flags.writeable = True
    except ValueError:
        return
    raise SystemExit("what drp shares could be written, which would end this process")
"""
ROI = (
    HEAD
    + READ_ONLY
    + """
ds = DataSource()
roi = ds.add_detector("cam", alg="roi", fields={"image": (np.uint16, 2), "sum": (np.float64, 0), "note": (str, 1)})
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        raw = det.raw.raw(evt)
        assert raw.shape == (2, 32, 48) and not raw.flags.writeable and not raw.flags.owndata
        stays_read_only(raw)
        stays_read_only(np.frombuffer(evt.dgram, np.uint8))
        roi.image = raw[1, 2:6, 3:8]
        roi.sum = roi.image.sum()
        roi.note = "event"
        evt.add(roi)
        evt.remove("cam", "raw")
        evt.remove("cam", "nothing")
        evt.trigger(sum=roi.sum + 1.5)
"""
)
LOOP = "\nds = DataSource()\nfor run in ds.runs():\n    det = run.Detector('cam')\n    for evt in run.events():\n"


def body(text):
    return HEAD + LOOP + "".join(f"        {line}\n" for line in text.strip().splitlines())


def test_hello_and_results(drp):
    with drp(ROI) as d:
        assert d.hello["pid"] == d.process.pid
        assert d.hello["numpy"] == np.__version__
        first = d.begin()
        names = {(n.det_name, n.alg): n for n in d.names.values()}
        assert names["cam", "roi"].id == 0x102
        assert (names["cam", "roi"].det_type, names["cam", "roi"].det_id) == ("fakecam", "serial0")
        assert names["trigger", "input"].id == 0x103
        assert [e.name for e in names["trigger", "input"].entries] == ["sum"]
        for layout in (1, 0, 7):
            for k, a in enumerate(d.events([event(k) for k in range(40)], layout)):
                assert (a.status, a.side) == (0, (0x100, 0x101))
                got = a.blocks(d.names)
                assert (got["cam", "roi"]["image"] == image(k, 1)[2:6, 3:8]).all()
                assert got["cam", "roi"]["sum"] == image(k, 1)[2:6, 3:8].sum()
                assert got["cam", "roi"]["note"] == "event"
                assert got["trigger", "input"]["sum"] == got["cam", "roi"]["sum"] + 1.5
        d.end()
        # a second Configure loads the script again and gives the same bytes
        assert d.transition(configure()).result == first.result


@pytest.mark.parametrize("flags", [0, 1])
def test_passthrough_and_solo(scripts, flags):
    with Drp(scripts / "passthrough.py") as d:
        d.begin()
        for a in d.events((event(k) for k in range(60)), flags=flags):
            assert (a.status, a.bytes, a.count) == (0, 0, 0)
        assert d.end().bytes == 0


def test_fields_by_segment_and_absence(drp):
    source = body("""
assert (det.raw.raw is det.raw.array_raw)
if evt.nanoseconds == 0:
    assert det.raw.raw(evt) is None and det.raw.n(evt) is None and det.raw.segments(evt) == {}
elif evt.nanoseconds == 1:
    assert det.raw.raw(evt).shape == (1, 32, 48) and det.raw.n(evt) == 1
else:
    assert list(det.raw.n(evt)) == [2, 2] and list(det.raw.segments(evt)) == [0, 1]
    assert det.raw.segments(evt)[1].n == 2
assert evt.seconds == 1 and evt.timestamp == evt.pulse_id and evt.damage == 0 and evt.env >> 24 == 12
assert len(evt.dgram) == evt.size and evt.dgram.readonly
assert det.config().user.gain == 7 and det.raw._seg_configs()[0].config.user.gain == 7
assert (run.runnum, run.expt) == (14, "xpptut15") and "cam" in run.detnames
assert run.Detector("motor1")(run.step(evt)) == 41.0
assert run.Detector("step_docstring")(evt) == "a step"
assert (run.Detector("XPP:TEMP")(evt) == 20.5) == (evt.nanoseconds > 0)
try: run.Detector("kam")
except KeyError as e: assert "did you mean 'cam'" in str(e), e
try: det.raw.calib
except AttributeError as e: assert "does not exist yet" in str(e), e
""")
    with drp(source) as d:
        d.begin()
        (a,) = d.events([event(0, ())], 3)
        assert a.status == 0, a.error
        assert d.transition(dgram(SLOW, 9, shapes_data(EPICS, 20.5))).status == 0
        (a,) = d.events([event(1, (0,))], 4)
        assert a.status == 0, a.error
        (a,) = d.events([event(2)], 5)
        assert a.status == 0, a.error


def test_failure_costs_one_event_and_restarts(drp, tmp_path):
    source = (
        HEAD
        + """
with open(sys.argv[1], "a") as f: f.write("x")
ds = DataSource()
out = ds.add_detector("cam", alg="fex", fields={"n": (np.uint32, 0), "temp": (float, 0)})
n = 0
for run in ds.runs():
    for evt in run.events():
        n += 1
        out.n, out.temp = n, run.Detector("XPP:TEMP")(evt)
        evt.add(out)
        if evt.nanoseconds == 3:
            1 / 0
"""
    )
    with drp(source, tmp_path / "started") as d:
        d.begin()
        d.transition(dgram(SLOW, 9, shapes_data(EPICS, 20.5)))
        answers = d.events(event(k) for k in range(6))
        assert [a.status for a in answers] == [0, 0, 0, 2, 0, 0]
        assert [a.blocks(d.names)["cam", "fex"]["n"] for a in answers if not a.status] == [1, 2, 3, 1, 2]
        assert answers[4].blocks(d.names)["cam", "fex"]["temp"] == 20.5
        error = answers[3].error
        assert error["type"] == "ZeroDivisionError" and error["line"] == 16
        assert error["file"].endswith("script.py") and "runpy" not in error["traceback"]
        d.end()
    assert (tmp_path / "started").read_text() == "xx"


@pytest.mark.parametrize(
    ("line", "status", "words"),
    [
        ("sys.exit('enough')", 2, "enough"),
        ("sys.exit(0)", 2, "script ended while the run went on"),
        ("break", 2, "left while the run went on"),
        ("raise KeyboardInterrupt", 2, ""),
        ("evt.trigger(**{'x': 1})", 2, "ds.add_trigger(x=float"),
        ("np.zeros(3)[5]", 2, "out of bounds"),
        ("ds.add_detector('cam', alg='x', fields={'a': (float, 0)})", 2, "before the loop"),
        ("det.raw.raw(evt)[:] = 0", 2, "read-only"),
    ],
)
def test_ways_to_fail(drp, line, status, words):
    with drp(body(f"if evt.nanoseconds == 1: {line}")) as d:
        d.begin()
        answers = d.events(event(k) for k in range(3))
        assert [a.status for a in answers] == [0, status, 0]
        assert words in answers[1].error["message"]


@pytest.mark.parametrize(
    ("line", "exhausted"),
    [
        ("raise OSError(errno.EMFILE, 'no')", True),
        ("raise OSError(errno.ENOENT, 'no')", False),
        ("raise MemoryError", True),
        ("np.zeros(1 << 50)", True),
        ("raise KeyError from OSError(errno.EMFILE, 'no')", True),
        ("1 / 0", False),
    ],
)
def test_what_lacks_is_said(drp, line, exhausted):
    with drp(body(f"import errno\n{line}")) as d:
        d.begin()
        (answer,) = d.events([event(0)])
        assert answer.error["exhausted"] is exhausted


def test_oversize(drp):
    source = (
        HEAD
        + """
ds = DataSource()
out = ds.add_detector("cam", alg="fex", fields={"a": (np.uint8, 1)})
for run in ds.runs():
    for evt in run.events():
        if evt.nanoseconds == 0:
            try:
                out.a = np.zeros(20000, np.uint8)
                evt.add(out)
            except drp.ResultTooLarge as e:
                assert e.needed > e.available == 16384 and "--fex-bytes" in str(e)
                out.a = np.zeros(10, np.uint8)
                evt.add(out)
        else:
            out.a = np.zeros(20000, np.uint8)
            evt.add(out)
"""
    )
    with drp(source) as d:
        d.begin()
        answers = d.events(event(k) for k in range(2))
        assert [a.status for a in answers] == [0, 3]
        assert answers[0].bytes == 12 + 12 + 20 + 12 + 10
        assert answers[1].error["type"] == "ResultTooLarge"


def test_whole_result_area_is_usable(drp):
    source = (
        HEAD
        + """
ds = DataSource()
out = ds.add_detector("cam", alg="fex", fields={"a": (np.uint8, 1)})
for run in ds.runs():
    for evt in run.events():
        out.a = np.full(16384 - 56 - 8 - evt.nanoseconds, 5, np.uint8)
        evt.add(out)
        evt.remove("cam")
"""
    )
    with drp(source) as d:
        d.begin()
        for a in d.events(event(k) for k in range(5)):
            assert (a.status, a.side) == (0, (0x100, 0x101))


def test_failure_at_configure_then_reload(drp, tmp_path):
    with drp("import helper\n") as d:
        a = d.transition(configure())
        assert a.error["type"] == "ModuleNotFoundError" and a.error["line"] == 1
        for t in (begin_run(), begin_step()):
            assert d.transition(t).status == 0
        assert d.events([event(1)])[0].error["type"] == "ModuleNotFoundError"
        d.transition(dgram(END_RUN, 5))
        assert d.transition(dgram(UNCONFIGURE, 6)).status == 0
        (tmp_path / "script.py").write_text("def broken(:\n")
        assert d.transition(configure()).error["type"] == "SyntaxError"
        for value in (5, 6):
            (tmp_path / "helper.py").write_text(f"VALUE = {value}\n")
            (tmp_path / "script.py").write_text(
                "import helper\n" + HEAD + "ds = DataSource()\n"
                "out = ds.add_detector('cam', alg='x', fields={'v': (int, 0)})\n"
                "for run in ds.runs():\n  for evt in run.events():\n    out.v = helper.VALUE; evt.add(out)\n"
            )
            d.begin()
            assert d.events([event(1)])[0].blocks(d.names)["cam", "x"]["v"] == value
            d.end()
        (tmp_path / "script.py").write_text(HEAD)
        assert "made no DataSource" in d.transition(configure()).error["message"]
        (tmp_path / "script.py").write_text(HEAD + "ds = DataSource()")
        assert "without asking for runs" in d.transition(configure()).error["message"]


def test_failure_at_begin_run_lasts_until_the_next(drp):
    source = (
        HEAD
        + """
ds = DataSource()
for run in ds.runs():
    if run.runnum == 13: raise RuntimeError("unlucky")
    for evt in run.events(): pass
    if run.runnum == 15: raise RuntimeError("at the end")
"""
    )
    with drp(source) as d:
        d.transition(configure())
        assert d.transition(begin_run(13)).error["message"] == "unlucky"
        d.transition(begin_step())
        assert [a.status for a in d.events([event(1), event(2)])] == [2, 2]
        assert d.transition(dgram(END_RUN, 5)).status == 0
        assert d.transition(begin_run(15)).status == 0
        assert [a.status for a in d.events([event(1), event(2)])] == [0, 0]
        assert d.transition(dgram(END_RUN, 5)).error["message"] == "at the end"
        assert d.transition(begin_run(16)).status == 0
        assert [a.status for a in d.events([event(1), event(2)])] == [0, 0]
        d.end()


def test_psana_idiom_of_a_single_run(drp):
    source = HEAD + "ds = DataSource()\nrun = next(ds.runs())\nfor evt in run.events(): pass\n"
    with drp(source) as d:
        d.begin(1)
        assert d.events([event(1)])[0].status == 0
        assert d.transition(dgram(END_RUN, 5)).status == 0
        assert d.transition(begin_run(2)).status == 0
        assert d.events([event(1)])[0].status == 0
        d.end()


def test_adding_to_transitions(scripts, drp):
    with Drp(scripts / "sumimage.py") as d:
        d.begin()
        d.events(event(k) for k in range(3))
        end = d.end()
        assert end.side == (0x102, 1)
        got = end.blocks(d.names)["cam", "sumimage"]
        assert got["count"] == 3
        assert (got["image"][1] == sum(image(k, 1).astype("u8") for k in range(3))).all()
    source = (
        HEAD
        + """
from drp.dgramedit import AlgDef, DetectorDef
ds = DataSource(drp=drp.drp_info)
cfg = ds.add_detector(DetectorDef("cam", "fakecam", "me"), AlgDef("config", 1, 2, 3), {"threshold": (np.float32, 0)})
cfg.config.threshold = 5
ds.add_data(cfg.config)
hits = ds.add_detector("cam", alg="hits", fields={"n": (np.int16, 0)}, reduce="max")
for run in ds.runs():
    hits.n = -1
    run.add(hits)
    for step in run.steps():
        hits.n = 2
        step.add(hits)
        for evt in step.events(): pass
        hits.n = 3
        step.add(hits)
    hits.n = 4
    run.add_data(hits)
"""
    )
    with drp(source) as d:
        first = d.begin()
        assert first.blocks(d.names)["cam", "config"] == {"threshold": 5.0}
        assert {n.alg: (n.det_id, n.version) for n in d.names.values()}["config"] == ("me", (1, 2, 3))
        d.events([event(1)])
        d.transition(dgram(DISABLE, 5))
        a = d.transition(dgram(END_STEP, 6))
        assert a.blocks(d.names)["cam", "hits"]["n"] == 3 and a.side == (d_id(d, "hits"), 2)
        a = d.transition(begin_step())
        assert a.blocks(d.names)["cam", "hits"]["n"] == 2
        d.transition(dgram(ENABLE, 8))
        assert d.end().blocks(d.names)["cam", "hits"]["n"] == 4
        assert d.transition(configure()).result == first.result
        assert d.transition(begin_run()).blocks(d.names)["cam", "hits"]["n"] == -1


def d_id(d, alg):
    return next(n.id for n in d.names.values() if n.alg == alg)


BATCH = (
    HEAD
    + READ_ONLY
    + """
ds = DataSource()
roi = ds.add_detector("cam", alg="roi", fields={"image": (np.uint16, 2), "n": (np.int64, 0), "note": (str, 1)})
for run in ds.runs():
    det = run.Detector("cam")
    for batch in run.batches(max_events=20):
        raw = det.raw.raw(batch)
        assert raw.shape == (len(batch), 2, 32, 48) and not raw.flags.owndata and len(batch) <= 20
        stays_read_only(raw)
        times = batch.timestamps & 0xFFFFFFFF
        assert (det.raw.n(batch)[:, 0] == times).all()
        roi.image = raw[:, 0, 2:6, 3:8]
        roi.n = np.full(len(batch), len(batch))
        roi.note = ["x" * int(t) for t in times]
        batch.add(roi)
        batch.remove("cam")
        batch.reject(times == 7)
        batch.trigger(t=times)
        if 23 in times: raise ValueError("no 23")
"""
)


def test_batches(drp):
    with drp(BATCH, slots=16) as d:
        d.begin()
        d.post([event(k) for k in range(10)])
        answers = [d.answer() for _ in range(10)]
        assert [a.status for a in answers] == [0] * 7 + [1] + [0] * 2
        for k, a in enumerate(answers):
            got = a.blocks(d.names)
            assert (got["cam", "roi"]["image"] == image(k)[2:6, 3:8]).all()
            assert got["cam", "roi"]["note"] == "x" * k
            assert got["trigger", "input"]["t"] == k
            assert a.side == (0x100, 0x101)
        # slots wrap around, a batch fails, its events come again one by one
        answers = d.events(event(k) for k in range(20, 32))
        assert [a.status for a in answers] == [0, 0, 0, 2] + [0] * 8
        assert answers[3].error["message"] == "no 23"
        assert {a.blocks(d.names)["cam", "roi"]["n"] for a in answers[:3]} == {1}
        answers = d.events((event(k) for k in range(40, 44)), layout=0)
        assert [a.blocks(d.names)["cam", "roi"]["n"] for a in answers] == [1] * 4
        assert d.end().status == 0


def test_decorator(drp):
    source = (
        HEAD
        + """
seen = 0
@drp.fex(fields={"image": (np.uint16, 2), "seen": (int, 0)}, removes="raw")
def roi(evt, raw):
    global seen
    seen += 1
    if evt.nanoseconds == 1: return None
    if evt.nanoseconds == 2: return False
    if evt.nanoseconds == 3: raise ValueError("three")
    if evt.nanoseconds == 4: return {"image": raw[0]}
    if evt.nanoseconds == 5: return {"image": raw[0], "seem": 1}
    return {"image": raw[0, :2, :2], "seen": seen}
"""
    )
    with drp(source) as d:
        d.begin()
        answers = d.events(event(k) for k in range(7))
        assert [a.status for a in answers] == [0, 0, 1, 2, 2, 2, 0]
        assert answers[3].error["message"] == "three" and answers[3].error["line"] == 13
        assert "Missing data for 'seen'" in answers[4].error["message"]
        assert "did you mean 'seen'" in answers[5].error["message"]
        assert answers[6].blocks(d.names)["cam", "roi"]["seen"] == 7
        assert (answers[6].side, answers[1].side) == ((0x100, 0x101), ())
        d.end()


def test_replay(drp):
    source = (
        HEAD
        + """
ds = DataSource()
out = ds.add_detector("cam", alg="x", fields={"run": (int, 0), "m": (float, 0)})
for run in ds.runs():
    out.run, out.m = 1, 0; run.add(out)
    for evt in run.events():
        out.run, out.m = run.runnum, run.Detector("motor1")(evt)
        evt.add(out)
"""
    )
    with drp(source) as d:
        for t in (configure(), begin_run(77), begin_step(9.0), dgram(SLOW, 5)):
            assert d.replay(t) == 0
        (a,) = d.events([event(1)])
        d.names = {0x102: __import__("drp")._xtc.Names(
            0x102, "", "cam", "", "x", (1, 0, 0), 0,
            (__import__("drp")._xtc.Entry("run", 7, 0), __import__("drp")._xtc.Entry("m", 9, 0)))}  # fmt: skip
        assert a.blocks(d.names)["cam", "x"] == {"run": 77, "m": 9.0}
        d.end()


def test_reject_and_stale_events(drp):
    source = body("""
if evt.nanoseconds == 0: old = evt
if evt.nanoseconds == 1: evt.reject()
if evt.nanoseconds == 2: det.raw.raw(old)
if evt.nanoseconds == 3: assert old.nanoseconds == 0
""")
    with drp(source) as d:
        d.begin()
        answers = d.events(event(k) for k in range(4))
        assert [a.status for a in answers] == [0, 1, 2, 2]
        assert "valid until" in answers[2].error["message"]


@pytest.mark.parametrize("line", ["evt.reject()", "evt.trigger()"])
def test_what_is_decided_stays(drp, line):
    """A script that comes after the trigger can do neither; in one that comes before, both are fine."""
    for decided in (False, True):
        with drp(body(f"if evt.nanoseconds == 1: {line}"), decided=decided) as d:
            d.begin()
            answers = d.events(event(k) for k in range(3))
            assert [a.status for a in answers] == [0, 2 if decided else int("reject" in line), 0]
            if decided:
                assert "it is decided already that the event is recorded" in answers[1].error["message"]


def test_end_of_file_ends_a_hanging_child_and_sigusr1_tells_where(drp):
    with drp(body("import time; time.sleep(0.5)")) as d:
        d.begin()
        d.post([event(1)])
        time.sleep(0.2)
        d.process.send_signal(signal.SIGINT)
        d.process.send_signal(signal.SIGUSR1)
        assert d.answer().status == 0
    assert "script.py" in d.stderr


def test_missing_numpy(tmp_path):
    (tmp_path / "numpy.py").write_text("raise ModuleNotFoundError('no', name='numpy')")
    with pytest.raises(EOFError, match="numpy is missing in .*pip install numpy"):
        Drp(tmp_path / "x.py", env={"PYTHONPATH": f"{tmp_path}:{SRC}"})


def test_implied_run(drp):
    """Events without BeginRun still reach the script."""
    with drp(body("evt.reject()")) as d:
        d.transition(configure())
        assert d.events([event(1)])[0].status == 1
        assert d.transition(dgram(UNCONFIGURE, 6)).status == 0


def test_rate_is_not_absurd(scripts):
    """A coarse guard; the real figures come from a quiet machine."""
    with Drp(scripts / "passthrough.py", slots=1000, slot_bytes=8192, out_bytes=64) as d:
        d.begin()
        data = [event(k) for k in range(1000)]
        begin = time.perf_counter()
        for _ in range(3):
            d.events(data)
        assert time.perf_counter() - begin < 3
    assert SHAPE == (32, 48) and BEGIN_RUN + BEGIN_STEP == 10
