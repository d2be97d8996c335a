package hit

import (
	"math"

	"drp/calib/correct"
)

// exact is peakfinder8 as the package defines it, written to be read: every other implementation is compared with it.
type exact struct {
	p          *Plan
	values     []int32 // (segments, rows, cols)
	room       *Room
	thresholds *Thresholds
	switched   []bool // in another gain range, or saturated
	taken      []bool
	members    []int32 // of the group, as places in the segment
}

func (p *Plan) newExact() *exact {
	n := p.Segments * p.Pixels()
	return &exact{p: p, values: make([]int32, n), room: p.NewRoom(), thresholds: newThresholds(p.Bins),
		switched: make([]bool, n), taken: make([]bool, n)}
}

// Find looks for the peaks of a frame.
func (e *exact) Find(f *Frame, r *Result) {
	own := e.thresholds
	if f.Carried != nil {
		e.thresholds = f.Carried.thresholds(func(first *Frame, t *Thresholds) {
			e.load(first)
			e.p.statistics(t, e.values, true)
		})
	}
	e.load(f)
	if f.Carried == nil {
		e.own()
	}
	e.search(r)
	e.thresholds = own
}

// own makes the thresholds of the frame itself.
func (e *exact) own() {
	statistics := e.p.Config.Peakfinder8.Statistics
	e.p.statistics(e.thresholds, e.values, statistics != Full)
	if statistics == Sampled {
		e.settle()
	}
}

func (e *exact) load(f *Frame) {
	n := e.p.Pixels()
	for s := range f.Raw {
		e.p.Values(e.values[s*n:(s+1)*n], f, s, e.room)
		for i, v := range e.room.adu {
			e.switched[s*n+i] = v == correct.Switched16
		}
	}
}

// search finds the peaks with the thresholds that there are.
func (e *exact) search(r *Result) {
	r.reset()
	clear(e.taken)
	r.Summary.Background = e.thresholds.background(e.p.step)
	for i, v := range e.values {
		b := e.p.Bin[i]
		if b >= Unused || v == Bad {
			continue
		}
		if v > e.thresholds.Limit[b] {
			r.Summary.Pixels++
		}
		if e.switched[i] {
			r.Summary.Switched++
		}
	}
	for at := range e.p.Panels {
		panel := &e.p.Panels[at]
		for row := panel.Row + 1; row < panel.Row+panel.Rows-1; row++ {
			for col := panel.Col + 1; col < panel.Col+panel.Cols-1; col++ {
				if !e.above(panel, row, col) {
					continue
				}
				e.fill(panel, row, col)
				var peak Peak
				if e.peak(panel, &peak) {
					r.add(&peak, e.p.Config.MaxPeaks)
				}
			}
		}
	}
	r.decide(&e.p.Config, r.Summary.Peaks)
}

func (e *exact) at(panel *Panel, row, col int) int {
	return panel.Segment*e.p.Pixels() + row*e.p.Cols + col
}

// above tells whether a pixel of a panel can join a group.
func (e *exact) above(panel *Panel, row, col int) bool {
	i := e.at(panel, row, col)
	b, v := e.p.Bin[i], e.values[i]
	return b < Unused && v != Bad && !e.taken[i] && v > e.thresholds.Limit[b]
}

// fill collects the group of a pixel.
func (e *exact) fill(panel *Panel, row, col int) {
	e.taken[e.at(panel, row, col)] = true
	e.members = append(e.members[:0], int32(row*e.p.Cols+col))
	for next := 0; next < len(e.members); next++ {
		row, col := int(e.members[next])/e.p.Cols, int(e.members[next])%e.p.Cols
		for y := max(row-1, panel.Row); y <= min(row+1, panel.Row+panel.Rows-1); y++ {
			for x := max(col-1, panel.Col); x <= min(col+1, panel.Col+panel.Cols-1); x++ {
				if e.above(panel, y, x) {
					e.taken[e.at(panel, y, x)] = true
					e.members = append(e.members, int32(y*e.p.Cols+x))
				}
			}
		}
	}
}

// peak measures the group, and tells whether it is one.
func (e *exact) peak(panel *Panel, peak *Peak) bool {
	c := &e.p.Config.Peakfinder8
	if n := len(e.members); n < c.MinPixCount || n > c.MaxPixCount {
		return false
	}
	g := Group{Highest: math.MinInt32}
	base := panel.Segment * e.p.Pixels()
	for _, m := range e.members {
		v := e.values[base+int(m)]
		g.Add(v, e.thresholds.Offset[e.p.Bin[base+int(m)]&^Unused], int(m)/e.p.Cols, int(m)%e.p.Cols)
	}
	row, col, ok := g.First()
	if !ok {
		return false
	}
	d := e.disc(panel, row, col)
	if d.N == 0 {
		d.Mean = e.thresholds.Mean[e.p.binAt(panel, row, col)]
	}
	return e.p.Measure(peak, panel, &g, &d)
}

// binAt is the bin of a place, which may be off the panel where values are negative.
func (p *Plan) binAt(panel *Panel, row, col int) uint16 {
	row = min(max(row, panel.Row), panel.Row+panel.Rows-1)
	col = min(max(col, panel.Col), panel.Col+panel.Cols-1)
	return p.Bin[panel.Segment*p.Pixels()+row*p.Cols+col] &^ Unused
}

// disc adds the background around a place.
func (e *exact) disc(panel *Panel, row, col int) (d Disc) {
	r := e.p.Config.Peakfinder8.LocalBGRadius
	for dy := -2 * r; dy < 2*r; dy++ {
		for dx := -2 * r; dx < 2*r; dx++ {
			y, x := row+dy, col+dx
			if dx*dx+dy*dy > 4*r*r || !panel.has(y, x) {
				continue
			}
			i := e.at(panel, y, x)
			if b, v := e.p.Bin[i], e.values[i]; b < Unused && v != Bad && v < e.thresholds.Below[b] {
				d.add(v)
				d.Highest = max(d.Highest, v)
			}
		}
	}
	return d
}

func (p *Panel) has(row, col int) bool {
	return row >= p.Row && row < p.Row+p.Rows && col >= p.Col && col < p.Col+p.Cols
}
