package drp_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/store"
	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
	"drp/xtc"
)

var spotted = testkit.Spots{Segments: 2, Rows: 40, Cols: 60}

// spotStore has constants of the camera with the spotted.
func spotStore(t *testing.T, geometry string) calib.Store {
	t.Helper()
	n := spotted.Segments * spotted.Rows * spotted.Cols
	set := &calib.Set{Detector: "cam", Model: "spotcam", Serials: []string{"M0", "M1"}, FirstRun: 1, Unit: calib.ADU, Rows: spotted.Rows,
		Cols: spotted.Cols, Pedestals: slices.Repeat([]float32{100}, n), Gains: slices.Repeat([]float32{2}, n), Geometry: geometry}
	st, err := store.Create(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = st.Close() })
	if _, err := st.Put(context.Background(), set); err != nil {
		t.Fatal(err)
	}
	return st
}

func spotConfig() hit.Config {
	c := hit.Default()
	c.Finder, c.AtLeast, c.Peakfinder8.ADCThreshold = "peakfinder8", 3, 100
	return c
}

func openSpots(t *testing.T, st calib.Store, dgrams ...xtc.Dgram) *drp.Frames {
	t.Helper()
	f, err := drp.OpenFrames(context.Background(), testkit.File(t, dgrams...), drp.FramesOptions{Store: st})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

// TestFrames finds the pixels and the spots of every event, in order, on any number of cores.
func TestFrames(t *testing.T) {
	const events = 30
	for _, workers := range []int{1, 4} {
		for _, statistics := range []string{hit.Full, hit.Carried} {
			t.Run(fmt.Sprint(workers, statistics), func(t *testing.T) {
				f := openSpots(t, spotStore(t, ""), spotted.Run(events)...)
				c := spotConfig()
				c.Peakfinder8.Statistics, c.Peakfinder8.Refresh = statistics, 4
				n := 0
				err := f.Each(&drp.EachFrame{Workers: workers, Search: drp.NewFrameSearch(c), Done: func(e *drp.Frame) error {
					for s := range spotted.Segments {
						if !slices.Equal(e.Raw[s], spotted.Pixels(n, s)) {
							t.Errorf("event %d: other pixels", n)
						}
					}
					want := uint64(0)
					if statistics == hit.Carried {
						want = uint64(101 + n/4*4)
					}
					if e.Number != int64(n) || e.Time != uint64(101+n) || !e.Recorded || int(e.Hits.Count) != spotted.Spots(n) ||
						e.Hits.Hit != (spotted.Spots(n) >= 3) || e.Hits.Thresholds != want || !math.IsNaN(e.Energy) || e.Pulse != e.Time {
						t.Errorf("event %d is %d at %d with %d spots, not %d: %+v", n, e.Number, e.Time, e.Hits.Count, spotted.Spots(n), e.Hits.Summary)
					}
					for k := range spotted.Spots(n) {
						s, row, col := spotted.Spot(n, k)
						if !slices.ContainsFunc(e.Hits.Peaks, func(p hit.Peak) bool {
							return int(p.Segment) == s && math.Abs(float64(p.Row)-float64(row)) < 0.5 && math.Abs(float64(p.Col)-float64(col)) < 0.5
						}) {
							t.Errorf("event %d: no peak at %d, %d, %d", n, s, row, col)
						}
					}
					n++
					return nil
				}})
				if err != nil || n != events {
					t.Errorf("%d events, %v", n, err)
				}
			})
		}
	}
}

func TestFramesStop(t *testing.T) {
	enough := errors.New("enough")
	n := 0
	f := openSpots(t, nil, spotted.Run(30)...)
	if err := f.Each(&drp.EachFrame{Workers: 3, Done: func(*drp.Frame) error {
		if n++; n == 5 {
			return enough
		}
		return nil
	}}); !errors.Is(err, enough) || n != 5 {
		t.Errorf("%v after %d", err, n)
	}
	f = openSpots(t, nil, spotted.Run(30)...)
	if err := f.Each(&drp.EachFrame{Workers: 3, Work: func(_ context.Context, _ int, e *drp.Frame) error {
		if e.Number == 7 {
			return enough
		}
		return nil
	}}); !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

// TestFramesOfOddFiles has files that lack something.
func TestFramesOfOddFiles(t *testing.T) {
	run := spotted.Run(3)
	lacking := testkit.Plain(xtc.L1Accept, 150, run[4][len(run[4])-len(run[4].Payload())/2:]...) // its second segment only
	f := openSpots(t, spotStore(t, ""), append(slices.Clone(run[:5]), lacking)...)
	var e drp.Frame
	search, finder := drp.NewFrameSearch(spotConfig()), drp.FrameFinder{}
	for i, complete := range []bool{true, false} {
		if err := errors.Join(f.Next(&e), search.Assign(&e)); err != nil {
			t.Fatal(err)
		}
		finder.Find(&e)
		if e.Complete() != complete || e.Recorded != complete || e.Raw[1] == nil {
			t.Errorf("event %d: complete %v, searched %v", i, e.Complete(), e.Recorded)
		}
	}
	if err := f.Next(&e); err != io.EOF {
		t.Errorf("%v", err)
	}
	for name, test := range map[string]struct {
		dgrams []xtc.Dgram
		o      drp.FramesOptions
		want   string
	}{
		"a later chunk":  {run[3:], drp.FramesOptions{}, "begins with Enable, as later chunks do"},
		"another camera": {run, drp.FramesOptions{Detector: "dog"}, "it has no camera dog, but cam"},
		"no camera":      {[]xtc.Dgram{testkit.Plain(xtc.Configure, 1)}, drp.FramesOptions{}, "it has no camera"},
	} {
		if _, err := drp.OpenFrames(context.Background(), testkit.File(t, test.dgrams...), test.o); err == nil ||
			!strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var said []string
	cut := testkit.File(t, append(slices.Clone(run[:5]), run[5][:100])...)
	f, err := drp.OpenFrames(context.Background(), cut, drp.FramesOptions{Warn: func(s string) { said = append(said, s) }})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := f.Next(&e); err != nil {
		t.Fatal(err)
	}
	if err := f.Next(&e); err != io.EOF || len(said) != 1 || !strings.Contains(said[0], "ends inside a datagram") {
		t.Errorf("%v, %q", err, said)
	}
}
