package correct

import "math"

// clip is how many standard deviations a pixel may be away from the mean.
const clip = 3

// clippedMean gives the mean of the pixels of an area that take part, without those that see a signal, and how many they
// are: first the mean and standard deviation of the pixels at most limit away from zero, then the mean of those of them
// that are at most three deviations away from that mean.
//
// All this is done in whole units, of which an ADU of floats has perADU and one of integers one: sums are exact, and the
// result is the same whatever adds them.
func (v view) clippedMean(a area, limit float64) (float64, int) {
	unit := v.unit()
	limit /= unit
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
	return m.sum / float64(m.n) * unit, m.n
}

// perADU is how many units an ADU of floats has in the common mode: a pixel is then at most a sixteenth of an ADU away
// from what it is.
const perADU = 8

func (v view) unit() float64 {
	if v.floats != nil {
		return 1. / perADU
	}
	return 1
}

// unitsOf rounds, halves to even; NaN stays.
func unitsOf(x float32) float64 { return math.RoundToEven(float64(x) * perADU) }

type moments struct {
	n            int
	sum, squares float64
}

// moments adds the pixels between two bounds, in units, which belong to them.
func (v view) moments(a area, low, high float64) (m moments) {
	for start := a.at; start < a.at+a.rows*a.stride; start += a.stride {
		if v.floats != nil {
			m.addFloats(v.floats[start:start+a.cols], low, high)
			continue
		}
		m.addInts(v.ints[start:start+a.cols], low, high)
	}
	return m
}

func (m *moments) addFloats(row []float32, low, high float64) {
	for _, x := range row {
		if u := unitsOf(x); u >= low && u <= high {
			m.sum += u // whole numbers far below 2^53
			m.squares += u * u
			m.n++
		}
	}
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
