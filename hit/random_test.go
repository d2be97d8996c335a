package hit_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
	"drp/internal/testkit"
)

// shapes are sizes of cameras that a search may trip over, and one that has whole vectors.
var shapes = [][3]int{{1, 1, 1}, {2, 1, 70}, {2, 70, 1}, {1, 2, 2}, {3, 7, 9}, {1, 5, 64}, {2, 40, 65}, {1, 64, 128}}

// models are those that differ in the bits of a pixel: none for the range, two, and one.
var models = []string{"other", "jungfrau", "epix100"}

// randomSet has constants of which some are no numbers and some pixels masked. Pedestals are whole, so that equal pixels
// are frequent.
func randomSet(seed *rand.Rand, model string, shape [3]int) *calib.Set {
	s := &calib.Set{Detector: "d", Model: model, Unit: calib.ADU, Rows: shape[1], Cols: shape[2]}
	for i := range shape[0] {
		s.Serials = append(s.Serials, string(rune('a'+i)))
	}
	ranges := len(calib.ModelOf(model).Ranges)
	n := shape[0] * shape[1] * shape[2]
	for i := range max(1, ranges) * n {
		pedestal, gain := float32(1000+seed.IntN(40)), float32(1)
		if i >= n {
			pedestal, gain = float32(14000+seed.IntN(40)), -1/float32(30*(i/n))
		}
		switch seed.IntN(150) {
		case 0:
			pedestal = float32(math.NaN())
		case 1:
			gain = float32(math.NaN())
		case 2:
			gain = 0
		}
		s.Pedestals, s.Gains = append(s.Pedestals, pedestal), append(s.Gains, gain)
	}
	s.Mask = make([]uint8, n)
	for i := range s.Mask {
		if i == 0 || seed.IntN(50) > 0 {
			s.Mask[i] = 1
		}
	}
	s.Pedestals[0], s.Gains[0] = 1000, 1 // one pixel at least can be used
	return s
}

// randomFrame has noise, and in a part of the pixels signals of a few heights; a few have any code.
func randomFrame(seed *rand.Rand, s *calib.Set, part float64) *hit.Frame {
	f := &hit.Frame{}
	for range s.Serials {
		raw := make([]uint16, s.SegmentPixels())
		for i := range raw {
			v := 1020 + seed.NormFloat64()
			if seed.Float64() < part {
				v += float64(10 * (1 + seed.IntN(1+seed.IntN(30))))
			}
			raw[i] = uint16(v)
			switch seed.IntN(200) {
			case 0:
				raw[i] = uint16(seed.IntN(1 << 16))
			case 1:
				raw[i] = []uint16{0, 0x3FFF, 0x4000, 0x8000, 0xC000, 0xFFFF}[seed.IntN(6)]
			}
		}
		f.Raw = append(f.Raw, raw)
	}
	return f
}

// everyFinder is a configuration of each of them that finds something in random frames.
func everyFinder() []hit.Config {
	var all []hit.Config
	for _, name := range hit.Finders {
		for _, pixels := range []string{hit.ADU, hit.Calibrated} {
			c := hit.Default()
			c.Finder, c.Pixels, c.AtLeast = name, pixels, 1
			c.Peakfinder8.ADCThreshold, c.Peakfinder8.MinPixCount = 50, 1
			c.Droplets = hit.Droplets{Low: 30, High: 60, Rank: 2, R0: 3, DR: 1.5, MinPix: 1, MaxPix: 20, MinAmax: 20, MinAtot: 30, MinSON: 1, Masked: hit.Values}
			c.Photons.PerPhoton, c.Threshold.Above = 100, 60
			all = append(all, c)
		}
	}
	return all
}

// eachCamera calls f with every model and shape, with and without a common mode.
func eachCamera(t *testing.T, f func(t *testing.T, seed *rand.Rand, set *calib.Set)) {
	for k, model := range models {
		for _, shape := range shapes {
			for _, common := range []*calib.CommonMode{nil, {Method: calib.Median, Rows: true, MaxADU: 100, MinPixels: 3}} {
				t.Run(fmt.Sprintf("%s %v %v", model, shape, common != nil), func(t *testing.T) {
					seed := rand.New(rand.NewPCG(uint64(k), uint64(shape[1]*1000+shape[2])))
					set := randomSet(seed, model, shape)
					set.CommonMode = common
					f(t, seed, set)
				})
			}
		}
	}
}

// tablesOf is planOf's, for those who want more than one plan.
func tablesOf(t testing.TB, set *calib.Set) *correct.Tables {
	t.Helper()
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// valuesOf gives all values of a frame, hit.Bad where a pixel is not used.
func valuesOf(p *hit.Plan, f *hit.Frame) []int32 {
	n := p.Pixels()
	values, room := make([]int32, p.Segments*n), p.NewRoom()
	for s := range f.Raw {
		p.Values(values[s*n:(s+1)*n], f, s, room)
	}
	for i, b := range p.Bin {
		if b >= hit.Unused {
			values[i] = hit.Bad
		}
	}
	return values
}

// fewer is a third of so many where the race detector makes them slow; make test tries all without it.
func fewer(all int) int {
	if testkit.RaceDetector {
		return all / 3
	}
	return all
}
