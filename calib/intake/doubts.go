package intake

import (
	"fmt"
	"strings"

	"drp/calib"
)

// maxMasked is the part of the pixels that may be masked, or without a place, and not a word is said.
const maxMasked = 0.2

// Doubts says what can be meant as it is, and more often is a mistake.
func Doubts(s *calib.Set) (said []string) {
	model := calib.ModelOf(s.Model)
	if known := calib.Families(); !model.Known() {
		said = append(said, fmt.Sprintf("the type %q is not known, and is taken as a detector with one gain range; known are %s, "+
			"and names that begin so", s.Model, strings.Join(known, ", ")))
	}
	masked := 0
	for _, v := range s.Mask {
		if v == 0 {
			masked++
		}
	}
	if all := len(s.Mask); float64(masked) > maxMasked*float64(all) {
		said = append(said, fmt.Sprintf("%d of %d pixels are masked: in a mask 1 is good and 0 is bad", masked, all))
	}
	said = append(said, doubtGeometry(s)...)
	if model.Coding != calib.TwoBits {
		return said
	}
	per := len(s.Gains) / len(model.Ranges)
	for r, name := range model.Ranges[1:] {
		positive := 0
		for _, gain := range s.Gains[(r+1)*per : (r+2)*per] {
			if gain > 0 {
				positive++
			}
		}
		if 2*positive > per {
			said = append(said, fmt.Sprintf("%d of %d gains of range %s are positive: it counts downwards, and its gains are "+
				"negative", positive, per, name))
		}
	}
	return said
}
