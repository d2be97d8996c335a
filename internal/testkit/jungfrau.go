package testkit

import (
	"encoding/binary"
	"encoding/csv"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"drp/xtc"
)

// Jungfrau is the module of the sample data, whose frames others have converted and searched.
type Jungfrau struct {
	dir       string
	Pedestals []float32 // (3, 512, 1024), ADU
	Gains     []float32 // (3, 512, 1024), ADU per photon; medians where they are not known
	Mask      []uint8   // 1 is good
	switched  [][]string
}

// The size of the module, and of the sample.
const (
	JungfrauRows   = 512
	JungfrauCols   = 1024
	JungfrauFrames = 10
)

// OpenJungfrau reads the constants, and skips the test where there is no sample data.
func OpenJungfrau(t testing.TB) *Jungfrau {
	j := &Jungfrau{dir: Data(t, "jungfrau")}
	for r := range 3 {
		j.Pedestals = append(j.Pedestals, numbers[float32](t, filepath.Join(j.dir, fmt.Sprintf("mod5_pedeG%d.bin", r)))...)
	}
	j.Gains = numbers[float32](t, filepath.Join(j.dir, "derived_gainG0_adu_per_unit.bin"))
	for i, g := range j.Gains {
		if g != g {
			j.Gains[i] = 508.4
		}
	}
	for _, median := range []float32{-17.98, -1.429} { // they count downwards
		for range JungfrauRows * JungfrauCols {
			j.Gains = append(j.Gains, median)
		}
	}
	j.Mask = numbers[uint8](t, filepath.Join(j.dir, "mask.u8.bin"))
	f, err := os.Open(filepath.Join(j.dir, "gain_switched_pixels.csv"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if j.switched, err = csv.NewReader(f).ReadAll(); err != nil {
		t.Fatal(err)
	}
	return j
}

// Raw is a frame as it was read, (512, 1024).
func (j *Jungfrau) Raw(t testing.TB, frame int) []uint16 {
	return numbers[uint16](t, filepath.Join(j.dir, fmt.Sprintf("mod5_raw%d.bin", frame)))
}

// JungfrauConverted is the number of frames, the first ones, that others have converted.
const JungfrauConverted = 2

// Converted is a frame as others converted it, (512, 1024), photons.
func (j *Jungfrau) Converted(t testing.TB, frame int) []float32 {
	return numbers[float32](t, filepath.Join(j.dir, fmt.Sprintf("mod5_conv%d.bin", frame)))
}

// Switched calls f with each pixel of a frame that is not in the first gain range, and its photons.
func (j *Jungfrau) Switched(t testing.TB, frame int, f func(at int, photons float64)) {
	for _, l := range j.switched[1:] {
		if l[0] != strconv.Itoa(frame) {
			continue
		}
		row, err1 := strconv.Atoi(l[1])
		col, err2 := strconv.Atoi(l[2])
		photons, err3 := strconv.ParseFloat(l[4], 64)
		if err1 != nil || err2 != nil || err3 != nil {
			t.Fatal("gain_switched_pixels.csv:", l)
		}
		f(row*JungfrauCols+col, photons)
	}
}

// JungfrauFile writes the raw frames of the sample module as run 7 of a JUNGFRAU, at the times 100, 101, …
func JungfrauFile(t testing.TB, frames int) string {
	t.Helper()
	info := runInfo()
	names := &xtc.Names{ID: 0x100, DetType: "jungfrau", DetName: "jungfrau", DetID: "M049", Alg: "raw",
		Version: xtc.Version{Minor: 2}, Entries: []xtc.Name{{Name: "raw", Type: xtc.UInt16, Rank: 3}}}
	payload := must(info.AppendTo(must(names.AppendTo(nil))))
	var b xtc.Builder
	b.Begin(nil, info)
	b.Text("test")
	b.Uint(7)
	run := must(b.End())
	all := []xtc.Dgram{Plain(xtc.Configure, 1, payload...), Plain(xtc.BeginRun, 2, run...), Plain(xtc.BeginStep, 3), Plain(xtc.Enable, 4)}
	for i := range frames {
		raw, err := os.ReadFile(Data(t, fmt.Sprintf("jungfrau/mod5_raw%d.bin", i)))
		if err != nil {
			t.Fatal(err)
		}
		b.Begin(nil, names)
		copy(b.Array(1, JungfrauRows, JungfrauCols), raw)
		all = append(all, Plain(xtc.L1Accept, uint64(100+i), must(b.End())...))
	}
	all = append(all, Plain(xtc.Disable, 1000), Plain(xtc.EndStep, 1001), Plain(xtc.EndRun, 1002))
	return File(t, all...)
}

// ReferencePeaks reads the peaks that a program found in a frame of the sample data, as they are listed: the numbers after
// the name of the program and of the frame.
func ReferencePeaks(t testing.TB, path, program string, frame int) (peaks [][]float64) {
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		fields := strings.Split(strings.TrimSpace(line), ",")
		if fields[0] != program || fields[1] != strconv.Itoa(frame) {
			continue
		}
		var peak []float64
		for _, field := range fields[2:] {
			peak = append(peak, must(strconv.ParseFloat(field, 64)))
		}
		peaks = append(peaks, peak)
	}
	return peaks
}

func numbers[T any](t testing.TB, path string) []T {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var one T
	values := make([]T, len(data)/binary.Size(one))
	if _, err := binary.Decode(data, binary.LittleEndian, values); err != nil {
		t.Fatal(path, err)
	}
	return values
}
