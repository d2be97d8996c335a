"""What the API accepts and refuses, on a small file made up on the spot."""

import os
import runpy
import subprocess
import sys

import numpy as np
import pytest
from harness import (
    DISABLE,
    ENABLE,
    END_RUN,
    END_STEP,
    EPICS,
    SLOW,
    SRC,
    begin_run,
    begin_step,
    configure,
    dgram,
    event,
    image,
    shapes_data,
)  # fmt: skip

import drp
from drp import AlgDef, DataSource, DetectorDef, FieldError


def write(path, events=5, ends=True):
    parts = [configure(), begin_run(), begin_step(), dgram(ENABLE, 4), dgram(SLOW, 5, shapes_data(EPICS, 20.5))]
    parts += [event(k) for k in range(events)]
    if ends:
        parts += [dgram(s, (1 << 32) + 1000 + s) for s in (DISABLE, END_STEP, END_RUN)]
    path.write_bytes(b"".join(parts))
    return path


@pytest.fixture
def file(tmp_path):
    return write(tmp_path / "run.xtc2")


@pytest.fixture
def out(tmp_path, monkeypatch):
    monkeypatch.setenv("DRP_OUT", str(tmp_path / "out.xtc2"))
    return tmp_path / "out.xtc2"


def finish(ds):
    for run in ds.runs():
        for _ in run.events():
            pass


def test_no_data(monkeypatch):
    monkeypatch.delenv("DRP_FILES", raising=False)
    with pytest.raises(RuntimeError, match="DRP_FILES=run.xtc2"):
        DataSource()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        DataSource(files="nowhere.xtc2")


FIELDS = {"image": (np.uint16, 2), "n": (np.uint8, 0), "x": (np.float32, 0), "s": (str, 1), "v": (np.float64, 1)}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("image", np.zeros(3, np.uint16), "Incorrect rank for 'image'. Expected: 2."),
        ("image", np.zeros((3, 3)), "Incorrect type for 'image'. Expected: uint16."),
        ("image", [[1, 2]], "Incorrect type for 'image'"),
        ("image", 5, "Incorrect rank for 'image'"),
        ("n", 256, "'n' = 256 is out of the range of uint8"),
        ("n", -1, "out of the range"),
        ("n", float("nan"), "Expected: uint8"),
        ("n", np.zeros(3), "Incorrect rank for 'n'. Expected: 0."),
        ("n", "5", "Incorrect type for 'n'"),
        ("n", 1j, "Incorrect type for 'n'"),
        ("x", np.complex64(1), "Incorrect type for 'x'"),
        ("s", 5, "Incorrect type for 's'. Expected: str."),
        ("s", np.array(["a"]), "Incorrect type for 's'"),
        ("v", [1.0], "Incorrect type for 'v'"),
    ],
)
def test_setting_checks(file, name, value, message):
    out = DataSource(files=file).add_detector("cam", alg="fex", fields=FIELDS)
    for kind in (TypeError, ValueError, FieldError):
        with pytest.raises(kind) as caught:
            setattr(out, name, value)
        assert message in str(caught.value)
    assert getattr(out, name) is None


def test_setting_and_reading_back(file):
    out = DataSource(files=file).add_detector("cam", alg="fex", fields=FIELDS)
    with pytest.raises(AttributeError, match="no field 'imag'; there are: image, n, s, v, x .did you mean 'image'"):
        out.imag = 1
    with pytest.raises(AttributeError, match="no field"):
        _ = out.imag
    view = np.zeros((4, 4), np.uint16)[::2, ::-1]
    out.image, out.n, out.x, out.s = view, np.float64(3), np.array(4), "hé"
    assert out.image is view
    assert (out.n, out.x, out.s) == (3, 4.0, "hé")
    assert dir(out) == sorted(FIELDS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"fields": {"a": (complex, 0)}}, "allowed are uint8..uint64"),
        ({"fields": {"a": (np.uint8, 5)}}, "allowed are 0 to 4"),
        ({"fields": {"a": (str, 0)}}, "rank 1"),
        ({"fields": {"a": np.uint8}}, "expected .type, rank."),
        ({"fields": {"a b": (np.uint8, 0)}}, "field 'a b'"),
        ({"fields": None}, "give fields="),
        ({"alg": "a-b"}, "alg 'a-b'"),
        ({"version": (1, 2, 300)}, "version"),
        ({"reduce": "mean"}, "reduce='mean'"),
        ({"namesId": 0}, "is taken"),
    ],
)
def test_declaring_checks(file, change, message):
    ds = DataSource(files=file)
    with pytest.raises(ValueError, match=message):
        ds.add_detector("cam", **{"alg": "x", "fields": {"a": (float, 0)}, **change})
    ds.add_detector("cam", alg="x", fields={"a": (float, 0)})
    with pytest.raises(ValueError, match="declared twice"):
        ds.add_detector("cam", alg="x", fields={"a": (float, 0)})


