package cuda_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// scene is a camera and a configuration by chance, as far as a GPU is for it.
type scene struct {
	set    *calib.Set
	plan   *hit.Plan
	wild   float64 // part of the pixels with any bits at all
	peaks  int
	bright float64
}

func newScene(t testing.TB, r *rand.Rand, statistics string) *scene {
	t.Helper()
	model := []string{"jungfrau-x", "epix10ka-x", "epixhr-x", "epix100-x", "other"}[r.IntN(5)]
	m := calib.ModelOf(model)
	s := &calib.Set{Detector: "d", Model: model, Rows: 2 * (5 + r.IntN(40)), Cols: 4 * (3 + r.IntN(40)), Unit: calib.ADU}
	for i := range 1 + r.IntN(3) {
		s.Serials = append(s.Serials, fmt.Sprint(i))
	}
	n := len(s.Serials) * s.Rows * s.Cols
	middle := []float64{0, 500, 3000}[r.IntN(3)]
	for k := range len(m.Ranges) * n {
		gain := []float64{40, -1.4, 0.9, 40, 12, 0.3, 7}[k/n] * (1 + 0.1*r.NormFloat64())
		s.Pedestals = append(s.Pedestals, float32(middle+20*r.NormFloat64()))
		s.Gains = append(s.Gains, float32([]float64{gain, gain, gain, gain, gain, gain, 0, math.NaN(), 1e-30}[r.IntN(9)]))
	}
	bad := []float64{0, 0.005, 0.3}[r.IntN(3)]
	s.Mask = make([]uint8, n)
	for i := range s.Mask {
		if r.Float64() >= bad {
			s.Mask[i] = 1
		}
	}
	var config []correct.Config
	for k := range s.Serials {
		if m.Coding != calib.Configured {
			break
		}
		c := correct.Config{Pixels: make([]uint8, s.Rows*s.Cols), TRBits: [4]uint8{0, 1, 0, 1}}
		for i := range c.Pixels {
			if k != 1 {
				c.Pixels[i] = uint8(r.IntN(16))
			}
		}
		config = append(config, c)
	}
	tables, err := correct.NewTables(s, config)
	if err != nil {
		t.Fatal(err)
	}
	c := &scene{set: s, wild: []float64{0, 0.001, 0.2, 1}[r.IntN(4)], peaks: r.IntN(30), bright: []float64{200, 3000, 20000}[r.IntN(3)]}
	if c.plan, err = hit.NewPlan(c.parameters(r, statistics), hit.Camera{Tables: tables, Unit: s.Unit}); err != nil {
		t.Fatal(err)
	}
	return c
}

func (c *scene) parameters(r *rand.Rand, statistics string) hit.Config {
	h := hit.Default()
	h.Finder, h.MaxPeaks, h.CrossCheck = "peakfinder8", 1+r.IntN(200), 5
	h.Peakfinder8 = hit.Peakfinder8{Statistics: statistics, ADCThreshold: []float64{-1e6, -5, 0, 8, 100, 40000}[r.IntN(6)],
		MinSNR: []float64{0, 0.5, 3, 7}[r.IntN(4)], MinPixCount: 1 + r.IntN(3), MaxPixCount: []int{3 + r.IntN(40), 4096}[r.IntN(2)],
		LocalBGRadius: 1 + r.IntN(5), Refresh: 1}
	if r.IntN(3) == 0 {
		h.Panel = [2]int{c.set.Rows / 2, c.set.Cols / 4}
	}
	if len(c.set.Serials) == 1 && r.IntN(4) > 0 {
		h.Center = hit.Center{Row: r.Float64() * float64(c.set.Rows), Col: r.Float64() * 40 * float64(c.set.Cols), Given: true}
		if r.IntN(2) == 0 {
			h.MinRes = 4
		}
	}
	return h
}

// frame has noise on a background that falls, peaks, and what no detector should give.
func (c *scene) frame(r *rand.Rand) *hit.Frame {
	f, n, kind := &hit.Frame{}, c.set.Rows*c.set.Cols, r.IntN(10)
	m := calib.ModelOf(c.set.Model)
	top := float64(int(1)<<m.DataBits - 1)
	for s := range c.set.Serials {
		raw := make([]uint16, n)
		for i := range raw {
			adu := float64(c.set.Pedestals[s*n+i]) + 300*math.Exp(-float64(i/c.set.Cols)/30) + 3*r.NormFloat64()
			raw[i] = uint16(max(0, min(adu, top)))
			if kind < 2 {
				raw[i] = uint16(kind) * uint16(top) // dark, or saturated
			}
		}
		for range c.peaks {
			y, x := r.IntN(c.set.Rows), r.IntN(c.set.Cols)
			for k := range 25 {
				if y+k/5 < c.set.Rows && x+k%5 < c.set.Cols && r.IntN(3) > 0 {
					i := (y+k/5)*c.set.Cols + x + k%5
					raw[i] = uint16(min(float64(raw[i])+c.bright*r.Float64(), top))
				}
			}
		}
		for i := range raw {
			if r.Float64() < c.wild {
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

// copyOf is a frame in another place.
func copyOf(f *hit.Frame) *hit.Frame {
	to := &hit.Frame{Carried: f.Carried}
	for _, raw := range f.Raw {
		to.Raw = append(to.Raw, append([]uint16(nil), raw...))
	}
	return to
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
