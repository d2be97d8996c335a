package drp_test

import (
	"strings"
	"testing"

	"drp/calib"
	"drp/internal/testkit"
	"drp/xtc"
)

// TestConstantsInScripts: calibconst is a mapping, and what is not there, or no event, is told in a sentence.
func TestConstantsInScripts(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `from collections.abc import Mapping
from drp import DataSource
for run in DataSource().runs():
    det = run.Detector("cam")
    made = det.calibconst
    assert isinstance(made, Mapping) and sorted(made) == sorted(made.keys()) == ["gains", "mask", "pedestals"], list(made)
    assert len(made) == 3 and "gains" in made and "rms" not in made and made.get("rms") is None
    assert made.get("mask")[0] is made["mask"][0] and made == made
    try:
        made["pedestal"]
        raise AssertionError
    except KeyError as error:
        assert str(error) == "no constant 'pedestal'; there are: gains, mask, pedestals (did you mean 'pedestals'?)", error
    for field in (det.raw.calib, det.raw.image, det.raw.raw):
        try:
            field(None)
            raise AssertionError
        except TypeError as error:
            assert "cam.raw" in str(error) and "is called with an event of run.events()" in str(error), error
    for evt in run.events():
        pass
`))
	cfg.Sources, cfg.Workers = []string{testkit.File(t, testkit.Camera{}.Run(5)...)}, 1
	cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, 5), nil }}
	if s, err := run(t, cfg); err != nil || s.Received != 5 || s.Damaged != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
}

// TestAWorkerThatDiesIsSaidToLackConstants: one that gives no answer to the BeginRun that tells of them.
func TestAWorkerThatDiesIsSaidToLackConstants(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `import os
from drp import DataSource
for run in DataSource().runs():
    os._exit(3)
`))
	cfg.Sources, cfg.Workers = []string{testkit.File(t, testkit.Camera{}.Run(5)...)}, 1
	cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return camSet(q, 5), nil }}
	_, err := run(t, cfg)
	if err == nil || !strings.Contains(err.Error(), "at BeginRun, worker 0") ||
		!strings.Contains(err.Error(), "it does not hold the constants of cam, generation 1") {
		t.Errorf("%v", err)
	}
}

// partial is a run whose events have both segments, none, the second and the first in turn.
func partial(events int) []xtc.Dgram {
	both, one := testkit.Camera{}, testkit.Camera{Segments: 1, Rows: 4, Cols: 6}
	all := both.Run(events)
	for i, d := range all {
		if !d.Service().IsEvent() {
			continue
		}
		time, number := d.Time(), int(d.Time())-101
		switch number % 4 {
		case 1:
			all[i] = testkit.Plain(xtc.L1Accept, time)
		case 2:
			whole := both.Event(time, number)
			half := (len(whole) - xtc.DgramHeaderBytes) / 2
			all[i] = testkit.Plain(xtc.L1Accept, time, whole[xtc.DgramHeaderBytes+half:]...)
		case 3:
			all[i] = one.Event(time, number)
		}
	}
	return all
}

// TestEventsThatLackSegments: without the camera an event has nothing corrected and no generation, whether a script asks
// for the first time or drp prepares it; a segment that is missing is 0.
func TestEventsThatLackSegments(t *testing.T) {
	for _, loop := range []string{"for evt in run.events():", "for evt in run.batches():"} {
		t.Run(loop, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := settings(t, testkit.Script(t, `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="out", fields={"sum": (np.float64, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    `+loop+`
        times = np.atleast_1d(evt.timestamp if hasattr(evt, "timestamp") else evt.timestamps)
        turn = (int(times[0]) - 101) % 4
        assert ((times - 101) % 4 == turn).all()
        got, image, raw = det.raw.calib(evt), det.raw.image(evt), det.raw.raw(evt)
        if turn == 1:
            assert got is None and image is None and raw is None, (got, image, raw)
            continue
        assert got.shape[-3:] == (2, 4, 6) and raw.shape[-3] == (1 if turn > 1 else 2), (got.shape, raw.shape)
        assert got[..., 0, :, :].any() == (turn != 2) and got[..., 1, :, :].any() == (turn != 3), (turn, got)
        assert image.any()
`))
			cfg.Sources, cfg.OutputDir, cfg.Workers = []string{testkit.File(t, partial(200)...)}, t.TempDir(), 2
			cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) {
				s := camSet(q, 5)
				s.Geometry = twoPanels
				s.Seal()
				return s, nil
			}}
			s, err := run(t, cfg)
			if err != nil || s.Recorded != 200 || s.Damaged != 0 {
				t.Fatalf("%v, %+v", err, s)
			}
			for i, pair := range generations(t, s.Files[0]) {
				want := uint64(1)
				if i%4 == 1 {
					want = 0
				}
				if pair[1] != want {
					t.Fatalf("event %d is said to be of generation %d, want %d", i, pair[1], want)
				}
			}
		})
	}
}
