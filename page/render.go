package page

import (
	"math"
	"slices"
)

// noPixel is what a picture has where there is none, or none that is good.
const noPixel = math.MaxUint16

// levels are those that a picture's pixels have; the next one is noPixel.
const levels = noPixel

// painter makes pictures. Its memory is used again for each.
type painter struct {
	values  []float32 // of the places of the picture
	pixels  []float32 // corrected
	counts  [levels + 1]uint32
	sample  []float32
	profile [radialBins]struct {
		sum   float64
		count int
	}
}

// levelling is how values became the levels of a picture, and what they were.
type levelling struct {
	offset, scale      float64
	min, max           float32
	p1, p50, p99, p999 float64
	places             int // with a value
	low, perLevel      float32
}

// decimate gives the mean of the good pixels of each place, NaN where there is none.
func decimate[T uint16 | float32](to []float32, p *plan, from []T) {
	share := p.share[:len(to)]
	switch p.bin {
	case 1:
		index := p.index[:len(to)]
		for i, at := range index {
			to[i] = float32(from[at]) * share[i]
		}
	case 2:
		index := p.index[:4*len(to)]
		for i := range to {
			at := index[4*i:][:4:4]
			sum := float32(from[at[0]]) + float32(from[at[1]]) + float32(from[at[2]]) + float32(from[at[3]])
			to[i] = sum * share[i]
		}
	default:
		k := p.bin * p.bin
		for i := range to {
			sum := float32(0)
			for _, at := range p.index[k*i : k*(i+1)] {
				sum += float32(from[at])
			}
			to[i] = sum * share[i]
		}
	}
}

// levelsOf finds how values are best written as 16 bits: over all that there are, unless a few lie so far out that the
// others would fall on too few levels.
func (g *painter) levelsOf(values []float32) (l levelling) {
	low, high := float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range values {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	if low > high { // there is no pixel
		return levelling{scale: 1, perLevel: 1}
	}
	l.min, l.max = low, high
	const few, spreads = 1024, 4096
	g.sample = g.sample[:0]
	for i := 0; i < len(values); i += max(1, len(values)/few) {
		if v := values[i]; v == v {
			g.sample = append(g.sample, v)
		}
	}
	if n := len(g.sample); n > 0 {
		slices.Sort(g.sample)
		first, last := g.sample[n/100], g.sample[n-1-n/100]
		if spread := last - first; spread > 0 {
			low, high = max(low, first-spreads*spread), min(high, last+spreads*spread)
		}
	}
	if high = min(high, math.MaxFloat32/4); low < -math.MaxFloat32/4 {
		low = -math.MaxFloat32 / 4
	}
	l.low = low
	l.offset, l.scale = float64(low), float64(high-low)/(levels-1)
	if !(l.scale > 0) {
		l.scale = 1
	}
	l.perLevel = float32(1 / l.scale)
	return l
}

// level writes values as 16 bits, and finds the percentiles.
func (g *painter) level(to []byte, values []float32) levelling {
	l := g.levelsOf(values)
	clear(g.counts[:])
	low, per := l.low, l.perLevel
	to = to[:2*len(values)]
	for i, v := range values {
		u := uint16(noPixel)
		switch at := (v - low) * per; {
		case at >= 0 && at < levels-1: // nearly all
			u = uint16(int32(at + 0.5))
		case v < low:
			u = 0
		case v >= low:
			u = levels - 1
		}
		g.counts[u]++
		to[2*i], to[2*i+1] = byte(u), byte(u>>8)
	}
	l.places = len(values) - int(g.counts[noPixel])
	g.percentiles(&l)
	return l
}

func (g *painter) percentiles(l *levelling) {
	wanted := [...]struct {
		part float64
		to   *float64
	}{{0.01, &l.p1}, {0.5, &l.p50}, {0.99, &l.p99}, {0.999, &l.p999}}
	below, next := 0, 0
	for u, n := range g.counts[:levels] {
		if n == 0 {
			continue
		}
		below += int(n)
		for next < len(wanted) && float64(below) >= wanted[next].part*float64(l.places) {
			*wanted[next].to = l.offset + l.scale*float64(u)
			next++
		}
		if next == len(wanted) {
			return
		}
	}
}

// radial gives the mean of each ring around the beam, NaN where there is no pixel.
func (g *painter) radial(to []float64, p *plan, values []float32) []float64 {
	if p.ring == nil {
		return nil
	}
	clear(g.profile[:])
	for i, v := range values {
		if v == v {
			b := &g.profile[p.ring[i]]
			b.sum += float64(v)
			b.count++
		}
	}
	last := 0
	for i := range g.profile {
		if g.profile[i].count > 0 {
			last = i + 1
		}
	}
	for _, b := range g.profile[:last] {
		to = append(to, b.sum/float64(b.count))
	}
	return to
}
