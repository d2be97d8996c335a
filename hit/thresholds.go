package hit

import "math"

// Thresholds are what the statistics of a frame lead to, by bin.
type Thresholds struct {
	Limit  []int32   // a pixel with a value above is part of a group
	Below  []int32   // and one with a value below this is background
	Least  []int32   // the limit is not less than this
	Most   []int32   // nor more; a sample leaves open where it is
	Mean   []float64 // of the bin
	Offset []int64   // the mean in sixteenths
	blocks []int16   // limits of the fast finder's blocks, where it made them beforehand
}

// background is the mean of the bins' means, in ADU or the constants' unit.
func (t *Thresholds) background(step float64) float32 {
	var sum int64
	for _, o := range t.Offset {
		sum += o
	}
	return float32(float64(sum) / float64(perStep*len(t.Offset)) * step)
}

// perStep is how many units of an offset a value's step has.
const perStep = 16

func newThresholds(bins int) *Thresholds {
	return &Thresholds{Limit: make([]int32, bins), Below: make([]int32, bins), Least: make([]int32, bins), Most: make([]int32, bins),
		Mean: make([]float64, bins), Offset: make([]int64, bins)}
}

// Sums are those of the values of a bin between two bounds. Squares are kept in two words, of values² >> 32 and of the
// rest, since a sum of them may not fit into one; any split of them will do that adds up.
type Sums struct {
	N         int64
	Sum       int64
	High, Low uint64
}

func (s *Sums) add(v int32) {
	s.N++
	s.Sum += int64(v)
	q := uint64(int64(v) * int64(v))
	s.High += q >> 32
	s.Low += q & math.MaxUint32
}

// squares is exact up to the one rounding of the addition, and does not depend on the split.
func (s *Sums) squares() float64 {
	return float64(float64(s.High+s.Low>>32)*(1<<32)) + float64(s.Low&math.MaxUint32)
}

// Bounds are the values that take part in the next of the five sums: those above Lo and below Hi.
type Bounds struct {
	Lo, Hi int32
}

// everything is where the five sums begin.
var everything = Bounds{math.MinInt32, math.MaxInt32}

const iterations = 5

// outcome is what the sums of a bin lead to.
type outcome struct {
	next            Bounds
	mean, hi        float64
	least, greatest float64 // that hi may be
}

// bounds turns sums into what they lead to. Each operation rounds by itself.
func (p *Plan) bounds(s *Sums) outcome {
	if s.N == 0 {
		return outcome{next: Bounds{0, math.MaxInt32}, hi: math.Inf(1), least: math.Inf(1), greatest: math.Inf(1)}
	}
	n := float64(s.N)
	mean := float64(s.Sum) / n
	sigma := float64(s.squares()/n) - float64(mean*mean)
	if sigma >= 0 {
		sigma = math.Sqrt(sigma)
	}
	return p.around(mean, sigma)
}

// around makes the outcome of a mean and a deviation.
func (p *Plan) around(mean, sigma float64) outcome {
	away := float64(p.Config.Peakfinder8.MinSNR * sigma)
	adc, top, open := p.Config.Peakfinder8.ADCThreshold/p.step, mean+away, float64(p.Doubt()*max(away, 0))
	hi := max(adc, top)
	return outcome{Bounds{clamp(math.Floor(mean - away)), clamp(math.Ceil(hi))}, mean, hi, max(adc, top-open), max(adc, top+open)}
}

func clamp(x float64) int32 { return int32(max(math.MinInt32, min(x, math.MaxInt32))) }

// set writes the thresholds of a bin.
func (t *Thresholds) set(bin int, o *outcome) {
	t.Limit[bin], t.Below[bin] = clamp(math.Floor(o.hi)), clamp(math.Ceil(o.hi))
	t.Least[bin], t.Most[bin] = clamp(math.Floor(o.least)), clamp(math.Floor(o.greatest))
	t.Mean[bin], t.Offset[bin] = o.mean, int64(math.RoundToEven(o.mean*perStep))
}

// settle writes those of a bin about which a sample left something open. Pixels are known above the least limit only.
func (t *Thresholds) settle(bin int, o *outcome) {
	least := t.Least[bin]
	t.set(bin, o)
	t.Limit[bin] = max(least, t.Limit[bin])
}

// statistics makes the thresholds of values, all of them or those of the sample. It is the definition.
func (p *Plan) statistics(t *Thresholds, values []int32, sampled bool) {
	sums, bounds := make([]Sums, p.Bins), make([]Bounds, p.Bins)
	for b := range bounds {
		bounds[b] = everything
	}
	add := func(i int) {
		b, v := p.Bin[i], values[i]
		if b < Unused && v != Bad && v > bounds[b].Lo && v < bounds[b].Hi {
			sums[b].add(v)
		}
	}
	pooled, within := sampled && p.rings(), make([]float64, p.Bins)
	for range iterations {
		clear(sums)
		if sampled {
			for _, i := range p.Sample {
				add(int(i))
			}
		} else {
			for i := range values {
				add(i)
			}
		}
		for b := range sums {
			within[b] = sums[b].within()
		}
		for b := range sums {
			o := p.bounds(&sums[b])
			if pooled {
				q := p.pool(sums, within, b)
				o = p.pooledBounds(&q)
			}
			bounds[b] = o.next
			t.set(b, &o)
		}
	}
}

// within is the sum of the squares of the distances from the mean.
func (s *Sums) within() float64 {
	if s.N == 0 {
		return 0
	}
	return s.squares() - float64(float64(float64(s.Sum)*float64(s.Sum))/float64(s.N))
}

// pooled is the sample of a ring with those of the rings nearby.
type pooled struct {
	n, sum int64   // of the ring's own, or of all if it has none
	all    int64   // values
	within float64 // of all, each of its own ring
}

// pool adds up the samples of a ring and those nearby.
func (p *Plan) pool(sums []Sums, within []float64, ring int) (q pooled) {
	sum := int64(0)
	for near := max(0, ring-p.Pool); near <= min(ring+p.Pool, p.Bins-1); near++ {
		q.all += sums[near].N
		q.within += within[near]
		sum += sums[near].Sum
	}
	if q.n, q.sum = sums[ring].N, sums[ring].Sum; q.n == 0 {
		q.n, q.sum = q.all, sum
	}
	return q
}

// pooledBounds is bounds for a ring of a sample: its own mean, and the deviation that all have from the means of their
// rings, so that a slope from ring to ring counts for nothing.
func (p *Plan) pooledBounds(q *pooled) outcome {
	if q.all == 0 {
		return p.bounds(&Sums{})
	}
	return p.around(float64(q.sum)/float64(q.n), math.Sqrt(max(0, q.within/float64(q.all))))
}
