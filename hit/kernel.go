package hit

// What those need who find the peaks elsewhere than on the CPU, and leave the rest to this package.

// Compose makes a result of peaks in their order, and of what else is known of the frame.
func (p *Plan) Compose(r *Result, peaks []Peak, pixels, switched uint32, offsets int64) {
	r.reset()
	r.Summary.Pixels, r.Summary.Switched, r.Summary.Background = pixels, switched, p.Background(offsets)
	for i := range peaks {
		r.add(&peaks[i], p.Config.MaxPeaks)
	}
	r.decide(&p.Config, r.Summary.Peaks)
}

// Background is that of a summary, from the sum of the offsets of all bins.
func (p *Plan) Background(offsets int64) float32 {
	return float32(float64(offsets) / float64(perStep*p.Bins) * p.step)
}

// Carrier makes thresholds of rows of events.
type Carrier struct {
	p      *Plan
	room   *Room
	values []int32 // of a segment
	sample []int32 // of the sample's pixels
}

// NewCarrier makes one for one goroutine.
func (p *Plan) NewCarrier() *Carrier {
	return &Carrier{p, p.NewRoom(), make([]int32, p.Pixels()), make([]int32, len(p.Sample))}
}

// Thresholds are those of a row, made from its first event if nobody has made them.
func (c *Carrier) Thresholds(row *Carry) *Thresholds { return row.thresholds(c.make) }

func (c *Carrier) make(first *Frame, t *Thresholds) {
	p, n := c.p, uint32(c.p.Pixels())
	for s := range first.Raw {
		p.Values(c.values, first, s, c.room)
		for k, i := range p.Sample {
			if i/n == uint32(s) {
				c.sample[k] = c.values[i%n]
			}
		}
	}
	for b := range p.Bins {
		values, next := c.sample[p.SampleAt[b]:p.SampleAt[b+1]], everything
		for range iterations {
			var sums Sums
			var mean, hi float64
			for _, v := range values {
				if v != Bad && v > next.Lo && v < next.Hi {
					sums.add(v)
				}
			}
			next, mean, hi = p.bounds(&sums)
			t.set(b, mean, hi)
		}
	}
}

// Maker is who searched an event.
type Maker uint8

// Who can.
const (
	CPU     Maker = iota
	GPU           // and found the same
	Instead       // the CPU, since the GPU failed
)

// Definition is the finder by which peakfinder8 is defined. It is slow: others are compared with it.
func (p *Plan) Definition() Finder { return p.newExact() }
