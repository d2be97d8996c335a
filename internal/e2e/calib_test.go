package e2e

import (
	"encoding/binary"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/npy"
	"drp/internal/testkit"
	"drp/xtc"
)

const (
	moduleRows, moduleCols = 512, 1024
	modulePixels           = moduleRows * moduleCols
	saturated              = 32678 // what the known-good conversion gives for raw 0xC000
)

// floats reads a file of float32.
func floats(t *testing.T, name string) []float32 {
	t.Helper()
	b, err := os.ReadFile(testkit.Data(t, "jungfrau/"+name))
	if err != nil {
		t.Fatal(err)
	}
	v := make([]float32, len(b)/4)
	for i := range v {
		v[i] = math.Float32frombits(binary.LittleEndian.Uint32(b[4*i:]))
	}
	return v
}

// npyFile writes an array for drp calib put.
func npyFile[T npy.Number](t *testing.T, name string, values []T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name+".npy")
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := npy.Write(f, []int{moduleRows, moduleCols}, values); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

const recordsCorrected = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("jungfrau", alg="calib", fields={"pixels": (np.float32, 3)})
for run in ds.runs():
    det = run.Detector("jungfrau")
    for evt in run.events():
        out.pixels = det.raw.calib(evt)
        evt.add(out)
        evt.remove("jungfrau", "raw")
`

// jungfrauStore puts the constants of the sample module into a store.
func jungfrauStore(t *testing.T, more ...string) (store string) {
	t.Helper()
	gains := floats(t, "derived_gainG0_adu_per_unit.bin")
	mask, err := os.ReadFile(testkit.Data(t, "jungfrau/mask.u8.bin"))
	if err != nil {
		t.Fatal(err)
	}
	gain1, gain2 := make([]float32, modulePixels), make([]float32, modulePixels)
	for i := range gain1 {
		gain1[i], gain2[i] = -17.98, -1.429
	}
	store = filepath.Join(t.TempDir(), "store")
	put := prepare(t, nil, append([]string{"calib", "put", "jungfrau", "--store", store, "--serials", "M049", "--unit", "photon",
		"--fill-gains", "median", "--mask", npyFile(t, "mask", mask),
		"--pedestals", strings.Join([]string{npyFile(t, "p0", floats(t, "mod5_pedeG0.bin")),
			npyFile(t, "p1", floats(t, "mod5_pedeG1.bin")), npyFile(t, "p2", floats(t, "mod5_pedeG2.bin"))}, ","),
		"--gains", strings.Join([]string{npyFile(t, "g0", gains), npyFile(t, "g1", gain1), npyFile(t, "g2", gain2)}, ",")}, more...)...)
	put.run().wants(t, 0)
	return store
}

// TestCorrectedRealFrames: from files of constants by way of the store to what a script gets, equal to the conversion that
// is known to be good.
func TestCorrectedRealFrames(t *testing.T) {
	t.Parallel()
	file := testkit.JungfrauFile(t, 2)
	store := jungfrauStore(t)
	gains := floats(t, "derived_gainG0_adu_per_unit.bin")
	mask, err := os.ReadFile(testkit.Data(t, "jungfrau/mask.u8.bin"))
	if err != nil {
		t.Fatal(err)
	}
	o := pipeline(t, "-s", file, "-w", "1", "-p", testkit.Script(t, recordsCorrected), "-o", t.TempDir(), "--calib", store,
		"--fex-bytes", "4000000").run().wants(t, 0)
	trialRun(t, testkit.Script(t, recordsCorrected), "--event", file, "--event-number", "1", "--calib", store).wants(t, 0).
		prints(t, "+ jungfrau calib pixels float32 1 x 512 x 1024 min -1.12039 max 32678 mean 1.6359")
	trialRun(t, testkit.Script(t, recordsCorrected), "--event", file, "--event-number", "1", "--calib", "none").wants(t, 5,
		"there are no constants for it")
	table := xtc.NewTable()
	frame := 0
	for _, d := range testkit.Dgrams(t, o.dataFiles(t)[0]) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		compareFrame(t, frame, pixelsOf(t, table, d), gains, mask)
		frame++
	}
	if frame != 2 {
		t.Errorf("%d frames were recorded", frame)
	}
}

func pixelsOf(t *testing.T, table *xtc.Table, d xtc.Dgram) []byte {
	t.Helper()
	for it := table.Blocks(d); it.Next(); {
		if v, ok := it.Block().FieldNamed("pixels"); ok {
			return v.Data
		}
	}
	t.Fatal("no pixels were recorded")
	return nil
}

func compareFrame(t *testing.T, frame int, got []byte, gains []float32, mask []byte) {
	t.Helper()
	known := floats(t, fmt.Sprintf("mod5_conv%d.bin", frame))
	raw, err := os.ReadFile(testkit.Data(t, fmt.Sprintf("jungfrau/mod5_raw%d.bin", frame)))
	if err != nil {
		t.Fatal(err)
	}
	compared, saturatedPixels := 0, 0
	for i, want := range known {
		v := math.Float32frombits(binary.LittleEndian.Uint32(got[4*i:]))
		code := binary.LittleEndian.Uint16(raw[2*i:])
		switch {
		case mask[i] == 0:
			if v != 0 {
				t.Fatalf("frame %d: bad pixel %d is %v", frame, i, v)
			}
		case code == 0xc000:
			saturatedPixels++
			if v != saturated {
				t.Fatalf("frame %d: saturated pixel %d is %v", frame, i, v)
			}
		case code>>14 == 0 && gains[i] == gains[i]: // the gain is known
			compared++
			if d := math.Abs(float64(v - want)); d > 1e-5*max(1, math.Abs(float64(want))) {
				t.Fatalf("frame %d: pixel %d is %v, want %v", frame, i, v, want)
			}
		}
	}
	if compared < 500000 || saturatedPixels == 0 {
		t.Errorf("frame %d: %d pixels were compared, %d are saturated", frame, compared, saturatedPixels)
	}
}