def test_too_late_and_too_early(file):
    ds = DataSource(files=file)
    with pytest.raises(RuntimeError, match="inside the loop"):
        ds.remove_data("cam", "raw")
    run = next(ds.runs())
    for thing in (ds, run):
        with pytest.raises(RuntimeError, match="before the loop"):
            thing.add_detector("cam", alg="x", fields={"a": (float, 0)})


def test_adding(file, out, monkeypatch):
    ds = DataSource(files=str(file))
    fields = {"c": (np.int32, 3), "be": (np.float64, 1), "s": (str, 1)}
    fex = ds.add_detector("cam", alg="fex", fields=fields, segment=3)
    ds.add_trigger(a=float, b=int)
    c = np.arange(24, dtype=np.int32).reshape(2, 3, 4)
    for run in ds.runs():
        for k, evt in enumerate(run.events()):
            with pytest.raises(AssertionError, match="Missing data for 'c'."):
                evt.add(fex)
            fex.c = np.asfortranarray(c)
            with pytest.raises(AssertionError, match="Missing data for 'be'."):
                evt.add(fex)
            fex.be, fex.s = np.arange(3, dtype=">f8"), "x" * k
            evt.add(fex)
            assert fex.c is not None  # to be read until the event is over
            with pytest.raises(ValueError, match="already added"):
                evt.add(fex)
            fex.c, fex.be, fex.s = c, np.zeros(1), ""
            with pytest.raises(ValueError, match="already added"):
                evt.add(fex)
            # what stays set must not leak into the next event
            if k == 1:
                run.remove_data("cam", "raw")
            if k == 2:
                evt.reject()
            if k != 3:
                evt.trigger(a=k)
            with pytest.raises(AttributeError, match=r"ds.add_trigger\(c=float"):
                evt.trigger(c=1)
    seen = [d.fields() for d in drp.open_xtc(out) if d.service == 12]
    assert len(seen) == 4
    for k, fields in zip((0, 1, 3, 4), seen, strict=True):
        got = fields["cam", 3, "fex"]
        assert (got.c == c).all()
        assert list(got.be) == [0, 1, 2]
        assert got.s == "x" * k
        assert (("cam", 0, "raw") in fields) == (k != 1)
        if k == 3:
            assert ("trigger", 0, "input") not in fields
        else:
            assert fields["trigger", 0, "input"].a == k
            assert np.isnan(fields["trigger", 0, "input"].b)
    monkeypatch.delenv("DRP_OUT")
    other = DataSource(files=out)
    finish(other)
    finish(other)  # over is over
    assert other._feed.config.of("cam", "fex")[0].segment == 3


def test_a_result_of_another_source_is_refused(file):
    one, two = DataSource(files=file), DataSource(files=file)
    fex = one.add_detector("cam", alg="fex", fields={"a": (float, 0)})
    fex.a = 1
    with pytest.raises(RuntimeError, match="not declared in this DataSource"):
        two.add_data(fex)


def test_psana_spelling(file, out):
    ds = DataSource(files=file, drp=drp.drp_info)
    info = drp.drp_info
    assert (info.det_name, info.det_type, info.det_id, info.det_segment) == ("cam", "fakecam", "serial0", 0)
    det = ds.add_detector(
        DetectorDef(info.det_name, info.det_type, info.det_id), AlgDef("fex", 0, 0, 1),
        {"roi": (np.float32, 2), "total": (np.float64, 0), "note": (str, 1)},
        nodeId=None, namesId=None, segment=info.det_segment,
    )  # fmt: skip
    for run in ds.runs():
        cam = run.Detector(info.det_name)
        for evt in run.events():
            roi = cam.raw.raw(evt)[0, 1:4, 2:5].astype(np.float32)
            det.fex.roi, det.fex.total, det.fex.note = roi, float(roi.sum()), "ok"
            ds.add_data(det.fex)
            ds.remove_data(info.det_name, "raw")
    last = [d.fields() for d in drp.open_xtc(out) if d.service == 12][-1]
    assert list(last) == [("cam", 0, "fex")]
    assert last["cam", 0, "fex"].total == image(4)[1:4, 2:5].sum()


