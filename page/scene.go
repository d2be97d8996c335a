package page

import (
	"math"
	"slices"
	"sync"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
)

// gap is what lies between segments that no geometry places, in pixels.
const gap = 8

// scene is what a picture is made of: how many pixels there are, where they lie in the picture, and what corrects them.
// It does not change once it is made, but for the plans, which are made when they are needed.
type scene struct {
	source               string // as in "epixhr.raw"
	unit                 string // empty where nobody has said one
	segments, rows, cols int
	tables               *correct.Tables // nil: pixels are as they came
	layout               *correct.Layout // nil: segments lie below each other
	distance             float64         // of the detector in pixels, 0 where it is not known
	energy               float64         // of the photons where an event tells none, eV; 0 where it is not known
	given                float64         // what a user says of it; 0 is nothing
	constants            *drp.FrameConstants

	high, wide int
	place      []int32 // the pixel at each place of the picture, -1 where there is none
	good       []uint8 // of each pixel; nil is all

	mu    sync.Mutex // protects plans
	plans map[int]*plan
}

// newScene makes the scene of segments of rows x cols pixels in a unit, which constants change; k is nil without them.
func newScene(source, unit string, shape [3]int, k *drp.FrameConstants) *scene {
	s := &scene{source: source, unit: unit, segments: shape[0], rows: shape[1], cols: shape[2], constants: k, plans: map[int]*plan{}}
	if k != nil {
		s.tables, s.layout, s.unit, s.good = k.Camera.Tables, k.Layout, string(k.Set.Unit), slices.Clone(k.Set.Mask)
		if s.unit == "" {
			s.unit = string(calib.ADU)
		}
		if s.layout != nil {
			for i, good := range s.layout.Mask() {
				s.good[i] &= good
			}
			s.energy = k.Camera.Geometry.Energy
			if metres, err := k.Camera.Geometry.Distance(); err == nil {
				s.distance = metres * k.Camera.Geometry.Panels[0].Resolution
			}
		}
	}
	if s.layout != nil {
		s.high, s.wide = s.layout.Shape()
		s.place = s.layout.Places()
		return s
	}
	s.high, s.wide = s.segments*(s.rows+gap)-gap, s.cols
	s.place = make([]int32, s.high*s.wide)
	for i := range s.place {
		row := i / s.wide
		segment, inside := row/(s.rows+gap), row%(s.rows+gap)
		s.place[i] = -1
		if inside < s.rows {
			s.place[i] = int32((segment*s.rows+inside)*s.cols + i%s.wide)
		}
	}
	return s
}

func (s *scene) pixels() int { return s.segments * s.rows * s.cols }

// spot is where a point of a segment is in the picture.
func (s *scene) spot(segment int, row, col float64) (x, y float64, there bool) {
	if s.layout != nil {
		y, x, there = s.layout.Place(segment, row, col)
		return x, y, there
	}
	return col, row + float64(segment*(s.rows+gap)), segment < s.segments
}

// centre is where the beam is, where that is known.
func (s *scene) centre() (x, y float64, known bool) {
	if s.layout == nil {
		return 0, 0, false
	}
	y, x = s.layout.Beam()
	return x, y, true
}

// farthest is the largest distance of a corner of the picture from the beam.
func (s *scene) farthest() float64 {
	x, y, known := s.centre()
	if !known {
		return 0
	}
	return math.Hypot(max(math.Abs(x), math.Abs(float64(s.wide)-x)), max(math.Abs(y), math.Abs(float64(s.high)-y)))
}

// mostPlans is how many sizes of a picture are kept ready: those that a browser can ask for, and one more.
const mostPlans = 5

// radialBins are those of a profile at the most.
const radialBins = 256

// plan says for one size of the picture which pixels each of its places is made of.
type plan struct {
	bin        int
	high, wide int
	index      []int32   // bin*bin pixels for each place; the one after the last is no pixel
	share      []float32 // one over the pixels of each place, NaN where there is none
	mask       []uint8   // see maskGood
	ring       []uint8   // the bin of the radial profile; nil without a centre
	step       float64   // its width in pixels of the full picture
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
	p.index, p.share = make([]int32, p.high*p.wide*bin*bin), make([]float32, p.high*p.wide)
	p.mask = make([]uint8, p.high*p.wide)
	for i := range p.share {
		s.gather(p, i)
	}
	s.turn(p)
	s.plans[bin] = p
	return p
}

// forget frees the memory of the plans.
func (s *scene) forget() {
	s.mu.Lock()
	defer s.mu.Unlock()
	clear(s.plans)
}

// gather finds the pixels of a place.
func (s *scene) gather(p *plan, i int) {
	none := int32(s.pixels())
	to := p.index[i*p.bin*p.bin:][:p.bin*p.bin]
	there, good := 0, 0
	for k := range to {
		to[k] = none
		row, col := i/p.wide*p.bin+k/p.bin, i%p.wide*p.bin+k%p.bin
		if row >= s.high || col >= s.wide {
			continue
		}
		at := s.place[row*s.wide+col]
		if at < 0 {
			continue
		}
		there++
		if s.good == nil || s.good[at] != 0 {
			to[k] = at
			good++
		}
	}
	p.share[i] = float32(math.NaN())
	if good > 0 {
		p.share[i] = 1 / float32(good)
	}
	switch {
	case there == 0:
		p.mask[i] = maskNone
	case good < there:
		p.mask[i] = maskBad
	}
}

// turn sorts the places into rings around the beam.
func (s *scene) turn(p *plan) {
	x, y, known := s.centre()
	if !known {
		return
	}
	p.step = max(math.Ceil(s.farthest()/radialBins), 1)
	p.ring = make([]uint8, len(p.share))
	middle := float64(p.bin-1) / 2
	for i := range p.ring {
		dx, dy := float64(i%p.wide*p.bin)+middle-x, float64(i/p.wide*p.bin)+middle-y
		p.ring[i] = uint8(min(math.Hypot(dx, dy)/p.step, radialBins-1))
	}
}
