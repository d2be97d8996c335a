package hit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// sound tells what no result may have, of whatever frame.
func sound(p *hit.Plan, r *hit.Result) error {
	c, s := &p.Config, &r.Summary
	if len(r.Peaks) > c.MaxPeaks || int(s.Peaks) < len(r.Peaks) || s.Truncated != (int(s.Peaks) > len(r.Peaks)) {
		return fmt.Errorf("%d peaks are kept of %d, truncated %v", len(r.Peaks), s.Peaks, s.Truncated)
	}
	for _, k := range r.Peaks {
		for _, v := range []float32{k.Row, k.Col, k.Total, k.Max, k.Background, k.Sigma, k.SNR} {
			if x := float64(v); math.IsNaN(x) || math.IsInf(x, 0) {
				return fmt.Errorf("peak %+v", k)
			}
		}
		if int(k.Segment) >= p.Segments || k.NPix < 1 || k.Sigma < 0 {
			return fmt.Errorf("peak %+v", k)
		}
		// Pixels far below zero, which belong to droplets, may move the centre anywhere.
		if c.Finder == "peakfinder8" && !(k.Row >= 0 && k.Col >= 0 && k.Row <= float32(p.Rows-1) && k.Col <= float32(p.Cols-1)) {
			return fmt.Errorf("peak %+v is off the segment", k)
		}
	}
	if x := float64(s.Total + s.Max + s.Background); math.IsNaN(x) || math.IsInf(x, 0) {
		return fmt.Errorf("summary %+v", s)
	}
	photons := uint64(0)
	for i, n := range r.Map {
		photons += uint64(n)
		if n > 0 && p.Bin[i] >= hit.Unused {
			return fmt.Errorf("pixel %d is not used, and has %d photons", i, n)
		}
	}
	if uint64(s.Photons) != min(photons, math.MaxUint32) || len(r.Map) != 0 && c.Finder != "photons" {
		return fmt.Errorf("a map of %d photons in %d pixels, and %d", photons, len(r.Map), s.Photons)
	}
	used := 0
	for _, b := range p.Bin {
		if b < hit.Unused {
			used++
		}
	}
	if int(s.Pixels) > used || int(s.Switched) > used {
		return fmt.Errorf("%+v of %d used pixels", s, used)
	}
	if want := int(s.Count) >= c.AtLeast && (c.AtMost == 0 || int(s.Count) <= c.AtMost); s.Hit != want {
		return fmt.Errorf("%+v, and a hit has from %d to %d", s, c.AtLeast, c.AtMost)
	}
	return nil
}

// equal compares results, of which NaN is never a part.
func equal(a, b *hit.Result) bool {
	return a.Summary == b.Summary && slices.Equal(a.Peaks, b.Peaks) && slices.Equal(a.Map, b.Map) && slices.Equal(a.Regions, b.Regions)
}

// extremes are frames that a camera should not give.
func extremes(seed *rand.Rand, set *calib.Set) map[string]*hit.Frame {
	frames := map[string]*hit.Frame{}
	for name, pixel := range map[string]func(i int) uint16{
		"all zero":        func(int) uint16 { return 0 },
		"all one value":   func(int) uint16 { return 1100 },
		"all saturated":   func(int) uint16 { return 0xC000 },
		"all error":       func(int) uint16 { return 0xFFFF },
		"all at the top":  func(int) uint16 { return 0x3FFF },
		"all switched":    func(int) uint16 { return 0x4FFF },
		"any code":        func(int) uint16 { return uint16(seed.IntN(1 << 16)) },
		"bright at a rim": func(i int) uint16 { return []uint16{1020, 6020}[(set.Cols-i%set.Cols)/set.Cols] },
		"chequered":       func(i int) uint16 { return uint16(1020 + 300*((i+i/set.Cols)%2)) },
		"stairs":          func(i int) uint16 { return uint16(1000 + 10*(i%set.Cols)) },
	} {
		f := &hit.Frame{}
		for range set.Serials {
			raw := make([]uint16, set.SegmentPixels())
			for i := range raw {
				raw[i] = pixel(i)
			}
			f.Raw = append(f.Raw, raw)
		}
		frames[name] = f
	}
	return frames
}

