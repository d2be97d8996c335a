package simtest

import (
	"slices"

	"drp/drp"
)

// tamper falsifies the books; plant what is found in the files.
func (l *lab) tamper(s *drp.Summary, f Fault) {
	if f == Miscount {
		s.Recorded++
		s.Received++
	}
}

func (l *lab) plant(found []recorded) []recorded {
	i := len(found) / 2
	switch {
	case len(found) < 3:
	case l.o.Plant == Loss:
		return slices.Delete(found, i, i+1)
	case l.o.Plant == Duplicate:
		return slices.Insert(found, i, found[i])
	case l.o.Plant == Exchange:
		found[i], found[i-1] = found[i-1], found[i]
	case l.o.Plant == Change:
		if len(found[i].payload) == 0 { // its raw pixels are left out, and nothing was added
			found[i].hits.Count++
			break
		}
		if found[i].payload[len(found[i].payload)-1] ^= 1; found[i].value >= 0 {
			found[i].value ^= 1
		}
	case l.o.Plant == Mishit:
		for k := range found {
			if h := found[k].hits; h != nil {
				h.Background++
				break
			}
		}
	case l.o.Plant == Undecided:
		for k := range found {
			if found[k].decision != nil {
				found[k].decision = nil
				break
			}
		}
	case l.o.Plant == Unposted:
		for k := range found {
			if found[k].second >= 0 {
				found[k].second = -1
				break
			}
		}
	case l.o.Plant == Undamaged:
		for k := range found {
			found[k].damage = 0
		}
	}
	return found
}
