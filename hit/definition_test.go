package hit_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// Droplets are those of the definition, on frames with few bright pixels and with many.
func TestDropletsAreThoseOfTheDefinition(t *testing.T) {
	found := 0
	eachCamera(t, func(t *testing.T, seed *rand.Rand, set *calib.Set) {
		for _, c := range everyFinder() {
			if c.Finder != "droplets" {
				continue
			}
			if seed.IntN(3) == 0 {
				c.Droplets.Masked = hit.Zeros
			}
			plan := planOf(t, c, set)
			for i := range plan.Bin { // these have values all the same
				if i > 0 && seed.IntN(60) == 0 {
					plan.Unuse(i)
				}
			}
			finder := plan.NewFinder()
			var r hit.Result
			for k, part := range []float64{0.02, 0.3, 1, 0.05} {
				f := randomFrame(seed, set, part)
				finder.Find(f, &r)
				want := dropletsOf(plan, unmasked(t, plan, set), f)
				if !slices.Equal(r.Peaks, want) || int(r.Summary.Peaks) != len(want) {
					t.Fatalf("%s, frame %d: found\n%+v\nnot\n%+v", c.Pixels, k, r.Peaks, want)
				}
				found += len(want)
			}
		}
	})
	if found < 1000 {
		t.Errorf("there were %d droplets only", found)
	}
}

// unmasked is a plan without mask and common mode, where masked pixels have a say.
func unmasked(t *testing.T, p *hit.Plan, set *calib.Set) *hit.Plan {
	t.Helper()
	if p.Config.Droplets.Masked == hit.Zeros {
		return p
	}
	plain, other := *set, *p
	plain.Mask, plain.CommonMode = nil, nil
	tables, err := correct.NewTables(&plain, nil)
	if err != nil {
		t.Fatal(err)
	}
	other.Camera.Tables = tables
	return &other
}

// dropletsOf is psalgos' V4r3, written to be read. The values of another plan are those that seeds are compared with.
func dropletsOf(p, all *hit.Plan, f *hit.Frame) (peaks []hit.Peak) {
	c, n, step := &p.Config.Droplets, p.Pixels(), p.Step()
	for s := range p.Segments {
		values := make([]int32, n)
		p.Values(values, f, s, p.NewRoom())
		over := make([]int32, n)
		all.Values(over, f, s, all.NewRoom())
		for i, v := range values {
			if v != hit.Bad {
				over[i] = v
			}
		}
		class := make([]int, n)
		for i, v := range values {
			x := float64(v) * step
			switch {
			case v == hit.Bad || p.Bin[s*n+i] >= hit.Unused:
			case x < -c.High:
				class[i] = 32
			case x < -c.Low:
				class[i] = 16
			case x < c.Low:
				class[i] = 1
			case x < c.High:
				class[i] = 2
			default:
				class[i] = 4
			}
		}
		for i := range values {
			if class[i] == 4 && highestOf(p, over, i) {
				if peak, ok := dropletAt(p, values, class, i); ok {
					peak.Segment = uint16(s)
					peaks = append(peaks, peak)
				}
			}
		}
	}
	return peaks
}

// square calls f with the places of the square around a pixel.
func square(p *hit.Plan, at, rank int, f func(i int)) {
	for row := at/p.Cols - rank; row <= at/p.Cols+rank; row++ {
		for col := at%p.Cols - rank; col <= at%p.Cols+rank; col++ {
			if row >= 0 && row < p.Rows && col >= 0 && col < p.Cols {
				f(row*p.Cols + col)
			}
		}
	}
}

func highestOf(p *hit.Plan, values []int32, at int) bool {
	highest := true
	square(p, at, p.Config.Droplets.Rank, func(i int) { highest = highest && values[i] <= values[at] })
	return highest
}

func dropletAt(p *hit.Plan, values []int32, class []int, at int) (peak hit.Peak, ok bool) {
	c, step := &p.Config.Droplets, p.Step()
	var n, sum int64
	var squares float64 // the values of these frames are so small that sums of squares are exact
	square(p, at, 32, func(i int) {
		r := math.Hypot(float64(i/p.Cols-at/p.Cols), float64(i%p.Cols-at%p.Cols))
		if r >= c.R0 && r <= c.R0+c.DR && class[i]&(1|2|16) != 0 {
			n++
			sum += int64(values[i])
			squares += float64(values[i]) * float64(values[i])
		}
	})
	mean, rms := 0., 0.
	if n > 0 {
		mean = float64(sum) / float64(n)
		rms = math.Sqrt(max(0, float64(squares/float64(n))-float64(mean*mean)))
	}
	group := map[int]bool{at: true}
	for grown := true; grown; {
		grown = false
		square(p, at, c.Rank, func(i int) {
			beside := i%p.Cols > 0 && group[i-1] || i%p.Cols < p.Cols-1 && group[i+1] || group[i-p.Cols] || group[i+p.Cols]
			if class[i] >= 2 && !group[i] && beside {
				group[i], grown = true, true
			}
		})
	}
	var total, rows, cols, byRow, byCol int64
	for i := range group {
		v := int64(values[i])
		total, byRow, byCol = total+v, byRow+v*int64(i/p.Cols), byCol+v*int64(i%p.Cols)
		rows, cols = rows+int64(i/p.Cols), cols+int64(i%p.Cols)
	}
	npix := float64(len(group))
	amax, atot := float64(values[at])-mean, float64(total)-float64(npix*mean)
	row, col, son := float64(at/p.Cols), float64(at%p.Cols), 0.
	if atot > 0 {
		row = (float64(byRow) - float64(float64(rows)*mean)) / atot
		col = (float64(byCol) - float64(float64(cols)*mean)) / atot
	}
	if rms > 0 {
		son = atot / float64(rms*math.Sqrt(npix))
	}
	ok = len(group) >= c.MinPix && len(group) <= c.MaxPix && amax*step >= c.MinAmax && atot*step >= c.MinAtot && son >= c.MinSON
	return hit.Peak{NPix: uint16(len(group)), Row: float32(row), Col: float32(col), Total: float32(atot * step),
		Max: float32(amax * step), Background: float32(mean * step), Sigma: float32(rms * step), SNR: float32(son)}, ok
}

// As many pixels are above the threshold as are.
func TestThresholdCountsPixels(t *testing.T) {
	eachCamera(t, func(t *testing.T, seed *rand.Rand, set *calib.Set) {
		for _, pixels := range []string{hit.ADU, hit.Calibrated} {
			for _, above := range []float64{60, 59.5, 0, -40, 1e9, -32000, 40000} {
				c := hit.Default()
				c.Finder, c.Pixels, c.Threshold.Above, c.AtLeast, c.AtMost = "threshold", pixels, above, 3, 20
				plan := planOf(t, c, set)
				f := randomFrame(seed, set, 0.1)
				var r hit.Result
				plan.NewFinder().Find(f, &r)
				n := 0
				for _, v := range valuesOf(plan, f) {
					if v != hit.Bad && float64(v)*plan.Step() > above {
						n++
					}
				}
				if int(r.Summary.Count) != n || int(r.Summary.Pixels) != n || r.Summary.Hit != (n >= 3 && n <= 20) {
					t.Errorf("%s above %g: %+v, not %d", pixels, above, r.Summary, n)
				}
			}
		}
	})
}
