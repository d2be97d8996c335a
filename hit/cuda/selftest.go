package cuda

import (
	"fmt"
	"math/rand/v2"
	"slices"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// SelfTest lets a device search a few small frames, and compares with the CPU.
func SelfTest(g *GPU) error {
	const size = 96
	r := rand.New(rand.NewPCG(8, 8))
	set := &calib.Set{Detector: "test", Model: "jungfrau-test", Serials: []string{"a"}, Unit: calib.ADU, Rows: size, Cols: size}
	for k := range 3 * size * size {
		set.Pedestals = append(set.Pedestals, 1000+float32(r.Float64()))
		set.Gains = append(set.Gains, []float32{40, -1.4, -0.1}[k/(size*size)])
	}
	t, err := correct.NewTables(set, nil)
	if err != nil {
		return fmt.Errorf("cuda: test: %w", err)
	}
	for _, statistics := range []string{hit.Full, hit.Sampled, hit.Carried} {
		c := hit.Default()
		c.Finder, c.Peakfinder8.Statistics, c.Center = "peakfinder8", statistics, hit.Center{Row: 40, Col: 50, Given: true}
		p, err := hit.NewPlan(c, hit.Camera{Tables: t, Unit: set.Unit})
		if err != nil {
			return fmt.Errorf("cuda: test: %w", err)
		}
		f := &hit.Frame{Raw: [][]uint16{testFrame(r, size)}}
		if statistics == hit.Carried {
			f.Carried = p.NewCarry(f)
		}
		var got, want hit.Result
		g.Finder(p).Find(f, &got)
		p.NewFinder().Find(f, &want)
		switch {
		case got.By != hit.GPU:
			return fmt.Errorf("cuda: test: %w", g.Lost())
		case got.Summary != want.Summary || !slices.Equal(got.Peaks, want.Peaks) || len(want.Peaks) == 0:
			return fmt.Errorf("cuda: test with %s statistics: %w: %+v, not %+v", statistics, ErrWrong, got.Summary, want.Summary)
		}
	}
	return nil
}

// testFrame has noise, peaks, and pixels in other gain ranges.
func testFrame(r *rand.Rand, size int) []uint16 {
	raw := make([]uint16, size*size)
	for i := range raw {
		raw[i] = uint16(1030 + 5*r.NormFloat64())
	}
	for range 12 {
		at := (2+r.IntN(size-6))*size + 2 + r.IntN(size-6)
		for k := range 9 {
			raw[at+k/3*size+k%3] += uint16(500 + r.IntN(2000))
		}
	}
	for range 20 {
		raw[r.IntN(len(raw))] = []uint16{0x4300, 0xC3e0, 0xC000, 0xFFFF, 0x8000, 0x4000}[r.IntN(6)]
	}
	return raw
}
