package page

import (
	"encoding/binary"
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
	profile profile
}

// levelling is how values became the levels of a picture, and what they were.
type levelling struct {
	offset, scale      float64
	min, max           float32
	p1, p50, p99, p999 float64
	places             int // with a value
	low, perLevel      float32
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
	low, high, n := boundsInVectors(values)
	if n == 0 {
		low, high = float32(math.Inf(1)), float32(math.Inf(-1))
	}
	for _, v := range values[n:] {
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

// level writes values as 16 bits, finds the percentiles, and sums up the rings around the beam, where there is one.
func (g *painter) level(to []byte, values []float32, p *plan) levelling {
	l := g.levelsOf(values)
	clear(g.counts[:])
	if p.ring == nil {
		g.write(to, values, &l)
	} else {
		g.profile = profile{}
		for at := 0; at < len(values); at += writtenAtOnce {
			end := min(at+writtenAtOnce, len(values))
			g.write(to[2*at:2*end], values[at:end], &l)
			g.profile.add(values[at:end], p.ring[at:end])
		}
	}
	l.places = len(values) - int(g.counts[noPixel])
	g.percentiles(&l)
	return l
}

// writtenAtOnce is how many values are looked at twice while they are in the cache.
const writtenAtOnce = 4096

// write writes values as 16 bits, and counts them.
func (g *painter) write(to []byte, values []float32, l *levelling) {
	to = to[:2*len(values)]
	for i := levelsInVectors(to, values, l.low, l.perLevel); i < len(values); i++ {
		binary.LittleEndian.PutUint16(to[2*i:], levelOf(values[i], l.low, l.perLevel))
	}
	for ; len(to) >= 8; to = to[8:] {
		four := binary.LittleEndian.Uint64(to)
		g.counts[uint16(four)]++
		g.counts[uint16(four>>16)]++
		g.counts[uint16(four>>32)]++
		g.counts[uint16(four>>48)]++
	}
	for ; len(to) > 0; to = to[2:] {
		g.counts[binary.LittleEndian.Uint16(to)]++
	}
}

// levelOf is that of a value.
func levelOf(v, low, per float32) uint16 {
	switch at := (v - low) * per; {
	case at >= 0 && at < levels-1: // nearly all
		return uint16(int32(at + 0.5))
	case v < low:
		return 0
	case v >= low:
		return levels - 1
	}
	return noPixel
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

// profile sums up values around the beam. Neighbours are mostly in the same ring, and each would have to wait for the sum that the one
// before makes: so four of them have a sum each.
type profile struct {
	sum  [4][radialBins]float64
	none [radialBins]int32 // places without a value
}

func (f *profile) add(values []float32, ring []uint8) {
	for ; len(values) >= 4; values, ring = values[4:], ring[4:] {
		v, r := values[:4:4], ring[:4:4]
		for k := range 4 {
			if v[k] == v[k] {
				f.sum[k][r[k]] += float64(v[k])
			} else {
				f.none[r[k]]++
			}
		}
	}
	for k, v := range values {
		if v == v {
			f.sum[0][ring[k]] += float64(v)
		} else {
			f.none[ring[k]]++
		}
	}
}

// means are those of each ring around the beam, NaN where there is no pixel.
func (f *profile) means(to []float64, p *plan) []float64 {
	if p.ring == nil {
		return nil
	}
	last := 0
	for i, n := range p.around {
		if n > f.none[i] {
			last = i + 1
		}
	}
	for i, n := range p.around[:last] {
		to = append(to, (f.sum[0][i]+f.sum[1][i]+f.sum[2][i]+f.sum[3][i])/float64(n-f.none[i]))
	}
	return to
}
