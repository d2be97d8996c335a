package hit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// scene is a camera and a configuration, by chance.
type scene struct {
	set     *calib.Set
	config  []correct.Config
	hits    hit.Config
	plan    *hit.Plan
	base    float64 // ADU of the background
	special float64 // part of the pixels with any bits at all
}

// newScene draws one: model, shape, panels, masks, common mode, parameters.
func newScene(t testing.TB, r *rand.Rand) *scene {
	t.Helper()
	model := []string{"jungfrau-x", "epix10ka-x", "epixhr-x", "epix100-x", "other"}[r.IntN(5)]
	c := &scene{base: []float64{0, 10, 300, 9000}[r.IntN(4)], special: []float64{0, 0.001, 0.2, 1}[r.IntN(4)]}
	m := calib.ModelOf(model)
	rows, cols := 2*(5+r.IntN(40)), 4*(3+r.IntN(40))
	segments := 1 + r.IntN(3)
	s := &calib.Set{Detector: "d", Model: model, Rows: rows, Cols: cols, Unit: []calib.Unit{calib.ADU, calib.KeV, calib.Photon}[r.IntN(3)]}
	for i := range segments {
		s.Serials = append(s.Serials, fmt.Sprint(i))
	}
	n := segments * rows * cols
	middle := []float64{0, 500, 3000}[r.IntN(3)]
	for range len(m.Ranges) * n {
		s.Pedestals = append(s.Pedestals, float32(middle+20*r.NormFloat64()))
		s.Gains = append(s.Gains, float32(40*(1+0.1*r.NormFloat64())))
	}
	bad := []float64{0, 0.005, 0.3}[r.IntN(3)]
	s.Mask = make([]uint8, n)
	for i := range s.Mask {
		if r.Float64() >= bad {
			s.Mask[i] = 1
		}
	}
	if r.IntN(3) == 0 {
		s.CommonMode = &calib.CommonMode{Method: calib.ClippedMean, Rows: true, MaxADU: 100, MinPixels: 3}
	}
	if m.Coding == calib.Configured {
		fixed := r.IntN(2) == 0
		for range segments {
			config := correct.Config{Pixels: make([]uint8, rows*cols), TRBits: [4]uint8{0, 1, 0, 1}}
			for i := range config.Pixels {
				if fixed {
					config.Pixels[i] = uint8(r.IntN(16))
				}
			}
			c.config = append(c.config, config)
		}
	}
	c.set = s
	c.draw(t, r)
	return c
}

// draw chooses the parameters of the search.
func (c *scene) draw(t testing.TB, r *rand.Rand) {
	t.Helper()
	h := hit.Default()
	h.Finder, h.MaxPeaks = "peakfinder8", 1+r.IntN(200)
	if r.IntN(4) == 0 {
		h.Pixels = hit.Calibrated
	}
	h.Peakfinder8 = hit.Peakfinder8{Statistics: []string{hit.Full, hit.Sampled}[r.IntN(2)],
		ADCThreshold: []float64{-1e6, -5, 0, 8, 100, 40000}[r.IntN(6)], MinSNR: []float64{0, 0.5, 3, 7}[r.IntN(4)],
		MinPixCount: 1 + r.IntN(3), MaxPixCount: 3 + r.IntN(40), LocalBGRadius: 1 + r.IntN(5), Refresh: 1}
	if r.IntN(3) == 0 {
		h.Panel = [2]int{c.set.Rows / 2, c.set.Cols / 4}
	}
	if len(c.set.Serials) == 1 && r.IntN(4) > 0 {
		h.Center = hit.Center{Row: r.Float64() * float64(c.set.Rows), Col: r.Float64() * 2 * float64(c.set.Cols), Given: true}
		if r.IntN(2) == 0 {
			h.MinRes, h.MaxRes = 4, 2000
		}
	}
	c.hits, c.plan = h, planWith(t, c, h)
}

