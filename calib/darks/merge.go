package darks

import (
	"fmt"
	"math"
	"slices"

	"drp/calib"
)

// ours are the bits of a status that darks decide.
const ours = calib.StatusNoisy | calib.StatusQuiet | calib.StatusHigh | calib.StatusLow | calib.StatusFew | calib.StatusUnknown

// Complete takes from an earlier set what darks do not tell: gains, unit, mask, common mode, geometry, and pedestals of
// the gain ranges that did not occur. It says what it took, without the gains where the caller has others. The earlier set must have all
// segments.
func (r *Result) Complete(old *calib.Set, ownGains bool) (s *calib.Set, said []string, err error) {
	part := old.Subset(r.Set.Serials)
	if part == nil {
		return nil, nil, fmt.Errorf("the earlier constants are of the segments %s, and the files of %s", calib.Serial(old.Serials),
			calib.Serial(r.Set.Serials))
	}
	if part.Model != r.Set.Model || part.Rows != r.Set.Rows || part.Cols != r.Set.Cols {
		return nil, nil, fmt.Errorf("the earlier constants are of a %s of %d x %d pixels, and the files of a %s of %d x %d",
			part.Model, part.Rows, part.Cols, r.Set.Model, r.Set.Rows, r.Set.Cols)
	}
	set := *r.Set
	s = &set
	s.Gains, s.Unit, s.Mask, s.CommonMode = part.Gains, part.Unit, part.Mask, part.CommonMode
	s.Geometry, s.Places = part.Geometry, part.Places
	s.Pedestals, s.RMS, s.Status = slices.Clone(s.Pedestals), slices.Clone(s.RMS), slices.Clone(s.Status)
	taken := "gains, mask, common mode and geometry"
	if ownGains {
		taken = "mask, common mode and geometry"
	}
	said = append(said, taken+" are those of the earlier constants")
	model := calib.ModelOf(s.Model)
	per := len(s.Status) / len(model.Ranges)
	for g, name := range model.Ranges {
		measured, stray := r.Frames[g] > 0, r.stray(g)
		switch {
		case stray:
			said = append(said, fmt.Sprintf("range %s occurred in %d of %d pixels: where frames are too few, pedestals are those "+
				"of the earlier constants", name, r.Reached[g], r.pixels()))
		case !measured:
			said = append(said, fmt.Sprintf("range %s did not occur: its pedestals are those of the earlier constants", name))
		}
		for i := g * per; i < (g+1)*per; i++ {
			take(s, part, i, measured && !(stray && s.Status[i]&calib.StatusFew != 0))
		}
	}
	return s, said, nil
}

// take keeps of an earlier status what darks say nothing of, and that a gain is not known.
func take(s, old *calib.Set, i int, measured bool) {
	var was uint16
	if len(old.Status) > 0 {
		was = old.Status[i]
	}
	if !measured {
		s.Pedestals[i], s.Status[i], s.RMS[i] = old.Pedestals[i], was, 0
		if len(old.RMS) > 0 {
			s.RMS[i] = old.RMS[i]
		}
		return
	}
	s.Status[i] |= was &^ ours
	if g := float64(s.Gains[i]); was&calib.StatusUnknown != 0 && (g == 0 || math.IsNaN(g) || math.IsInf(g, 0)) {
		s.Status[i] |= calib.StatusUnknown
	}
}
