package drp_test

import (
	"slices"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
)

// TestHitsOfRealFrames: what is recorded of the frames of a JUNGFRAU, some pixels of which are in other gain ranges, is what
// the package hit finds in them, to the last bit.
func TestHitsOfRealFrames(t *testing.T) {
	testkit.NoLeaks(t)
	module := testkit.OpenJungfrau(t)
	set := func(serials []string) *calib.Set {
		s := &calib.Set{Detector: "jungfrau", Model: "jungfrau", Serials: serials, Unit: calib.Photon, Rows: testkit.JungfrauRows,
			Cols: testkit.JungfrauCols, Pedestals: module.Pedestals, Gains: module.Gains, Mask: slices.Clone(module.Mask)}
		s.Seal()
		return s
	}
	tables, err := correct.NewTables(set([]string{"M049"}), nil)
	if err != nil {
		t.Fatal(err)
	}
	frames := 4
	if testkit.RaceDetector {
		frames = 2 // which it takes seconds to search
	}
	for _, search := range []string{"pixels=calibrated,adc_threshold=8,center=700:511.5,statistics=full", "adc_threshold=900,panel=256x256"} {
		c := hit.Default()
		if err := c.Apply("peakfinder8:min_snr=6," + search); err != nil {
			t.Fatal(err)
		}
		plan, err := hit.NewPlan(c, hit.Camera{Tables: tables, Unit: calib.Photon, Numbers: []int{0}})
		if err != nil {
			t.Fatal(err)
		}
		cfg := settings(t, bundled("hits.py"))
		cfg.Sources, cfg.OutputDir, cfg.Hits = []string{testkit.JungfrauFile(t, frames)}, t.TempDir(), &drp.Hits{Config: c}
		cfg.Hits.AtLeast = 0
		cfg.ResultBytes, cfg.TransitionBytes = 1<<20, 8<<20
		cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return set(q.Serials), nil }}
		s, err := run(t, cfg)
		if err != nil || s.Recorded != int64(frames) || s.Damaged != 0 || s.Hits != int64(frames) {
			t.Fatalf("%v, %+v", err, s)
		}
		for i, e := range recordedEvents(t, s.Files[0]) {
			var r hit.Result
			plan.NewFinder().Find(&hit.Frame{Raw: [][]uint16{module.Raw(t, i)}}, &r)
			r.Summary.Hit = true
			if want := (hit.Record{Summary: r.Summary, Peaks: r.Peaks}); !same(e.hits, &want) || len(r.Peaks) < 10 || r.Summary.Switched == 0 {
				t.Errorf("frame %d: %+v\n%+v", i, *e.hits, want)
			}
		}
	}
}