def test_missing_transitions_are_implied(tmp_path, out):
    path = tmp_path / "bare.xtc2"
    path.write_bytes(configure() + b"".join(event(k) for k in range(3)))
    ds = DataSource(files=path)
    total = ds.add_detector("cam", alg="count", fields={"n": (int, 0)}, reduce="sum")
    for run in ds.runs():
        assert run.runnum is None and run.expt is None
        steps = 0
        n = 0
        for step in run.steps():
            steps += 1
            n += sum(1 for _ in step.events())
        assert (steps, n) == (1, 3)
        total.n = n
        run.add(total)
    services = [d.service.name for d in drp.open_xtc(out)]
    assert services == [
        "Configure",
        "BeginRun",
        "BeginStep",
        "Enable",
        *["L1Accept"] * 3,
        "Disable",
        "EndStep",
        "EndRun",
    ]
    assert list(drp.open_xtc(out))[-1].fields()["cam", 0, "count"].n == 3


def test_batches_offline(file, out):
    ds = DataSource(files=file)
    roi = ds.add_detector("cam", alg="roi", fields={"image": (np.uint16, 2), "n": (float, 0)})
    for run in ds.runs():
        det = run.Detector("cam")
        for batch in run.batches():
            raw = det.raw.raw(batch)
            with pytest.raises(FieldError, match="Expected: 3"):
                roi.image = raw[0, 0]
            with pytest.raises(FieldError, match="2 values for a batch of 1"):
                roi.n = np.zeros(2)
            with pytest.raises(FieldError, match="reject: expected 1 booleans"):
                batch.reject(np.zeros(2, bool))
            roi.image = raw[:, 0, :2, :2]
            roi.n = [7]
            batch.add(roi)
    assert [d.fields()["cam", 0, "roi"].n for d in drp.open_xtc(out) if d.service == 12] == [7.0] * 5


def test_truncated_file(file, capsys):
    file.write_bytes(file.read_bytes()[:-10])
    finish(DataSource(files=file))
    assert "last 14 bytes are an incomplete datagram" in capsys.readouterr().err


@pytest.mark.parametrize("cut", range(24, 900, 25))
def test_damaged_configure_never_crashes(file, cut):
    data = bytearray(file.read_bytes())
    data[cut] ^= 0xFF
    file.write_bytes(data)
    try:
        finish(DataSource(files=file))
    except (ValueError, RuntimeError):
        pass


def run_offline(script, files, *args, out=None, module=False):
    env = {**os.environ, "PYTHONPATH": str(SRC), "DRP_FILES": str(files)}
    env.pop("DRP_OUT", None)
    if out:
        env["DRP_OUT"] = str(out)
    command = [sys.executable, "-W", "error", *(["-m", "drp"] if module else []), str(script), *map(str, args)]
    return subprocess.run(command, env=env, capture_output=True, text=True, timeout=60, check=False)


