package hit

import (
	"math"
	"slices"

	"drp/calib/correct"
)

// finest is the finest step of calibrated values, 2^-finest.
const finest = 16

// stepOf gives the step of calibrated values: a power of two, so fine that rounding is not seen, and so coarse that the
// largest pixel fits, four times over, since gains are not alike. Pixels of odd gains that do not fit are at the end.
func stepOf(t *correct.Tables) float64 {
	largest := 0.
	for r := 0; ; r++ {
		factors, data, special := factorsOf(t, r)
		if special {
			largest = max(largest, correct.Saturated)
		}
		if factors == nil {
			break
		}
		if len(factors) > 0 {
			slices.Sort(factors)
			largest = max(largest, 4*data*float64(factors[len(factors)/2]))
		}
	}
	for step := 1. / (1 << finest); ; step *= 2 {
		if largest <= maxValue*step {
			return step
		}
	}
}

// factorsOf gives those of some pixels in a gain range, nil where there is none, and the highest number of a raw pixel.
func factorsOf(t *correct.Tables, gainRange int) (factors []float32, data float64, special bool) {
	const apart = 61 // pixels of which one is looked at; no detector has as many columns in a bank
	segments, _, _ := t.Shape()
	for s := range segments {
		c := t.Conversion(s)
		data, special = max(data, float64(c.DataMask)), special || c.Special
		if gainRange >= len(c.Factors) {
			continue
		}
		if factors == nil {
			factors = []float32{}
		}
		all := c.Factors[gainRange]
		for i := 0; i < len(all); i += min(apart, max(1, len(all)/apart)) {
			if f := float32(math.Abs(float64(all[i]))); f > 0 && f <= math.MaxFloat32 {
				factors = append(factors, f)
			}
		}
	}
	return factors, data, special
}
