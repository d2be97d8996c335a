package e2e

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

func bundled(name string) string { return filepath.Join(testkit.Root(), "scripts", name) }

// TestPassthroughReproducesRealFiles: what goes through untouched is recorded byte for byte, chunks included.
func TestPassthroughReproducesRealFiles(t *testing.T) {
	t.Parallel()
	root := testkit.Data(t, "xtc2")
	var sources []string
	err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
		if err == nil && strings.HasSuffix(path, ".xtc2") && !strings.HasSuffix(path, ".smd.xtc2") && !strings.Contains(path, "-c001") {
			sources = append(sources, path)
		}
		return err
	})
	if err != nil || len(sources) < 9 {
		t.Fatalf("%d files, %v", len(sources), err)
	}
	for _, path := range sources {
		name, _ := filepath.Rel(root, path)
		t.Run(name, func(t *testing.T) {
			o := pipeline(t, "-s", path, "-w", "2", "-p", bundled("passthrough.py"), "-o", t.TempDir()).run().wants(t, 0)
			files := o.dataFiles(t)
			want := []string{path}
			if strings.Contains(name, "chunking") {
				want = append(want, filepath.Join(filepath.Dir(path), "data-r0001-s000-c001.xtc2"))
			}
			if len(files) != len(want) {
				t.Fatalf("%d files of data were written, want %d: %v", len(files), len(want), files)
			}
			for i := range want {
				same(t, files[i], want[i])
			}
			smallDataHits(t, path, files[0])
		})
	}
}

func same(t *testing.T, got, want string) {
	t.Helper()
	a, err := os.ReadFile(got)
	if err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(want)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a, b) {
		at := 0
		for at < min(len(a), len(b)) && a[at] == b[at] {
			at++
		}
		t.Errorf("%s of %d bytes and %s of %d bytes differ from byte %d on", filepath.Base(got), len(a), filepath.Base(want), len(b), at)
	}
}

