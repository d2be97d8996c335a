package intake

import (
	"fmt"
	"math"
	"slices"

	"drp/calib"
)

// unknown tells whether a gain says nothing.
func unknown(gain float32) bool { return !calib.GainKnown(gain) }

// used calls f with each value that will be used: the pixel is not masked, the value not marked as bad.
func used(s *calib.Set, f func(i int)) {
	for i := range s.Gains {
		if len(s.Mask) > 0 && s.Mask[i%len(s.Mask)] == 0 || len(s.Status) > 0 && s.Status[i] != 0 {
			continue
		}
		f(i)
	}
}

// FillGains puts the median gain of a range in the place of gains that are not known, and says of which range how many.
func FillGains(s *calib.Set) (said []string, err error) {
	model := calib.ModelOf(s.Model)
	per := len(s.Gains) / len(model.Ranges)
	s.Gains = slices.Clone(s.Gains)
	for r, name := range model.Ranges {
		gains := s.Gains[r*per : (r+1)*per]
		var known []float32
		for _, g := range gains {
			if !unknown(g) {
				known = append(known, g)
			}
		}
		if len(known) == 0 {
			return nil, &calib.RefusedError{Detector: s.Detector, Reason: fmt.Sprintf("no gain of range %s is known", name)}
		}
		slices.Sort(known)
		median, filled := known[len(known)/2], 0
		for i, g := range gains {
			if unknown(g) {
				gains[i] = median
				filled++
			}
		}
		if filled > 0 {
			said = append(said, fmt.Sprintf("range %s: %d unknown gains became the median, %.6g", name, filled, median))
		}
	}
	return said, nil
}

// MaskUnknown marks as bad what would be used and is not known: pedestals that are no numbers, gains that are none or
// zero. A value gets a status, so that the other ranges of its pixel stay.
func MaskUnknown(s *calib.Set) (said []string) {
	model := calib.ModelOf(s.Model)
	per := len(s.Gains) / len(model.Ranges)
	counts := make([]int, len(model.Ranges))
	status := slices.Clone(s.Status)
	if len(status) == 0 {
		status = make([]uint16, len(s.Gains))
	}
	used(s, func(i int) {
		bad := unknown(s.Gains[i]) || !finite(s.Pedestals[i]) || len(s.RMS) > 0 && (!finite(s.RMS[i]) || s.RMS[i] < 0)
		if bad {
			status[i] |= calib.StatusUnknown
			counts[i/per]++
		}
	})
	for r, n := range counts {
		if n > 0 {
			said = append(said, fmt.Sprintf("range %s: %d pixels whose constants are not known are marked as bad",
				model.Ranges[r], n))
			s.Status = status
		}
	}
	return said
}

func finite(v float32) bool {
	f := float64(v)
	return !math.IsNaN(f) && !math.IsInf(f, 0)
}
