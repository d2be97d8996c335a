package darks

import (
	"math"
	"slices"
)

const (
	// samples is how many values of a pixel are kept in the first pass.
	samples = 16
	// clip is how many widths a value may be away from the centre.
	clip = 5
	// leastWidth is the least width as a part of what is usual in the segment: that of 16 values is uncertain by a third.
	leastWidth = 0.7
	// toSigma makes a standard deviation of the median distance from the median, of a normal distribution.
	toSigma = 1.4826
	// leastSigma is the noise of rounding.
	leastSigma = 0.29
)

// accumulator is what is known of the pixels of a segment in one gain range.
type accumulator struct {
	count  []uint32 // values in all
	kept   []uint16 // samples of them for each pixel, of the first pass
	middle []float32
	width  []float32

	inside    []uint32  // values within the width, of the second pass
	sum, sum2 []float64 // of these, less the middle
}

func newAccumulator(pixels int) *accumulator {
	return &accumulator{count: make([]uint32, pixels), kept: make([]uint16, pixels*samples)}
}

// reservoir says where value number n of a pixel goes: the first ones all, of the later ones as many as make each of the
// values so far equally likely to be kept. It is the same for all pixels and each time.
type reservoir []int8

func (r *reservoir) slot(n uint32) int8 {
	for uint32(len(*r)) <= n {
		k := uint64(len(*r))
		slot := int8(-1)
		if k < samples {
			slot = int8(k)
		} else if j := mix(k) % (k + 1); j < samples {
			slot = int8(j)
		}
		*r = append(*r, slot)
	}
	return (*r)[n]
}

// mix is the finaliser of splitmix64: numbers that look as if by chance.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// centre ends the first pass.
func (a *accumulator) centre() {
	n := len(a.count)
	a.middle, a.width = make([]float32, n), make([]float32, n)
	a.inside, a.sum, a.sum2 = make([]uint32, n), make([]float64, n), make([]float64, n)
	var values [samples]float64
	var widths []float32
	for i, c := range a.count {
		k := min(int(c), samples)
		if k == 0 {
			continue
		}
		for j := range k {
			values[j] = float64(a.kept[i*samples+j])
		}
		middle := medianOf(values[:k])
		for j := range k {
			values[j] = math.Abs(values[j] - middle)
		}
		a.middle[i], a.width[i] = float32(middle), float32(toSigma*medianOf(values[:k]))
		widths = append(widths, a.width[i])
	}
	a.kept = nil
	if len(widths) == 0 {
		return
	}
	slices.Sort(widths)
	least := max(leastSigma, leastWidth*widths[len(widths)/2])
	for i := range a.width {
		a.width[i] = clip * max(a.width[i], least)
	}
}

// medianOf sorts the values.
func medianOf(values []float64) float64 {
	slices.Sort(values)
	k := len(values)
	return (values[(k-1)/2] + values[k/2]) / 2
}

// view is where the results of a segment in one gain range go.
type view struct {
	pedestals, rms []float32
	status         []uint16
}

// reached is how many pixels had any value.
func (a *accumulator) reached() (n int) {
	for _, c := range a.count {
		if c > 0 {
			n++
		}
	}
	return n
}

// finish ends the second pass, and gives how many values were clipped.
func (a *accumulator) finish(v view, minFrames int) (clipped int64) {
	for i, k := range a.inside {
		clipped += int64(a.count[i] - k)
		if int(k) < minFrames {
			v.status[i] |= statusFew
		}
		if k == 0 {
			v.pedestals[i] = float32(math.NaN())
			continue
		}
		n := float64(k)
		mean := a.sum[i] / n
		v.pedestals[i] = float32(float64(a.middle[i]) + mean)
		if k > 1 {
			v.rms[i] = float32(math.Sqrt(max(0, (a.sum2[i]-n*mean*mean)/(n-1))))
		}
	}
	return clipped
}
