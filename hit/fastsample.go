package hit

// A sample lies in groups of bins, which are the lanes of a vector:
//
//	values[group][pair][lane][2]
//
// Two values of a bin are neighbours, and so are those of neighbouring bins that came at the same time, since a block of
// pixels has few values of many bins. What is left of a bin's room is absent.
const (
	laneBins   = 16 // bins of a group
	pairs      = 56 // of values of a bin
	groupPairs = laneBins * pairs
)

// placed is where value k of a bin is.
func placed(bin, k int) int {
	return 2*(bin/laneBins*groupPairs+k/2*laneBins+bin%laneBins) + k%2
}

// binPlaced is the bin whose value is there.
func binPlaced(to int) int { return to/2/groupPairs*laneBins + to/2%laneBins }

// Values that vectors work with: the squares of seven pairs fit into 32 bits. Others are listed.
const (
	largest16 = 1<<14 - 1
	absent    = lowest16
)

// sample makes thresholds from the sampled pixels.
type sample struct {
	p      *Plan
	t      *fastPlan
	values []int16
	list   list     // of what is not among them
	active []uint16 // groups of bins whose bounds still move
	other  []uint16 // and those of the next iteration
	sums   []Sums
	within []float64
	before []pooled // in the iteration before
	bounds []Bounds
	lanes  lanesOf
	room   []byte // of vectors
}

// lanesOf is what vectors read and write, a word for each lane: bounds twice, for both values of a pair, and squares of
// the even bins of a group before those of the odd ones.
type lanesOf struct {
	lo, hi        []int16
	counts, total []int32
	squares       []uint64
}

func newSample(p *Plan, t *fastPlan) *sample {
	groups := (p.Bins + laneBins - 1) / laneBins
	n := groups * laneBins
	s := &sample{p: p, t: t, values: make([]int16, 2*groups*groupPairs), list: newList(n), active: make([]uint16, groups),
		other: make([]uint16, groups),
		sums:  make([]Sums, n), within: make([]float64, n), before: make([]pooled, n), bounds: make([]Bounds, n), room: aligned(2 * chunkClusters * blockPixels),
		lanes: lanesOf{make([]int16, 2*n), make([]int16, 2*n), make([]int32, n), make([]int32, n), make([]uint64, n)}}
	for i := range s.values {
		s.values[i] = absent
	}
	return s
}

// sampled makes the thresholds of a frame from the sample.
func (f *fast) sampled(t *Thresholds) {
	if !f.p.rings() {
		f.panels(t)
		return
	}
	s := f.sample
	for i := range f.views {
		v, o := &f.views[i], &f.t.sample[i]
		done := 0
		if s.t.vectors == avx512 && v.values == nil {
			done = s.gatherVectors(v, o, f.survivors)
		}
		for c := done; c < len(o.clusters); c++ {
			s.gather(v, o, c)
		}
	}
	s.thresholds(t)
	s.list.empty()
}

// gather takes the values of the sampled pixels of a cluster.
func (s *sample) gather(v *view, o *orderly, cluster int) {
	block := o.clusters[cluster].block
	for _, pick := range o.picks[o.first[cluster]:o.first[cluster+1]] {
		i, to := int(block*blockPixels+pick%blockPixels), pick/(chunkClusters*blockPixels)
		x := v.value(i)
		if x <= largest16 && x >= -largest16 {
			s.values[to] = int16(x)
			continue
		}
		s.values[to] = absent
		if x != Bad {
			s.list.add(binPlaced(int(to)), x)
		}
	}
}

// thresholds makes those of all bins. What has not changed since the iteration before is not made again.
func (s *sample) thresholds(t *Thresholds) {
	active := s.active[:cap(s.active)]
	for g := range active {
		active[g] = uint16(g)
	}
	for b := range s.bounds {
		s.bound(b, everything)
		s.before[b] = pooled{n: -1}
	}
	other := s.other
	for range iterations {
		s.add(active)
		moved := other[:0]
		for first := 0; first < len(active); {
			end := first + 1
			for end < len(active) && active[end] == active[end-1]+1 {
				end++
			}
			moved = s.pool(t, int(active[first])*laneBins-s.p.Pool, (int(active[end-1])+1)*laneBins+s.p.Pool, moved)
			first = end
		}
		if len(moved) == 0 {
			return
		}
		active, other = moved, active
	}
}

// pool makes the thresholds of bins, and appends the groups of those whose bounds moved.
func (s *sample) pool(t *Thresholds, from, to int, moved []uint16) []uint16 {
	for b := max(from, 0); b < min(to, s.p.Bins); b++ {
		q := s.p.pool(s.sums, s.within, b)
		if q == s.before[b] {
			continue
		}
		s.before[b] = q
		o := s.p.pooledBounds(&q)
		t.set(b, &o)
		if o.next == s.bounds[b] {
			continue
		}
		s.bound(b, o.next)
		if g := uint16(b / laneBins); len(moved) == 0 || moved[len(moved)-1] != g {
			moved = append(moved, g)
		}
	}
	return moved
}

// bound sets the bounds of a bin. In 16 bits they are saturated, which changes nothing: absent values are never above the
// lower one, and no value is as high as the highest.
func (s *sample) bound(b int, to Bounds) {
	s.bounds[b] = to
	lo, hi := int16(max(lowest16, min(to.Lo, highest16))), int16(max(lowest16, min(to.Hi, highest16)))
	l := &s.lanes
	l.lo[2*b], l.lo[2*b+1], l.hi[2*b], l.hi[2*b+1] = lo, lo, hi, hi
}

// add makes the sums of groups of bins.
func (s *sample) add(active []uint16) {
	vectors := s.t.vectors != noVectors && s.addVectors(active)
	for _, g := range active {
		for lane := range laneBins {
			b := int(g)*laneBins + lane
			if vectors {
				l := &s.lanes
				s.sums[b] = Sums{N: int64(l.counts[b]), Sum: int64(l.total[b]), Low: l.squares[b-lane+lane%2*(laneBins/2)+lane/2]}
			} else {
				s.sums[b] = s.sumsOf(b)
			}
			if len(s.list.others) > 0 {
				s.list.sum(b, s.bounds[b], &s.sums[b])
			}
			s.within[b] = s.sums[b].within()
		}
	}
}

// sumsOf makes the sums of a bin.
func (s *sample) sumsOf(bin int) Sums {
	var n, sum, squares int64
	for k := range perRing {
		v := s.values[placed(bin, k)]
		if x := int32(v); x > s.bounds[bin].Lo && x < s.bounds[bin].Hi && v != absent {
			n++
			sum += int64(x)
			squares += int64(x) * int64(x)
		}
	}
	return Sums{N: n, Sum: sum, Low: uint64(squares)}
}
