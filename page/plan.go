package page

import (
	"cmp"
	"math"
	"slices"
)

// mostPlans is how many sizes of a picture are kept ready: those that a browser can ask for, and one more.
const mostPlans = 5

// radialBins are those of a profile at the most.
const radialBins = 256

// plan says for one size of the picture which pixels each of its places is made of. Detectors are rows of pixels, turned or not, so
// most places follow each other as evenly as their pixels do: of these the plan says where the first one is, and the others are found
// by addition, with no table to be read beside the pixels.
type plan struct {
	bin        int
	high, wide int
	runs       []run // all places, in the order in which pixels are known
	odd        []oddPlace
	pixels     []int32           // those of the odd places, one after the other
	mask       []uint8           // see maskGood
	ring       []uint8           // the bin of the radial profile; nil without a centre
	around     [radialBins]int32 // places in each of them
	step       float64           // its width in pixels of the full picture
}

// run is places in a row of the picture that are made alike.
type run struct {
	at, n       int32 // places
	how         how
	first       int32 // even: the first pixel of the first place; odd: the first of the odd places
	right, down int32 // even: from a pixel to that beside it in the picture, and to that below it
	last        int32 // of all its pixels the last one; -1 without any
}

// how the places of a run are made.
type how uint8

const (
	empty how = iota // there is no good pixel
	even             // bin*bin good pixels, as far from each other as in the place before
	odd              // anything else
)

// oddPlace is one of which some pixels are not there, or bad, or lie elsewhere.
type oddPlace struct {
	first, n int32   // of the pixels of the plan
	share    float32 // one over their number
}

// What a mask says of a place of the picture.
const (
	maskGood = iota
	maskBad  // a pixel that is there is bad
	maskNone // there is none
)

// plan gives the plan of a size. The picture's last row and column may lack some of their pixels.
func (s *scene) plan(bin int) *plan {
	s.mu.Lock()
	defer s.mu.Unlock()
	if p := s.plans[bin]; p != nil {
		return p
	}
	if len(s.plans) >= mostPlans { // a window that is drawn larger and smaller wants one after the other
		clear(s.plans)
	}
	p := &plan{bin: bin, high: (s.high + bin - 1) / bin, wide: (s.wide + bin - 1) / bin}
	p.mask = make([]uint8, p.places())
	for i := range p.mask {
		s.gather(p, int32(i))
	}
	if bin > 1 {
		p.join()
	}
	for i := range p.runs {
		p.runs[i].last = p.last(&p.runs[i])
	}
	slices.SortStableFunc(p.runs, func(a, b run) int { return cmp.Compare(a.last, b.last) })
	s.turn(p)
	s.plans[bin] = p
	return p
}

func (p *plan) places() int { return p.high * p.wide }

// forget frees the memory of the plans.
func (s *scene) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.plans)
}

// gather finds the pixels of a place.
func (s *scene) gather(p *plan, i int32) {
	begun, there := len(p.pixels), 0
	for k := range p.bin * p.bin {
		row, col := int(i)/p.wide*p.bin+k/p.bin, int(i)%p.wide*p.bin+k%p.bin
		if row >= s.high || col >= s.wide {
			continue
		}
		at := s.place[row*s.wide+col]
		if at < 0 {
			continue
		}
		there++
		if s.good == nil || s.good[at] != 0 {
			p.pixels = append(p.pixels, at)
		}
	}
	good := len(p.pixels) - begun
	switch {
	case there == 0:
		p.mask[i] = maskNone
	case good < there:
		p.mask[i] = maskBad
	}
	r := p.made(i, p.pixels[begun:])
	if r.how == odd {
		p.odd = append(p.odd, oddPlace{int32(begun), int32(good), 1 / float32(good)})
	} else {
		p.pixels = p.pixels[:begun]
	}
	p.add(r)
}

