package hit

// A sample of a ring, with the deviations of those nearby, tells its limit to a few percent; on real frames, where rings
// are not alike, to ten or more. Most groups do not care. Where one does, its rings are looked at as a whole.

// openPart is how much a sample leaves open of the distance from a bin's mean to its limit. With so much nearly all that
// full statistics find is found in the real frames of the tests, and next to nothing else (docs/hits.md).
const openPart = 0.15

// mostOfRing is how many pixels of a bin are looked at. More are not needed: so many tell a deviation to 0.4 %,
// and rings are shorter. Panels that are bins of their own are larger.
const mostOfRing = 1 << 15

// Doubt is the part of min_snr deviations by which limits may be less or more than the plan's statistics say.
func (p *Plan) Doubt() float64 {
	if p.Config.Peakfinder8.Statistics == Sampled {
		return openPart
	}
	return 0
}

// list lists the pixels of the bins.
func (p *Plan) list() {
	counts := make([]int, p.Bins)
	for _, b := range p.Bin {
		if b < Unused {
			counts[b]++
		}
	}
	p.RingAt = make([]uint32, p.Bins+1)
	for b, n := range counts {
		p.RingAt[b+1] = p.RingAt[b] + uint32(min(n, mostOfRing))
	}
	p.Ring = make([]uint32, p.RingAt[p.Bins])
	met, taken := make([]int, p.Bins), make([]int, p.Bins)
	for i, b := range p.Bin {
		if b >= Unused {
			continue
		}
		// Of a longer list those pixels stay that are at equal distances in it.
		if held := min(counts[b], mostOfRing); taken[b] < held && met[b] == taken[b]*counts[b]/held {
			p.Ring[int(p.RingAt[b])+taken[b]] = uint32(i)
			taken[b]++
		}
		met[b]++
	}
}

// settle makes the limits of the bins anew that have pixels which decide about a group.
func (e *exact) settle() {
	p, t := e.p, e.thresholds
	open := make([]bool, p.Bins)
	for i, v := range e.values {
		if b := p.Bin[i]; b < Unused && v != Bad && v > t.Least[b] && v <= t.Most[b] && e.decides(i) {
			open[b] = true
		}
	}
	for b := range open {
		if !open[b] {
			continue
		}
		bounds, o := everything, outcome{}
		for range iterations {
			var sums Sums
			for _, i := range p.Ring[p.RingAt[b]:p.RingAt[b+1]] {
				if v := e.values[i]; v != Bad && v > bounds.Lo && v < bounds.Hi {
					sums.add(v)
				}
			}
			o = p.bounds(&sums)
			bounds = o.next
		}
		t.settle(b, &o)
	}
}

// decides tells whether a pixel, of which it is open whether it is above its limit, may decide about a group: with it,
// there may be neighbours enough for one, and without it too few.
func (e *exact) decides(i int) bool {
	p, t := e.p, e.thresholds
	n := p.Pixels()
	first, row, col := i-i%n, i%n/p.Cols, i%p.Cols
	some, sure := 0, 0
	for y := max(row-1, 0); y <= min(row+1, p.Rows-1); y++ {
		for x := max(col-1, 0); x <= min(col+1, p.Cols-1); x++ {
			k := first + y*p.Cols + x
			b, v := p.Bin[k], e.values[k]
			if b >= Unused || v == Bad {
				continue
			}
			if v > t.Least[b] {
				some++
			}
			if v > t.Most[b] {
				sure++
			}
		}
	}
	return p.decides(some, sure)
}

// decides is so where a pixel and its neighbours have so many above the least and above the greatest limit.
func (p *Plan) decides(some, sure int) bool {
	least := p.Config.Peakfinder8.MinPixCount
	return some >= min(least, 2) && sure < least
}