// planWith makes a plan for the camera of a scene.
func planWith(t testing.TB, c *scene, h hit.Config) *hit.Plan {
	t.Helper()
	tables, err := correct.NewTables(c.set, c.config)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := hit.NewPlan(h, hit.Camera{Tables: tables, Unit: c.set.Unit})
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// frame has noise on a background that falls to one side, peaks, and what no detector should give.
func (c *scene) frame(r *rand.Rand) *hit.Frame {
	f := &hit.Frame{}
	n := c.set.Rows * c.set.Cols
	kind := r.IntN(10)
	m := calib.ModelOf(c.set.Model)
	top := float64(int(1)<<m.DataBits - 1)
	for s := range c.set.Serials {
		raw := make([]uint16, n)
		for i := range raw {
			row := float64(i / c.set.Cols)
			adu := float64(c.set.Pedestals[s*n+i]) + c.base*math.Exp(-row/30) + 3*r.NormFloat64()
			if kind == 0 {
				adu = top // saturated
			}
			raw[i] = uint16(max(0, min(adu, top)))
			if kind == 1 {
				raw[i] = 0
			}
		}
		for range r.IntN(30) {
			y, x, adu := r.IntN(c.set.Rows), r.IntN(c.set.Cols), []float64{200, 3000, 20000}[r.IntN(3)]
			for dy := range 1 + r.IntN(5) {
				for dx := range 1 + r.IntN(5) {
					if y+dy < c.set.Rows && x+dx < c.set.Cols {
						i := (y+dy)*c.set.Cols + x + dx
						raw[i] = uint16(min(float64(raw[i])+adu*r.Float64(), 1<<16-1))
					}
				}
			}
		}
		for i := range raw {
			if r.Float64() < c.special {
				raw[i] = uint16(r.Uint32())
				if r.IntN(4) == 0 {
					raw[i] = []uint16{0xC000, 0xFFFF, 0x4000, 0x8000}[r.IntN(4)]
				}
			}
		}
		f.Raw = append(f.Raw, raw)
	}
	return f
}

// same fails where two results differ in a bit.
func same(t *testing.T, what string, got, want *hit.Result) {
	t.Helper()
	if got.Summary != want.Summary || len(got.Peaks) != len(want.Peaks) {
		t.Fatalf("%s: %+v with %d peaks, not %+v with %d", what, got.Summary, len(got.Peaks), want.Summary, len(want.Peaks))
	}
	for i := range want.Peaks {
		if got.Peaks[i] != want.Peaks[i] {
			t.Fatalf("%s: peak %d is %+v, not %+v", what, i, got.Peaks[i], want.Peaks[i])
		}
	}
}

// What the fast finder finds is what the definition finds, whatever the machine's vectors, the camera and the frame.
func TestFastFindsWhatTheDefinitionFinds(t *testing.T) {
	peaks := 0
	for seed := range uint64(fewer(150)) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			c := newScene(t, r)
			exact := c.plan.NewExact()
			finders := map[string]hit.Finder{"widest": c.plan.NewFinder(), "narrow": c.plan.Narrow(), "plain": c.plan.Plain()}
			var first *hit.Frame
			for frame := range 5 {
				f := c.frame(r)
				if frame == 2 {
					first = f
				}
				var want, got hit.Result
				if first != nil {
					f.Carried = c.plan.NewCarry(first)
				}
				exact.Find(f, &want)
				peaks += len(want.Peaks)
				for name, finder := range finders {
					if first != nil && r.IntN(2) == 0 { // else the thresholds that another finder made
						f.Carried = c.plan.NewCarry(first)
					}
					finder.Find(f, &got)
					same(t, fmt.Sprintf("%s, frame %d of %s, %+v", name, frame, c.set.Model, c.hits), &got, &want)
				}
			}
		})
	}
	if peaks < fewer(1000) {
		t.Errorf("%d peaks in all: these frames show little", peaks)
	}
}

