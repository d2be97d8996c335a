package drp_test

import (
	"context"
	"errors"
	"io"
	"math"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/drp"
	"drp/hit"
	"drp/pebble"
	"drp/source"
	"drp/xtc"
)

// recordSim writes what a simulated camera gives into a file.
func recordSim(t *testing.T, params string) (path string, sim *source.Sim) {
	t.Helper()
	p, err := source.ParseSim(params)
	if err != nil {
		t.Fatal(err)
	}
	if sim, err = source.NewSim(p, source.Options{}); err != nil {
		t.Fatal(err)
	}
	info := sim.Info()
	pool, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: 1, EventBytes: info.MaxEventBytes, ResultBytes: 4096,
		TransitionBytes: max(info.MaxTransitionBytes, 4096)})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = pool.Close() }()
	w, err := xtc.Create(t.TempDir(), xtc.FileName{Expt: "simulated", Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	for {
		h, err := sim.Next(t.Context())
		if errors.Is(err, io.EOF) {
			break
		}
		ring := pool.Transitions
		if h.Service.IsEvent() {
			ring = pool.Events[0]
		}
		loan, ok := ring.TryLoan()
		if err != nil || !ok {
			t.Fatal(err, ok)
		}
		n, err := sim.Fill(&loan)
		if err == nil {
			err = w.Append(slices.Clone(loan.Bytes()[:n])) // the writer gathers them
		}
		if err != nil {
			t.Fatal(err)
		}
		loan.Abort()
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Files()[0], sim
}

// matched counts the peaks of a list that are within two pixels of one of another list, and those that could be.
func matched(peaks []hit.Peak, truth []source.Peak, far float64, rows, cols int) (found, all, unknown int) {
	near := func(p *source.Peak, q *hit.Peak) bool {
		return int(q.Segment) == p.Segment && math.Hypot(p.Row-float64(q.Row), p.Col-float64(q.Col)) < 2
	}
	for i := range truth {
		p := &truth[i]
		if min(p.Row, p.Col, float64(rows-1)-p.Row, float64(cols-1)-p.Col) < far {
			continue
		}
		all++
		for k := range peaks {
			if near(p, &peaks[k]) {
				found++
				break
			}
		}
	}
	for k := range peaks {
		known := false
		for i := range truth {
			known = known || near(&truth[i], &peaks[k])
		}
		if !known {
			unknown++
		}
	}
	return found, all, unknown
}

// searchSim gives the peaks of each event that are found with the simulated camera's own constants.
func searchSim(t *testing.T, name, path, statistics string, events int) (all [][]hit.Peak) {
	t.Helper()
	store, err := drp.NewSimulated(name)
	if err != nil {
		t.Fatal(err)
	}
	frames, err := drp.OpenFrames(t.Context(), path, drp.FramesOptions{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frames.Close() }()
	c := hit.Default()
	c.Finder, c.Peakfinder8.Statistics = "peakfinder8", statistics
	search := drp.NewFrameSearch(c)
	var finder drp.FrameFinder
	var e drp.Frame
	for range events {
		if err := errors.Join(frames.Next(&e), search.Assign(&e)); err != nil {
			t.Fatal(err)
		}
		if finder.Find(&e); !e.Recorded || e.Hits.Hit != (len(e.Hits.Peaks) >= c.AtLeast) {
			t.Fatalf("event %d: %+v", e.Number, e.Hits)
		}
		all = append(all, slices.Clone(e.Hits.Peaks))
	}
	return all
}

// What is found in the frames of the simulated camera, with its own constants, is what was put in; with sampled statistics
// as with full ones.
func TestSimulatedPeaksAreFound(t *testing.T) {
	const events, name = 60, "sim:segments=4,bank=60,hits=0.5,slow=0,events=60"
	path, sim := recordSim(t, strings.TrimPrefix(name, "sim:"))
	full := searchSim(t, name, path, hit.Full, events)
	for _, statistics := range []string{hit.Full, hit.Sampled} {
		got := full
		if statistics != hit.Full {
			got = searchSim(t, name, path, statistics, events)
		}
		var found, all, unknown, both, peaks int
		for event, some := range got {
			truth := sim.Truth(uint64(event))
			if hit := len(some) >= hit.Default().AtLeast; hit != (len(truth) > 0) {
				t.Errorf("%s: event %d has %d peaks, and %d were put in", statistics, event, len(some), len(truth))
			}
			f, a, u := matched(some, truth, 3, epixRows, epixCols)
			found, all, unknown = found+f, all+a, unknown+u
			var others []source.Peak
			for _, p := range full[event] {
				others = append(others, source.Peak{Segment: int(p.Segment), Row: float64(p.Row), Col: float64(p.Col)})
			}
			f, a, _ = matched(some, others, math.Inf(-1), epixRows, epixCols)
			both, peaks = both+f, peaks+a
		}
		t.Logf("%s: %d of %d peaks that were put in (%.4f), %d that were not; %d of %d that full statistics find", statistics, found,
			all, float64(found)/float64(all), unknown, both, peaks)
		if all < 500 || float64(found) < 0.99*float64(all) || float64(both) < 0.99*float64(peaks) || unknown > 0 {
			t.Errorf("%s: %d of %d peaks, %d of full statistics' %d, and %d that were not put in", statistics, found, all, both,
				peaks, unknown)
		}
	}
}

const epixRows, epixCols = 352, 384

func TestSimulatedStore(t *testing.T) {
	ctx := context.Background()
	s, err := drp.NewSimulated("sim:segments=2,name=cam")
	if err != nil || !s.Known() {
		t.Fatal(err)
	}
	whole, err := s.Load(ctx, "simulated")
	if err != nil || whole.Detector != "cam" || len(whole.Serials) != 2 {
		t.Fatal(whole, err)
	}
	part, err := s.Get(ctx, calib.Query{Detector: "cam", Serials: whole.Serials[1:], Run: 9})
	if err != nil || len(part.Serials) != 1 || part.Digest == whole.Digest {
		t.Error(part, err)
	}
	if list, err := s.List(ctx, "cam"); err != nil || len(list) != 1 || list[0].Pedestals != nil || list[0].ID != "simulated" {
		t.Error(list, err)
	}
	for name, err := range map[string]error{
		"another detector": last(s.Get(ctx, calib.Query{Detector: "other"})),
		"another segment":  last(s.Get(ctx, calib.Query{Detector: "cam", Serials: []string{"7"}})),
		"another set":      last(s.Load(ctx, "abc")),
	} {
		if !errors.Is(err, calib.ErrNone) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := s.Put(ctx, whole); err == nil {
		t.Error("something was put into a simulated camera")
	}
	if _, err := drp.NewSimulated("sim:colour=red"); err == nil {
		t.Error("a camera that cannot be has constants")
	}
	small, err := drp.NewSimulated("sim:rows=8")
	if err != nil || small.Known() {
		t.Fatal(err)
	}
	if _, err := small.Get(ctx, calib.Query{Detector: "epixhr"}); !errors.Is(err, calib.ErrNone) || !strings.Contains(err.Error(), "352 x 384") {
		t.Error(err)
	}
}

func last[T any](_ T, err error) error { return err }
