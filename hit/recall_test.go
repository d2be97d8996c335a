package hit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
	"drp/internal/testkit"
)

// What sampled statistics are measured by: how much of what full statistics find they find at least, and, where it is known
// what a peak is, how many more they find that are none. Of real frames it is not known: another program's list is taken
// for it, which lacks one in eight of the peaks of either. Parts are of the peaks that full statistics find.
type measure struct {
	recall float64
	extra  float64 // peaks that full statistics do not find
	excess float64 // more peaks that are not known than with full statistics
}

// compared counts peaks, and what sampled statistics made of them.
type compared struct{ full, both, extra, falseFull, falseSampled int }

// compare searches a frame with both statistics. known tells whether somebody else knows of a peak there: peaks that
// nobody knows of are false.
func (c *compared) compare(full, sampled hit.Finder, f *hit.Frame, known func(*hit.Peak) bool) {
	var a, b hit.Result
	full.Find(f, &a)
	sampled.Find(f, &b)
	for i := range a.Peaks {
		if !known(&a.Peaks[i]) {
			c.falseFull++
		}
		c.full++
		if near(b.Peaks, &a.Peaks[i]) {
			c.both++
		}
	}
	for i := range b.Peaks {
		if !known(&b.Peaks[i]) {
			c.falseSampled++
		}
		if !near(a.Peaks, &b.Peaks[i]) {
			c.extra++
		}
	}
}

func near(peaks []hit.Peak, p *hit.Peak) bool {
	for i := range peaks {
		if q := &peaks[i]; q.Segment == p.Segment && math.Hypot(float64(p.Row-q.Row), float64(p.Col-q.Col)) < 2 {
			return true
		}
	}
	return false
}

func (c *compared) judge(t *testing.T, what string, m measure) {
	t.Helper()
	t.Logf("%s: of %d peaks that full statistics find, sampled find %d (%.4f), and %d others; false: %d and %d", what, c.full,
		c.both, float64(c.both)/float64(c.full), c.extra, c.falseFull, c.falseSampled)
	if c.full < 100 || float64(c.both) < m.recall*float64(c.full) {
		t.Errorf("%s: %d of %d peaks", what, c.both, c.full)
	}
	if float64(c.extra) > m.extra*float64(c.full) {
		t.Errorf("%s: %d peaks beside the %d of full statistics", what, c.extra, c.full)
	}
	if float64(c.falseSampled) > float64(c.falseFull)+m.excess*float64(c.full) {
		t.Errorf("%s: %d false peaks, and %d with full statistics", what, c.falseSampled, c.falseFull)
	}
}

func withStatistics(c hit.Config, statistics string) hit.Config {
	c.Peakfinder8.Statistics = statistics
	return c
}

// The frames of a real JUNGFRAU. Another program's peaks, found without bins, say which ones are there. The bounds are what
// docs/hits.md says.
func TestSampledFindsWhatFullFindsInJungfrau(t *testing.T) {
	photons := peakfinder8(8, 6, 700, 511.5)
	adu := photons
	adu.Pixels, adu.Peakfinder8.ADCThreshold = hit.ADU, 8*508
	defaults := adu
	defaults.Peakfinder8 = hit.Default().Peakfinder8
	weak, large := defaults, defaults
	weak.Peakfinder8.MinSNR, large.Peakfinder8.MinPixCount = 4, 3
	panel, panels := defaults, defaults
	panel.Center, panels.Center, panels.Panel = hit.Center{}, hit.Center{}, [2]int{256, 256}
	for _, c := range []struct {
		name   string
		config hit.Config
		measure
	}{
		{"8 photons, snr 6", photons, measure{recall: 1, extra: 0.0022, excess: 0.0015}},
		{"8 photons, snr 6, ADU", adu, measure{recall: 1, extra: 0.0015, excess: 0.0008}},
		{"the defaults", defaults, measure{recall: 0.9994, extra: 0.0008}},
		{"weak peaks", weak, measure{recall: 0.9985, extra: 0.0015}},
		{"one panel", panel, measure{recall: 0.994, extra: 0.004}},
		{"panels", panels, measure{recall: 0.999, extra: 0.0012, excess: 0.0008}},
		{"peaks of three pixels", large, measure{recall: 1, extra: 0.0008, excess: 0.0008}},
	} {
		j, full := jungfrau(t, withStatistics(c.config, hit.Full))
		_, sampled := jungfrau(t, withStatistics(c.config, hit.Sampled))
		list := filepath.Join(testkit.Data(t, "jungfrau"), "reference_peaks.csv")
		var all compared
		for frame := range testkit.JungfrauFrames {
			var others []hit.Peak
			for _, p := range testkit.ReferencePeaks(t, list, "V4r3", frame) {
				others = append(others, hit.Peak{Row: float32(p[1]), Col: float32(p[0])})
			}
			all.compare(full.NewFinder(), sampled.NewFinder(), &hit.Frame{Raw: [][]uint16{j.Raw(t, frame)}},
				func(p *hit.Peak) bool { return near(others, p) })
		}
		all.judge(t, c.name, c.measure)
	}
}

