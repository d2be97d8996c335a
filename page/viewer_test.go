package page_test

import (
	"math"
	"testing"

	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
	"drp/monitor"
	"drp/page"
	"drp/xtc"
)

// TestViewer compares its pictures of every size with the mean of the pixels that they are made of.
func TestViewer(t *testing.T) {
	c := testkit.Camera{Segments: 3, Rows: 21, Cols: 30}
	v := page.NewViewer(t.Context(), "", nil, drp.Rings{}, func(text string) { t.Error(text) })
	if v.Picture(1) != nil {
		t.Error("there is a picture before the first event")
	}
	for _, d := range begin(c.Configure(1), c.BeginRun(2, 5)) {
		v.Take(&monitor.Item{Dgram: d})
	}
	v.Take(&monitor.Item{Dgram: c.Event(103, 2), Facts: monitor.Facts{Number: 2, Flags: monitor.Vetoed}})
	if s := v.Seen(); s.Number != 2 || s.Time != 103 || s.Hit != nil || len(s.Flags) != 1 || s.Flags[0] != "vetoed" {
		t.Errorf("%+v", s)
	}
	high, wide := 3*21+2*gapRows, 30
	for _, bin := range []int{1, 2, 3, 5, 7, 11, 30, 1000} {
		p := v.Picture(bin)
		bin = min(bin, high)
		if p.High != high || p.Wide != wide || p.Rows != (high+bin-1)/bin || p.Cols != (wide+bin-1)/bin || p.Source != "cam.raw" || p.Unit != "ADU raw" {
			t.Fatalf("%+v", p)
		}
		for i, got := range p.Values {
			sum, n := 0., 0
			for k := range bin * bin {
				row, col := i/p.Cols*bin+k/bin, i%p.Cols*bin+k%bin
				if s, y := row/(21+gapRows), row%(21+gapRows); row < high && col < wide && y < 21 {
					sum, n = sum+float64(c.Pixel(2, s, y, col)), n+1
				}
			}
			if there := got == got; there != (n > 0) || there && math.Abs(float64(got)-sum/float64(n)) > 1e-2 {
				t.Fatalf("bin %d, place %d: %g, want %g of %d", bin, i, got, sum/float64(n), n)
			}
		}
	}
}

// TestViewerOfHits has corrected pixels, and peaks at the bright ones, of what was recorded of a simulated run.
func TestViewerOfHits(t *testing.T) {
	const camera = "sim:segments=2,bank=8,hits=0.5,slow=0"
	store, err := drp.NewSimulated(camera)
	if err != nil {
		t.Fatal(err)
	}
	python := testkit.Python(t)
	testkit.RuntimeFolder(t)
	hits := &drp.Hits{Config: hit.Default()}
	hits.Finder = hit.Finders[0]
	r, err := drp.New(t.Context(), drp.Config{Script: testkit.Script(t, passing), Python: python, PythonPath: testkit.PythonPath(),
		Sources: []string{camera}, Workers: 1, Events: 20, Stream: -1, OutputDir: t.TempDir(), Hits: hits, Calibration: drp.Calibration{Store: store}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	all, err := xtc.Open(s.Files[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = all.Close() }()
	v := page.NewViewer(t.Context(), "", store, drp.Rings{}, func(text string) { t.Error(text) })
	peaks, bright := 0, 0
	for {
		if _, err := all.Next(); err != nil {
			break
		}
		d, err := all.ReadDgram(nil)
		if err != nil {
			t.Fatal(err)
		}
		if v.Take(&monitor.Item{Dgram: d}); !d.Service().IsEvent() {
			continue
		}
		p := v.Picture(1)
		if p.Unit == "ADU raw" || v.Seen().Hit == nil || len(p.Peaks) != v.Seen().Peaks {
			t.Fatalf("%s, %+v, %d peaks", p.Unit, v.Seen(), len(p.Peaks))
		}
		for _, at := range p.Peaks {
			peaks++
			for k := range 9 {
				row, col := int(at.Y+0.5)+k/3-1, int(at.X+0.5)+k%3-1
				if row >= 0 && row < p.Rows && col >= 0 && col < p.Cols && p.Values[row*p.Cols+col] > 1 {
					bright++
					break
				}
			}
		}
	}
	if peaks < 10 || bright < peaks*9/10 {
		t.Errorf("%d of %d peaks are bright", bright, peaks)
	}
}

// passing is a script that does nothing.
const passing = "from drp import DataSource\nfor run in DataSource().runs():\n    for evt in run.events():\n        pass\n"
