package hit

import (
	"fmt"
	"slices"
)

// Region is a rectangle of a segment, of which sums are told for each event.
type Region struct {
	Name    string `yaml:"name" json:"name"`
	Segment int    `yaml:"segment" json:"segment"` // its number in the detector; where there is no geometry, its place in the frame
	Rows    [2]int `yaml:"rows" json:"rows"`       // the first, and the one after the last
	Cols    [2]int `yaml:"cols" json:"cols"`
}

// RegionSums are those of the used pixels of a region. Values are in ADU or the constants' unit.
type RegionSums struct {
	Sum        float64
	SumSquares float64 // of the values
	Count      uint32  // pixels
	Max        float32 // 0 without a pixel
	Row, Col   float32 // centre in the segment, weighted with the values; the middle where their sum is not above 0
}

// maxRegions keeps results small.
const maxRegions = 256

func checkRegions(regions []Region) error {
	if len(regions) > maxRegions {
		return fmt.Errorf("hits: there are %d regions, and at most %d are possible", len(regions), maxRegions)
	}
	for i, r := range regions {
		same := func(o Region) bool { return o.Name == r.Name }
		switch {
		case r.Name == "":
			return fmt.Errorf("hits: region %d has no name", i)
		case slices.ContainsFunc(regions[:i], same):
			return fmt.Errorf("hits: two regions are called %s", r.Name)
		case r.Segment < 0:
			return fmt.Errorf("hits: region %s: there is no segment %d", r.Name, r.Segment)
		case r.Rows[0] < 0 || r.Rows[0] >= r.Rows[1] || r.Cols[0] < 0 || r.Cols[0] >= r.Cols[1]:
			return fmt.Errorf("hits: region %s: rows %v and cols %v: give the first one, and the one after the last", r.Name, r.Rows, r.Cols)
		}
	}
	return nil
}

// fitRegions finds the segments of the regions in frames; it is -1 where another process has the segment.
func (p *Plan) fitRegions() error {
	numbers := p.Camera.Numbers
	p.Config.Regions = slices.Clone(p.Config.Regions)
	for _, r := range p.Config.Regions {
		if r.Rows[1] > p.Rows || r.Cols[1] > p.Cols {
			return fmt.Errorf("hits: region %s goes to row %d and column %d, and a segment has %d x %d pixels",
				r.Name, r.Rows[1], r.Cols[1], p.Rows, p.Cols)
		}
		at := r.Segment
		if len(numbers) > 0 {
			at = slices.Index(numbers, r.Segment)
		} else if at >= p.Segments {
			return fmt.Errorf("hits: region %s is in segment %d, and there are %d", r.Name, at, p.Segments)
		}
		p.regionOf = append(p.regionOf, at)
	}
	return nil
}

// regionSums adds up regions.
type regionSums struct {
	p    *Plan
	cols []int64 // sum of each column
}

func (p *Plan) newRegionSums() *regionSums { return &regionSums{p, make([]int64, p.Cols)} }

// add appends the sums of the regions to a result.
func (s *regionSums) add(f *field, frame *Frame, r *Result) {
	loaded := -1
	for i := range s.p.Config.Regions {
		at := s.p.regionOf[i]
		if at >= 0 && at != loaded {
			f.load(frame, at)
			loaded = at
		}
		r.Regions = append(r.Regions, s.of(f, &s.p.Config.Regions[i], at >= 0))
	}
}

// of adds up one region. Sums are whole numbers: they do not depend on the order.
func (s *regionSums) of(f *field, region *Region, here bool) (sums RegionSums) {
	sums.Row, sums.Col = float32(region.Rows[0]+region.Rows[1]-1)/2, float32(region.Cols[0]+region.Cols[1]-1)/2
	if !here {
		return sums
	}
	var all Sums
	var byRow, byCol moment
	highest := int32(Bad)
	cols := s.cols[:region.Cols[1]-region.Cols[0]]
	clear(cols)
	for row := region.Rows[0]; row < region.Rows[1]; row++ {
		first, before := row*s.p.Cols+region.Cols[0], all.Sum
		for k := range cols {
			if v := f.ifUsed(first + k); v != Bad {
				all.add(v)
				cols[k] += int64(v)
				highest = max(highest, v)
			}
		}
		byRow.add(all.Sum-before, row)
	}
	for k, sum := range cols {
		byCol.add(sum, region.Cols[0]+k)
	}
	if all.N == 0 {
		return sums
	}
	step := s.p.step
	sums.Sum, sums.SumSquares = float64(float64(all.Sum)*step), float64(float64(all.squares()*step)*step)
	sums.Count, sums.Max = uint32(all.N), float32(float64(highest)*step)
	if all.Sum > 0 {
		sums.Row, sums.Col = float32(byRow.value()/float64(all.Sum)), float32(byCol.value()/float64(all.Sum))
	}
	return sums
}

// moment is a sum of sums of a row or column times its place, which need not fit into one word.
type moment struct{ high, low int64 }

// rest is what low has of a sum.
const rest = 1 << 24

func (m *moment) add(sum int64, at int) {
	m.high += (sum >> 24) * int64(at)
	m.low += (sum & (rest - 1)) * int64(at)
}

func (m *moment) value() float64 { return float64(float64(m.high)*rest) + float64(m.low) }
