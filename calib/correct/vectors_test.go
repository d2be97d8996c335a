package correct_test

import (
	"math"
	"math/rand/v2"
	"runtime"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
)

// The assembly gives the bits that the Go code gives: for all raw codes, places in memory, and kinds of constants.
func TestVectorsEqualGo(t *testing.T) {
	if !strings.Contains(correct.Loops(), "assembly") {
		t.Skip("this machine runs the Go code only")
	}
	modes := []*calib.CommonMode{nil}
	for _, method := range []calib.Method{calib.Median, calib.ClippedMean} {
		for _, limit := range []float32{3.3, 100, 720, 20000} {
			modes = append(modes, &calib.CommonMode{Method: method, Rows: true, MaxADU: limit, MinPixels: 3})
		}
		modes = append(modes, &calib.CommonMode{Method: method, Rows: true, Cols: true, Banks: true, MaxADU: 100})
	}
	for _, model := range []string{"jungfrau-part", "epix10ka-part", "epixhr-part", "epix100-part", "thing"} {
		t.Run(model, func(t *testing.T) {
			t.Parallel()
			vectorsEqualGo(t, model, modes)
		})
	}
}

func vectorsEqualGo(t *testing.T, model string, modes []*calib.CommonMode) {
	t.Helper()
	for _, size := range [][2]int{{256, 256}, {32, 384}, {33, 192}, {20, 52}, {4, 192}, {1, 192}} {
		if size[0]%2 == 1 && calib.ModelOf(model).Coding == calib.Configured {
			continue // ASICs have whole rows
		}
		if racing {
			size[0] = min(size[0], 64)
		}
		seed := rand.New(rand.NewPCG(3, 4))
		set, config := randomSet(seed, model, size[0], size[1])
		raw, n := randomRaw(seed, set), set.SegmentPixels()
		for i, all := 0, min(n, 1<<16); i < all; i++ { // all codes where there is room
			raw[i] = uint16(i << 16 / all)
		}
		for _, mode := range modes {
			set.CommonMode = mode
			tables := tablesOf(t, set, config)
			for s := range set.Serials {
				compareWithGo(t, tables, raw[s*n:(s+1)*n], s)
				if mode == nil {
					compareFew(t, tables, raw[s*n:(s+1)*n], s)
				}
			}
		}
	}
}

// compareFew holds pieces of all sizes against all pixels.
func compareFew(t *testing.T, tables *correct.Tables, raw []uint16, s int) {
	t.Helper()
	want := make([]float32, len(raw))
	tables.Plain().Float32(want, raw, s)
	for at, size := 0, 1; at < len(raw); at, size = at+size, size*3%1009 {
		few := make([]float32, min(size, len(raw)-at))
		tables.Few(few, raw[at:at+len(few)], s, at)
		for i, v := range few {
			if math.Float32bits(v) != math.Float32bits(want[at+i]) {
				t.Fatalf("pixel %d of segment %d, one of %d: %g, of all %g", at+i, s, len(few), v, want[at+i])
			}
		}
	}
}

func compareWithGo(t *testing.T, tables *correct.Tables, raw []uint16, s int) {
	t.Helper()
	n := len(raw)
	wantFloats, wantIntegers := make([]float32, n), make([]int16, n)
	tables.Plain().Float32(wantFloats, raw, s)
	tables.Plain().ADU16(wantIntegers, raw, s)
	for _, shift := range []int{0, 3, 16} { // in memory; the last without AVX-512
		if shift == 16 {
			tables = tables.Narrow()
		}
		floats, integers := make([]float32, n+shift)[shift:], make([]int16, n+shift)[shift:]
		moved := append(make([]uint16, shift), raw...)[shift:]
		tables.Float32(floats, moved, s)
		tables.ADU16(integers, moved, s)
		for i := range raw {
			if math.Float32bits(floats[i]) != math.Float32bits(wantFloats[i]) || integers[i] != wantIntegers[i] {
				t.Fatalf("pixel %d of segment %d, %#x: %g and %d, in Go %g and %d", i, s, raw[i], floats[i], integers[i],
					wantFloats[i], wantIntegers[i])
			}
		}
	}
}

// The collector may look at what the assembly was told at any moment, so that no pointer may leave its array.
func TestCollectorWhileRowsAreCorrected(t *testing.T) {
	seed := rand.New(rand.NewPCG(5, 6))
	set, _ := randomSet(seed, "jungfrau-part", 16, 768)
	raw, n := randomRaw(seed, set), set.SegmentPixels()
	floats, integers := make([]float32, n), make([]int16, n)
	for _, method := range []calib.Method{calib.Median, calib.ClippedMean} {
		set.CommonMode = &calib.CommonMode{Method: method, Rows: true, MaxADU: 100, MinPixels: 10}
		tables := tablesOf(t, set, nil)
		done := make(chan struct{})
		go func() {
			defer close(done)
			for range 100 {
				runtime.GC()
			}
		}()
		for collecting := true; collecting; {
			for s := range set.Serials {
				tables.Float32(floats, raw[s*n:], s)
				tables.ADU16(integers, raw[s*n:], s)
			}
			select {
			case <-done:
				collecting = false
			default:
			}
		}
	}
}