// Frames as the simulated camera makes them, four segments around the beam, with what is known to be peaks.
func TestSampledFindsWhatFullFindsInSimulatedFrames(t *testing.T) {
	const segments, rows, cols = 4, 352, 384
	r := rand.New(rand.NewPCG(3, 4))
	set := &calib.Set{Detector: "sim", Model: "jungfrau-sim", Serials: []string{"a", "b", "c", "d"}, Unit: calib.KeV, Rows: rows, Cols: cols}
	var text strings.Builder
	text.WriteString("res = 10000\ndim0 = %\ndim2 = ss\ndim3 = fs\n")
	for s := range segments {
		fmt.Fprintf(&text, "p%d/dim1 = %d\np%d/min_fs = 0\np%d/max_fs = %d\np%d/min_ss = 0\np%d/max_ss = %d\np%d/fs = x\np%d/ss = y\n"+
			"p%d/corner_x = %d\np%d/corner_y = %d\n", s, s, s, s, cols-1, s, s, rows-1, s, s, s, s%2*(cols+8)-cols-4, s, s/2*(rows+8)-rows-4)
	}
	for i := range 3 * segments * rows * cols {
		set.Pedestals, set.Gains = append(set.Pedestals, float32(2700+100*r.NormFloat64())), append(set.Gains, 40)
		if i < segments*rows*cols {
			set.Mask = append(set.Mask, uint8(min(1, r.IntN(200))))
		}
	}
	geometry, err := correct.ParseGeometry(text.String())
	if err != nil {
		t.Fatal(err)
	}
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := hit.Default()
	c.Finder = "peakfinder8"
	c.Peakfinder8 = hit.Peakfinder8{ADCThreshold: 20, MinSNR: 7, MinPixCount: 2, MaxPixCount: 30, LocalBGRadius: 4, Refresh: 1}
	var finders []hit.Finder
	for _, statistics := range []string{hit.Full, hit.Sampled} {
		plan, err := hit.NewPlan(withStatistics(c, statistics), hit.Camera{Tables: tables, Unit: set.Unit, Geometry: geometry, Numbers: []int{0, 1, 2, 3}})
		if err != nil {
			t.Fatal(err)
		}
		finders = append(finders, plan.NewFinder())
	}
	for _, ring := range []powder{{}, {2, 300}, {3, 100}, {5, 300}} {
		var all compared
		for range 20 {
			frame, peaks := simulated(r, set, ring)
			all.compare(finders[0], finders[1], frame, func(p *hit.Peak) bool { return near(peaks, p) })
		}
		least := 0.99
		if ring.adu == 0 {
			least = 0.998
		}
		all.judge(t, fmt.Sprintf("simulated, with %+v", ring), measure{recall: least, extra: 0.003})
	}
}

// powder is two rings at 150 and 260 pixels from the beam: their width (sigma), and how high they are.
type powder struct{ pixels, adu float64 }

func (p powder) at(r float64) (adu float64) {
	if p.adu == 0 {
		return 0
	}
	for _, middle := range []float64{150, 260} {
		d := (r - middle) / p.pixels
		adu += p.adu * math.Exp(-d*d/2)
	}
	return adu
}

// simulated is a frame with a ring of background and 40 peaks of at least 100 ADU in their middle.
func simulated(r *rand.Rand, set *calib.Set, rings powder) (*hit.Frame, []hit.Peak) {
	n := set.Rows * set.Cols
	signal := make([]float64, 4*n)
	var peaks []hit.Peak
	for range 40 {
		p := hit.Peak{Segment: uint16(r.IntN(4)), Row: 5 + r.Float32()*float32(set.Rows-10), Col: 5 + r.Float32()*float32(set.Cols-10)}
		adu := 600 * (0.3 + r.ExpFloat64())
		for y := int(p.Row) - 4; y <= int(p.Row)+4; y++ {
			for x := int(p.Col) - 4; x <= int(p.Col)+4; x++ {
				if y >= 0 && x >= 0 && y < set.Rows && x < set.Cols {
					dy, dx := float64(p.Row)-float64(y), float64(p.Col)-float64(x)
					signal[int(p.Segment)*n+y*set.Cols+x] += adu * math.Exp(-(dy*dy+dx*dx)/2)
				}
			}
		}
		peaks = append(peaks, p)
	}
	f := &hit.Frame{}
	for s := range 4 {
		raw := make([]uint16, n)
		for i := range raw {
			y, x := float64(i/set.Cols-s%4/2*8+4-(1-s/2)*set.Rows), float64(i%set.Cols+4-(1-s%2)*set.Cols)
			d := (math.Hypot(x, y) - 0.3*float64(2*set.Rows)) / (0.06 * float64(2*set.Rows))
			background := 60*math.Exp(-d*d/2) + rings.at(math.Hypot(x, y))
			adu := background + math.Sqrt(9+2*background)*r.NormFloat64() + signal[s*n+i]
			raw[i] = uint16(math.Round(float64(set.Pedestals[s*n+i]) + adu))
		}
		f.Raw = append(f.Raw, raw)
	}
	return f, peaks
}
