package correct_test

import (
	"encoding/binary"
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/internal/testkit"
)

// referenceCase is what the NumPy reference is told.
type referenceCase struct {
	Model        string     `json:"model"`
	Shape        [3]int     `json:"shape"`
	Ranges       int        `json:"ranges"`
	DataBits     int        `json:"data_bits"`
	GainBit      int        `json:"gain_bit"`
	Coding       string     `json:"coding"`
	ConfigShape  []int      `json:"config_shape"`
	TRBits       [][4]uint8 `json:"trbits"`
	CommonRanges []int      `json:"common_ranges"`
	Bank         [2]int     `json:"bank"`
	Method       string     `json:"method"`
	Rows         bool       `json:"rows"`
	Cols         bool       `json:"cols"`
	Banks        bool       `json:"banks"`
	MaxADU       float32    `json:"max_adu"`
	MinPixels    int        `json:"min_pixels"`
}

// Random pixels and constants come out as NumPy has them, every bit; so they do of what monitors have, which is NumPy, too.
func TestNumPyComputesTheSame(t *testing.T) {
	python := testkit.Python(t)
	median := func(banks, rows, cols bool) *calib.CommonMode {
		return &calib.CommonMode{Method: calib.Median, Banks: banks, Rows: rows, Cols: cols, MaxADU: 100, MinPixels: 10}
	}
	mean := func(banks, rows, cols bool) *calib.CommonMode {
		c := median(banks, rows, cols)
		c.Method = calib.ClippedMean
		return c
	}
	for _, c := range []struct {
		name, model string
		rows, cols  int
		common      *calib.CommonMode
	}{
		{"jungfrau", "jungfrau-part", 272, 160, nil},
		{"jungfrau, medians of rows", "jungfrau-part", 272, 160, median(false, true, false)},
		{"jungfrau, all medians", "jungfrau-part", 272, 160, median(true, true, true)},
		{"jungfrau, means of rows", "jungfrau-part", 272, 160, mean(false, true, false)},
		{"jungfrau, all means", "jungfrau-part", 272, 160, mean(true, true, true)},
		{"epix10ka", "epix10ka-part", 352, 96, nil},
		{"epix10ka, medians of columns", "epix10ka-part", 352, 96, median(false, false, true)},
		{"epix10ka, medians of banks", "epix10ka-part", 352, 96, median(true, false, false)},
		{"epix10ka, means of rows", "epix10ka-part", 352, 96, mean(false, true, false)},
		{"epixhr", "epixhr-part", 288, 96, nil},
		{"epixhr, all medians", "epixhr2x2", 288, 96, median(true, true, true)},
		{"epix100", "epix100-part", 360, 200, nil},
		{"epix100, medians of rows", "epix100-part", 360, 200, median(false, true, false)},
		{"epix100, means of banks", "epix100-part", 360, 200, mean(true, false, false)},
		{"unknown, odd size", "thing", 37, 53, nil},
		{"unknown, odd size, all medians", "thing", 37, 53, median(true, true, true)},
		{"unknown, odd size, all means", "thing", 37, 53, mean(true, true, true)},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			seed := rand.New(rand.NewPCG(7, uint64(len(c.name))))
			set, config := randomSet(seed, c.model, c.rows, c.cols)
			set.CommonMode = c.common
			compareWithNumPy(t, python, set, config, randomRaw(seed, set))
		})
	}
}

func compareWithNumPy(t *testing.T, python string, set *calib.Set, config []correct.Config, raw []uint16) {
	t.Helper()
	dir := t.TempDir()
	m := calib.ModelOf(set.Model)
	rc := referenceCase{Model: set.Model, Shape: [3]int{len(set.Serials), set.Rows, set.Cols}, Ranges: set.Ranges(),
		DataBits: m.DataBits, GainBit: m.GainBit(), CommonRanges: m.CommonModeRanges(), Bank: [2]int{m.BankRows, m.BankCols},
		Coding: [...]string{"one", "two bits", "configured"}[m.Coding], ConfigShape: []int{4, set.Rows / 2, set.Cols / 2}}
	if m.BankRows == 0 {
		rc.Bank = [2]int{set.Rows, set.Cols}
	}
	if c := set.CommonMode; c != nil {
		rc.Method, rc.Rows, rc.Cols, rc.Banks, rc.MaxADU, rc.MinPixels = string(c.Method), c.Rows, c.Cols, c.Banks, c.MaxADU,
			c.MinPixels
	}
	for i, c := range config {
		rc.TRBits = append(rc.TRBits, c.TRBits)
		write(t, filepath.Join(dir, "config"+string(rune('0'+i))), c.Pixels)
	}
	floats, integers := make([]float32, len(raw)), make([]int16, len(raw))
	tables, n := tablesOf(t, set, config), set.SegmentPixels()
	for s := range set.Serials {
		tables.Float32(floats[s*n:(s+1)*n], raw[s*n:], s)
		tables.ADU16(integers[s*n:(s+1)*n], raw[s*n:], s)
	}
	for name, values := range map[string]any{"pedestals": set.Pedestals, "gains": set.Gains, "status": set.Status,
		"mask": set.Mask, "raw": raw, "floats": floats, "integers": integers} {
		write(t, filepath.Join(dir, name), values)
	}
	text, err := json.Marshal(rc)
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, filepath.Join(dir, "case.json"), string(text))
	reference := exec.Command(python, filepath.Join("testdata", "reference.py"), dir)
	reference.Env = append(os.Environ(), "PYTHONPATH="+testkit.PythonPath())
	if out, err := reference.CombinedOutput(); err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		t.Errorf("%v: %s", err, lines[len(lines)-1])
	}
}

