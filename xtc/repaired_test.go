package xtc_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestRepairRemovesWhatIsEmpty: a run that was killed before it wrote anything leaves nothing that has to be removed by hand.
func TestRepairRemovesWhatIsEmpty(t *testing.T) {
	_, names, files := recorded(t, 1)
	big, small := names[0]+".inprogress", names[1]+".inprogress"
	for name, test := range map[string]struct {
		files   map[string][]byte
		removed int // 0: refused
	}{
		"both":                        {map[string][]byte{big: nil, small: nil}, 2},
		"with checksums":              {map[string][]byte{big: nil, small: nil, names[0] + ".crc.inprogress": nil}, 3},
		"without small data":          {map[string][]byte{big: nil}, 1},
		"small data that is not":      {map[string][]byte{big: nil, small: files[1]}, 0},
		"half a Configure":            {map[string][]byte{big: files[0][:20], small: nil}, 0},
		"a complete file of the name": {map[string][]byte{names[0]: nil, small: nil}, 0},
	} {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, test.files)
			r, err := xtc.Repair(filepath.Join(dir, names[0]), false)
			left := len(testkit.FilesIn(dir))
			if test.removed == 0 {
				if err == nil || left != len(test.files) {
					t.Errorf("%+v %v, %d files are left", r, err, left)
				}
				return
			}
			if err != nil || len(r.Removed) != test.removed || left > 0 || r.Complete {
				t.Errorf("%+v %v, %d files are left", r, err, left)
			}
		})
	}
}

// TestRepairPutsABarrenChunkAway: the last chunk has nothing whole in it. What is in it is kept under another name, and the
// run is complete without it.
func TestRepairPutsABarrenChunkAway(t *testing.T) {
	_, names, files := recorded(t, 2)
	first, second, small := names[0], names[1]+".inprogress", names[2]+".inprogress"
	for name, test := range map[string]struct {
		chunk []byte
		cut   bool
	}{"empty": {nil, false}, "some bytes": {files[1][:10], true}} {
		t.Run(name, func(t *testing.T) {
			dir := writeFiles(t, map[string][]byte{first: files[0], second: test.chunk, small: files[2],
				names[1] + ".crc.inprogress": nil})
			path := filepath.Join(dir, first)
			r, err := xtc.Repair(path, false)
			if err != nil || r.Complete || len(r.Notes) != 1 {
				t.Fatalf("%+v %v", r, err)
			}
			kept, err := os.ReadFile(filepath.Join(dir, names[1]+".cut"))
			if test.cut != (err == nil) || !bytes.Equal(kept, test.chunk) {
				t.Errorf("%d bytes were kept: %v", len(kept), err)
			}
			if left := must(xtc.Unfinished(dir)); len(left) > 0 {
				t.Errorf("unfinished are still %v", left)
			}
			if report := must(xtc.Check(path, xtc.CheckOptions{})); len(report.Errors) > 0 {
				t.Errorf("%v", report.Errors)
			}
			if r, err := xtc.Repair(path, false); err != nil || !r.Complete {
				t.Errorf("a second repair: %+v %v", r, err)
			}
		})
	}
}

// TestRepairLeavesWhatIsJustBegun: a file is empty for a moment in every run.
func TestRepairLeavesWhatIsJustBegun(t *testing.T) {
	dir := t.TempDir()
	w := must(xtc.Create(dir, xtc.FileName{Expt: "e", Run: 1}))
	defer w.Close()
	first := filepath.Join(dir, "e-r0001-s000-c000.xtc2")
	if r, err := xtc.Repair(first, false); err == nil || !strings.Contains(err.Error(), "is writing") || len(testkit.FilesIn(dir)) != 2 {
		t.Errorf("%+v %v", r, err)
	}
	if found := must(xtc.Aborted(dir)); len(found) > 0 {
		t.Errorf("a living run counts as aborted: %v", found)
	}
}