// smallDataHits: every event of a file has its offset in the small data.
func smallDataHits(t *testing.T, source, recorded string) {
	t.Helper()
	listing, err := xtc.Ls(source)
	if err != nil {
		t.Fatal(err)
	}
	report, err := xtc.Check(recorded, xtc.CheckOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if want := listing.Count["L1Accept"]; report.SmallData == nil || report.SmallData.Events != want {
		t.Errorf("small data %+v, want %d events", report.SmallData, want)
	}
}

// TestRegionOfInterestOfRealFiles: the ROI is the slice of the original, the raw data is gone, all else is as it was.
func TestRegionOfInterestOfRealFiles(t *testing.T) {
	t.Parallel()
	tests := []struct {
		file, detector, alg  string
		row, col, size, cols int
	}{
		{"xtc2/detector/test_epix_calib.xtc2", "epixquad", "raw", 100, 120, 64, 384},
		{"xtc2/detector/test_jungfrau05M_calib.xtc2", "jungfrau", "raw", 500, 1000, 12, 1024},
	}
	for _, tt := range tests {
		t.Run(tt.detector, func(t *testing.T) {
			path := testkit.Data(t, tt.file)
			o := pipeline(t, "-s", path, "-o", t.TempDir(), "-p",
				fmt.Sprintf("%s %d %d %d", bundled("myroi.py"), tt.row, tt.col, tt.size)).run().wants(t, 0)
			if b := o.balanced(t); b.Recorded != 2 || b.Damaged != 0 {
				t.Errorf("%+v", b)
			}
			recorded := o.dataFiles(t)[0]
			smallDataHits(t, path, recorded)
			before, after := testkit.Dgrams(t, path), testkit.Dgrams(t, recorded)
			if len(before) != len(after) {
				t.Fatalf("%d datagrams became %d", len(before), len(after))
			}
			was, is := xtc.NewTable(), xtc.NewTable()
			for i := range before {
				if after[i].Service() == xtc.Configure {
					configureGrew(t, was, is, before[i], after[i])
				} else if after[i].Service() == xtc.BeginRun { // which says which script it was
					if before[i].Time() != after[i].Time() || !bytes.HasPrefix(after[i].Payload(), before[i].Payload()) {
						t.Errorf("BeginRun %d changed", i)
					}
				} else if !after[i].Service().IsEvent() {
					if !bytes.Equal(before[i], after[i]) {
						t.Errorf("%v %d changed", before[i].Service(), i)
					}
				} else {
					regionTaken(t, was, is, before[i], after[i], tt.row, tt.col, tt.size, tt.cols)
				}
			}
		})
	}
}

// configureGrew: Names were added at the end, and nothing else changed.
func configureGrew(t *testing.T, was, is *xtc.Table, before, after xtc.Dgram) {
	t.Helper()
	if err := was.Configure(before); err != nil {
		t.Fatal(err)
	}
	if err := is.Configure(after); err != nil {
		t.Fatal(err)
	}
	if before.Time() != after.Time() || !bytes.HasPrefix(after.Payload(), before.Payload()) {
		t.Error("the Configure of the source changed")
	}
	var added []string
	for _, n := range is.All()[len(was.All()):] {
		added = append(added, n.DetName+"."+n.Alg)
	}
	if len(added) != 4 || !strings.HasSuffix(added[0], ".roi") || !slices.Equal(added[1:], []string{"trigger.input", "drp.books", "drp.script"}) {
		t.Errorf("added were %v", added)
	}
}

func regionTaken(t *testing.T, was, is *xtc.Table, before, after xtc.Dgram, row, col, size, cols int) {
	t.Helper()
	if !bytes.Equal(before[:xtc.DgramHeaderBytes-4], after[:xtc.DgramHeaderBytes-4]) { // but for the extent
		t.Error("the header of an event changed")
	}
	var kept [][]byte // blocks of the source that should be there still
	var pixels []byte // of segment 0
	var removed []string
	for it := was.Blocks(before); it.Next(); {
		b := it.Block()
		if b.Names.Alg == "raw" && b.Names.Index("raw") >= 0 {
			removed = append(removed, b.ID.String())
			if b.Names.Segment == 0 {
				v, _ := b.FieldNamed("raw")
				pixels = v.Data
			}
			continue
		}
		kept = append(kept, before[b.Offset:b.Offset+b.Extent])
	}
	if pixels == nil {
		t.Fatal("there is no segment 0")
	}
	var want []byte
	for r := row; r < row+size; r++ {
		at := 2 * (r*cols + col)
		want = append(want, pixels[at:at+2*size]...)
	}
	var found bool
	for it := is.Blocks(after); it.Next(); {
		b := it.Block()
		switch {
		case slices.Contains(removed, b.ID.String()):
			t.Errorf("block %v was to be removed", b.ID)
		case b.Names.Alg == "roi":
			found = true
			if v, _ := b.FieldNamed("image"); !bytes.Equal(v.Data, want) || v.Shape[0] != uint32(size) || v.Shape[1] != uint32(size) {
				t.Errorf("the region of %v is not the slice of the original", v.Shape)
			}
		case b.Names.DetName == "trigger":
		case len(kept) == 0 || !bytes.Equal(after[b.Offset:b.Offset+b.Extent], kept[0]):
			t.Errorf("block %v of %s %s is not what the source had there", b.ID, b.Names.DetName, b.Names.Alg)
		default:
			kept = kept[1:]
		}
	}
	if !found || len(kept) > 0 {
		t.Errorf("a region: %v; %d blocks of the source are missing", found, len(kept))
	}
}

// TestSameForAnyNumberOfWorkers: runs, steps, batches and sums are the same bytes, whoever worked on them.
func TestSameForAnyNumberOfWorkers(t *testing.T) {
	t.Parallel()
	batches := testkit.Script(t, `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="sums", fields={"sum": (np.uint64, 0)})
for run in ds.runs():
    det = run.Detector(ds.camera)
    for batch in run.batches():
        out.sum = det.raw.raw(batch).sum(axis=(1, 2, 3), dtype=np.uint64)
        batch.add(out)
        batch.remove(ds.camera)
`)
	tests := []struct {
		name, script string
		workers      []string
		more         []string
	}{
		{"sumimage", bundled("sumimage.py"), []string{"1", "2", "8"}, nil},
		{"myroi", bundled("myroi.py") + " 1 2 3", []string{"1", "2", "8"}, nil},
		{"batches", batches, []string{"1", "3"}, nil},
		{"rejects and fails", testkit.Script(t, looping(number, addNumber+"\nif n % 3 == 0: evt.reject()\nif n % 7 == 0: raise ValueError")),
			[]string{"1", "3"}, nil},
		{"a second script", bundled("myroi.py") + " 1 2 3", []string{"1", "2", "8"}, []string{"--post", bundled("crop.py") + " 1:3 2:6"}},
		{"a second script that fails", bundled("sumimage.py"), []string{"1", "3"},
			[]string{"--post", testkit.Script(t, looping(number, addNumber+"\nif n % 7 == 0: raise ValueError"))}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var first []string
			for _, workers := range tt.workers {
				args := []string{"-s", "sim:segments=2,rows=8,cols=8,steps=2,runs=2,events=100,slow=30", "-w", workers, "-p", tt.script,
					"-o", t.TempDir()}
				o := pipeline(t, append(args, tt.more...)...).run().wants(t, 0)
				if b := o.balanced(t); b.Received != 400 || b.Posted != 400*len(tt.more)/2 {
					t.Errorf("%+v", b)
				}
				if o.dataFiles(t); len(o.books.Files) != 4 {
					t.Fatalf("files: %v", o.books.Files)
				}
				if first == nil {
					first = o.books.Files
					continue
				}
				for i, path := range o.books.Files {
					same(t, path, first[i])
				}
			}
		})
	}
}