// bright is a plan and a frame in which every pixel is above the limit that a dark frame carries over.
func bright(t testing.TB) (*hit.Plan, *hit.Frame) {
	t.Helper()
	const rows, cols = 512, 1024
	set := &calib.Set{Detector: "d", Model: "jungfrau-x", Serials: []string{"a", "b"}, Rows: rows, Cols: cols, Unit: calib.KeV}
	for range 3 * 2 * rows * cols {
		set.Pedestals, set.Gains = append(set.Pedestals, 1000), append(set.Gains, 40)
	}
	c := hit.Default()
	c.Finder = "peakfinder8"
	plan := planOf(t, c, set)
	dark, light := make([]uint16, rows*cols), make([]uint16, rows*cols)
	for i := range dark {
		dark[i], light[i] = uint16(1000+i%3), 3000
	}
	return plan, &hit.Frame{Raw: [][]uint16{light, light}, Carried: plan.NewCarry(&hit.Frame{Raw: [][]uint16{dark, dark}})}
}

// A group of all pixels is one group, however it is filled.
func TestFastFillsAWholeFrame(t *testing.T) {
	plan, f := bright(t)
	var want, got hit.Result
	plan.NewExact().Find(f, &want)
	if want.Summary.Pixels != 2*512*1024 {
		t.Fatalf("%d pixels are above the limit", want.Summary.Pixels)
	}
	for _, finder := range []hit.Finder{plan.NewFinder(), plan.Narrow(), plan.Plain()} {
		finder.Find(f, &got)
		same(t, "bright", &got, &want)
	}
}

func BenchmarkBright(b *testing.B) {
	plan, f := bright(b)
	finder := plan.NewFinder()
	var r hit.Result
	b.ReportAllocs()
	for b.Loop() {
		finder.Find(f, &r)
	}
}

// A finder that has seen the frames once allocates nothing more.
func TestFastAllocatesNothing(t *testing.T) {
	for _, statistics := range []string{hit.Full, hit.Sampled, hit.Carried} {
		for seed := range uint64(6) {
			r := rand.New(rand.NewPCG(seed, 9))
			c := newScene(t, r)
			h := c.hits
			h.Peakfinder8.Statistics = statistics
			plan := planWith(t, c, h)
			finder := plan.NewFinder()
			frames := []*hit.Frame{c.frame(r), c.frame(r)}
			if statistics == hit.Carried {
				for _, f := range frames {
					f.Carried = plan.NewCarry(frames[0])
				}
			}
			var result hit.Result
			at := 0
			find := func() {
				finder.Find(frames[at%2], &result)
				at++
			}
			find()
			find()
			if n := testing.AllocsPerRun(4, find); n != 0 {
				t.Errorf("%s, %s: %g allocations for a frame", statistics, c.set.Model, n)
			}
		}
	}
}

func FuzzFastFindsWhatTheDefinitionFinds(f *testing.F) {
	f.Add(uint64(1), []byte{0, 1, 2, 255})
	f.Add(uint64(7), []byte{0xC0, 0xFF, 0x40, 0x80, 0x13, 0x37})
	f.Fuzz(func(t *testing.T, seed uint64, pixels []byte) {
		r := rand.New(rand.NewPCG(seed, 2))
		c := newScene(t, r)
		frame := c.frame(r)
		for i, b := range pixels { // runs of pixels with the high byte of the fuzzer
			raw := frame.Raw[i%len(frame.Raw)]
			for k := range 7 {
				at := (i*7 + k + int(seed%1024)) % len(raw)
				raw[at] = uint16(b)<<8 | raw[at]&255
			}
		}
		var want, got hit.Result
		c.plan.NewExact().Find(frame, &want)
		for name, finder := range map[string]hit.Finder{"widest": c.plan.NewFinder(), "narrow": c.plan.Narrow(), "plain": c.plan.Plain()} {
			finder.Find(frame, &got)
			same(t, name, &got, &want)
		}
	})
}