// Whatever a frame holds, each finder gives something sound, the same without assembly, and the same into a result that
// was used before as into a new one.
func TestEveryFinderOnExtremeFrames(t *testing.T) {
	eachCamera(t, func(t *testing.T, seed *rand.Rand, set *calib.Set) {
		for _, c := range everyFinder() {
			c.AtMost = 40
			plan := planOf(t, c, set)
			finder, narrow, plain := plan.NewFinder(), plan.Slower(false), plan.Slower(true)
			var again hit.Result
			for name, f := range extremes(seed, set) {
				finder.Find(f, &again)
				if err := sound(plan, &again); err != nil {
					t.Errorf("%s %s, %s: %v", c.Finder, c.Pixels, name, err)
				}
				for _, other := range []hit.Finder{plan.NewFinder(), narrow, plain} {
					var r hit.Result
					if other.Find(f, &r); !equal(&r, &again) {
						t.Errorf("%s %s, %s: %+v, and then %+v", c.Finder, c.Pixels, name, r.Summary, again.Summary)
					}
				}
			}
		}
	})
}

// A list that is full keeps the first peaks and counts all.
func TestFullPeakList(t *testing.T) {
	seed := rand.New(rand.NewPCG(9, 9))
	set := randomSet(seed, "epix100", [3]int{2, 80, 90})
	f := randomFrame(seed, set, 0.02)
	for _, c := range everyFinder() {
		if c.Finder != "peakfinder8" && c.Finder != "droplets" {
			continue
		}
		var all, some hit.Result
		planOf(t, c, set).NewFinder().Find(f, &all)
		c.MaxPeaks = 3
		planOf(t, c, set).NewFinder().Find(f, &some)
		if len(all.Peaks) < 10 || all.Summary.Truncated {
			t.Fatalf("%s %s: %d peaks", c.Finder, c.Pixels, len(all.Peaks))
		}
		want := all.Summary
		want.Truncated = true
		if !slices.Equal(some.Peaks, all.Peaks[:3]) || some.Summary != want {
			t.Errorf("%s %s: %+v %+v, not %+v %+v", c.Finder, c.Pixels, some.Summary, some.Peaks, want, all.Peaks[:3])
		}
	}
}

// The limits of a hit belong to it.
func TestLimitsBelongToAHit(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(9, 9)), "epix100", [3]int{1, 40, 50})
	f := randomFrame(rand.New(rand.NewPCG(9, 9)), set, 0.02)
	for _, c := range everyFinder() {
		var r hit.Result
		planOf(t, c, set).NewFinder().Find(f, &r)
		n := int(r.Summary.Count)
		if n < 2 {
			t.Fatalf("%s finds %d", c.Finder, n)
		}
		for _, limits := range []struct {
			least, most int
			hit         bool
		}{{n, 0, true}, {n + 1, 0, false}, {n, n, true}, {1, n - 1, false}, {0, n, true}} {
			c.AtLeast, c.AtMost = limits.least, limits.most
			planOf(t, c, set).NewFinder().Find(f, &r)
			if r.Summary.Hit != limits.hit {
				t.Errorf("%s: %d from %d to %d is a hit: %v", c.Finder, n, limits.least, limits.most, r.Summary.Hit)
			}
		}
	}
}

// Frames that have not the size of the constants are refused, and never read.
func TestFramesOfAnotherSize(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(9, 9)), "jungfrau", [3]int{2, 20, 30})
	for name, raw := range map[string][][]uint16{
		"no segments": nil, "one of two": {make([]uint16, 600)}, "three": {make([]uint16, 600), make([]uint16, 600), make([]uint16, 600)},
		"a short one":                {make([]uint16, 600), make([]uint16, 599)},
		"a short one with room left": {make([]uint16, 600), make([]uint16, 599, 2000)},
		"a long one":                 {make([]uint16, 601), make([]uint16, 600)},
		"an empty one":               {nil, make([]uint16, 600)},
	} {
		f := &hit.Frame{Raw: raw}
		for _, c := range everyFinder() {
			plan := planOf(t, c, set)
			err := plan.Fits(f)
			if err == nil {
				t.Fatalf("%s fits", name)
			}
			for what, use := range map[string]func(){"a finder": func() { plan.NewFinder().Find(f, &hit.Result{}) },
				"a row": func() { plan.NewCarry(f) }} {
				func() {
					defer func() {
						if got := fmt.Sprint(recover()); got != err.Error() {
							t.Errorf("%s, %s: %s, and %s says %s", c.Finder, name, err, what, got)
						}
					}()
					use()
				}()
			}
		}
	}
}

