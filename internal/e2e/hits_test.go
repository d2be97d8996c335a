package e2e

import (
	"encoding/binary"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// looksFor are the parameters of the reference peaks.
const looksFor = "peakfinder8:pixels=calibrated,statistics=full,adc_threshold=8,min_snr=6,max_pix_count=30,center=700:511.5,at_least="

// TestHitsOnRealFrames: from constants in a store and raw frames in a file to the peaks of psana in another file, by way of
// the example script; and once more over what was recorded, without the pipeline.
func TestHitsOnRealFrames(t *testing.T) {
	t.Parallel()
	const frames = 4
	file, dir := testkit.JungfrauFile(t, frames), jungfrauStore(t)
	script := filepath.Join(testkit.Root(), "scripts", "hits.py")
	all := pipeline(t, "-s", file, "-w", "2", "-p", script, "-o", t.TempDir(), "--calib", dir, "--hits", looksFor+"0").run().wants(t, 0)
	all.prints(t, "hits 4 of 4 events searched: 100.00 %")
	most, total := 0, 0
	for i, peaks := range recordedPeaks(t, all.dataFiles(t)[0]) {
		compareWithReference(t, i, peaks)
		most, total = max(most, len(peaks)), total+len(peaks)
	}
	some := pipeline(t, "-s", file, "-w", "2", "-p", script+" 10", "-o", t.TempDir(), "--calib", dir, "--hits",
		looksFor+strconv.Itoa(most)).run().wants(t, 0)
	some.prints(t, "hits 1 of 4 events searched: 25.00 %")
	if some.books.Recorded != 1 || some.books.Rejected != 3 {
		t.Errorf("%+v", some.books)
	}
	offline(t, all.dataFiles(t)[0], `
import sys
from drp import DataSource
n = 0
for run in DataSource().runs():
    for evt in run.events():
        assert evt.is_hit and evt.hit["count"] == len(evt.hits) and evt.hits.dtype.itemsize == 32
        assert (evt.hits["snr"] >= 6).all() and evt.hits["npix"].max() <= 30
        n += len(evt.hits)
assert n == int(sys.argv[1]), n
`, total)
	offline(t, all.dataFiles(t)[0], readFile(t, script), 10)
	pipeline(t, "-s", file, "-w", "1", "-p", script, "-o", t.TempDir(), "--calib", "none", "--hits", "peakfinder8").run().
		wants(t, 3, "--hits needs the constants of the camera: name a store that has them with --calib")
	pipeline(t, "-s", file, "-w", "1", "-p", script, "-o", t.TempDir(), "--calib", "none").run().
		wants(t, 0, "HitsError: nobody looks for hits in this run", "start drp with --hits peakfinder8")
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// offline runs a script over a file without the pipeline.
func offline(t *testing.T, file, text string, argument int) {
	t.Helper()
	cmd := exec.Command(testkit.Python(t), testkit.Script(t, text), strconv.Itoa(argument))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+testkit.PythonPath(), "DRP_FILES="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// recordedPeaks reads column, row and number of pixels of the peaks of each event.
func recordedPeaks(t *testing.T, path string) (all [][][3]float64) {
	t.Helper()
	table := xtc.NewTable()
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		for it := table.Blocks(d); it.Next() && d.Service().IsEvent(); {
			if b := it.Block(); b.Names.Alg == "hits" {
				col, row, npix := b.Field(15), b.Field(14), b.Field(13)
				var peaks [][3]float64
				for i := range int(npix.Shape[0]) {
					number := func(v xtc.Value) float64 {
						return float64(math.Float32frombits(binary.LittleEndian.Uint32(v.Data[4*i:])))
					}
					peaks = append(peaks, [3]float64{number(col), number(row), float64(binary.LittleEndian.Uint16(npix.Data[2*i:]))})
				}
				all = append(all, peaks)
			}
		}
	}
	return all
}

// compareWithReference finds the peaks of psana in those that were recorded. Some differ, since the gains of other ranges
// than the first are only known as medians.
func compareWithReference(t *testing.T, frame int, got [][3]float64) {
	t.Helper()
	want := testkit.ReferencePeaks(t, testkit.Data(t, "jungfrau/reference_peaks.csv"), "pf8", frame)
	same := 0
	for _, w := range want {
		for _, g := range got {
			if math.Abs(g[0]-w[0]) <= 0.01 && math.Abs(g[1]-w[1]) <= 0.01 && g[2] == w[2] {
				same++
			}
		}
	}
	if len(want) < 10 || same < len(want)*9/10 || len(got) > len(want)*11/10 {
		t.Errorf("frame %d: %d peaks, %d of which are among the %d of psana", frame, len(got), same, len(want))
	}
}