def test_scripts_offline(file, scripts, tmp_path):
    out = tmp_path / "out.xtc2"
    for module in (False, True):
        done = run_offline(scripts / "myroi.py", file, 2, 3, 8, out=out, module=module)
        assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
        fields = [d.fields() for d in drp.open_xtc(out) if d.service == 12]
        assert [f["cam", 0, "roi"].sum for f in fields] == [image(k)[2:10, 3:11].sum() for k in range(5)]
        done = run_offline(scripts / "sumimage.py", file, out=out, module=module)
        assert (done.returncode, done.stderr) == (0, "")
        end = [d.fields() for d in drp.open_xtc(out) if d.service == END_RUN][0]
        assert end["cam", 0, "sumimage"].count == 5
        assert run_offline(scripts / "passthrough.py", file, out=out, module=module).returncode == 0
        assert out.read_bytes() == file.read_bytes()
    done = run_offline(scripts / "crop.py", file, "2:10", "3:11", out=out, module=True)
    assert (done.returncode, done.stderr) == (0, "")
    fields = [d.fields() for d in drp.open_xtc(out) if d.service == 12]
    for k, f in enumerate(fields):
        got, whole = f["cam", 0, "crop"].image, np.stack([image(k), image(k, 1)])
        assert np.array_equal(got, whole[:, 2:10, 3:11])
        assert ("cam", 0, "raw") not in f
    for words in (["x"], ["2:10"], ["10:2", "3:4"], ["hits", "x"], ["hits", "1", "2"]):
        done = run_offline(scripts / "crop.py", file, *words)
        assert (done.returncode, done.stderr[:6], done.stderr.count("\n")) == (1, "usage:", 1)
    assert "is not inside the image (32, 48)" in run_offline(scripts / "crop.py", file, "2:33", "3:11").stderr
    done = run_offline(scripts / "myroi.py", file, "x")
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert done.stderr.startswith("usage:")
    done = run_offline(scripts / "myroi.py", file, 30, 0)
    assert "is not inside the image (32, 48)" in done.stderr


@pytest.mark.parametrize("what", ["det.raw.calib(evt)", "det.raw.image(evt)", "det.raw.mask()", "det.calibconst"])
def test_corrected_offline(file, tmp_path, what):
    script = tmp_path / "asks.py"
    script.write_text(
        f"import drp\nds = drp.DataSource()\nrun = next(ds.runs())\ndet = run.Detector('cam')\n"
        f"for evt in run.events():\n    {what}\n"
    )
    for module in (False, True):
        done = run_offline(script, file, 7, "a b", module=module)
        assert f"drp -s {file} -p '{script} 7 '\"'\"'a b'\"'\"'' --calib STORE" in done.stderr
        assert f"drp test {script} 7 'a b' --event {file} --event-number 0 --calib STORE" in done.stderr
        done = run_offline(script, file, 7, "--fast", module=module)
        assert f"drp test --event {file} --event-number 0 --calib STORE -- {script} 7 --fast" in done.stderr


def test_failing_event_offline(file, tmp_path):
    script = tmp_path / "bad.py"
    script.write_text(
        "import drp, numpy as np\nds = drp.DataSource()\n"
        "for run in ds.runs():\n    for evt in run.events():\n"
        "        if evt.nanoseconds == 2: raise ValueError('two')\n        evt.remove('cam')\n"
    )
    out = tmp_path / "out.xtc2"
    done = run_offline(script, file, out=out, module=True)
    assert done.returncode == 5
    assert "ValueError: two" in done.stderr
    events = [d for d in drp.open_xtc(out) if d.service == 12]
    assert [bool(d.damage) for d in events] == [False, False, True, False, False]
    assert [len(d.fields()) for d in events] == [0, 0, 2, 0, 0]
    done = run_offline(script, file, out=out)
    assert done.returncode == 1
    assert "ValueError: two" in done.stderr


def test_decorator_offline(file, tmp_path):
    script = tmp_path / "deco.py"
    script.write_text(
        "import drp, numpy as np\n"
        "@drp.fex('cam', alg='roi', fields={'image': (np.uint16, 2)}, removes='raw')\n"
        "def roi(evt, raw):\n    return {'image': raw[0, :3, :3]}\n"
    )
    out = tmp_path / "out.xtc2"
    for text, module in (("", True), ("drp.run()\n", False), ("drp.run()\n", True)):
        script.write_text(script.read_text().replace("drp.run()\n", "") + text)
        done = run_offline(script, file, out=out, module=module)
        assert (done.returncode, done.stderr) == (0, "")
        events = [d.fields() for d in drp.open_xtc(out) if d.service == 12]
        assert [list(f) for f in events] == [[("cam", 0, "roi")]] * 5


def test_usage_of_the_module(tmp_path):
    for args in ([], ["nowhere.py"]):
        done = subprocess.run(
            [sys.executable, "-m", "drp", *args],
            env={**os.environ, "PYTHONPATH": str(SRC)}, capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 2
        assert "Traceback" not in done.stderr
    assert callable(runpy.run_path)
