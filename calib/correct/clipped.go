package correct

import "math"

// clip is how many standard deviations a pixel may be away from the mean.
const clip = 3

// clippedMean gives the mean of the pixels of an area that take part, without those that see a signal, and how many they
// are: first the mean and standard deviation of the pixels at most limit away from zero, then the mean of those of them
// that are at most three deviations away from that mean.
//
// Integers are added as such. Floats are added in sixteen parts, of which part k has the pixels k, k+16, ... of a row, and
// rows in float64: so the result is the same whatever adds them.
func (v view) clippedMean(a area, limit float64) (float64, int) {
	m := v.moments(a, -limit, limit)
	if m.n == 0 {
		return 0, 0
	}
	mean := m.sum / float64(m.n)
	away := clip * math.Sqrt(max(0, m.squares/float64(m.n)-float64(mean*mean)))
	m = v.moments(a, max(mean-away, -limit), min(mean+away, limit))
	if m.n == 0 {
		return 0, 0
	}
	return m.sum / float64(m.n), m.n
}

type moments struct {
	n            int
	sum, squares float64
}

// moments adds the pixels between two bounds, which belong to them.
func (v view) moments(a area, low, high float64) (m moments) {
	for start := a.at; start < a.at+a.rows*a.stride; start += a.stride {
		if v.floats != nil {
			m.addFloats(v.floats[start:start+a.cols], float32(low), float32(high))
			continue
		}
		m.addInts(v.ints[start:start+a.cols], low, high)
	}
	return m
}

func (m *moments) addFloats(row []float32, low, high float32) {
	var sums, squares [16]float32
	for i, x := range row {
		if x >= low && x <= high {
			sums[i%16] += x
			squares[i%16] += float32(x * x)
			m.n++
		}
	}
	m.sum += float64(together(&sums))
	m.squares += float64(together(&squares))
}

// together adds sixteen parts, in the order in which vectors are folded.
func together(p *[16]float32) float32 {
	for i := range 8 {
		p[i] += p[i+8]
	}
	return ((p[0] + p[4]) + (p[2] + p[6])) + ((p[1] + p[5]) + (p[3] + p[7]))
}

func (m *moments) addInts(row []int16, low, high float64) {
	from, to := int64(math.Ceil(low)), int64(math.Floor(high))
	from, to = max(from, Bad16+1), min(to, Switched16-1)
	var sum, squares int64
	for _, x := range row {
		if x := int64(x); x >= from && x <= to {
			sum += x
			squares += x * x
			m.n++
		}
	}
	m.sum += float64(sum)
	m.squares += float64(squares)
}
