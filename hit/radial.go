package hit

import (
	"fmt"
	"math"
)

// Radial asks for the mean of the pixels by their distance from the beam. It costs more than a search for peaks, and so is
// made of some events only.
type Radial struct {
	Every int `yaml:"every"` // of the numbers of events, those that it divides; 0 is none
	Bins  int `yaml:"bins"`
	Width int `yaml:"width"` // of a bin, pixels
}

// maxRadial is as many bins as a profile can have.
const maxRadial = 4096

// fitRadial tells whether distances are known.
func (p *Plan) fitRadial(radius []float32) error {
	if p.Config.Radial.Every > 0 && radius == nil {
		return fmt.Errorf("hits: radial needs a geometry, or the center for a detector of one segment")
	}
	return nil
}

// profile adds up a radial profile.
type profile struct {
	p      *Plan
	of     []int // the profile's bin of each of the plan, which are a pixel wide; bins beyond the last share one more
	sums   []int64
	counts []uint32
}

func (p *Plan) newProfile() *profile {
	c := &p.Config.Radial
	s := &profile{p, make([]int, p.Bins), make([]int64, c.Bins+1), make([]uint32, c.Bins+1)}
	for b := range s.of {
		s.of[b] = min(b/c.Width, c.Bins)
	}
	return s
}

// add makes the profile of a frame, if it is the turn of it. The distance of a pixel is a whole number, as in its bin.
func (s *profile) add(f *field, frame *Frame, r *Result) {
	c := &s.p.Config.Radial
	if frame.Number%uint64(c.Every) != 0 {
		return
	}
	clear(s.sums)
	clear(s.counts)
	for segment := range s.p.Segments {
		f.load(frame, segment)
		for i, b := range f.bins {
			if b >= Unused {
				continue
			}
			if v := f.value(i); v != Bad {
				to := s.of[b]
				s.sums[to] += int64(v)
				s.counts[to]++
			}
		}
	}
	for b, sum := range s.sums[:c.Bins] {
		mean := math.NaN()
		if s.counts[b] > 0 {
			mean = float64(float64(sum)/float64(s.counts[b])) * s.p.step
		}
		r.Radial = append(r.Radial, float32(mean))
	}
	r.RadialCounts = append(r.RadialCounts, s.counts[:c.Bins]...)
}
