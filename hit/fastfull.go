package hit

import (
	"math/bits"
	"slices"

	"drp/calib/correct"
)

// all makes thresholds from all pixels, in one pass over them. From the sample of the frame it is known about where the
// values of a bin are: the window of the bin. Values inside are summed up, and never looked at again, as long as the
// bounds stay outside of the window; the few values outside are listed, and each iteration adds those within its bounds.
// Where the bounds come inside of the window, the bin's pixels are collected, and all is done as the definition does it.
type all struct {
	p       *Plan
	t       *fastPlan
	list    list
	windows []Bounds // of the values inside, which belong to them
	high    []int32  // the same, one by one, for the ladders
	low     []int32
	highs   []int16 // ladder of the windows' upper ends
	lows    []int16 // and of their lower ends, with the other sign
	inside  []inner
	packed  []int64 // lanes × bins, where vectors add
	room    []byte  // of vectors
	failed  []uint16
	values  []int32 // collected, by bins
	ends    []int
}

// inner is the sum of the values inside of a window.
type inner struct{ n, sum, squares int64 }

// Vectors add value² << packedBits + value. A bin's sum must be taken out before it has mostPacked values.
const (
	lanes      = 4
	packedBits = 25
	mostPacked = 1 << 10
)

func newAll(p *Plan, t *fastPlan) *all {
	a := &all{p: p, t: t, list: newList(p.Bins), windows: make([]Bounds, p.Bins), high: make([]int32, p.Bins), low: make([]int32, p.Bins),
		highs: t.ladder.room(), lows: t.ladder.room(), inside: make([]inner, p.Bins), packed: make([]int64, lanes*p.Bins),
		room: aligned(1024), ends: make([]int, p.Bins)}
	return a
}

// full makes the thresholds of a frame from all pixels.
func (f *fast) full(t *Thresholds) {
	f.sampled(t)
	a := f.all
	a.failed = a.failed[:0]
	if f.p.Config.Pixels == Calibrated { // too large for vectors
		for b := range a.inside {
			a.failed = append(a.failed, uint16(b))
		}
	} else {
		a.open(t, f.sample)
		for s := range f.views {
			f.sweep(&f.views[s])
		}
		a.thresholds(t)
		a.list.empty()
	}
	if len(a.failed) > 0 {
		a.collect(f.views)
		a.plainly(t, f.views)
	}
}

// open chooses the windows: three quarters of what the sample lets in. Any window leads to the same thresholds.
func (a *all) open(t *Thresholds, s *sample) {
	for b := range a.windows {
		mean := t.Mean[b]
		away := max(0, 0.75*(mean-float64(s.bounds[b].Lo)))
		w := Bounds{int32(max(-largest16, min(mean-away, largest16))), int32(max(-largest16, min(mean+away, largest16)))}
		a.windows[b], a.low[b], a.high[b] = w, -w.Lo, w.Hi
		a.inside[b] = inner{n: int64(a.t.counts[b])}
	}
	a.t.ladder.fill(a.highs, a.high)
	a.t.ladder.fill(a.lows, a.low)
}

// sweep adds the pixels of a segment.
func (f *fast) sweep(v *view) {
	a := f.all
	spans := f.t.spans[v.segment*f.t.blocks:][:f.t.blocks]
	done := 0
	if f.t.vectors == avx512 {
		for _, end := range f.t.stretches[v.segment] {
			a.outside(v, v.sweepVectors(a, spans, done, end, f.survivors))
			a.unpack()
			done = end
		}
	}
	for k := done; k < len(spans); k++ {
		s := spans[k]
		window := Bounds{-int32(min(a.lows[s.low], a.lows[s.high])), int32(min(a.highs[s.low], a.highs[s.high]))}
		if mask := v.sum(k, window, a.inside); mask != 0 {
			f.survivors[0] = survivor{uint32(k), mask}
			a.outside(v, f.survivors[:1])
		}
	}
}

