package hit

import "math/bits"

// sampleRoom is the room of a bin's sample; what is left of it is absent.
const sampleRoom = 128

// Values that vectors work with: their squares, of a whole bin, fit into 32 bits for each pair of lanes. Others are
// listed.
const (
	largest16 = 1<<14 - 1
	absent    = lowest16
)

// sample makes thresholds from the sampled pixels.
type sample struct {
	p      *Plan
	t      *fastPlan
	values []int16  // sampleRoom for each bin
	list   list     // of what is not among them
	active []uint16 // bins whose bounds still move
	bounds []Bounds // of all bins
	sums   []Sums
	before []Sums // with those of bins nearby, in the iteration before
	room   []byte // of vectors
}

func newSample(p *Plan, t *fastPlan) *sample {
	s := &sample{p: p, t: t, values: make([]int16, p.Bins*sampleRoom), list: newList(p.Bins),
		active: make([]uint16, p.Bins), bounds: make([]Bounds, p.Bins), sums: make([]Sums, p.Bins), before: make([]Sums, p.Bins),
		room: aligned(512)}
	for i := range s.values {
		s.values[i] = absent
	}
	return s
}

// sampled makes the thresholds of a frame from the sample.
func (f *fast) sampled(t *Thresholds) {
	s := f.sample
	for i := range f.views {
		v, o := &f.views[i], &f.t.sample[i]
		done, picked := 0, 0
		if s.t.vectors == avx512 && v.values == nil {
			done = o.whole
			picked = s.gatherVectors(v, o, f.survivors)
		}
		for _, c := range o.clusters[done:] {
			n := bits.OnesCount32(c.mask)
			s.gather(v, c.block, o.picks[picked:picked+n])
			picked += n
		}
	}
	s.thresholds(t)
	s.list.empty()
}

// gather takes the values of the sampled pixels of a block.
func (s *sample) gather(v *view, block uint32, picks []uint32) {
	for _, pick := range picks {
		i, to := int(block*blockPixels+pick%blockPixels), pick/blockPixels
		x := v.value(i)
		if x <= largest16 && x >= -largest16 {
			s.values[to] = int16(x)
			continue
		}
		s.values[to] = absent
		if x != Bad {
			s.list.add(int(to/sampleRoom), x)
		}
	}
}

// thresholds makes those of all bins. What has not changed since the iteration before is not made again.
func (s *sample) thresholds(t *Thresholds) {
	active := s.active[:s.p.Bins]
	for b := range active {
		active[b], s.bounds[b], s.before[b] = uint16(b), everything, Sums{N: -1}
	}
	for range iterations {
		s.add(active)
		active = s.active[:0]
		var all Sums
		for b := range min(s.p.Pool, s.p.Bins) {
			all.plus(&s.sums[b])
		}
		for b := range s.p.Bins {
			if enters := b + s.p.Pool; enters < s.p.Bins {
				all.plus(&s.sums[enters])
			}
			if all != s.before[b] {
				s.before[b] = all
				bounds, mean, hi := s.p.bounds(&all)
				t.set(b, mean, hi)
				if bounds != s.bounds[b] {
					s.bounds[b] = bounds
					active = append(active, uint16(b))
				}
			}
			if leaves := b - s.p.Pool; leaves >= 0 {
				all.minus(&s.sums[leaves])
			}
		}
		if len(active) == 0 {
			return
		}
	}
}

// add makes the sums of bins.
func (s *sample) add(active []uint16) {
	if s.t.vectors == noVectors || !s.addVectors(active) {
		for _, b := range active {
			s.sums[b] = sumsOf(s.values[int(b)*sampleRoom:][:perBin], s.bounds[b])
		}
	}
	if len(s.list.others) > 0 {
		for _, b := range active {
			s.list.sum(int(b), s.bounds[b], &s.sums[b])
		}
	}
}

func sumsOf(values []int16, b Bounds) (s Sums) {
	var n, sum, squares int64
	for _, v := range values {
		if x := int32(v); x > b.Lo && x < b.Hi && v != absent {
			n++
			sum += int64(x)
			squares += int64(x) * int64(x)
		}
	}
	return Sums{N: n, Sum: sum, Low: uint64(squares)}
}