// TestRepairIsRemembered: what a repair found is shown by a check of the file, and by that of no other.
func TestRepairIsRemembered(t *testing.T) {
	_, names, files := recorded(t, 2)
	cut := len(files[1]) - 100 // into the last datagrams of the second chunk
	dir := writeFiles(t, map[string][]byte{names[0]: files[0], names[1] + ".inprogress": files[1][:cut], names[2] + ".inprogress": nil})
	if found := must(xtc.Aborted(dir)); len(found) != 1 || found[0] != filepath.Join(dir, names[0]) {
		t.Fatalf("aborted: %v", found)
	}
	r := must(xtc.Repair(filepath.Join(dir, names[0]), false))
	if found := must(xtc.Aborted(dir)); len(found) > 0 {
		t.Errorf("aborted after the repair: %v", found)
	}
	last := filepath.Join(dir, names[1])
	note := must(xtc.Check(last, xtc.CheckOptions{})).Repaired
	if note == nil || note.Events != r.Events || note.CutBytes != r.CutBytes || r.CutBytes == 0 || note.When.IsZero() ||
		!strings.Contains(note.String(), "the run was aborted: on 20") {
		t.Fatalf("%+v, the repair said %+v", note, r)
	}
	if again := must(xtc.Repair(filepath.Join(dir, names[0]), false)); !again.Complete {
		t.Fatalf("%+v", again)
	}
	if kept := must(xtc.Check(last, xtc.CheckOptions{})).Repaired; kept == nil || kept.CutBytes != note.CutBytes || !kept.When.Equal(note.When) {
		t.Errorf("%+v", kept)
	}
	for name, alter := range map[string]func() error{
		"another file of the name": func() error { return os.WriteFile(last, files[0], 0o600) },
		"no note":                  func() error { return os.WriteFile(last+".repaired", []byte("{"), 0o600) },
	} {
		if err := alter(); err != nil {
			t.Fatal(err)
		}
		report := must(xtc.Check(last, xtc.CheckOptions{}))
		if report.Repaired != nil {
			t.Errorf("%s: %+v", name, report.Repaired)
		}
	}
}

// TestInterruptedRepairKeepsItsNote: when the repair itself was killed, the next one cuts nothing off any more, but knows
// what was.
func TestInterruptedRepairKeepsItsNote(t *testing.T) {
	_, names, files := recorded(t, 1)
	dir := writeFiles(t, map[string][]byte{names[0] + ".inprogress": files[0][:len(files[0])-5], names[1] + ".inprogress": nil})
	blocked := filepath.Join(dir, names[0])
	if err := os.Mkdir(blocked+".cut", 0o700); err != nil { // so that keeping the rest fails, after the note was written
		t.Fatal(err)
	}
	if _, err := xtc.Repair(blocked, true); err == nil {
		t.Fatal("nothing stopped the repair")
	}
	_, end := wholeIn(files[0][:len(files[0])-5])
	if err := os.Truncate(blocked+".inprogress", int64(end)); err != nil { // as far as another one came
		t.Fatal(err)
	}
	if r := must(xtc.Repair(blocked, false)); r.CutBytes != 0 {
		t.Fatalf("%+v", r)
	}
	if note := must(xtc.Check(blocked, xtc.CheckOptions{})).Repaired; note == nil || note.CutBytes == 0 {
		t.Errorf("%+v", note)
	}
}

func TestCheckSaysThatEndRunIsMissing(t *testing.T) {
	all := testkit.Camera{Segments: 1, Rows: 1, Cols: 2}.Run(2)
	for length, want := range map[int]string{1: "", 2: "after BeginRun", 6: "after Enable", 7: "after Disable", 8: "after EndStep", 9: "", 10: ""} {
		report := must(xtc.Check(testkit.File(t, all[:length]...), xtc.CheckOptions{}))
		said := ""
		for _, w := range report.Warnings {
			said += w.Text
		}
		if !report.OK() || (want == "") != (said == "") || want != "" && !strings.Contains(said, "the file ends without EndRun, "+want) {
			t.Errorf("%d datagrams: %q, want %q", length, said, want)
		}
	}
	_, names, files := recorded(t, 2)
	dir := writeFiles(t, map[string][]byte{names[0]: files[0], names[1]: files[1]})
	if report := must(xtc.Check(filepath.Join(dir, names[0]), xtc.CheckOptions{})); len(report.Warnings) > 0 {
		t.Errorf("a chunk that names the next: %v", report.Warnings)
	}
}

// TestAbortedKnowsTheLiving by the lock on any of their files.
func TestAbortedKnowsTheLiving(t *testing.T) {
	_, names, files := recorded(t, 1)
	for _, held := range names {
		dir := writeFiles(t, map[string][]byte{names[0] + ".inprogress": files[0], names[1] + ".inprogress": files[1]})
		f := must(os.Open(filepath.Join(dir, held+".inprogress")))
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			t.Fatal(err)
		}
		if found := must(xtc.Aborted(dir)); len(found) > 0 {
			t.Errorf("%s is held: %v", held, found)
		}
		_ = f.Close()
		if found := must(xtc.Aborted(dir)); len(found) != 1 {
			t.Errorf("%s is free: %v", held, found)
		}
	}
}
