package correct

import "math"

// fewPixels is up to where a median is found among the keys of the pixels themselves; those of more are counted.
const fewPixels = 512

// median gives the median of the pixels of an area that take part, as numpy does: of an even number, the mean of the two
// in the middle. It also says how many they are.
//
// Pixels are compared in whole units, as in clippedMean, and by keys, unsigned numbers in the same order. Of a larger area histograms are made, first of the
// highest bits of all keys, then of the next ones of those keys that share the highest with the median: this is exact,
// needs no room, and its time does not depend on what the pixels are.
func (v view) median(a area) (float64, int) {
	var low, high uint32
	var n int
	if a.rows*a.cols <= fewPixels {
		var buf [fewPixels]uint32
		if a.cols == 1 {
			n = v.keys(buf[:], a.at, a.rows, a.stride)
		} else {
			for row := range a.rows {
				n += v.keys(buf[n:], a.at+row*a.stride, a.cols, 1)
			}
		}
		if n == 0 {
			return 0, 0
		}
		low, high = middleKeys(buf[:n])
	} else if low, high, n = v.countedMiddle(a); n == 0 {
		return 0, 0
	}
	if v.floats != nil {
		return float64((floatOf(low)+floatOf(high))*0.5) * v.unit(), n
	}
	return (float64(intOf(low)) + float64(intOf(high))) / 2, n
}

// keys writes the keys of those of n pixels, stride apart, that take part, and says how many.
func (v view) keys(buf []uint32, at, n, stride int) (found int) {
	buf = buf[:n]
	if v.floats != nil {
		for i := at; n > 0; n, i = n-1, i+stride {
			if x := v.floats[i]; x == x {
				buf[found] = keyOf(float32(unitsOf(x)))
				found++
			}
		}
		return found
	}
	for i := at; n > 0; n, i = n-1, i+stride {
		if x := v.ints[i]; x != Bad16 && x != Switched16 {
			buf[found] = uint32(uint16(x)^1<<15) << 16
			found++
		}
	}
	return found
}

const signBit = 1 << 31

// keyOf orders as the number does: a negative number has all its bits turned, others the sign only.
func keyOf(x float32) uint32 {
	b := math.Float32bits(x)
	return b ^ (uint32(int32(b)>>31) | signBit)
}

func floatOf(key uint32) float32 {
	return math.Float32frombits(key ^ (uint32(int32(^key)>>31) | signBit))
}

func intOf(key uint32) int16 { return int16(uint16(key>>16) ^ 1<<15) }

// middleKeys finds the two in the middle of some keys, which may be the same, and changes their order: by halving as
// quicksort does, of which only the half with the middle goes on.
func middleKeys(k []uint32) (low, high uint32) {
	want := (len(k) - 1) / 2
	first, last := 0, len(k)-1
	for first < last {
		pivot := k[(first+last)/2]
		i, j := first, last
		for i <= j {
			for k[i] < pivot {
				i++
			}
			for k[j] > pivot {
				j--
			}
			if i <= j {
				k[i], k[j] = k[j], k[i]
				i++
				j--
			}
		}
		if want <= j {
			last = j
		} else if want >= i {
			first = i
		} else {
			break
		}
	}
	low, high = k[want], k[want]
	if len(k)%2 == 0 { // the next one is the least of those above
		high = k[want+1]
		for _, x := range k[want+2:] {
			high = min(high, x)
		}
	}
	return low, high
}

// countedMiddle finds the two in the middle by three histograms.
func (v view) countedMiddle(a area) (low, high uint32, n int) {
	var prefix, known uint32
	below, want := 0, 0 // keys below those with the prefix, and the place of the one wanted
	for _, d := range []digit{{21, 11}, {10, 11}, {0, 10}} {
		var counts [1 << 11]int32
		v.count(a, d, known, prefix, &counts)
		if known == 0 {
			for _, c := range counts {
				n += int(c)
			}
			want = (n - 1) / 2
		}
		if n == 0 {
			return 0, 0, 0
		}
		at := uint32(0)
		for ; below+int(counts[at]) <= want; at++ {
			below += int(counts[at])
		}
		known |= d.mask() << d.shift
		prefix |= at << d.shift
		if d.shift == 0 {
			below += int(counts[at]) // now those up to the key found
		}
	}
	if n%2 == 0 && below <= want+1 {
		return prefix, v.above(a, prefix), n
	}
	return prefix, prefix, n
}

// digit is a part of a key.
type digit struct{ shift, bits uint }

func (d digit) mask() uint32 { return 1<<d.bits - 1 }

// count makes a histogram of a digit, of the keys with the prefix.
func (v view) count(a area, d digit, known, prefix uint32, counts *[1 << 11]int32) {
	var buf [fewPixels]uint32
	for i := range a.pieces() {
		at, n, stride := a.piece(i)
		for _, k := range buf[:v.keys(buf[:], at, n, stride)] {
			if k&known == prefix {
				counts[k>>d.shift&d.mask()&(1<<11-1)]++
			}
		}
	}
}

// above gives the least key above another one.
func (v view) above(a area, low uint32) uint32 {
	var buf [fewPixels]uint32
	high := uint32(math.MaxUint32)
	for i := range a.pieces() {
		at, n, stride := a.piece(i)
		for _, k := range buf[:v.keys(buf[:], at, n, stride)] {
			if k > low {
				high = min(high, k)
			}
		}
	}
	return high
}

// pieces is how many parts of up to fewPixels in a line an area has.
func (a area) pieces() int {
	if a.cols == 1 {
		return (a.rows + fewPixels - 1) / fewPixels
	}
	return a.rows * ((a.cols + fewPixels - 1) / fewPixels)
}

func (a area) piece(i int) (at, n, stride int) {
	if a.cols == 1 {
		return a.at + i*fewPixels*a.stride, min(fewPixels, a.rows-i*fewPixels), a.stride
	}
	each := (a.cols + fewPixels - 1) / fewPixels
	row, col := i/each, i%each*fewPixels
	return a.at + row*a.stride + col, min(fewPixels, a.cols-col), 1
}