func write(t *testing.T, path string, values any) {
	t.Helper()
	data, err := binary.Append(nil, binary.LittleEndian, values)
	if err == nil {
		err = os.WriteFile(path, data, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// randomSet has three segments of constants with everything that may be wrong in them. In the first all pixels of a
// configured model have automatic ranges, in the second fixed ones, in the third any word.
func randomSet(seed *rand.Rand, model string, rows, cols int) (*calib.Set, []correct.Config) {
	s := &calib.Set{Detector: "d", Model: model, Serials: []string{"a", "b", "c"}, Unit: calib.ADU, Rows: rows, Cols: cols}
	m := calib.ModelOf(model)
	one := len(s.Serials) * rows * cols
	for i := range len(m.Ranges) * one {
		pedestal, gain := 2000+300*float32(seed.NormFloat64()), 10+float32(seed.NormFloat64())
		if i >= one && m.Coding == calib.TwoBits {
			pedestal, gain = 14000+300*float32(seed.NormFloat64()), -1-float32(i/one)+0.05*float32(seed.NormFloat64())
		}
		switch seed.IntN(400) {
		case 0:
			pedestal = float32(int(1)<<m.DataBits - 1)
		case 1:
			gain = 0
		case 2:
			gain = float32(math.NaN())
		case 3:
			pedestal = float32(math.Inf(1))
		case 4:
			pedestal = float32(math.NaN())
		}
		status := uint16(0)
		if seed.IntN(500) == 0 {
			status = 1 << seed.IntN(16)
		}
		s.Pedestals, s.Gains, s.Status = append(s.Pedestals, pedestal), append(s.Gains, gain), append(s.Status, status)
	}
	s.Mask = make([]uint8, one)
	for i := range s.Mask {
		if seed.IntN(200) > 0 && i%cols != 5 && i/cols%97 != 9 { // some rows and columns are bad as a whole
			s.Mask[i] = 1
		}
	}
	if m.Coding != calib.Configured {
		return s, nil
	}
	config := make([]correct.Config, len(s.Serials))
	for i, words := range [][]uint8{{0, 1, 2, 3}, {8, 12, 11, 15}, {0, 4, 8, 12, 7, 10}} {
		config[i].Pixels = make([]uint8, rows*cols)
		for k := range config[i].Pixels {
			config[i].Pixels[k] = words[seed.IntN(len(words))]
		}
		config[i].TRBits = [4]uint8{uint8(i & 1), 1, 0, uint8(i >> 1)}
	}
	return s, config
}

// randomRaw has noise, a common mode for each row of each segment, signals, and any raw code.
func randomRaw(seed *rand.Rand, s *calib.Set) []uint16 {
	raw := make([]uint16, len(s.Serials)*s.SegmentPixels())
	m := calib.ModelOf(s.Model)
	shift := 0.0
	for i := range raw {
		if i%s.Cols%48 == 0 {
			shift = 30 * seed.NormFloat64()
		}
		v := float64(s.Pedestals[i]) + 20*seed.NormFloat64() + shift
		if seed.IntN(100) == 0 {
			v += float64(seed.IntN(5000))
		}
		if !(v >= 0 && v < float64(int(1)<<m.DataBits)) {
			v = 0
		}
		raw[i] = uint16(v)
		switch k := seed.IntN(200); {
		case k == 0:
			raw[i] = uint16(seed.IntN(1 << 16))
		case k == 1:
			raw[i] = []uint16{0xC000, 0x4000, 0xFFFF, 0x8000}[seed.IntN(4)]
		case k < 8 && m.DataBits < 16:
			raw[i] |= uint16(seed.IntN(4)) << 14
		}
	}
	return raw
}
