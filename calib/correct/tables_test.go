package correct_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
)

// A frame allocates nothing, whatever is done to it. Segments are small, but their banks are not.
func TestNoAllocations(t *testing.T) {
	modes := []*calib.CommonMode{nil}
	for _, method := range []calib.Method{calib.Median, calib.ClippedMean} {
		modes = append(modes, &calib.CommonMode{Method: method, Rows: true, MaxADU: 100},
			&calib.CommonMode{Method: method, Rows: true, Cols: true, Banks: true, MaxADU: 100})
	}
	for _, c := range []struct {
		model      string
		rows, cols int
	}{{"jungfrau-part", 256, 128}, {"epix10ka-part", 352, 96}, {"epix100-part", 352, 192}} {
		seed := rand.New(rand.NewPCG(1, 2))
		set, config := randomSet(seed, c.model, c.rows, c.cols)
		raw := randomRaw(seed, set)
		floats, integers := make([]float32, c.rows*c.cols), make([]int16, c.rows*c.cols)
		for _, mode := range modes {
			set.CommonMode = mode
			tables := tablesOf(t, set, config)
			if n := testing.AllocsPerRun(2, func() {
				tables.Float32(floats, raw, 2)
				tables.ADU16(integers, raw, 2)
			}); n > 0 {
				t.Errorf("%s, common mode %v: %g allocations", c.model, mode, n)
			}
		}
	}
}

func TestTablesRefused(t *testing.T) {
	good := constantSet("epix10ka", 352, 384, make([]float32, 7), make([]float32, 7))
	for _, c := range []struct {
		name   string
		config []correct.Config
		want   string
	}{
		{"no configuration", nil, "gain ranges are unknown"},
		{"a configuration of another size", []correct.Config{{Pixels: make([]uint8, 5)}}, "asicPixelConfig has 5 values"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := correct.NewTables(good, c.config); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	short := *good
	short.Gains = short.Gains[1:]
	if _, err := correct.NewTables(&short, []correct.Config{{}}); err == nil {
		t.Error("constants of another size were taken")
	}
}

// ASICs of the ePix10ka have 178 rows in older files, of which the last two are of no pixel.
func TestSpareRowsOfASICs(t *testing.T) {
	set := constantSet("epix10ka", 352, 384, []float32{1, 2, 3, 4, 5, 6, 7}, []float32{1, 1, 1, 1, 1, 1, 1})
	seed := rand.New(rand.NewPCG(1, 3))
	plain, spare := correct.Config{}, correct.Config{}
	for range 4 {
		for row := range 178 {
			for range 192 {
				word := uint8(seed.IntN(16))
				spare.Pixels = append(spare.Pixels, word)
				if row < 176 {
					plain.Pixels = append(plain.Pixels, word)
				}
			}
		}
	}
	raw := make([]uint16, 352*384)
	a, b := make([]float32, len(raw)), make([]float32, len(raw))
	tablesOf(t, set, []correct.Config{plain}).Float32(a, raw, 0)
	tablesOf(t, set, []correct.Config{spare}).Float32(b, raw, 0)
	for i := range a {
		if a[i] != b[i] {
			t.Fatalf("pixel %d is %g and %g", i, a[i], b[i])
		}
	}
}

func TestMaskOfTables(t *testing.T) {
	set := constantSet("thing", 1, 5, []float32{100}, []float32{2})
	set.Mask = []uint8{1, 0, 1, 1, 1}
	set.Status = []uint16{0, 0, 8, 0, 0}
	set.Gains[3] = 0
	got := make([]uint8, 5)
	tablesOf(t, set, nil).Mask(got, 0)
	if want := [5]uint8{1, 0, 0, 0, 1}; [5]uint8(got) != want {
		t.Errorf("mask %v, not %v", got, want)
	}
}
