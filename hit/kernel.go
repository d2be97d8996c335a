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

// Peaks makes a finder of peaks by peakfinder8, which leaves the Summaries to others.
func (p *Plan) Peaks() Finder { return p.newFast() }

// ThresholdsOf gives the thresholds of a row, made from its first event if nobody has made them, by a finder that Peaks made.
func ThresholdsOf(by Finder, row *Carry) *Thresholds { return row.thresholds(by.(*fast).carry) }

// Definition is the finder by which peakfinder8 is defined. It is slow: others are compared with it.
func (p *Plan) Definition() Finder { return p.newExact() }
