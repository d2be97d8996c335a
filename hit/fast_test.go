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
	tables, err := correct.NewTables(c.set, c.config)
	if err != nil {
		t.Fatal(err)
	}
	if c.plan, err = hit.NewPlan(h, hit.Camera{Tables: tables, Unit: c.set.Unit}); err != nil {
		t.Skip(err)
	}
	c.hits = h
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
	for seed := range uint64(150) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			c := newScene(t, r)
			exact := c.plan.NewExact()
			finders := map[string]hit.Finder{"widest": c.plan.NewFinder(), "narrow": c.plan.Narrow(), "plain": c.plan.Plain()}
			for frame := range 3 {
				f := c.frame(r)
				var want, got hit.Result
				exact.Find(f, &want)
				peaks += len(want.Peaks)
				for name, finder := range finders {
					finder.Find(f, &got)
					same(t, fmt.Sprintf("%s, frame %d of %s, %+v", name, frame, c.set.Model, c.hits), &got, &want)
				}
			}
		})
	}
	if peaks < 1000 {
		t.Errorf("%d peaks in all: these frames show little", peaks)
	}
}
