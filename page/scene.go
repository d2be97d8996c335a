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
	given                drp.Rings       // what a user says, before what events do
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
