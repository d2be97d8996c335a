package hit_test

import (
	"math"
	"testing"

	"drp/calib"
	"drp/hit"
)

// Calibrated values are as fine as the largest pixel allows, whatever the unit, and one odd gain changes nothing.
func TestCalibratedStep(t *testing.T) {
	set := func(model string, ranges int, gains ...float32) *calib.Set {
		const rows, cols = 16, 32
		s := &calib.Set{Detector: "x", Model: model, Serials: []string{"A"}, Unit: calib.ADU, Rows: rows, Cols: cols,
			Pedestals: make([]float32, ranges*rows*cols)}
		for r := range ranges {
			for range rows * cols {
				s.Gains = append(s.Gains, gains[r])
			}
		}
		return s
	}
	odd := set("other", 1, 1)
	odd.Gains[0] = 1e-20
	for _, c := range []struct {
		name string
		set  *calib.Set
		bits int
	}{
		{"16 bits", set("other", 1, 1), 13},
		{"an odd pixel", odd, 13},
		{"keV of a low gain", set("other", 1, 1000), 16},
		{"JUNGFRAU in photons", set("jungfrau", 3, 508, -18, -1.43), 15},
		{"JUNGFRAU in ADU", set("jungfrau", 3, 1, -0.035, -0.0028), 6},
	} {
		if got := planOf(t, peakfinder8(8, 6, 3, 3), c.set).Step(); got != math.Ldexp(1, -c.bits) {
			t.Errorf("%s: the step is 2^%g", c.name, math.Log2(got))
		}
	}
	c := peakfinder8(8, 6, 3, 3)
	c.Pixels = hit.ADU
	if got := planOf(t, c, set("other", 1, 7)).Step(); got != 1 {
		t.Errorf("the step of ADU is %g", got)
	}
}
