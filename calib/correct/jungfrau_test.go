package correct_test

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/internal/testkit"
)

const jfRows, jfCols = 512, 1024

func read[T any](t *testing.T, path string) []T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	values := make([]T, jfRows*jfCols)
	if _, err := binary.Decode(data, binary.LittleEndian, values); err != nil {
		t.Fatal(path, err)
	}
	return values
}

// switchedPixel is a line of gain_switched_pixels.csv.
type switchedPixel struct {
	frame, at int
	raw       uint16
	conv      float64
}

func (p *switchedPixel) code() int { return int(p.raw >> 14) }

func switchedPixels(t *testing.T, dir string) (all []switchedPixel) {
	t.Helper()
	f, err := os.Open(filepath.Join(dir, "gain_switched_pixels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	lines, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range lines[1:] {
		var n [3]int
		for i := range n {
			if n[i], err = strconv.Atoi(l[i]); err != nil {
				t.Fatal(err)
			}
		}
		raw, err := strconv.ParseUint(l[3], 16, 16)
		if err != nil {
			t.Fatal(err)
		}
		conv, err := strconv.ParseFloat(l[4], 64)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, switchedPixel{n[0], n[1]*jfCols + n[2], uint16(raw), conv})
	}
	return all
}

// jungfrauSet is the module with the gains that are known, and medians of the others.
func jungfrauSet(t *testing.T) *calib.Set {
	t.Helper()
	j := testkit.OpenJungfrau(t)
	return &calib.Set{Detector: "jf", Model: "jungfrau", Serials: []string{"M049"}, Unit: calib.Photon, Rows: jfRows, Cols: jfCols,
		Pedestals: j.Pedestals, Gains: j.Gains}
}

func tablesOf(t testing.TB, s *calib.Set, config []correct.Config) *correct.Tables {
	t.Helper()
	tables, err := correct.NewTables(s, config)
	if err != nil {
		t.Fatal(err)
	}
	return tables
}

// Where a frame was converted by others, ours is the same to 1e-5 in G0 and the gain is known there.
func TestJungfrauG0EqualsTheKnownConversion(t *testing.T) {
	dir := testkit.Data(t, "jungfrau")
	known := read[float32](t, filepath.Join(dir, "derived_gainG0_adu_per_unit.bin"))
	set := jungfrauSet(t)
	for _, masked := range []bool{false, true} {
		if masked {
			set.Mask = read[uint8](t, filepath.Join(dir, "mask.u8.bin"))
		}
		tables := tablesOf(t, set, nil)
		for frame := range 2 {
			raw := read[uint16](t, filepath.Join(dir, fmt.Sprintf("mod5_raw%d.bin", frame)))
			want := read[float32](t, filepath.Join(dir, fmt.Sprintf("mod5_conv%d.bin", frame)))
			got := make([]float32, len(raw))
			tables.Float32(got, raw, 0)
			compared := 0
			for i, r := range raw {
				if masked && set.Mask[i] == 0 {
					if got[i] != 0 {
						t.Fatalf("frame %d: the masked pixel %d is %g", frame, i, got[i])
					}
					continue
				}
				if r>>14 != 0 || known[i] != known[i] {
					continue
				}
				if compared++; math.Abs(float64(got[i]-want[i])) > 1e-5*math.Abs(float64(want[i])) {
					t.Fatalf("frame %d: pixel %d is %g, not %g", frame, i, got[i], want[i])
				}
			}
			if compared < 510_000 {
				t.Errorf("frame %d: %d pixels compared", frame, compared)
			}
		}
	}
}

// half is half a unit of the last of the six digits that the list has.
func half(v float64) float64 {
	if v == 0 {
		return 0.5e-6
	}
	return 0.5 * math.Pow(10, math.Floor(math.Log10(math.Abs(v)))-5)
}