// TestLoop goes over a file again and again; times go on.
func TestLoop(t *testing.T) {
	t.Parallel()
	path := testkit.File(t, testkit.Camera{}.Run(3)...)
	o := pipeline(t, "-s", path, "--loop", "--events", "20", "-w", "2", "-p", bundled("passthrough.py"), "-o", t.TempDir()).run().wants(t, 0)
	if b := o.balanced(t); b.Recorded != 20 {
		t.Errorf("%+v", b)
	}
	last, seen := uint64(0), map[xtc.TransitionID]int{}
	for _, d := range testkit.Dgrams(t, o.dataFiles(t)[0]) {
		seen[d.Service()]++
		if d.Time() <= last {
			t.Errorf("%v at %d comes after %d", d.Service(), d.Time(), last)
		}
		last = d.Time()
	}
	if seen[xtc.Configure] != 1 || seen[xtc.BeginRun] != 1 || seen[xtc.L1Accept] != 20 || seen[xtc.EndRun] != 1 {
		t.Errorf("recorded are %v", seen)
	}
}

// TestLimitClosesProperly: a run that was told to end early has its closing transitions in the record.
func TestLimitClosesProperly(t *testing.T) {
	t.Parallel()
	path := testkit.File(t, testkit.Camera{}.Run(30)...)
	o := pipeline(t, "-s", path, "--events", "7", "-w", "2", "-p", bundled("sumimage.py"), "-o", t.TempDir()).run().wants(t, 0)
	var got []string
	for _, d := range testkit.Dgrams(t, o.dataFiles(t)[0]) {
		got = append(got, d.Service().String())
	}
	want := "Configure BeginRun BeginStep Enable" + strings.Repeat(" L1Accept", 7) + " Disable EndStep EndRun"
	if strings.Join(got, " ") != want {
		t.Errorf("recorded are %v", got)
	}
}

// TestRateOfTheProgram: --rate holds events back.
func TestRateOfTheProgram(t *testing.T) {
	t.Parallel()
	o := pipeline(t, "-s", smallSim, "--events", "60", "--rate", "200", "-w", "1", "-p", bundled("passthrough.py")).run().wants(t, 0)
	if b := o.balanced(t); b.Received != 60 || b.Seconds < 0.28 || b.Seconds > 3 {
		t.Errorf("60 events at 200/s took %.2f s", b.Seconds)
	}
}
