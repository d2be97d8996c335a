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

// decimateSome is decimate for values of which some are none.
func decimateSome(to []float32, p *plan, from []float32) {
	k := p.bin * p.bin
	none := int32(len(from) - 1)
	for i := range to {
		sum, n := float32(0), float32(0)
		for _, at := range p.index[k*i : k*(i+1)] {
			if v := from[at]; at != none && v-v == 0 {
				sum += v
				n++
			}
		}
		to[i] = sum / n // 0/0 is none
	}
}

// levelsOf finds how values are best written as 16 bits: over all that there are, unless a few lie so far out that the
// others would fall on too few levels.
func (g *painter) levelsOf(values []float32) (l levelling) {
	low, high := bounds(values)
	if low < -math.MaxFloat32 || high > math.MaxFloat32 && low <= high {
		forget(values)
		low, high = bounds(values)
	}
	if low > high { // there is no pixel
		return levelling{scale: 1, perLevel: 1}
	}
	l.min, l.max = low, high
	const few, spreads = 1024, 4096
	g.take(values, max(1, len(values)/few), float32(math.NaN()))
	if len(g.sample) == 0 { // what there is lies between those
		g.take(values, 1, float32(math.NaN()))
	}
	slices.Sort(g.sample)
	n := len(g.sample)
	cut := min((n+99)/100, (n-1)/2)
	first, last := float64(g.sample[cut]), float64(g.sample[n-1-cut])
	spread := last - first
	if spread == 0 {
		spread = g.apart(values, first)
	}
	const most = math.MaxFloat32 / 4
	bottom, top := max(float64(low), first-spreads*spread, -most), min(float64(high), last+spreads*spread, most)
	l.offset, l.scale = bottom, (top-bottom)/(levels-1)
	if !(l.scale > 0) {
		l.scale = 1
	}
	if first == last { // nearly all have this value, which is to be told as it is
		l.offset = first - l.scale*math.Round((first-bottom)/l.scale)
	}
	l.low, l.perLevel = float32(l.offset), float32(1/l.scale)
	return l
}

// bounds are the lowest and the highest value; NaN is none.
func bounds(values []float32) (low, high float32) {
	low, high = float32(math.Inf(1)), float32(math.Inf(-1))
	for _, v := range values {
		if v < low {
			low = v
		}
		if v > high {
			high = v
		}
	}
	return low, high
}

// forget makes infinite values none: they have no place among the others.
func forget(values []float32) {
	for i, v := range values {
		if math.IsInf(float64(v), 0) {
			values[i] = float32(math.NaN())
		}
	}
}

// take makes a sample of each so many values that are not a certain one.
func (g *painter) take(values []float32, each int, but float32) {
	g.sample = g.sample[:0]
	for i := 0; i < len(values); i += each {
		if v := values[i]; v == v && v != but {
			g.sample = append(g.sample, v)
		}
	}
}

// apart tells how far from the value that nearly all have the others lie: half of them at the most so far. Beyond a limit
// the levels could not tell that value as it is.
func (g *painter) apart(values []float32, common float64) float64 {
	const farthest = 1 << 28
	g.take(values, 1, float32(common))
	for i, v := range g.sample {
		g.sample[i] = float32(math.Abs(float64(v) - common))
	}
	slices.Sort(g.sample)
	if len(g.sample) == 0 {
		return 0
	}
	return min(float64(g.sample[(len(g.sample)-1)/2]), farthest*max(1, math.Abs(common)))
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