// What cannot be searched is an error that says why.
func TestPlansThatCannotBe(t *testing.T) {
	const rows, cols = 6, 8
	whole := "photon_energy = 9000\ndata = /a\n0/min_fs = 0\n0/max_fs = 7\n0/min_ss = 0\n0/max_ss = 5\n0/corner_x = -4\n0/corner_y = -3\n" +
		"0/fs = x\n0/ss = y\n0/res = 1000\n"
	geometry, err := correct.ParseGeometry(whole)
	if err != nil {
		t.Fatal(err)
	}
	_, err = correct.ParseGeometry(strings.Replace(whole, "max_fs = 7", "max_fs = -1", 1))
	if err == nil {
		t.Error("a panel of no size is taken")
	}
	for _, test := range []struct {
		name, want string
		change     func(c *hit.Config, camera *hit.Camera, s *calib.Set)
	}{
		{"all masked", "no pixel is left", func(_ *hit.Config, _ *hit.Camera, s *calib.Set) { clear(s.Mask) }},
		{"all not numbers", "no pixel is left", func(_ *hit.Config, _ *hit.Camera, s *calib.Set) {
			for i := range s.Gains {
				s.Gains[i] = float32(math.NaN())
			}
		}},
		{"nothing so near", "no pixel is left", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
			c.Center, c.MaxRes = hit.Center{Row: 1000, Given: true}, 5
		}},
		{"a hole as large as all", "no pixel is left", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
			c.Center, c.MinRes = hit.Center{Given: true}, 100
		}},
		{"rings the wrong way", "is not above min_res", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.MinRes, c.MaxRes = 5, 4 }},
		{"rings without a centre", "need a geometry", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.MaxRes = 4 }},
		{"a centre too far", "pixels from the beam", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
			c.Center = hit.Center{Row: 1e6, Given: true}
		}},
		{"a centre beyond all numbers", "pixels from the beam", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
			c.Center = hit.Center{Row: 1e308, Col: 1, Given: true}
		}},
		{"a centre that is none", "center is NaN:0", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
			c.Center = hit.Center{Row: math.NaN(), Given: true}
		}},
		{"a geometry beyond all numbers", "pixels from the beam", func(_ *hit.Config, camera *hit.Camera, _ *calib.Set) {
			var err error
			if camera.Geometry, err = correct.ParseGeometry(fmt.Sprintf("res = 1e12\ndetector_shift_x = 1e12\np/fs = x\np/ss = y\n"+
				"p/min_fs = 0\np/max_fs = %d\np/min_ss = 0\np/max_ss = %d\np/corner_x = 0\np/corner_y = 0\n", cols-1, rows-1)); err != nil {
				t.Fatal(err)
			}
			camera.Numbers = []int{0}
		}},
		{"panels of no size", "do not fill", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Panel = [2]int{0, 4} }},
		{"panels that do not fit", "do not fill", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Panel = [2]int{4, 4} }},
		{"panels the wrong way", "do not fill", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Panel = [2]int{-6, -8} }},
		{"no numbers", "are not those of 1 segments", func(_ *hit.Config, camera *hit.Camera, _ *calib.Set) {
			camera.Geometry, camera.Numbers = geometry, nil
		}},
		{"too many numbers", "are not those of 1 segments", func(_ *hit.Config, camera *hit.Camera, _ *calib.Set) {
			camera.Geometry, camera.Numbers = geometry, []int{0, 1}
		}},
		{"a number of no panel", "no panel has a pixel", func(_ *hit.Config, camera *hit.Camera, _ *calib.Set) {
			camera.Geometry, camera.Numbers = geometry, []int{5}
		}},
		{"no radius of the background", "local_bg_radius is 0", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Peakfinder8.LocalBGRadius = 0 }},
		{"not a number", "adc_threshold is NaN", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Peakfinder8.ADCThreshold = math.NaN() }},
		{"a rank of nothing", "droplets.rank is 0", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Droplets.Rank = 0 }},
		{"photons of next to nothing", "photons.adu_per_photon is 0.0009: give a number from 0.001 to 1e+09",
			func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Finder, c.Photons.PerPhoton = "photons", 0.0009 }},
		{"endless photons", "photons.adu_per_photon is +Inf: give a number from",
			func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
				c.Finder, c.Photons.PerPhoton = "photons", math.Inf(1)
			}},
		{"photons of no number", "photons.adu_per_photon is NaN: give a number from",
			func(c *hit.Config, _ *hit.Camera, _ *calib.Set) {
				c.Finder, c.Photons.PerPhoton = "photons", math.NaN()
			}},
		{"photons below nothing", "photons.adu_per_photon is -1: give a number from",
			func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Finder, c.Photons.PerPhoton = "photons", -1 }},
		{"photons of no size", "need adu_per_photon", func(c *hit.Config, _ *hit.Camera, _ *calib.Set) { c.Finder, c.Photons.PerPhoton = "photons", 0 }},
	} {
		t.Run(test.name, func(t *testing.T) {
			set := randomSet(rand.New(rand.NewPCG(2, 2)), "other", [3]int{1, rows, cols})
			c, camera := hit.Default(), hit.Camera{Unit: calib.ADU}
			c.Finder = "peakfinder8"
			test.change(&c, &camera, set)
			camera.Tables = tablesOf(t, set)
			if _, err := hit.NewPlan(c, camera); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, not %q", err, test.want)
			}
		})
	}
}

