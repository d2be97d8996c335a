package hit_test

import (
	"math"
	"os"
	"path/filepath"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
	"drp/internal/npy"
	"drp/internal/testkit"
)

// jungfrau is the module of the sample data.
func jungfrau(t testing.TB, c hit.Config) (*testkit.Jungfrau, *hit.Plan) {
	t.Helper()
	j := testkit.OpenJungfrau(t)
	set := jungfrauSet(j)
	set.Mask = j.Mask
	return j, planOf(t, c, set)
}

func jungfrauSet(j *testkit.Jungfrau) *calib.Set {
	return &calib.Set{Detector: "jf", Model: "jungfrau", Serials: []string{"M049"}, Unit: calib.Photon,
		Rows: testkit.JungfrauRows, Cols: testkit.JungfrauCols, Pedestals: j.Pedestals, Gains: j.Gains}
}

func planOf(t testing.TB, c hit.Config, set *calib.Set) *hit.Plan {
	t.Helper()
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := hit.NewPlan(c, hit.Camera{Tables: tables, Unit: set.Unit})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// peakfinder8 is a configuration with the parameters of the reference peaks.
func peakfinder8(threshold, snr float64, row, col float64) hit.Config {
	c := hit.Default()
	c.Finder, c.Pixels, c.MinRes = "peakfinder8", hit.Calibrated, 0
	c.Peakfinder8 = hit.Peakfinder8{Statistics: hit.Full, ADCThreshold: threshold, MinSNR: snr, MinPixCount: 2, MaxPixCount: 30,
		LocalBGRadius: 4, Refresh: 1}
	c.Center = hit.Center{Row: row, Col: col, Given: true}
	return c
}

// The peaks that psana finds in the frames of a JUNGFRAU: the same ones in the same order. Frames that psana's conversion
// is not known of have the gains that were derived from the others, and so a little less exact.
func TestPeakfinder8FindsThePeaksOfPsanaInJungfrau(t *testing.T) {
	j, plan := jungfrau(t, peakfinder8(8, 6, 700, 511.5))
	e := plan.NewExact()
	for frame := range testkit.JungfrauFrames {
		e.Load(&hit.Frame{Raw: [][]uint16{j.Raw(t, frame)}})
		j.Switched(t, frame, e.SetValues)
		var r hit.Result
		e.Search(&r)
		list := filepath.Join(testkit.Data(t, "jungfrau"), "reference_peaks.csv")
		converted := frame < 2 // by others: the gains of the rest are known to 1e-3 only, which sigma shows
		comparePeaks(t, r.Peaks, testkit.ReferencePeaks(t, list, "pf8", frame), converted)
	}
}

// The peaks that psana finds in a corrected CSPAD panel.
func TestPeakfinder8FindsThePeaksOfPsanaInCSPAD(t *testing.T) {
	dir := testkit.Data(t, "cspad")
	data, err := os.ReadFile(filepath.Join(dir, "cxitut13_r10_32_cspadAsic.npy"))
	if err != nil {
		t.Fatal(err)
	}
	a, err := npy.Decode(data)
	if err != nil {
		t.Fatal(err)
	}
	image, err := npy.As[float32](a)
	if err != nil {
		t.Fatal(err)
	}
	n := len(image)
	set := &calib.Set{Detector: "cspad", Model: "other", Serials: []string{"A"}, Unit: calib.ADU, Rows: 185, Cols: 388,
		Pedestals: make([]float32, n), Gains: make([]float32, n)}
	for i := range set.Gains {
		set.Gains[i] = 1
	}
	e := planOf(t, peakfinder8(200, 7, 400, 193.5), set).NewExact()
	for i, v := range image {
		e.SetValues(i, float64(v))
	}
	var r hit.Result
	e.Search(&r)
	comparePeaks(t, r.Peaks, testkit.ReferencePeaks(t, filepath.Join(dir, "reference_peaks_cspadAsic.csv"), "pf8", 0), true)
}

// comparePeaks compares with fs, ss, npix, max, total, sigma and snr.
func comparePeaks(t *testing.T, got []hit.Peak, want [][]float64, converted bool) {
	t.Helper()
	if len(want) < 10 || len(got) != len(want) {
		t.Fatalf("%d peaks, not %d", len(got), len(want))
	}
	for i, w := range want {
		g := got[i]
		values := []float64{float64(g.Col), float64(g.Row), float64(g.NPix), float64(g.Max), float64(g.Total), float64(g.Sigma), float64(g.SNR)}
		for k, tolerance := range []float64{0.01, 0.01, 0, 1e-4, 1e-4, 1e-4, 1e-4} {
			if k > 4 && !converted {
				tolerance = 1e-3
			}
			if k > 2 {
				tolerance *= max(1, math.Abs(w[k]))
			}
			if !(math.Abs(values[k]-w[k]) <= tolerance) {
				t.Errorf("peak %d: %v, not %v", i, values, w)
				break
			}
		}
	}
}
