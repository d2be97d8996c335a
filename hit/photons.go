package hit

import (
	"math"

	"drp/calib/correct"
)

// photons is psana's map of photons (lcls-psana/ImgAlgos, include/AlgImgProc.h, mapOfPhotonNumbersV1). Pixels with less
// than half a photon count nothing and begin no pair: a pass lists the others, and their neighbours are looked at one
// by one, or by vectors.
type photons struct {
	p       *Plan
	field   *field
	one     int64    // photon, in parts of a step
	enough  int64    // parts of a photon that a pair has at least
	limit   int64    // values above have half a photon
	table   []uint32 // low values in parts of a photon: a division less
	all     []bool   // of each segment, whether no pixel that is not used has a pedestal
	beside  [4]int
	taken   []uint64      // pixels that are in a pair already, a bit for each
	stopped []stops       // of each block, where scans stopped, of pixels with half a photon left
	later   [turns][]half // those that are not in the middle
	counts  []uint16      // of the segment's pixels, in the map
	counted uint64

	small bool // photons are such that vectors can look for them
	below halfLimits
	edges []uint32 // of each block: pixels at the ends of rows
	list  []halfBlock
}

// stops has a bit for each pixel of a block.
type stops struct{ inRow, inCol uint32 }

func (s *stops) set(bit uint32, inRow, inCol bool) {
	s.inRow &^= bit
	s.inCol &^= bit
	if inRow {
		s.inRow |= bit
	}
	if inCol {
		s.inCol |= bit
	}
}

// parts is how many a photon has. The size of a photon is told in as many parts of a step.
const parts = 1 << 16

// half is a pixel with which a pair can begin: half a photon is left of it, and its neighbours have no more.
type half struct {
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
		taken: make([]uint64, (p.Pixels()+63)/64), table: make([]uint32, min(one, 1<<12))}
	h.stopped, h.list = make([]stops, h.field.blocks), make([]halfBlock, min(stretch, h.field.blocks)+1)
	h.setLimits()
	for v := range h.table { // none has 1<<16 photons
		h.table[v] = uint32(h.inParts(int32(v)))
	}
	for s := range h.field.views {
		v, all := &h.field.views[s], true
		for i, pedestal := range v.Pedestal[:p.Pixels()] {
			all = all && (pedestal == correct.BadPedestal || v.bins[i] < Unused)
		}
		h.all = append(h.all, all)
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
	for k := range h.field.stretches() {
		from, to := k*stretch, min((k+1)*stretch, h.field.blocks)
		done, list := h.listVectors(from, to, r)
		h.pairs(list, r)
		if done < to {
			clear(h.counts[done*blockPixels : min(to*blockPixels, len(h.counts))])
			found := h.field.aboveIn(done, to, h.limit, r)
			r.Summary.Pixels += uint32(len(found))
			h.begin(h.whole(found))
		}
	}
	for turn := range h.later {
		for k := range h.later[turn] {
			h.join(&h.later[turn][k])
		}
		h.later[turn] = h.later[turn][:0]
	}
}

// whole counts the whole photons of pixels, and leaves those with half a photon left: the value is then what is left. It
// does so without a branch that nobody can foresee.
func (h *photons) whole(found []candidate) []candidate {
	n := 0
	for _, c := range found {
		x := int64(0)
		if int(c.value) < len(h.table) {
			x = int64(h.table[max(c.value, 0)])
		} else {
			x = h.inParts(c.value)
		}
		h.add(c.at, x/parts)
		found[n] = candidate{c.at, int32(x % parts)}
		n += int(x % parts / (parts / 2))
	}
	return found[:n]
}

// begin makes the pairs that begin with some pixels. Nearly always all four neighbours are there, have less, and the one that
// has most is free: for that there is a short way.
func (h *photons) begin(halves []candidate) {
	f, last := h.field, offset{h.p.Rows - 1, h.p.Cols - 1}
	raw, pedestal, used, table, taken := f.raw, f.Pedestal, f.used[f.segment], h.table, h.taken
	bias, odd, cols, known, all := int(f.Bias), f.odd, h.p.Cols, len(table), h.all[f.segment]
	if !f.direct {
		known = math.MinInt
	}
	rest := func(i int) int64 {
		if d := int(raw[i]) - bias - int(pedestal[i]); d < known && raw[i]&odd == 0 &&
			(all || used[uint(i)/blockPixels]>>(uint(i)%blockPixels)&1 != 0) {
			return int64(table[max(d, 0)] % parts)
		}
		return h.inParts(f.ifUsed(i)) % parts
	}
	for _, c := range halves {
		x := int64(c.value)
		row, col := int(uint32(c.at)/uint32(cols)), int(uint32(c.at)%uint32(cols))
		if row > 0 && row < last.row && col > 0 && col < last.col {
			// The highest one's number is with it; of equal ones it is the last.
			best := max(rest(c.at-cols)*4, rest(c.at+cols)*4+1, rest(c.at-1)*4+2, rest(c.at+1)*4+3)
			with := uint(c.at + h.beside[best&3])
			if best /= 4; best < x && taken[with/64]>>(with%64)&1 == 0 {
				stopped, bit := &h.stopped[uint(c.at)/blockPixels], uint32(1)<<(uint(c.at)%blockPixels)
				stopped.inRow |= bit
				stopped.inCol |= bit
				if x+best >= h.enough {
					taken[with/64] |= 1 << (with % 64)
					h.add(c.at, 1)
				}
				continue
			}
		}
		h.pixel(h.around(c.at, x))
	}
}

// around looks at the neighbours of a pixel with half a photon left.
func (h *photons) around(at int, rest int64) half {
	b := half{at: at, rest: rest, beside: [4]int64{-1, -1, -1, -1}}
	row, col := at/h.p.Cols, at%h.p.Cols
	for k, there := range [4]bool{row > 0, row < h.p.Rows-1, col > 0, col < h.p.Cols-1} {
		if there {
			b.beside[k] = h.inParts(h.field.ifUsed(at+h.beside[k])) % parts
		}
	}
	return b
}

// pixel is the long way.
func (h *photons) pixel(b half) {
	row, col := b.at/h.p.Cols, b.at%h.p.Cols
	before, above := uint(max(b.at-1, 0)), uint(max(b.at-h.p.Cols, 0)) // nobody asks for what is not there
	inRow, stopsRow := scan(b.beside[2], b.rest, b.beside[3], h.stopped[before/blockPixels].inRow>>(before%blockPixels)&1 != 0)
	inCol, stopsCol := scan(b.beside[0], b.rest, b.beside[1], h.stopped[above/blockPixels].inCol>>(above%blockPixels)&1 != 0)
	h.stopped[b.at/blockPixels].set(1<<(b.at%blockPixels), stopsRow, stopsCol)
	switch turn := h.turn(row, col); {
	case !inRow || !inCol:
	case turn == middle:
		h.join(&b)
	default:
		h.later[turn] = append(h.later[turn], b)
	}
}

// inParts turns a value into parts of a photon, rounded down. What is below zero has none.
func (h *photons) inParts(v int32) int64 {
	if v <= 0 {
		return 0
	}
	return int64(v) << 32 / h.one
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

// join looks for the free neighbour that has most, the last of equal ones, and counts a photon if both have enough for one.
func (h *photons) join(b *half) {
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
