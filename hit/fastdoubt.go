package hit

import (
	"math/bits"
	"slices"
)

// doubtful is a pixel of which it is open whether it is above its limit.
type doubtful struct {
	segment int
	at      uint32
	value   int32
}

// settle makes the limits of the bins anew that have pixels which decide about a group, as the definition does, and leaves
// the pixels that are above the limits then.
func (f *fast) settle(t *Thresholds, r *Result) {
	f.opened = f.opened[:0]
	for k := range f.doubtful {
		d := &f.doubtful[k]
		if b := f.views[d.segment].bins[d.at]; !f.open[b] && f.decides(d, t) {
			f.open[b] = true
			f.opened = append(f.opened, b)
		}
	}
	higher := false // than was thought to be possible
	for _, b := range f.opened {
		f.open[b] = false
		most := t.Most[b]
		o := f.outcome(f.p.Ring[f.p.RingAt[b]:f.p.RingAt[b+1]])
		t.settle(int(b), &o)
		higher = higher || t.Limit[b] > most
	}
	if higher {
		f.drop(t, r)
		return
	}
	for k := range f.doubtful {
		d := &f.doubtful[k]
		if d.value <= t.Limit[f.views[d.segment].bins[d.at]] {
			f.above[d.segment][d.at/blockPixels] &^= 1 << (d.at % blockPixels)
			r.Summary.Pixels--
		}
	}
}

// drop leaves the pixels that are above their limits, of all that were above the least ones.
func (f *fast) drop(t *Thresholds, r *Result) {
	for s, above := range f.above {
		v := &f.views[s]
		for _, block := range f.lit[f.litOf[s]:f.litOf[s+1]] {
			for left := above[block]; left != 0; left &= left - 1 {
				bit := bits.TrailingZeros32(left)
				if i := int(block)*blockPixels + bit; v.value(i) <= t.Limit[v.bins[i]] {
					above[block] &^= 1 << bit
					r.Summary.Pixels--
				}
			}
		}
	}
}

// decides is that of the definition. Pixels above the least limits are known.
func (f *fast) decides(d *doubtful, t *Thresholds) bool {
	p, v, above := f.p, &f.views[d.segment], f.above[d.segment]
	row, col := int(d.at)/p.Cols, int(d.at)%p.Cols
	some, sure := 0, 0
	for y := max(row-1, 0); y <= min(row+1, p.Rows-1); y++ {
		for i := y*p.Cols + max(col-1, 0); i <= y*p.Cols+min(col+1, p.Cols-1); i++ {
			if above[i/blockPixels]>>(i%blockPixels)&1 == 0 {
				continue
			}
			some++
			if v.value(i) > t.Most[v.bins[i]] {
				sure++
			}
		}
	}
	return p.decides(some, sure)
}

// panels makes the thresholds of panels that are bins from the sample.
func (f *fast) panels(t *Thresholds) {
	for b := range f.p.Bins {
		o := f.outcome(f.p.Sample[f.p.SampleAt[b]:f.p.SampleAt[b+1]])
		t.set(b, &o)
		f.sample.bounds[b] = o.next
	}
}

// outcome is what the values of pixels lead to.
func (f *fast) outcome(pixels []uint32) outcome {
	w, n := &f.values, uint32(f.p.Pixels())
	w.near, w.far = w.near[:0], w.far[:0]
	for s := range f.views {
		end, _ := slices.BinarySearch(pixels, uint32(s+1)*n)
		w.add(&f.views[s], pixels[:end], uint32(s)*n)
		pixels = pixels[end:]
	}
	for len(w.near)%ringBlock > 0 {
		w.near = append(w.near, Bad)
	}
	return f.p.iterate(w.sum)
}

// ring is the values of a bin: those that fit into 16 bits, with Bad in places where there is none, and the others.
type ring struct {
	near, far []int32
	flagged   []uint16 // of each block, the pixels that are to be done once more
	vectors   vectors
}

// ringBlock is how many values vectors take at a time.
const ringBlock = 16

func newRing(p *Plan, v vectors) ring {
	room := 0
	for b := range p.Bins {
		room = max(room, int(p.RingAt[b+1]-p.RingAt[b]))
	}
	return ring{near: make([]int32, 0, room+ringBlock), flagged: make([]uint16, room/ringBlock), vectors: v}
}

// add adds pixels of a segment, whose first has the number base.
func (w *ring) add(v *view, pixels []uint32, base uint32) {
	for _, i := range pixels[w.addVectors(v, pixels, base):] {
		w.near = append(w.near, w.sort(v.value(int(i-base))))
	}
}

// sort gives a value back, or Bad where it is too large, and keeps it.
func (w *ring) sort(x int32) int32 {
	if x == int32(int16(x)) || x == Bad {
		return x
	}
	w.far = append(w.far, x)
	return Bad
}

// sum adds the values within bounds.
func (w *ring) sum(b Bounds) (sums Sums) {
	if b.Lo >= b.Hi {
		return sums
	}
	sums, done := w.sumVectors(b)
	for _, x := range w.near[done:] {
		if x > b.Lo && x < b.Hi {
			sums.N++
			sums.Sum += int64(x)
			sums.Low += uint64(int64(x) * int64(x))
		}
	}
	for _, x := range w.far {
		if x > b.Lo && x < b.Hi {
			sums.add(x)
		}
	}
	return sums
}

// iterate finds what the sums of a bin's values lead to.
func (p *Plan) iterate(sum func(Bounds) Sums) (o outcome) {
	bounds, before := everything, Sums{N: -1}
	for range iterations {
		sums := sum(bounds)
		if sums == before {
			break
		}
		before = sums
		o = p.bounds(&sums)
		bounds = o.next
	}
	return o
}
