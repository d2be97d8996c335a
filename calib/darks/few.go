package darks

import (
	"fmt"

	"drp/calib"
)

// stray tells whether a range was reached by fewer than half of the pixels, as by those that a cosmic ray hit: the range
// was not taken then, or for a part of the pixels.
func (r *Result) stray(g int) bool {
	return r.Frames[g] > 0 && 2*r.Reached[g] < r.pixels()
}

func (r *Result) pixels() int { return len(r.Segments) * r.Set.SegmentPixels() }

// TooFew says of each range that was taken where more than half of the pixels had too few frames: constants without these
// pixels are of no use. It is about no range that only single pixels reached.
func (r *Result) TooFew() (said []string) {
	all := r.pixels()
	for g, name := range calib.ModelOf(r.Set.Model).Ranges {
		few := 0
		for _, status := range r.Set.Status[g*all : (g+1)*all] {
			if status&calib.StatusFew != 0 {
				few++
			}
		}
		if r.Frames[g] > 0 && !r.stray(g) && 2*few > all {
			said = append(said, fmt.Sprintf("range %s: %d of %d pixels had too few frames: there are %d, and each pixel needs %d",
				name, few, all, r.Frames[g], r.Needed))
		}
	}
	return said
}
