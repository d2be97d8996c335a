"""The sample files, and the values they must yield."""

import collections
import hashlib

import numpy as np
import pytest

import drp
from drp import DataSource

COUNTS = {
    "test_ts.xtc2": {2: 1, 4: 1, 6: 1, 8: 1, 12: 2},
    "test_timetool.xtc2": {2: 1, 12: 1325},
    "detector/test_epix_calib.xtc2": {2: 1, 4: 1, 6: 1, 8: 1, 12: 2},
    "detector/test_jungfrau05M_calib.xtc2": {2: 1, 4: 1, 6: 2, 8: 1, 10: 1, 12: 2},
    "intg_det/xpptut15-r0014-s000-c000.xtc2": {2: 1, 4: 1, 6: 1, 8: 1, 12: 17, 9: 1, 7: 1, 5: 1},
    "mixed_rate/xpptut15-r0014-s000-c000.xtc2": {2: 1, 4: 1, 6: 1, 8: 1, 10: 3, 12: 100, 9: 1, 7: 1, 5: 1},
    "mixed_rate/xpptut15-r0014-s001-c000.xtc2": {2: 1, 4: 1, 6: 1, 8: 1, 10: 3, 12: 10, 9: 1, 7: 1, 5: 1},
    "mixed_rate/smalldata/xpptut15-r0014-s000-c000.smd.xtc2": {
        2: 1, 4: 1, 6: 1, 8: 1, 10: 3, 12: 100, 9: 1, 7: 1, 5: 1,
    },
    "chunking/xpptut15-r0014-s000-c000.xtc2": {2: 1, 4: 1, 6: 1, 8: 2, 12: 10},
}  # fmt: skip
EPIX = ["c302a330787f5ef9", "d02d6b363a39ae46", "204b20f5387f8a34", "43870782a8cbd8f5"]
EPIX += ["6d0a24a184fe8572", "b7f63bb2ef9da64f", "37673aa75375af66", "2ce09edae53e6f32"]


def digest(array):
    return hashlib.sha256(array.tobytes()).hexdigest()[:16]


@pytest.mark.parametrize("name", COUNTS)
def test_counts(data, name):
    with drp.open_xtc(data / name) as file:
        counts = collections.Counter()
        for dgram in file:
            counts[int(dgram.service)] += 1
            dgram.fields()
        assert counts == COUNTS[name]
        assert file.leftover == 0


def test_epix(data):
    ds = DataSource(files=data / "detector/test_epix_calib.xtc2")
    assert ds.camera == "epixquad"
    found = []
    for run in ds.runs():
        assert (run.runnum, run.expt) == (109, "ueddaq02")
        det = run.Detector("epixquad")
        for evt in run.events():
            raw = det.raw.raw(evt)
            assert raw.shape == (4, 352, 384)
            assert not raw.flags.owndata
            assert det.raw.aux(evt).shape == (4, 4, 384)
            found += [digest(segment) for segment in raw]
        config = det.config(2)
        assert config.asicPixelConfig.shape == (4, 176, 192)
        assert (config.asicPixelConfig == 8).all()
        assert list(det.raw._seg_configs()) == [0, 1, 2, 3]
    assert found == EPIX


def test_jungfrau(data):
    ds = DataSource(files=data / "detector/test_jungfrau05M_calib.xtc2")
    found = []
    for run in ds.runs():
        det = run.Detector("jungfrau")
        for evt in run.events():
            assert det.raw.raw(evt).shape == (1, 512, 1024)
            assert not det.raw.raw(evt).flags.owndata
            found.append((digest(det.raw.raw(evt)), det.raw.frame_cnt(evt), det.raw.numHotPixels(evt)))
        assert det.config().user.gainMode.names
    assert found == [("225ba6df0e599856", 7665, 258), ("55b2ac769ecc8a18", 7666, 258)]


def test_mixed_rate(data):
    ds = DataSource(files=[data / f"mixed_rate/xpptut15-r0014-s00{s}-c000.xtc2" for s in (0, 1)])
    shapes = collections.Counter()
    for run in ds.runs():
        det = run.Detector("xpphsd")
        pmon = run.Detector("HX2:DVD:GCC:01:PMON")
        assert ("motor1", "raw") in run.scaninfo
        assert ("HX2:DVD:GPI:01:PMON", "raw") in run.epicsinfo
        assert det.config(3).raw_prescale.shape == (4,)
        for step in run.steps():
            assert run.Detector("motor1")(step) == 41.0
            assert run.Detector("motor2")(step) == 42.0
            for evt in step.events():
                shapes[det.raw.array0Pgp(evt).shape[0]] += 1
                fex = det.fex.segments(evt)[0]
                assert (fex.charStrFex, fex.floatFex, fex.intFex) == ("Test String", 41.0, 42)
                enum = fex.enumFex1
                assert enum.names == {5: "LowGain", -2: "HighGain"} or enum.value in (-2, 5, 12)
                assert len(det.fex.enumFex1(evt)) == len(det.fex.charStrFex(evt)) in (2, 4)
        assert pmon(None) == 41.0
        assert run.Detector("HX2:DVD:GPI:01:PMON")() == "Test String"
        with pytest.raises(KeyError, match="did you mean 'xpphsd'"):
            run.Detector("xpphds")
    assert shapes == {2: 90, 4: 10}


def test_streams_of_different_rates(data, tmp_path, monkeypatch):
    monkeypatch.setenv("DRP_OUT", str(tmp_path / "merged.xtc2"))
    ds = DataSource(files=[data / f"intg_det/xpptut15-r0014-s00{s}-c000.xtc2" for s in (0, 1, 2)])
    seen = collections.Counter()
    for run in ds.runs():
        assert run.detnames == {"hsd", "andor", "epix"}
        dets = {name: run.Detector(name) for name in run.detnames}
        for evt in run.events():
            for name, det in dets.items():
                value = det.raw.calib(evt)
                if value is not None:
                    seen[name] += 1
                    assert (value == evt.nanoseconds - 4).all()
    assert seen == {"hsd": 17, "andor": 5, "epix": 2}
    merged = [d for d in drp.open_xtc(tmp_path / "merged.xtc2") if d.service == 12]
    assert sum(len(d.fields()) for d in merged) == 17 + 5 + 2


def test_chunks(data):
    ds = DataSource(files=data / "chunking/xpptut15-r0014-s000-c000.xtc2")
    assert [sum(1 for _ in run.events()) for run in ds.runs()] == [15]


def test_timetool(data):
    total = events = 0
    for run in DataSource(files=data / "test_timetool.xtc2").runs():
        det = run.Detector("tmott")
        for evt in run.events():
            events += 1
            total += int(det.ttalg.data(evt).sum(dtype=np.int64))
    assert (events, total) == (1325, 37569953)
