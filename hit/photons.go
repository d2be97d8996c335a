package hit

import "math"

// photons is psana's map of photons (lcls-psana/ImgAlgos, include/AlgImgProc.h, mapOfPhotonNumbersV1). Pixels with less
// than half a photon count nothing and begin no pair: one pass marks the others, and their neighbours are looked at one
// by one.
type photons struct {
	p       *Plan
	field   *field
	one     int64    // photon, in parts of a step
	enough  int64    // parts of a photon that a pair has at least
	limit   int64    // values above have half a photon
	table   []uint32 // low values in parts of a photon: a division less
	beside  [4]int
	taken   []uint64       // pixels that are in a pair already, a bit for each
	stopped []bool         // of each column, at its last pixel with half a photon left: what scan says
	later   [turns][]begin // those that are not in the middle
	counts  []uint16       // of the segment's pixels, in the map
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
	h := &photons{p: p, field: p.newField(), one: one, enough: int64(math.Ceil(float64(c.Fraction * parts))),
		limit: least - 1, beside: [4]int{-p.Cols, p.Cols, -1, 1},
		taken: make([]uint64, (p.Pixels()+63)/64), stopped: make([]bool, p.Cols)}
	h.table = make([]uint32, min(1<<12, one)) // no entry is 1<<16 photons
	for v := range h.table {
		h.table[v] = uint32(int64(v) << 32 / one)
	}
	return h
}

// Find counts the photons of a frame.
func (h *photons) Find(f *Frame, r *Result) {
	r.reset()
	r.makeMap(h.p.Segments * h.p.Pixels())
	h.counted = 0
	for s := range h.p.Segments {
		h.field.load(f, s)
		h.counts = r.Map[s*h.p.Pixels() : (s+1)*h.p.Pixels()]
		h.segment(r)
	}
	r.Summary.Photons = uint32(min(h.counted, math.MaxUint32))
	r.decide(&h.p.Config, r.Summary.Photons)
}

// segment counts those of a segment. Pairs are made in the order in which they begin, the middle first; each pixel is in
// one of them.
func (h *photons) segment(r *Result) {
	clear(h.taken)
	stopped := false
	for k := range h.field.stretches() {
		first := k * stretch * blockPixels
		clear(h.counts[first:min(first+stretch*blockPixels, len(h.counts))])
		found := h.field.above(k, h.limit, r)
		r.Summary.Pixels += uint32(len(found))
		for _, c := range found {
			stopped = h.pixel(c, stopped)
		}
	}
	for turn := range h.later {
		for k := range h.later[turn] {
			h.join(&h.later[turn][k])
		}
		h.later[turn] = h.later[turn][:0]
	}
}

// pixel counts the whole photons of a pixel, and begins a pair if it can. stopped is what scan says of the row.
func (h *photons) pixel(c candidate, stopped bool) bool {
	x := h.inParts(c.value)
	h.add(c.at, x/parts)
	b := begin{at: c.at, rest: x % parts}
	if b.rest < parts/2 {
		return stopped
	}
	row, col := b.at/h.p.Cols, b.at%h.p.Cols
	h.look(&b, row, col)
	inRow, stopped := scan(b.beside[2], b.rest, b.beside[3], stopped)
	inCol, above := scan(b.beside[0], b.rest, b.beside[1], h.stopped[col])
	h.stopped[col] = above
	if !inRow || !inCol {
		return stopped
	}
	if turn := h.turn(row, col); turn != middle {
		h.later[turn] = append(h.later[turn], b)
		return stopped
	}
	h.join(&b)
	return stopped
}

// inParts turns a value into parts of a photon, rounded down. What is below zero has none.
func (h *photons) inParts(v int32) int64 {
	if uint32(v) < uint32(len(h.table)) {
		return int64(h.table[v])
	}
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
			v := h.field.ifUsed(b.at + h.beside[k])
			if uint32(v) < uint32(len(h.table)) {
				b.beside[k] = int64(h.table[v]) % parts
			} else {
				b.beside[k] = h.inParts(v) % parts
			}
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
func (h *photons) join(b *begin) {
	most, with := int64(0), -1
	for k, rest := range b.beside {
		if at := b.at + h.beside[k]; rest >= most && h.taken[at/64]>>(at%64)&1 == 0 {
			most, with = rest, at
		}
	}
	if b.rest+most < h.enough {
		return
	}
	if with >= 0 {
		h.taken[with/64] |= 1 << (with % 64)
	}
	h.add(b.at, 1)
}

// add counts photons of a pixel, as many as the map can tell.
func (h *photons) add(at int, n int64) {
	n = min(n, math.MaxUint16-int64(h.counts[at]))
	h.counts[at] += uint16(n)
	h.counted += uint64(n)
}