// Masks and states of another shape are refused before a table is made of them.
func TestMaskOfAnotherShape(t *testing.T) {
	for name, change := range map[string]func(s *calib.Set){
		"a short mask":   func(s *calib.Set) { s.Mask = s.Mask[:len(s.Mask)-1] },
		"a long mask":    func(s *calib.Set) { s.Mask = append(s.Mask, 1) },
		"an empty mask":  func(s *calib.Set) { s.Mask = []uint8{} },
		"a short status": func(s *calib.Set) { s.Status = make([]uint16, 5) },
	} {
		set := randomSet(rand.New(rand.NewPCG(2, 2)), "jungfrau", [3]int{2, 6, 8})
		change(set)
		if _, err := correct.NewTables(set, nil); err == nil || !strings.Contains(err.Error(), "have not the size") {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A ring of no width has the seed alone, which is no background.
func TestDropletsWithoutBackground(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(2, 2)), "other", [3]int{1, 20, 20})
	f := &hit.Frame{Raw: [][]uint16{slices.Repeat([]uint16{1000}, 400)}}
	f.Raw[0][210] = 3000
	c := hit.Default()
	c.Finder = "droplets"
	c.Droplets = hit.Droplets{Low: 100, High: 200, Rank: 1, MinPix: 1, MaxPix: 9, Masked: hit.Values}
	set.Mask[210] = 1
	set.Pedestals[210], set.Gains[210] = 1000, 1
	var r hit.Result
	planOf(t, c, set).NewFinder().Find(f, &r)
	want := hit.Peak{NPix: 1, Row: 10, Col: 10, Total: 2000, Max: 2000}
	if len(r.Peaks) != 1 || r.Peaks[0] != want {
		t.Errorf("%+v, not %+v", r.Peaks, want)
	}
}

// Once a finder has seen frames, it allocates nothing.
func TestFindersAllocateNothing(t *testing.T) {
	seed := rand.New(rand.NewPCG(9, 9))
	set := randomSet(seed, "jungfrau", [3]int{2, 80, 96})
	f := randomFrame(seed, set, 0.05)
	for _, c := range everyFinder() {
		c.Regions = []hit.Region{{Name: "a", Rows: [2]int{3, 40}, Cols: [2]int{5, 60}}}
		finder := planOf(t, c, set).NewFinder()
		var r hit.Result
		finder.Find(f, &r)
		if n := testing.AllocsPerRun(5, func() { finder.Find(f, &r) }); n != 0 {
			t.Errorf("%s %s: %g allocations", c.Finder, c.Pixels, n)
		}
	}
}

// Finders of one plan work beside each other.
func TestFindersBesideEachOther(t *testing.T) {
	seed := rand.New(rand.NewPCG(4, 9))
	set := randomSet(seed, "jungfrau", [3]int{2, 60, 70})
	frames := []*hit.Frame{randomFrame(seed, set, 0.02), randomFrame(seed, set, 0.3), randomFrame(seed, set, 0)}
	for _, c := range everyFinder() {
		plan := planOf(t, c, set)
		want := make([]hit.Result, len(frames))
		for i, f := range frames {
			plan.NewFinder().Find(f, &want[i])
		}
		var all sync.WaitGroup
		for range 3 {
			all.Go(func() {
				finder := plan.NewFinder()
				for k := range 6 {
					var r hit.Result
					if finder.Find(frames[k%3], &r); !equal(&r, &want[k%3]) {
						t.Errorf("%s %s: %+v, not %+v", c.Finder, c.Pixels, r.Summary, want[k%3].Summary)
					}
				}
			})
		}
		all.Wait()
	}
}
