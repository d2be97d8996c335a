package hit

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
	others []other  // values that are not among them
	lists  []int32  // the first of each bin in others, -1 where there is none
	active []uint16 // bins whose bounds still move
	bounds []Bounds // of all bins
	sums   []Sums
	before []Sums // the iteration before
}

// other is a value that is not among those for vectors.
type other struct {
	value, next int32 // next of the same bin
	bin         int32
}

func newSample(p *Plan, t *fastPlan) *sample {
	s := &sample{p: p, t: t, values: make([]int16, p.Bins*sampleRoom), lists: make([]int32, p.Bins),
		active: make([]uint16, p.Bins), bounds: make([]Bounds, p.Bins), sums: make([]Sums, p.Bins), before: make([]Sums, p.Bins)}
	for i := range s.values {
		s.values[i] = absent
	}
	for b := range s.lists {
		s.lists[b] = -1
	}
	return s
}

// sampled makes the thresholds of a frame from the sample.
func (f *fast) sampled(t *Thresholds) {
	s := f.sample
	for i := range f.views {
		picks := f.t.picks[f.t.from[i]:f.t.from[i+1]]
		if v := &f.views[i]; v.values == nil && v.adu == nil {
			s.gather(v, picks)
		} else {
			s.take(v, picks)
		}
	}
	s.thresholds(t)
	for _, o := range s.others {
		s.lists[o.bin] = -1
	}
	s.others = s.others[:0]
}

// gather takes the pedestal off the picked pixels of a segment.
func (s *sample) gather(v *view, picks []pick) {
	raw := v.raw
	for k := range picks {
		c := &picks[k]
		r := raw[c.at]
		d := int32(r&v.DataMask) - int32(v.Bias) - int32(c.pedestal)
		if r&v.Codes[int(c.at)&v.Wrap] != 0 || d > largest16 || d < -largest16 {
			s.keep(c, v.value(int(c.at)))
			continue
		}
		s.values[c.to] = int16(d)
	}
}

// take takes the values as they are.
func (s *sample) take(v *view, picks []pick) {
	for k := range picks {
		c := &picks[k]
		if x := v.value(int(c.at)); x > largest16 || x < -largest16 {
			s.keep(c, x)
		} else {
			s.values[c.to] = int16(x)
		}
	}
}

// keep lists a value.
func (s *sample) keep(c *pick, x int32) {
	s.values[c.to] = absent
	if x == Bad {
		return
	}
	b := c.to / sampleRoom
	s.others = append(s.others, other{x, s.lists[b], int32(b)})
	s.lists[b] = int32(len(s.others) - 1)
}

// thresholds makes those of all bins. A bin whose sums have not changed is done: nor would they any more.
func (s *sample) thresholds(t *Thresholds) {
	active := s.active[:s.p.Bins]
	for b := range active {
		active[b], s.bounds[b], s.before[b] = uint16(b), everything, Sums{N: -1}
	}
	for range iterations {
		s.add(active)
		left := active[:0]
		for _, b := range active {
			if s.sums[b] == s.before[b] {
				continue
			}
			s.before[b] = s.sums[b]
			var mean, hi float64
			s.bounds[b], mean, hi = s.p.bounds(&s.sums[b])
			t.set(int(b), mean, hi)
			left = append(left, b)
		}
		active = left
	}
}

// add makes the sums of bins.
func (s *sample) add(active []uint16) {
	if s.t.vectors == noVectors || !s.addVectors(active) {
		for _, b := range active {
			s.sums[b] = sumsOf(s.values[int(b)*sampleRoom:][:perBin], s.bounds[b])
		}
	}
	if len(s.others) == 0 {
		return
	}
	for _, b := range active {
		for at := s.lists[b]; at >= 0; at = s.others[at].next {
			if v := s.others[at].value; v > s.bounds[b].Lo && v < s.bounds[b].Hi {
				s.sums[b].add(v)
			}
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
