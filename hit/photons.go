package hit

import (
	"math"
	"math/bits"
)

// photons is psana's map of photons (lcls-psana/ImgAlgos, include/AlgImgProc.h, mapOfPhotonNumbersV1). Pixels with less
// than half a photon count nothing and begin no pair: one pass marks the others, and their neighbours are looked at one
// by one.
type photons struct {
	p       *Plan
	field   *field
	one     int64 // photon, in parts of a step
	pair    int64 // parts of a photon that a pair has at least
	limit   int32 // values above have half a photon
	beside  [4]int
	taken   []uint64       // pixels that are in a pair already, a bit for each
	stopped []bool         // of each column, at its last pixel with half a photon left: what scan says
	later   [turns][]begin // those that are not in the middle
	base    int            // of the segment, in the map
	counted uint64
}

// parts is how many a photon has. The size of a photon is told in as many parts of a step.
const parts = 1 << 16

// begin is a pixel with which a pair can begin: half a photon is left of it, and its neighbours have no more.
type begin struct {
	at     int
	rest   int64
	beside [4]int64 // what is left of the neighbours above, below, to the left and to the right; -1 where there is none
}

func (p *Plan) newPhotons() *photons {
	c := &p.Config.Photons
	one := max(1, int64(math.RoundToEven(float64(c.PerPhoton/p.step)*parts)))
	least := (one + 2*parts - 1) / (2 * parts)
	return &photons{p: p, field: p.newField(), one: one, pair: int64(math.Ceil(float64(c.Fraction * parts))),
		limit: int32(min(least-1, math.MaxInt32)), beside: [4]int{-p.Cols, p.Cols, -1, 1},
		taken: make([]uint64, words(p.Pixels())), stopped: make([]bool, p.Cols)}
}

// Find counts the photons of a frame.
func (h *photons) Find(f *Frame, r *Result) {
	r.reset()
	r.clearMap(h.p.Segments * h.p.Pixels())
	h.counted = 0
	for s := range h.p.Segments {
		h.field.load(f, s)
		h.base = s * h.p.Pixels()
		r.Summary.Pixels += uint32(h.field.above(h.limit))
		r.Summary.Switched += uint32(h.field.switched)
		h.count(r)
	}
	r.Summary.Photons = uint32(min(h.counted, math.MaxUint32))
	r.decide(&h.p.Config, r.Summary.Photons)
}

// count does a segment. Pairs are made in the order in which they begin, the middle first; each pixel is in one of them.
func (h *photons) count(r *Result) {
	clear(h.taken)
	stopped := false
	for w, set := range h.field.marks {
		for ; set != 0; set &= set - 1 {
			b := begin{at: w*64 + bits.TrailingZeros64(set)}
			x := h.inParts(h.field.at(b.at))
			h.add(r, b.at, x/parts)
			if b.rest = x % parts; b.rest < parts/2 {
				continue
			}
			row, col := b.at/h.p.Cols, b.at%h.p.Cols
			h.look(&b, row, col)
			var inRow, inCol bool
			inRow, stopped = scan(b.beside[2], b.rest, b.beside[3], stopped)
			inCol, h.stopped[col] = scan(b.beside[0], b.rest, b.beside[1], h.stopped[col])
			if !inRow || !inCol {
				continue
			}
			if turn := h.turn(row, col); turn == middle {
				h.join(r, &b)
			} else {
				h.later[turn] = append(h.later[turn], b)
			}
		}
	}
	for turn := range h.later {
		for k := range h.later[turn] {
			h.join(r, &h.later[turn][k])
		}
		h.later[turn] = h.later[turn][:0]
	}
}

// inParts turns a value into parts of a photon, rounded down. What is below zero has none.
func (h *photons) inParts(v int32) int64 {
	if v <= 0 {
		return 0
	}
	return int64(v) << 32 / h.one
}

// look finds what is left of the neighbours.
func (h *photons) look(b *begin, row, col int) {
	for k, there := range [4]bool{row > 0, row < h.p.Rows-1, col > 0, col < h.p.Cols-1} {
		b.beside[k] = -1
		if there {
			b.beside[k] = h.inParts(h.field.used(b.at+h.beside[k])) % parts
		}
	}
}

// scan tells whether a pixel is a maximum of its row or column, as psana's scan does. That passes over the pixel after one
// where it stopped, if that has no more: so of two equal neighbours one is a maximum at most. At an end of the row, a
// maximum has more than its neighbour. stopped tells whether the scan stopped at the pixel before; it is asked for only if
// that has no less, and thus half a photon too.
func scan(before, x, after int64, stopped bool) (maximum, stops bool) {
	switch {
	case before < 0:
		return x > after, x > after
	case after < 0:
		return x > before, true
	}
	stops = before < x || !stopped
	return stops && before <= x && after <= x, stops
}

// The order in which pairs begin: left, right, upper and lower edge come after the middle, then the lower two corners and
// the upper two.
const (
	middle = iota
	leftEdge
	rightEdge
	upperEdge
	lowerEdge
	lowerLeft
	lowerRight
	upperLeft
	upperRight
	turns
)

func (h *photons) turn(row, col int) int {
	upper, lower, left, right := row == 0, row == h.p.Rows-1, col == 0, col == h.p.Cols-1
	switch {
	case !upper && !lower && !left && !right:
		return middle
	case !upper && !lower && left:
		return leftEdge
	case !upper && !lower:
		return rightEdge
	case !left && !right && upper:
		return upperEdge
	case !left && !right:
		return lowerEdge
	case lower && left:
		return lowerLeft
	case lower:
		return lowerRight
	case left:
		return upperLeft
	}
	return upperRight
}

// join looks for the neighbour that has most, the last of equal ones, and counts a photon if both have enough for one.
func (h *photons) join(r *Result, b *begin) {
	most, with := int64(0), -1
	for k, rest := range b.beside {
		if at := b.at + h.beside[k]; rest >= most && h.taken[at/64]>>(at%64)&1 == 0 {
			most, with = rest, at
		}
	}
	if b.rest+most < h.pair {
		return
	}
	if with >= 0 {
		h.taken[with/64] |= 1 << (with % 64)
	}
	h.add(r, b.at, 1)
}

// add counts photons of a pixel, as many as the map can tell.
func (h *photons) add(r *Result, at int, n int64) {
	if n == 0 {
		return
	}
	pixel := &r.Map[h.base+at]
	if *pixel == 0 {
		r.note(h.base + at)
	}
	n = min(n, math.MaxUint16-int64(*pixel))
	*pixel += uint16(n)
	h.counted += uint64(n)
}