// sum adds the pixels of a block that are inside of a window, and tells which are not.
func (v *view) sum(block int, window Bounds, inside []inner) (outside uint32) {
	first := block * blockPixels
	bins := v.bins[first:min(first+blockPixels, len(v.bins))]
	for i, b := range bins {
		if int(b) >= len(inside) {
			continue
		}
		d := v.adu16(first + i)
		if x := int32(d); x < window.Lo || x > window.Hi || d == correct.Bad16 {
			outside |= 1 << i
		} else {
			inside[b].sum += int64(x)
			inside[b].squares += int64(x) * int64(x)
		}
	}
	return outside
}

// outside lists values.
func (a *all) outside(v *view, blocks []survivor) {
	for _, s := range blocks {
		for left := s.mask; left != 0; left &= left - 1 {
			i := int(s.block)*blockPixels + bits.TrailingZeros32(left)
			b := v.bins[i]
			a.inside[b].n--
			if x := v.value(i); x != Bad {
				a.list.add(int(b), x)
			}
		}
	}
}

// unpack takes what vectors have added.
func (a *all) unpack() {
	for part := range lanes {
		packed := a.packed[part*a.p.Bins:][:a.p.Bins]
		for b, x := range packed {
			sum := x << (64 - packedBits) >> (64 - packedBits)
			a.inside[b].sum += sum
			a.inside[b].squares += (x - sum) >> packedBits
			packed[b] = 0
		}
	}
}

// thresholds makes those of all bins but the failed ones.
func (a *all) thresholds(t *Thresholds) {
	for b := range a.inside {
		if !a.bin(b, t) {
			a.failed = append(a.failed, uint16(b))
		}
	}
}

func (a *all) bin(b int, t *Thresholds) bool {
	in, w, bounds, before := &a.inside[b], a.windows[b], everything, Sums{N: -1}
	for range iterations {
		if in.n > 0 && (bounds.Lo >= w.Lo || bounds.Hi <= w.Hi) {
			return false
		}
		sums := Sums{N: in.n, Sum: in.sum, Low: uint64(in.squares)}
		a.list.sum(b, bounds, &sums)
		if sums == before {
			return true
		}
		before = sums
		o := a.p.bounds(&sums)
		bounds = o.next
		t.set(b, &o)
	}
	return true
}

// mostListed is how many pixels a bin has at most whose values are looked up one by one. Those of larger bins are rarely
// asked for, since a sample foretells them, or then all at once.
const mostListed = 1024

// collect gathers the values of the failed bins that are not looked up, in one pass over all.
func (a *all) collect(views []view) {
	total := 0
	for b := range a.ends {
		a.ends[b] = -1
	}
	for _, b := range a.failed {
		if a.t.counts[b] > mostListed {
			a.ends[b] = total
			total += int(a.t.counts[b])
		}
	}
	if a.values = slices.Grow(a.values[:0], total+mostListed)[:total]; total == 0 {
		return
	}
	for s := range views {
		v := &views[s]
		for i, b := range v.bins {
			if int(b) >= len(a.ends) || a.ends[b] < 0 {
				continue
			}
			if x := v.value(i); x != Bad {
				a.values[a.ends[b]] = x
				a.ends[b]++
			}
		}
	}
}

// plainly makes the thresholds of the failed bins from their values.
func (a *all) plainly(t *Thresholds, views []view) {
	first := 0
	for _, b := range a.failed {
		var values []int32
		if a.ends[b] >= 0 {
			values = a.values[first:a.ends[b]]
			first += int(a.t.counts[b])
		} else {
			values = a.listed(b, views)
		}
		o := a.p.iterate(func(within Bounds) (sums Sums) {
			for _, x := range values {
				if x > within.Lo && x < within.Hi {
					sums.add(x)
				}
			}
			return sums
		})
		t.set(int(b), &o)
	}
}

// listed gives the values of a bin with few pixels, after those that were collected.
func (a *all) listed(b uint16, views []view) []int32 {
	values, n := a.values[len(a.values):], uint32(a.p.Pixels())
	for _, i := range a.p.Ring[a.p.RingAt[b]:a.p.RingAt[b+1]] {
		if x := views[i/n].value(int(i % n)); x != Bad {
			values = append(values, x)
		}
	}
	return values
}
