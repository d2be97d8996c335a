package page_test

import (
	"context"
	"errors"
	"math"
	"net/http/httptest"
	"strings"
	"testing"

	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
	"drp/page"
	"drp/source"
)

// TestPageOfARun: pictures of a run of the simulated camera have the corrected pixels and the peaks that are recorded of the
// event, placed by the geometry, and the books of the run are as ever.
func TestPageOfARun(t *testing.T) {
	const camera = "sim:segments=2,bank=8,hits=0.5,slow=0,events=0"
	python := testkit.Python(t)
	testkit.RuntimeFolder(t)
	store, err := drp.NewSimulated(camera)
	if err != nil {
		t.Fatal(err)
	}
	script := testkit.Script(t, "from drp import DataSource\nfor run in DataSource().runs():\n    for evt in run.events():\n        pass\n")
	hits := &drp.Hits{Config: hit.Default()}
	hits.Finder = hit.Finders[0]
	r, err := drp.New(t.Context(), drp.Config{Script: script, Python: python, PythonPath: testkit.PythonPath(), Sources: []string{camera}, Workers: 1,
		Rate: source.Rate{PerSecond: 60}, Stream: -1, OutputDir: t.TempDir(), Hits: hits, Monitor: &drp.Monitor{Name: "test/cam"},
		Calibration: drp.Calibration{Store: store}})
	if err != nil {
		t.Fatal(err)
	}
	web, end := showRun(t, r)
	seen := map[int64]*picture{}
	for _, p := range pictures(t, openStream(t, web.URL, "rate=20"), 8) {
		seen[p.Number] = p
	}
	s := end()
	if s.Received < 8 || s.Recorded != s.Received || s.InFlight != 0 {
		t.Errorf("%+v", s)
	}
	for _, file := range s.Files {
		if !strings.Contains(file, ".smd.") {
			compareRecorded(t, file, store, seen)
		}
	}
}

// showRun shows a run on a page, and lets it go on until end, which gives its books. It ends with the test at the latest.
func showRun(t *testing.T, r *drp.Run) (web *httptest.Server, end func() drp.Summary) {
	t.Helper()
	shown := page.New(page.Options{Monitor: "test/cam", Status: r.Status})
	web = httptest.NewServer(shown)
	t.Cleanup(func() {
		shown.Close()
		web.Close()
	})
	running, interrupt := context.WithCancel(context.Background())
	books, over := make(chan drp.Summary, 1), make(chan struct{})
	t.Cleanup(func() {
		interrupt()
		<-over
	})
	go func() {
		defer close(over)
		s, err := r.Run(running)
		if failure := (*drp.Failure)(nil); !errors.As(err, &failure) || failure.Kind != drp.Interrupted {
			t.Error(err)
		}
		books <- s
	}()
	return web, func() drp.Summary {
		interrupt()
		return <-books
	}
}

// compareRecorded compares pictures with what a file tells of their events.
func compareRecorded(t *testing.T, file string, store *drp.Simulated, shown map[int64]*picture) {
	t.Helper()
	frames, err := drp.OpenFrames(t.Context(), file, drp.FramesOptions{Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = frames.Close() }()
	peaks, bright, compared := 0, 0, 0
	for f := (drp.Frame{}); frames.Next(&f) == nil; {
		p := shown[f.Number]
		if p == nil {
			continue
		}
		compared++
		if !p.Corrected || p.NPeaks != int(f.Hits.Summary.Peaks) || p.Hit == nil || *p.Hit != f.Hits.Hit || len(p.Peaks) != len(f.Hits.Peaks) {
			t.Errorf("event %d: %d peaks, hit %v, corrected %t", f.Number, p.NPeaks, p.Hit, p.Corrected)
			continue
		}
		layout, k := f.Constants.Layout, f.Constants
		n := frames.Rows * frames.Cols
		want := make([]float32, n*len(f.Raw))
		for s := range f.Raw {
			k.Camera.Tables.Float32(want[s*n:(s+1)*n], f.Raw[s], s)
		}
		for i, at := range layout.Places() {
			if got, there := p.at(i/p.Cols, i%p.Cols); there && math.Abs(got-float64(want[at])) > 1.01*p.Scale+1e-3 || at >= 0 && there != (k.Set.Mask[at] != 0 && layout.Mask()[at] != 0) {
				t.Fatalf("event %d, place %d: %g, want %g", f.Number, i, got, want[at])
			}
		}
		for i, peak := range f.Hits.Peaks {
			y, x, _ := layout.Place(int(peak.Segment), float64(peak.Row), float64(peak.Col))
			if math.Abs(p.Peaks[i][0]-x) > 0.01 || math.Abs(p.Peaks[i][1]-y) > 0.01 {
				t.Errorf("event %d, peak %d at %v, want %g %g", f.Number, i, p.Peaks[i], x, y)
			}
			if v, there := p.at(int(math.Round(y)), int(math.Round(x))); there && v > p.P99 {
				bright++
			}
			peaks++
		}
	}
	if compared != len(shown) || bright < peaks*9/10 {
		t.Errorf("%d of %d pictures were compared, and of %d peaks %d are bright", compared, len(shown), peaks, bright)
	}
}
