package report_test

import (
	"math"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/report"
)

func makeSet(serials ...string) *calib.Set {
	s := &calib.Set{Detector: "cam", Model: "epix100_small", Serials: serials, Unit: calib.KeV, Rows: 2, Cols: 3}
	for k := range serials {
		for i := range 6 {
			s.Pedestals = append(s.Pedestals, float32(100*k+i))
			s.Gains = append(s.Gains, 2)
			s.Status = append(s.Status, 0)
			s.Mask = append(s.Mask, 1)
		}
	}
	return s
}

func TestStatistics(t *testing.T) {
	s := makeSet("1", "3")
	s.Mask[0], s.Status[5], s.Status[11] = 0, calib.StatusNoisy|calib.StatusHigh, calib.StatusUnknown
	s.Pedestals[5] = float32(math.NaN())
	got := report.Statistics(s)
	want := []report.Row{
		{"pedestals", "-", "1", 4, 2, 1, 3, 4}, {"pedestals", "-", "3", 5, 1, 100, 102, 104},
		{"gains", "-", "1", 4, 2, 2, 2, 2}, {"gains", "-", "3", 5, 1, 2, 2, 2},
	}
	if !slices.Equal(got, want) {
		t.Errorf("%+v", got)
	}
	if counts := report.Statuses(s)[0]; len(counts) != 2 || counts["noisy|high"] != 1 || counts["unknown"] != 1 {
		t.Errorf("%v", counts)
	}
}

func TestCompare(t *testing.T) {
	a, b := makeSet("1", "3"), makeSet("3", "5")
	if c := report.Compare(a, a); !c.Same() || len(c.Segments) != 2 {
		t.Errorf("%+v", c)
	}
	copy(b.Pedestals, a.Pedestals[6:]) // segment 3
	b.Pedestals[1] += 3
	b.Pedestals[2] -= 5
	b.Pedestals[4] = float32(math.NaN())
	b.RMS = make([]float32, 12)
	b.FirstRun = 4
	c := report.Compare(a, b)
	if got := strings.Join(c.Fields, "; "); got != "segments: 1.3 and 3.5; first run: 0 and 4" || c.Same() {
		t.Errorf("%s", got)
	}
	if len(c.Arrays) != 2 || c.Arrays[1].Array != "rms" || c.Arrays[1].Only != "second" {
		t.Fatalf("%+v", c.Arrays)
	}
	if d := c.Arrays[0]; d.Pixels != 3 || d.NaN != 1 || d.Of != 6 || d.Median != 5 || d.Max != 5 ||
		d.Where != "segment 3 row 0 column 2: 102 and 97" {
		t.Errorf("%+v", d)
	}
	b.Model = "jungfrau"
	if c := report.Compare(a, b); len(c.Arrays) != 0 || c.Same() {
		t.Errorf("%+v", c)
	}
}
