package hit

import "math"

// droplets is psalgos' V4r3 (lcls-psana/psalgos, include/PeakFinderAlgos.h). Its thresholds do not depend on the frame:
// one pass marks the pixels that can be seeds, and all else is done around these.
type droplets struct {
	p           *Plan
	field       *field
	beneath     *beneath // nil where masked pixels have no say
	low, high   int64    // a value that is not below is of class 2, or of class 4
	minus       int64    // a value below is of class 16 or 32
	floor       int64    // and below this one of class 32
	ring        []offset
	box         []uint8 // the square around a seed: 1 where a pixel is in the group already
	group       []offset
	side, limit int // of the box; pixels that are too many
}

// offset is a place, from a seed.
type offset struct{ row, col int }

func (p *Plan) newDroplets() *droplets {
	c := &p.Config.Droplets
	side := 2*c.Rank + 1
	return &droplets{p: p, field: p.newField(), beneath: p.newBeneath(), low: p.atLeast(c.Low), high: p.atLeast(c.High), minus: p.atLeast(-c.Low),
		floor: p.atLeast(-c.High), ring: ringOf(c.R0, c.DR), box: make([]uint8, side*side),
		group: make([]offset, 0, side*side), side: side, limit: min(c.MaxPix, side*side) + 1}
}

// ringOf gives the places of the background.
func ringOf(r0, dr float64) (ring []offset) {
	far := int(math.Ceil(r0 + dr))
	for row := -far; row <= far; row++ {
		for col := -far; col <= far; col++ {
			if r := math.Sqrt(float64(row*row + col*col)); r >= r0 && r <= r0+dr {
				ring = append(ring, offset{row, col})
			}
		}
	}
	return ring
}

// Find looks for the droplets of a frame.
func (d *droplets) Find(f *Frame, r *Result) {
	r.reset()
	for s := range d.p.Segments {
		d.field.load(f, s)
		d.search(r)
	}
	r.decide(&d.p.Config, r.Summary.Peaks)
}

// search finds the droplets of a segment.
func (d *droplets) search(r *Result) {
	for k := range d.field.stretches() {
		for _, c := range d.field.above(k, d.high-1, r) {
			r.Summary.Pixels++
			var peak Peak
			if d.highest(c) && d.measure(c.at, &peak) {
				r.add(&peak, d.p.Config.MaxPeaks)
			}
		}
	}
}

// highest tells whether no pixel of the square is higher. Those that are not used have a say if they have a value, or would
// have one but for the mask of the constants.
func (d *droplets) highest(c candidate) bool {
	rank, row, col := d.p.Config.Droplets.Rank, c.at/d.p.Cols, c.at%d.p.Cols
	from, to := max(col-rank, 0), min(col+rank, d.p.Cols-1)
	for y := max(row-rank, 0); y <= min(row+rank, d.p.Rows-1); y++ {
		for x := from; x <= to; x++ {
			i := y*d.p.Cols + x
			v := d.field.value(i)
			if v == Bad && d.beneath != nil {
				v = d.beneath.value(d.field.segment*d.p.Pixels()+i, d.field.raw[i])
			}
			if v > c.value {
				return false
			}
		}
	}
	return true
}

// measure collects the group of a seed, and tells whether it is a peak.
func (d *droplets) measure(seed int, peak *Peak) bool {
	c := &d.p.Config.Droplets
	d.fill(seed)
	n := len(d.group)
	if n < c.MinPix || n > c.MaxPix {
		return false
	}
	row, col := seed/d.p.Cols, seed%d.p.Cols
	background := d.background(row, col)
	mean, rms := background.meanAndRMS()
	var s struct{ sum, rows, cols, byRow, byCol int64 } // of values, places, and values times places
	for _, o := range d.group {
		v := int64(d.field.value((row+o.row)*d.p.Cols + col + o.col))
		s.sum += v
		s.rows += int64(row + o.row)
		s.cols += int64(col + o.col)
		s.byRow += v * int64(row+o.row)
		s.byCol += v * int64(col+o.col)
	}
	highest := float64(d.field.value(seed)) - mean
	total := float64(s.sum) - float64(float64(n)*mean)
	son := 0.
	if noise := float64(rms * math.Sqrt(float64(n))); noise > 0 {
		son = total / noise
	}
	step := d.p.step
	if float64(highest*step) < c.MinAmax || float64(total*step) < c.MinAtot || son < c.MinSON {
		return false
	}
	y, x := float64(row), float64(col)
	if total > 0 {
		y = (float64(s.byRow) - float64(float64(s.rows)*mean)) / total
		x = (float64(s.byCol) - float64(float64(s.cols)*mean)) / total
	}
	*peak = Peak{Segment: uint16(d.field.segment), NPix: uint16(n), Row: float32(y), Col: float32(x),
		Total: float32(total * step), Max: float32(highest * step), Background: float32(mean * step),
		Sigma: float32(rms * step), SNR: float32(son)}
	return true
}

// fill collects the group of a seed: the pixels of class 2 and higher that hang together within the square. It stops
// where they are too many.
func (d *droplets) fill(seed int) {
	clear(d.box)
	d.group = d.group[:0]
	d.join(seed, offset{})
	for next := 0; next < len(d.group) && len(d.group) < d.limit; next++ {
		o := d.group[next]
		d.join(seed, offset{o.row + 1, o.col})
		d.join(seed, offset{o.row, o.col + 1})
		d.join(seed, offset{o.row - 1, o.col})
		d.join(seed, offset{o.row, o.col - 1})
	}
}

// join takes a pixel into the group if it belongs there.
func (d *droplets) join(seed int, o offset) {
	rank := d.p.Config.Droplets.Rank
	if o.row < -rank || o.row > rank || o.col < -rank || o.col > rank {
		return
	}
	row, col := seed/d.p.Cols+o.row, seed%d.p.Cols+o.col
	if row < 0 || row >= d.p.Rows || col < 0 || col >= d.p.Cols {
		return
	}
	taken := &d.box[(o.row+rank)*d.side+o.col+rank]
	v := d.field.ifUsed(row*d.p.Cols + col)
	if *taken != 0 || v == Bad || int64(v) >= d.minus && int64(v) < d.low {
		return
	}
	*taken = 1
	d.group = append(d.group, o)
}

// background adds the pixels of the ring that are not above the high threshold, nor as far below.
func (d *droplets) background(row, col int) (s Sums) {
	for _, o := range d.ring {
		y, x := row+o.row, col+o.col
		if y < 0 || y >= d.p.Rows || x < 0 || x >= d.p.Cols {
			continue
		}
		if v := d.field.ifUsed(y*d.p.Cols + x); v != Bad && int64(v) >= d.floor && int64(v) < d.high {
			s.add(v)
		}
	}
	return s
}

// meanAndRMS are 0 of nothing; so is the latter where rounding makes the variance negative.
func (s *Sums) meanAndRMS() (mean, rms float64) {
	if s.N == 0 {
		return 0, 0
	}
	n := float64(s.N)
	mean = float64(s.Sum) / n
	if variance := float64(s.squares()/n) - float64(mean*mean); variance > 0 {
		rms = math.Sqrt(variance)
	}
	return mean, rms
}