// The gains of G1 and G2 are not known: that of a pixel is derived from the other frames in which it switched to the same
// range, of these from the largest value; where there is no other frame, from the line itself, which then shows the
// range, the pedestal and the sign only.
func TestJungfrauSwitchedPixels(t *testing.T) {
	dir := testkit.Data(t, "jungfrau")
	lines := switchedPixels(t, dir)
	set := jungfrauSet(t)
	independent, alone, saturated := 0, 0, 0
	for frame := range 10 {
		raw := read[uint16](t, filepath.Join(dir, fmt.Sprintf("mod5_raw%d.bin", frame)))
		source := gainsFromOthers(set, lines, frame)
		tables := tablesOf(t, set, nil)
		got := make([]float32, len(raw))
		tables.Float32(got, raw, 0)
		for _, l := range lines {
			if l.frame != frame {
				continue
			}
			if raw[l.at] != l.raw {
				t.Fatalf("frame %d: pixel %d is %#x, not %#x", frame, l.at, raw[l.at], l.raw)
			}
			if l.raw == 0xC000 {
				saturated++
				if got[l.at] != correct.Saturated || l.conv != correct.Saturated {
					t.Errorf("frame %d: the saturated pixel %d is %g", frame, l.at, got[l.at])
				}
				continue
			}
			from := source[[2]int{l.at, l.code()}]
			if from == l.conv {
				alone++
			} else {
				independent++
			}
			within := half(l.conv) + math.Abs(l.conv)*(half(from)/math.Abs(from)+3e-7)
			if math.Abs(float64(got[l.at])-l.conv) > within {
				t.Errorf("frame %d: pixel %d of code %d is %g, not %g", frame, l.at, l.code(), got[l.at], l.conv)
			}
		}
	}
	if independent < 4000 || alone < 100 || saturated != 31 {
		t.Errorf("%d with a gain from other frames, %d from their own, %d saturated", independent, alone, saturated)
	}
}

// gainsFromOthers fills in the gains of the pixels that a frame switches, and says from which value each is.
func gainsFromOthers(set *calib.Set, lines []switchedPixel, frame int) map[[2]int]float64 {
	source := map[[2]int]float64{}
	for _, own := range []bool{true, false} { // others go over what is its own
		best := map[[2]int]float64{}
		for _, l := range lines {
			key := [2]int{l.at, l.code()}
			if l.raw == 0xC000 || (l.frame == frame) != own || math.Abs(l.conv) <= math.Abs(best[key]) {
				continue
			}
			best[key] = l.conv
			at := map[int]int{1: 1, 3: 2}[l.code()]*jfRows*jfCols + l.at
			set.Gains[at] = float32((float64(l.raw&0x3fff) - float64(set.Pedestals[at])) / l.conv)
		}
		for k, v := range best {
			source[k] = v
		}
	}
	return source
}

// A JUNGFRAU has codes that are no measurement.
func TestJungfrauSpecialCodes(t *testing.T) {
	for _, c := range []struct {
		name    string
		raw     uint16
		masked  bool
		float   float32
		integer int16
	}{
		{"G0", 1100, false, 10, 100},
		{"G1", 0x4000 | 900, false, 5, correct.Switched16},
		{"G2", 0xC000 | 900, false, 25, correct.Switched16},
		{"code 10", 0x8000 | 1100, false, 0, correct.Bad16},
		{"saturated", 0xC000, false, 32678, correct.Switched16},
		{"G1 saturated", 0x4000, false, 0, correct.Bad16},
		{"error", 0xFFFF, false, 0, correct.Bad16},
		{"masked", 1100, true, 0, correct.Bad16},
		{"masked and saturated", 0xC000, true, 0, correct.Bad16},
		{"masked and switched", 0x4000 | 900, true, 0, correct.Bad16},
	} {
		t.Run(c.name, func(t *testing.T) {
			const rows, cols = 16, 128
			n := rows * cols
			set := constantSet("jungfrau-part", rows, cols, []float32{1000, 1000, 1000}, []float32{10, -20, -4})
			if c.masked {
				set.Mask = make([]uint8, n)
			}
			raw, floats, integers := make([]uint16, n), make([]float32, n), make([]int16, n)
			for i := range raw {
				raw[i] = c.raw
			}
			tables := tablesOf(t, set, nil)
			tables.Float32(floats, raw, 0)
			tables.ADU16(integers, raw, 0)
			for i := range raw {
				if floats[i] != c.float || integers[i] != c.integer {
					t.Fatalf("pixel %d is %g and %d, not %g and %d", i, floats[i], integers[i], c.float, c.integer)
				}
			}
		})
	}
}

// constantSet has the same constants in all pixels of a segment.
func constantSet(model string, rows, cols int, pedestals, gains []float32) *calib.Set {
	s := &calib.Set{Detector: "d", Model: model, Serials: []string{"a"}, Unit: calib.ADU, Rows: rows, Cols: cols}
	for r := range pedestals {
		for range rows * cols {
			s.Pedestals, s.Gains = append(s.Pedestals, pedestals[r]), append(s.Gains, gains[r])
		}
	}
	return s
}