// made says how a place is made of its good pixels.
func (p *plan) made(i int32, pixels []int32) run {
	r := run{at: i, n: 1, how: odd, first: int32(len(p.odd))}
	if len(pixels) == 0 {
		r.how = empty
	}
	if len(pixels) < p.bin*p.bin {
		return r
	}
	right, down := int32(0), int32(0)
	if p.bin > 1 {
		right, down = pixels[1]-pixels[0], pixels[p.bin]-pixels[0]
	}
	for k, at := range pixels {
		if at != pixels[0]+int32(k%p.bin)*right+int32(k/p.bin)*down {
			return r
		}
	}
	return run{at: i, n: 1, how: even, first: pixels[0], right: right, down: down}
}

// add lets a place belong to the run before it, or begins another one.
func (p *plan) add(r run) {
	if len(p.runs) > 0 && int(r.at)%p.wide > 0 {
		last := &p.runs[len(p.runs)-1]
		if last.how == r.how && (r.how != even || last.goesOn(&r, int32(p.bin))) {
			last.n++
			return
		}
	}
	p.runs = append(p.runs, r)
}

// goesOn tells whether an even place is the next of a run.
func (r *run) goesOn(next *run, bin int32) bool {
	if bin == 1 && r.n == 1 { // nobody knows yet which pixel is beside it
		r.right = next.first - r.first
	}
	if bin == 1 {
		return next.first == r.first+r.n*r.right
	}
	return next.right == r.right && next.down == r.down && next.first == r.first+r.n*bin*r.right
}

// fewest is how many even places are worth a run of their own. Of panels that are turned by an odd angle most have fewer, and all of a
// row are sooner looked up.
const fewest = 8

// join makes odd places of even ones that are few.
func (p *plan) join() {
	runs, places, pixels := p.runs, p.odd, p.pixels
	p.runs, p.odd, p.pixels = nil, nil, nil
	for i := range runs {
		r := &runs[i]
		if r.how == empty || r.how == even && r.n >= fewest {
			p.runs = append(p.runs, *r)
			continue
		}
		for k := range r.n {
			begun := int32(len(p.pixels))
			if r.how == odd {
				o := places[r.first+k]
				p.pixels = append(p.pixels, pixels[o.first:][:o.n]...)
			} else {
				for j := range p.bin * p.bin {
					p.pixels = append(p.pixels, r.pixel(int(k), j, p.bin))
				}
			}
			n := int32(len(p.pixels)) - begun
			p.add(run{at: r.at + k, n: 1, how: odd, first: int32(len(p.odd))})
			p.odd = append(p.odd, oddPlace{begun, n, 1 / float32(n)})
		}
	}
}

// pixel is the j-th of the pixels of the k-th place of an even run.
func (r *run) pixel(k, j, bin int) int32 {
	return r.first + int32(k*bin+j%bin)*r.right + int32(j/bin)*r.down
}

// last is the last of the pixels of a run.
func (p *plan) last(r *run) int32 {
	last, across := int32(-1), int32(p.bin)-1
	switch r.how {
	case even: // at one of its corners
		end := r.first + (r.n-1)*int32(p.bin)*r.right
		for _, corner := range [...]int32{r.first, r.first + across*r.down, end + across*r.right, end + across*(r.right+r.down)} {
			last = max(last, corner)
		}
	case odd:
		for _, o := range p.odd[r.first:][:r.n] {
			last = max(last, slices.Max(p.pixels[o.first:][:o.n]))
		}
	}
	return last
}

// turn sorts the places into rings around the beam.
func (s *scene) turn(p *plan) {
	x, y, known := s.centre()
	if !known {
		return
	}
	p.step = max(math.Ceil(s.farthest()/radialBins), 1)
	p.ring = make([]uint8, p.places())
	middle := float64(p.bin-1) / 2
	for i := range p.ring {
		dx, dy := float64(i%p.wide*p.bin)+middle-x, float64(i/p.wide*p.bin)+middle-y
		p.ring[i] = uint8(min(math.Hypot(dx, dy)/p.step, radialBins-1))
		p.around[p.ring[i]]++
	}
}
