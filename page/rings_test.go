package page_test

import (
	"math"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/source"
)

// rejecting is a script that keeps every second event.
const rejecting = `from drp import DataSource
for run in DataSource().runs():
    for n, evt in enumerate(run.events()):
        if n % 2:
            evt.reject()
`

// aimedAt tells whether the rings of a picture lie where Bragg's law has them, of a detector with 10000 pixels per metre.
func (p *picture) aimedAt(r drp.Rings) bool {
	for _, ring := range p.Rings {
		sine := 12398.42 / r.Energy / (2 * ring.D)
		if ring.Unit != "Å" || math.Abs(ring.R-10000*r.Distance*math.Tan(2*math.Asin(sine))) > 0.06 {
			return false
		}
	}
	return len(p.Rings) > 0
}

// TestRingsAreSet while a run goes on: those of each picture, of a rejected event, too, are as it was set for that event, and as the
// file says; what cannot be meant is refused.
func TestRingsAreSet(t *testing.T) {
	const camera = "sim:segments=2,bank=8,slow=0,events=0"
	python := testkit.Python(t)
	testkit.RuntimeFolder(t)
	store, err := drp.NewSimulated(camera)
	if err != nil {
		t.Fatal(err)
	}
	r, err := drp.New(t.Context(), drp.Config{Script: testkit.Script(t, rejecting), Python: python, PythonPath: testkit.PythonPath(), Sources: []string{camera},
		Workers: 1, Rate: source.Rate{PerSecond: 60}, Stream: -1, OutputDir: t.TempDir(), Monitor: &drp.Monitor{Name: "test/cam"},
		Rings: drp.Rings{Energy: 8000}, Calibration: drp.Calibration{Store: store}})
	if err != nil {
		t.Fatal(err)
	}
	web, end := showRun(t, r)
	stream := openStream(t, web.URL, "rate=20")
	seen := map[int64]drp.Rings{}
	was := drp.Rings{Energy: 8000, Distance: 0.1}
	for _, step := range []struct {
		set  map[string]any
		want drp.Rings // which the geometry of the camera has as 9500 eV and 0.1 m
	}{
		{nil, was},
		{map[string]any{"rings.energy": "12keV", "rings.distance": "200 mm"}, drp.Rings{Energy: 12000, Distance: 0.2}},
		{map[string]any{"rings.distance": 0}, drp.Rings{Energy: 12000, Distance: 0.1}},
		{map[string]any{"rings.energy": 0}, drp.Rings{Energy: 9500, Distance: 0.1}},
	} {
		if step.set != nil {
			if _, err := r.Set(step.set, "test"); err != nil {
				t.Fatal(err)
			}
		}
		for found, rejected := false, false; !found || !rejected; {
			p := pictures(t, stream, 1)[0]
			switch {
			case p.aimedAt(step.want):
				seen[p.Number], found = step.want, true
				rejected = rejected || strings.Contains(strings.Join(p.Flags, " "), "rejected")
			case found || !p.aimedAt(was):
				t.Fatalf("event %d, after %v: %+v", p.Number, step.set, p.Rings)
			}
		}
		was = step.want
	}
	for name, says := range map[string]string{
		"rings.energy 9.5":    "rings.energy: 9.5: give electronvolts, from 100 to 1000000; 9.5 keV are 9500, or 9.5keV; all stays",
		"rings.energy -1":     "rings.energy: -1 is less than 0",
		"rings.energy 2e6":    "give electronvolts, from 100 to 1000000",
		"rings.distance 95":   "rings.distance: 95: that would be 95 m: give metres, from 0.001 to 20; 95 mm are 0.095, or 95mm; all stays",
		"rings.distance 9cm":  `rings.distance: "9cm" is no finite number, alone or with m or mm; 0 stays`,
		"rings.distance 95 m": "that would be 95 m",
		"rings.energy 9.5 eV": "give electronvolts, from 100 to 1000000; 9.5 keV are 9500",
		"rings.energy 9.5MeV": "is no finite number, alone or with eV or keV",
		"energy 9500":         "did you mean rings.energy?",
	} {
		name, value, _ := strings.Cut(name, " ")
		if _, err := r.Set(map[string]any{name: value}, "test"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s=%s: %v does not say %q", name, value, err, says)
		}
	}
	if l := r.Settings(); l.Generation != 4 || l.Refused != 9 || l.History[1].Who != "test" {
		t.Errorf("%+v", l)
	}
	compareRings(t, end(), seen)
}

// compareRings compares what pictures had with what the file says of their events; it says nothing where all is as the geometry has it.
func compareRings(t *testing.T, s drp.Summary, seen map[int64]drp.Rings) {
	t.Helper()
	if s.Rejected == 0 || s.Recorded == 0 {
		t.Errorf("%+v", s)
	}
	kinds := map[drp.Rings]bool{}
	for _, file := range s.Files {
		if strings.Contains(file, ".smd.") {
			continue
		}
		frames, err := drp.OpenFrames(t.Context(), file, drp.FramesOptions{})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = frames.Close() }()
		for f := (drp.Frame{}); frames.Next(&f) == nil; {
			kinds[f.Rings] = true
			want, there := seen[2*f.Number] // every second event is recorded
			if got := f.Rings; there && (got.Energy != want.Energy && (got.Energy != 0 || want.Energy != 9500) || got.Distance != want.Distance && (got.Distance != 0 || want.Distance != 0.1)) {
				t.Errorf("event %d is recorded with %+v, and was shown with %+v", f.Number, got, want)
			}
		}
	}
	for _, r := range []drp.Rings{{Energy: 8000}, {Energy: 12000, Distance: 0.2}, {Energy: 12000}, {}} {
		if !kinds[r] {
			t.Errorf("no event is recorded with %+v", r)
		}
	}
}
