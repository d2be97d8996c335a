package e2e

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/calib/store"
	"drp/hit"
	"drp/internal/testkit"
	"drp/xtc"
)

// frameHits searches the raw frames of the sample module with the constants of a store, as the package hit does it.
func frameHits(t *testing.T, dir string, c hit.Config, frames int) (all []hit.Result) {
	t.Helper()
	s, err := store.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	set, err := s.Get(context.Background(), calib.Query{Detector: "jungfrau", Serials: []string{"M049"}, Run: 7})
	if err != nil {
		t.Fatal(err)
	}
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := hit.NewPlan(c, hit.Camera{Tables: tables, Unit: set.Unit, Numbers: []int{0}})
	if err != nil {
		t.Fatal(err)
	}
	module := testkit.OpenJungfrau(t)
	for i := range frames {
		var r hit.Result
		plan.NewFinder().Find(&hit.Frame{Raw: [][]uint16{module.Raw(t, i)}}, &r)
		all = append(all, r)
	}
	return all
}

const searched = "peakfinder8:pixels=calibrated,statistics=full,adc_threshold=8,min_snr=6,max_pix_count=30,center=700:511.5,at_least="

// TestHitsOnRealFrames: from constants in a store and raw frames in a file to peaks in another file, equal to what the
// package finds, by way of the example script; and once more over what was recorded, without the pipeline.
func TestHitsOnRealFrames(t *testing.T) {
	t.Parallel()
	const frames = 4
	file, dir := jungfrauFrames(t, frames), jungfrauStore(t)
	c := hit.Default()
	if err := c.Apply(searched + "0"); err != nil {
		t.Fatal(err)
	}
	want := frameHits(t, dir, c, frames)
	counts := []int{}
	for i := range want {
		counts = append(counts, int(want[i].Summary.Count))
	}
	slices.Sort(counts)
	if counts[0] < 10 || counts[0] == counts[frames-1] {
		t.Fatalf("there are %d peaks in the frames", counts)
	}
	script := filepath.Join(testkit.Root(), "scripts", "hits.py")
	all := pipeline(t, "-s", file, "-w", "2", "-p", script, "-o", t.TempDir(), "--calib", dir, "--hits", searched+"0").run().
		wants(t, 0)
	all.prints(t, "hits 4 of 4 events searched: 100.00 %")
	got := recordedHits(t, all.dataFiles(t)[0])
	if len(got) != frames {
		t.Fatalf("%d blocks are recorded", len(got))
	}
	for i := range got {
		sameHits(t, i, got[i], &want[i])
	}
	some := pipeline(t, "-s", file, "-w", "2", "-p", script+" 10", "-o", t.TempDir(), "--calib", dir, "--hits", searched+
		strconv.Itoa(counts[frames-1])).run().wants(t, 0)
	some.prints(t, "hits 1 of 4 events searched: 25.00 %")
	if some.books.Recorded != 1 || some.books.Rejected != 3 {
		t.Errorf("%+v", some.books)
	}
	again := recordedHits(t, some.dataFiles(t)[0])
	if len(again) != 1 || len(again[0].Peaks) != counts[frames-1] {
		t.Errorf("%d hits are recorded", len(again))
	}
	offline(t, all.dataFiles(t)[0], `
from drp import DataSource
n = 0
for run in DataSource().runs():
    for evt in run.events():
        assert evt.is_hit and evt.hit["count"] == len(evt.hits) and evt.hits.dtype.itemsize == 32
        assert (evt.hits["snr"] >= 6).all() and evt.hits["npix"].max() <= 30
        n += len(evt.hits)
assert n == TOTAL, n
`, counts)
}

// offline runs a script over a file without the pipeline.
func offline(t *testing.T, file, text string, counts []int) {
	t.Helper()
	total := 0
	for _, n := range counts {
		total += n
	}
	cmd := exec.Command(testkit.Python(t), testkit.Script(t, strings.ReplaceAll(text, "TOTAL", strconv.Itoa(total))))
	cmd.Env = append(os.Environ(), "PYTHONPATH="+testkit.PythonPath(), "DRP_FILES="+file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// recordedHits reads the blocks of a file.
func recordedHits(t *testing.T, path string) (all []hit.Record) {
	t.Helper()
	table := xtc.NewTable()
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		for it := table.Blocks(d); it.Next() && d.Service().IsEvent(); {
			if it.Block().Names.Alg != hit.Alg {
				continue
			}
			r, err := hit.ReadRecord(it.Block())
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
	}
	return all
}

// sameHits compares what is recorded with what was found, to the last bit.
func sameHits(t *testing.T, frame int, got hit.Record, want *hit.Result) {
	t.Helper()
	if got.Summary != want.Summary || !slices.Equal(got.Peaks, want.Peaks) {
		t.Errorf("frame %d: %+v\n%+v are recorded, and\n%+v\n%+v were found", frame, got.Summary, got.Peaks, want.Summary, want.Peaks)
	}
}
