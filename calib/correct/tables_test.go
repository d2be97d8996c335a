package correct_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
)

// A frame allocates nothing, whatever is done to it.
func TestNoAllocations(t *testing.T) {
	for _, model := range []string{"jungfrau", "epix10ka", "epix100"} {
		m := calib.ModelOf(model)
		for _, c := range []*calib.CommonMode{nil, {Method: calib.Median, Rows: true, Cols: true, Banks: true, MaxADU: 100},
			{Method: calib.ClippedMean, Rows: true, Cols: true, Banks: true, MaxADU: 100}} {
			seed := rand.New(rand.NewPCG(1, 2))
			set, config := randomSet(seed, model, m.Rows, m.Cols)
			set.CommonMode = c
			raw, tables := randomRaw(seed, set), tablesOf(t, set, config)
			floats, integers := make([]float32, m.Rows*m.Cols), make([]int16, m.Rows*m.Cols)
			if n := testing.AllocsPerRun(2, func() {
				tables.Float32(floats, raw, 2)
				tables.ADU16(integers, raw, 2)
			}); n > 0 {
				t.Errorf("%s, common mode %v: %g allocations", model, c, n)
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
