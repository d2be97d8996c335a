package tune_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
	"drp/hit/tune"
	"drp/internal/testkit"
)

var spots = testkit.Spots{Segments: 1, Rows: 60, Cols: 80}

func input(t *testing.T, frames int) *tune.Input {
	t.Helper()
	n := spots.Rows * spots.Cols
	tables, err := correct.NewTables(&calib.Set{Detector: "cam", Model: "spotcam", Serials: []string{"M0"}, Unit: calib.ADU, Rows: spots.Rows,
		Cols: spots.Cols, Pedestals: slices.Repeat([]float32{100}, n), Gains: slices.Repeat([]float32{1}, n)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	in := &tune.Input{Camera: hit.Camera{Tables: tables, Unit: calib.ADU}, Workers: 3, Timed: 2}
	for i := range frames {
		in.Frames = append(in.Frames, hit.Frame{Raw: [][]uint16{spots.Pixels(i, 0)}})
	}
	return in
}

func axes(t *testing.T, texts ...string) (all []tune.Axis) {
	t.Helper()
	for _, text := range texts {
		a, err := tune.ParseAxis(text)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, a)
	}
	return all
}

func base() hit.Config {
	c := hit.Default()
	c.Finder, c.AtLeast = "peakfinder8", 1
	return c
}

// TestRun finds at each point what there is: at_least decides the hits, and a threshold above all spots leaves none.
func TestRun(t *testing.T) {
	const frames = 20
	in := input(t, frames)
	points, err := tune.Grid(base(), axes(t, "statistics=full,carried", "adc_threshold=100,5000", "at_least=1,7"))
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	in.Progress = func(done, total int) { seen = 100*done + total }
	if err := tune.Run(context.Background(), points, in); err != nil {
		t.Fatal(err)
	}
	if seen != 808 {
		t.Errorf("progress %d", seen)
	}
	var manySpots, few []uint32
	for i := range frames {
		if n := spots.Spots(i); n >= 7 {
			manySpots = append(manySpots, uint32(n))
		}
		if n := spots.Spots(i); n > 0 {
			few = append(few, uint32(n))
		}
	}
	for i := range points {
		p := &points[i]
		want, median := 0, 0.
		switch {
		case p.Values[1] == "5000":
		case p.Values[2] == "7":
			want, median = len(manySpots), 7.5
		default:
			want, median = len(few), 6
		}
		if p.Err != nil || p.Frames != frames || p.Hits != want || p.PeaksPerHit != median || p.Time <= 0 || len(p.Counts) != frames {
			t.Errorf("%v: %d hits of %d, %g peaks, %v, %v; want %d, %g", p.Values, p.Hits, p.Frames, p.PeaksPerHit, p.Time, p.Err, want, median)
		}
	}
}

func TestGridOfMistakes(t *testing.T) {
	for _, text := range []string{"", "min_snr", "min_snr=", "=5", "min_snr=5,,6"} {
		if _, err := tune.ParseAxis(text); err == nil {
			t.Errorf("%q is an axis", text)
		}
	}
	many := "adc_threshold=" + strings.TrimSuffix(strings.Repeat("1,", 101), ",")
	for _, test := range []struct {
		axes []string
		want string
	}{
		{[]string{"min_snr=5", "min_snr=6"}, "min_snr is given twice"},
		{[]string{many, strings.Replace(many, "adc_threshold", "min_snr", 1)}, "more than 10000 points"},
		{[]string{"min_srn=5"}, `no parameter "min_srn"`},
		{[]string{"min_snr=five"}, "min_snr=five: give a number"},
	} {
		if _, err := tune.Grid(base(), axes(t, test.axes...)); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: %v", test.axes, err)
		}
	}
}

// TestRunWithPointsOfNoSense has a point that makes no sense, and then none that does.
func TestRunWithPointsOfNoSense(t *testing.T) {
	in := input(t, 2)
	points, err := tune.Grid(base(), axes(t, "min_pix_count=2,300"))
	if err != nil {
		t.Fatal(err)
	}
	if err := tune.Run(context.Background(), points, in); err != nil || points[0].Err != nil || points[1].Err == nil {
		t.Errorf("%v, %v, %v", err, points[0].Err, points[1].Err)
	}
	if err := tune.Run(context.Background(), points[1:], in); err == nil || !strings.Contains(err.Error(), "no point of the grid makes sense") {
		t.Errorf("%v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := tune.Run(ctx, points, in); err == nil {
		t.Error("it goes on")
	}
}
