package correct

import (
	"fmt"
	"maps"
	"slices"

	"drp/calib"
)

// NumbersOf gives the numbers in a geometry of the segments of a set: the first segment of the whole set has the lowest
// number that the geometry has, the next one the next, whatever numbers the segments have in the data of a run.
func (g *Geometry) NumbersOf(s *calib.Set) (numbers []int, err error) {
	all := slices.Sorted(maps.Keys(g.Placed(s.Rows)))
	for i := range s.Serials {
		if at := s.Place(i); at < len(all) {
			numbers = append(numbers, all[at])
		}
	}
	if len(numbers) < len(s.Serials) {
		return nil, fmt.Errorf("geometry: it has places for %d of the %d segments %s of %d x %d pixels", len(numbers),
			len(s.Serials), calib.Serial(s.Serials), s.Rows, s.Cols)
	}
	return numbers, nil
}

// Placed counts the pixels that a geometry has places for, by the number of the segment, of so many rows, in it.
func (g *Geometry) Placed(rows int) map[int]int {
	pixels := map[int]int{}
	for i := range g.Panels {
		p := &g.Panels[i]
		wide := p.MaxFS - p.MinFS + 1
		if p.Index >= 0 {
			pixels[p.Index] += wide * (p.MaxSS - p.MinSS + 1)
			continue
		}
		for n := p.MinSS / rows; n <= p.MaxSS/rows; n++ {
			pixels[n] += wide * (min(p.MaxSS, n*rows+rows-1) - max(p.MinSS, n*rows) + 1)
		}
	}
	return pixels
}
