package hit_test

import (
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/hit"
)

// Regions have the sums of their used pixels, with whatever finder.
func TestRegionsAreSummedUp(t *testing.T) {
	eachCamera(t, func(t *testing.T, seed *rand.Rand, set *calib.Set) {
		for _, c := range everyFinder() {
			for i := range 4 { // the last two lie upon each other
				row, col := seed.IntN(set.Rows), seed.IntN(set.Cols)
				c.Regions = append(c.Regions, hit.Region{Name: string(rune('a' + i)), Segment: seed.IntN(len(set.Serials)),
					Rows: [2]int{row, row + 1 + seed.IntN(set.Rows-row)}, Cols: [2]int{col, col + 1 + seed.IntN(set.Cols-col)}})
			}
			c.Regions[3] = c.Regions[2]
			c.Regions[3].Name = "d"
			plan := planOf(t, c, set)
			finder := plan.NewFinder()
			var r hit.Result
			for range 3 {
				f := randomFrame(seed, set, 0.2)
				finder.Find(f, &r)
				if len(r.Regions) != len(c.Regions) || len(r.Radial) != 0 {
					t.Fatalf("%d regions and %d bins", len(r.Regions), len(r.Radial))
				}
				for i := range c.Regions {
					checkRegion(t, plan, f, &c.Regions[i], r.Regions[i])
				}
			}
		}
	})
}

func checkRegion(t *testing.T, p *hit.Plan, f *hit.Frame, region *hit.Region, got hit.RegionSums) {
	t.Helper()
	values := valuesOf(p, f)[region.Segment*p.Pixels():]
	var n, sum, squares, byRow, byCol, highest float64 // all but squares exact, as these frames are small
	highest = math.Inf(-1)
	for row := region.Rows[0]; row < region.Rows[1]; row++ {
		for col := region.Cols[0]; col < region.Cols[1]; col++ {
			if v := float64(values[row*p.Cols+col]); v != hit.Bad {
				n, sum, squares, highest = n+1, sum+v, squares+v*v, max(highest, v)
				byRow, byCol = byRow+v*float64(row), byCol+v*float64(col)
			}
		}
	}
	want := hit.RegionSums{Sum: sum * p.Step(), SumSquares: squares * p.Step() * p.Step(), Count: uint32(n),
		Row: float32(region.Rows[0]+region.Rows[1]-1) / 2, Col: float32(region.Cols[0]+region.Cols[1]-1) / 2}
	if n > 0 {
		want.Max = float32(highest * p.Step())
	}
	if sum > 0 {
		want.Row, want.Col = float32(byRow/sum), float32(byCol/sum)
	}
	if math.Abs(got.SumSquares-want.SumSquares) < 1e-12*want.SumSquares {
		want.SumSquares = got.SumSquares // which is rounded once, and not for each pixel
	}
	if got != want {
		t.Errorf("%+v: %+v, not %+v", region, got, want)
	}
}

// Values as large as can be do not overflow a region's sums: a bright row of a tall segment.
func TestRegionOfTheBrightestPixels(t *testing.T) {
	const rows, cols = 60000, 40
	set := &calib.Set{Detector: "d", Model: "jungfrau", Serials: []string{"a"}, Unit: calib.ADU, Rows: rows, Cols: cols,
		Pedestals: make([]float32, 3*rows*cols), Gains: make([]float32, 3*rows*cols)}
	for i := range set.Gains {
		set.Gains[i] = 1
		if i >= rows*cols {
			set.Gains[i] = 1e-9
		}
	}
	c := hit.Default()
	c.Finder = "threshold"
	c.Regions = []hit.Region{{Name: "all", Rows: [2]int{0, rows}, Cols: [2]int{0, cols}}}
	f := &hit.Frame{Raw: [][]uint16{slices.Repeat([]uint16{0x7FFF}, rows*cols)}} // of the second range
	var r hit.Result
	planOf(t, c, set).NewFinder().Find(f, &r)
	const v = 1<<31 - 1
	want := hit.RegionSums{Sum: v * rows * cols, SumSquares: v * v * float64(rows*cols), Count: rows * cols, Max: v,
		Row: (rows - 1) / 2., Col: (cols - 1) / 2.}
	if got := r.Regions[0]; got != want {
		t.Errorf("%+v, not %+v", got, want)
	}
}

