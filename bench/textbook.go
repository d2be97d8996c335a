package bench

import "math"

// textbook is peakfinder8 as it is written elsewhere (slac-lcls/lcls2, psana/psana/peakFinder/peakfinder8.cc), in plain
// Go: a corrected frame of float32, five passes over it for the statistics, one for the peaks. It is the yardstick.
type textbook struct {
	scene   *hitScene
	pixels  []float32 // ADU
	bin     []uint16
	good    []bool
	taken   []bool
	bins    []textbookBin
	members []int
}

type textbookBin struct {
	n, sum, squares float32
	lo, hi, mean    float32
}

func newTextbook(s *hitScene) *textbook {
	t := &textbook{scene: s, pixels: make([]float32, calibPixels), bin: make([]uint16, calibPixels),
		good: make([]bool, calibPixels), taken: make([]bool, calibPixels)}
	most := uint16(0)
	for i, r := range s.radius {
		t.bin[i], t.good[i] = uint16(math.RoundToEven(float64(r))), s.set.Mask[i] == 1
		most = max(most, t.bin[i])
	}
	t.bins = make([]textbookBin, most+1)
	return t
}

// find gives the number of peaks.
func (t *textbook) find(raw []uint16) (peaks int) {
	for i, r := range raw {
		t.pixels[i] = float32(r&0x3fff) - t.scene.set.Pedestals[i]
	}
	t.statistics()
	clear(t.taken)
	for segment := range calibSegments {
		first := segment * calibRows * calibCols
		for row := 1; row < calibRows-1; row++ {
			for col := 1; col < calibCols-1; col++ {
				if i := first + row*calibCols + col; t.above(i) && t.peak(first, i) {
					peaks++
				}
			}
		}
	}
	return peaks
}

func (t *textbook) statistics() {
	c := &t.scene.config.Peakfinder8
	for b := range t.bins {
		t.bins[b].lo, t.bins[b].hi = -1e9, 1e9
	}
	for range 5 {
		for i, v := range t.pixels {
			if b := &t.bins[t.bin[i]]; t.good[i] && v > b.lo && v < b.hi {
				b.n++
				b.sum += v
				b.squares += v * v
			}
		}
		for k := range t.bins {
			b := &t.bins[k]
			if b.n == 0 {
				*b = textbookBin{lo: math.SmallestNonzeroFloat32, hi: math.MaxFloat32}
				continue
			}
			mean := b.sum / b.n
			sigma := b.squares/b.n - mean*mean
			if sigma >= 0 {
				sigma = float32(math.Sqrt(float64(sigma)))
			}
			away := float32(c.MinSNR) * sigma
			*b = textbookBin{lo: mean - away, hi: max(float32(c.ADCThreshold), mean+away), mean: mean}
		}
	}
}

func (t *textbook) above(i int) bool {
	return t.pixels[i] > t.bins[t.bin[i]].hi && t.good[i] && !t.taken[i]
}

// peak collects the group of a pixel, measures it, and tells whether it is a peak.
func (t *textbook) peak(first, seed int) bool {
	c := &t.scene.config.Peakfinder8
	t.taken[seed] = true
	t.members = append(t.members[:0], seed)
	var sum, rows, cols float32
	for next := 0; next < len(t.members); next++ {
		i := t.members[next]
		row, col := (i-first)/calibCols, (i-first)%calibCols
		w := t.pixels[i] - t.bins[t.bin[i]].mean
		sum, rows, cols = sum+w, rows+w*float32(row), cols+w*float32(col)
		for y := max(row-1, 0); y <= min(row+1, calibRows-1); y++ {
			for x := max(col-1, 0); x <= min(col+1, calibCols-1); x++ {
				if near := first + y*calibCols + x; t.above(near) {
					t.taken[near] = true
					t.members = append(t.members, near)
				}
			}
		}
	}
	if n := len(t.members); n < c.MinPixCount || n > c.MaxPixCount || sum == 0 {
		return false
	}
	mean, sigma, highest := t.background(first, int(math.RoundToEven(float64(rows/sum))), int(math.RoundToEven(float64(cols/sum))))
	var total, top float32
	for _, i := range t.members {
		total += t.pixels[i] - mean
		top = max(top, t.pixels[i]-mean)
	}
	return total/sigma >= float32(c.MinSNR) && top >= highest-mean
}

func (t *textbook) background(first, row, col int) (mean, sigma, highest float32) {
	r := 2 * t.scene.config.Peakfinder8.LocalBGRadius
	var n, sum, squares float32
	for y := max(row-r, 0); y < min(row+r, calibRows); y++ {
		for x := max(col-r, 0); x < min(col+r, calibCols); x++ {
			i := first + y*calibCols + x
			if v := t.pixels[i]; (y-row)*(y-row)+(x-col)*(x-col) <= r*r && t.good[i] && v < t.bins[t.bin[i]].hi {
				n, sum, squares, highest = n+1, sum+v, squares+v*v, max(highest, v)
			}
		}
	}
	if n == 0 {
		return 0, 0.01, highest
	}
	mean = sum / n
	return mean, float32(math.Sqrt(float64(max(1e-4, squares/n-mean*mean)))), highest
}
