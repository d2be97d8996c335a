package hit

import "sync"

// Frame is one event: the raw pixels of each segment, (rows, cols). They are only read.
type Frame struct {
	Raw     [][]uint16
	Carried *Carry // nil where the frame has thresholds of its own
	Number  uint64 // of the event: profiles are made of those that radial.every divides
}

// Finder looks for hits in frames, one after the other. It belongs to one goroutine.
type Finder interface {
	// Find fills r anew. It allocates nothing once it has seen a frame or two. It panics if the frame does not fit the plan.
	Find(f *Frame, r *Result)
}

// NewFinder makes the finder that the configuration asks for.
func (p *Plan) NewFinder() Finder {
	return p.guard(map[string]func() Finder{
		"peakfinder8": func() Finder { return p.newFast() },
		"droplets":    func() Finder { return p.newDroplets() },
		"photons":     func() Finder { return p.newPhotons() },
		"threshold":   func() Finder { return p.newThreshold() },
	}[p.Config.Finder]())
}

// Carry is what the events of a row share: the thresholds that the first of them leads to. Whoever needs them first
// makes them, from a sample of that event's pixels; so each event of the row finds the same, on whatever goroutine and in
// whatever order. The first event's Find returns only when they are made: until then its pixels must stay.
type Carry struct {
	once  sync.Once
	first Frame
	bins  int
	made  *Thresholds
}

// NewCarry starts a row with its first event.
func (p *Plan) NewCarry(first *Frame) *Carry {
	p.must(first)
	return &Carry{first: Frame{Raw: first.Raw}, bins: p.Bins}
}

// thresholds gives those of the row, made by compute if nobody has.
func (c *Carry) thresholds(compute func(first *Frame, t *Thresholds)) *Thresholds {
	c.once.Do(func() {
		c.made = newThresholds(c.bins)
		compute(&c.first, c.made)
		c.first = Frame{}
	})
	return c.made
}