// A radial profile is made of the events whose turn it is, whole events and used pixels.
func TestRadialProfile(t *testing.T) {
	seed := rand.New(rand.NewPCG(5, 5))
	for _, pixels := range []string{hit.ADU, hit.Calibrated} {
		set := randomSet(seed, "jungfrau", [3]int{1, 60, 50})
		c := hit.Default()
		c.Finder, c.Pixels, c.Center, c.MinRes = "threshold", pixels, hit.Center{Row: 20, Col: 24.5, Given: true}, 3
		c.Radial = hit.Radial{Every: 3, Bins: 14, Width: 3}
		plan := planOf(t, c, set)
		finder := plan.NewFinder()
		var r hit.Result
		for number := range uint64(8) {
			f := randomFrame(seed, set, 0.2)
			f.Number = number
			finder.Find(f, &r)
			if number%3 != 0 {
				if len(r.Radial) != 0 || len(r.RadialCounts) != 0 {
					t.Errorf("event %d has a profile", number)
				}
				continue
			}
			sums, counts := make([]float64, 14), make([]uint32, 14)
			for i, v := range valuesOf(plan, f) {
				if b := int(math.RoundToEven(math.Hypot(float64(i/50)-20, float64(i%50)-24.5))) / 3; b < 14 && v != hit.Bad {
					sums[b] += float64(v)
					counts[b]++
				}
			}
			if !slices.Equal(r.RadialCounts, counts) || counts[1] == 0 {
				t.Fatalf("counts %v, not %v", r.RadialCounts, counts)
			}
			for b := range sums {
				if want := float32(sums[b] / float64(counts[b]) * plan.Step()); r.Radial[b] != want && counts[b] > 0 {
					t.Errorf("bin %d: %g, not %g", b, r.Radial[b], want)
				}
			}
			if counts[0] == 0 && r.Radial[0] == r.Radial[0] {
				t.Errorf("a bin without pixels has the mean %g", r.Radial[0])
			}
		}
	}
}

// What regions and profiles cannot be is said by their names.
func TestRegionsThatCannotBe(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(1, 1)), "other", [3]int{2, 8, 9})
	good := hit.Region{Name: "a", Segment: 1, Rows: [2]int{0, 8}, Cols: [2]int{0, 9}}
	for want, change := range map[string]func(c *hit.Config, r *hit.Region){
		"":                           func(*hit.Config, *hit.Region) {},
		"region 0 has no name":       func(_ *hit.Config, r *hit.Region) { r.Name = "" },
		"two regions are called a":   func(c *hit.Config, _ *hit.Region) { c.Regions = append(c.Regions, good) },
		"there is no segment -1":     func(_ *hit.Config, r *hit.Region) { r.Segment = -1 },
		"is in segment 2":            func(_ *hit.Config, r *hit.Region) { r.Segment = 2 },
		"rows [3 3]":                 func(_ *hit.Config, r *hit.Region) { r.Rows = [2]int{3, 3} },
		"cols [-1 4]":                func(_ *hit.Config, r *hit.Region) { r.Cols = [2]int{-1, 4} },
		"goes to row 9 and column 9": func(_ *hit.Config, r *hit.Region) { r.Rows[1] = 9 },
		"radial needs a geometry":    func(c *hit.Config, _ *hit.Region) { c.Radial.Every = 1 },
		"radial.bins is 0":           func(c *hit.Config, _ *hit.Region) { c.Radial.Bins = 0 },
		"radial.every is -1":         func(c *hit.Config, _ *hit.Region) { c.Radial.Every = -1 },
		"at most 256 are possible":   func(c *hit.Config, _ *hit.Region) { c.Regions = make([]hit.Region, 257) },
	} {
		c := hit.Default()
		c.Finder, c.Regions = "threshold", []hit.Region{good}
		change(&c, &c.Regions[0])
		_, err := hit.NewPlan(c, hit.Camera{Tables: tablesOf(t, set), Unit: set.Unit})
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%v, not %q", err, want)
		}
	}
}

// A region of a segment that another process has is empty here.
func TestRegionElsewhere(t *testing.T) {
	set := randomSet(rand.New(rand.NewPCG(1, 1)), "other", [3]int{2, 8, 9})
	c := hit.Default()
	c.Finder = "threshold"
	c.Regions = []hit.Region{{Name: "there", Segment: 3, Rows: [2]int{0, 3}, Cols: [2]int{0, 9}},
		{Name: "here", Segment: 7, Rows: [2]int{0, 8}, Cols: [2]int{0, 9}}}
	plan, err := hit.NewPlan(c, hit.Camera{Tables: tablesOf(t, set), Unit: set.Unit, Numbers: []int{4, 7}})
	if err != nil {
		t.Fatal(err)
	}
	var r hit.Result
	for range 2 {
		f := randomFrame(rand.New(rand.NewPCG(1, 1)), set, 0.1)
		plan.NewFinder().Find(f, &r)
		if want := (hit.RegionSums{Row: 1, Col: 4}); r.Regions[0] != want {
			t.Errorf("%+v, not %+v", r.Regions[0], want)
		}
		moved := c.Regions[1]
		moved.Segment = 1 // of the frame
		checkRegion(t, plan, f, &moved, r.Regions[1])
	}
}
