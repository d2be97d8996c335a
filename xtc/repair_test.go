package xtc_test

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// writeFiles makes a folder of files, named .inprogress where the name says so.
func writeFiles(t *testing.T, files map[string][]byte) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "smalldata"), 0o700); err != nil {
		t.Fatal(err)
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// recorded is a small run, in chunks: the big files and the small data.
func recorded(t *testing.T, chunks int) (dir string, names []string, contents [][]byte) {
	t.Helper()
	dir = t.TempDir()
	w := must(xtc.Create(dir, xtc.FileName{Expt: "e", Run: 1}))
	c := testkit.Camera{Segments: 1, Rows: 1, Cols: 2}
	all := c.Run(4)
	info := xtc.ChunkInfoNames(xtc.NewNamesID(1, xtc.IndexChunkInfo))
	if chunks > 1 {
		all[0] = must(info.AppendTo(all[0]))
		all[0].SetSize(len(all[0]))
	}
	for i, d := range all {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
		if chunks > 1 && i == 5 {
			next := xtc.FileName{Expt: "e", Run: 1, Chunk: 1}.Data()
			enable := testkit.Plain(xtc.Enable, d.Time()<<8, must(xtc.AppendChunkInfo(nil, info, next, 1))...)
			for j := range all[6:] {
				all[6+j].SetTime(enable.Time() + uint64(j) + 1)
			}
			if err := w.Append(testkit.Plain(xtc.Disable, d.Time()<<7)); err != nil {
				t.Fatal(err)
			}
			if err := w.Append(enable); err != nil {
				t.Fatal(err)
			}
			if err := w.NextChunk(next); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	for _, path := range w.Files() {
		names = append(names, must(filepath.Rel(dir, path)))
		contents = append(contents, must(os.ReadFile(path)))
	}
	return dir, names, contents
}

// wholeIn counts the events that are whole in the first bytes of a file, and where the last datagram ends.
func wholeIn(data []byte) (events, end int) {
	for len(data)-end >= xtc.DgramHeaderBytes {
		d := xtc.Dgram(data[end:])
		if d.Size() > len(d) {
			break
		}
		end += d.Size()
		if d.Service().IsEvent() {
			events++
		}
	}
	return events, end
}

// checkRepaired has one set of files that are good, with so many events, made of the first bytes of the original.
func checkRepaired(t *testing.T, dir string, r xtc.Repaired, events int, big []byte) {
	t.Helper()
	if r.Complete || r.Events != events {
		t.Fatalf("%+v, want %d events", r, events)
	}
	for _, path := range r.Files[:len(r.Files)-1] {
		report, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !report.OK() || report.SmallData == nil || report.SmallData.Events != report.Count["L1Accept"] {
			t.Fatalf("%+v %v", report, err)
		}
	}
	if got := must(os.ReadFile(r.Files[len(r.Files)-2])); !bytes.Equal(got, big) {
		t.Fatalf("%d bytes, want %d", len(got), len(big))
	}
	again, err := xtc.Repair(r.Files[0], false)
	if left, err2 := xtc.Unfinished(dir); err != nil || err2 != nil || !again.Complete || len(left) > 0 {
		t.Fatalf("a second time: %+v %v %v %v", again, err, left, err2)
	}
}

// TestRepairAtEveryByte cuts the big file, then the small data, then the second chunk, at every byte.
func TestRepairAtEveryByte(t *testing.T) {
	_, names, files := recorded(t, 1)
	big, small := files[0], files[1]
	_, first := wholeIn(big[:xtc.Dgram(big).Size()])
	for n := range len(big) + 1 {
		if n%97 > 0 && n < first-100 { // within the Configure one cut is as good as another
			continue
		}
		dir := writeFiles(t, map[string][]byte{names[0] + ".inprogress": big[:n], names[1] + ".inprogress": small[:n*len(small)/len(big)]})
		r, err := xtc.Repair(filepath.Join(dir, names[0]), false)
		if n == 0 {
			if err != nil || len(r.Removed) == 0 {
				t.Fatalf("%+v %v", r, err)
			}
			continue
		}
		if n < first {
			if err == nil || !strings.Contains(err.Error(), "no whole datagram") {
				t.Fatalf("%d bytes: %+v %v", n, r, err)
			}
			continue
		}
		if err != nil {
			t.Fatalf("%d bytes: %v", n, err)
		}
		events, end := wholeIn(big[:n])
		if r.CutBytes != int64(n-end) {
			t.Fatalf("%d bytes: %d were cut, want %d", n, r.CutBytes, n-end)
		}
		checkRepaired(t, dir, r, events, big[:end])
		if n == len(big) && !bytes.Equal(must(os.ReadFile(r.Files[1])), small) {
			t.Fatal("the small data is not what the writer made")
		}
	}
	for n := 0; n <= len(small); n += 3 {
		dir := writeFiles(t, map[string][]byte{names[0]: big, names[1] + ".inprogress": small[:n]})
		r, err := xtc.Repair(filepath.Join(dir, names[1]), n%2 > 0)
		if err != nil || !bytes.Equal(must(os.ReadFile(r.Files[1])), small) {
			t.Fatalf("%d bytes of small data: %+v %v", n, r, err)
		}
		checkRepaired(t, dir, r, 4, big)
	}
}

func TestRepairChunks(t *testing.T) {
	_, names, files := recorded(t, 2)
	before, _ := wholeIn(files[0])
	for n := range len(files[1]) + 1 {
		dir := writeFiles(t, map[string][]byte{names[0]: files[0], names[1] + ".inprogress": files[1][:n],
			names[2] + ".inprogress": files[2]})
		r, err := xtc.Repair(filepath.Join(dir, names[0]), false)
		if err != nil {
			t.Fatal(n, err)
		}
		events, end := wholeIn(files[1][:n])
		if end == 0 {
			if len(r.Files) != 2 || len(r.Notes) != 1 || r.Events != before {
				t.Fatalf("%d bytes: %+v", n, r)
			}
			continue
		}
		checkRepaired(t, dir, r, before+events, files[1][:end])
		if n == len(files[1]) && !bytes.Equal(must(os.ReadFile(r.Files[2])), files[2]) {
			t.Fatal("the small data is not what the writer made")
		}
	}
}

// TestRepairTails keeps what is cut off and is no incomplete datagram.
func TestRepairTails(t *testing.T) {
	_, names, files := recorded(t, 1)
	for _, test := range []struct {
		name, tail string
		keep, kept bool
	}{
		{"an incomplete datagram", string(files[0][:100]), false, false},
		{"an incomplete datagram that is wanted", string(files[0][:100]), true, true},
		{"zeros", string(make([]byte, 5000)), false, true},
		{"noise", strings.Repeat("noise", 30), false, true},
		{"nothing", "", true, false},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := writeFiles(t, map[string][]byte{names[0] + ".inprogress": append(bytes.Clone(files[0]), test.tail...)})
			paths := must(xtc.Unfinished(dir))
			if len(paths) != 1 {
				t.Fatal(paths)
			}
			r, err := xtc.Repair(paths[0], test.keep)
			if err != nil {
				t.Fatal(err)
			}
			checkRepaired(t, dir, r, 4, files[0])
			tail, err := os.ReadFile(r.Files[0] + ".cut")
			if test.kept && string(tail) != test.tail || !test.kept && !os.IsNotExist(err) || r.CutBytes != int64(len(test.tail)) {
				t.Errorf("%d bytes are kept, %v; %+v", len(tail), err, r)
			}
		})
	}
}

func TestRepairRefuses(t *testing.T) {
	dir := t.TempDir()
	w := must(xtc.Create(dir, xtc.FileName{Expt: "e", Run: 1}))
	for _, d := range (testkit.Camera{}).Run(1) {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	path := w.Files()[0]
	if _, err := xtc.Repair(path, false); err == nil || !strings.Contains(err.Error(), "is writing") ||
		!strings.Contains(err.Error(), "(pid ") {
		t.Errorf("a live writer: %v", err)
	}
	if err := w.Abort(); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := xtc.Repair(path, false); err == nil || !strings.Contains(err.Error(), "move one of them away") {
		t.Errorf("two files of one name: %v", err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	if err := os.Link(path+".inprogress", path); err != nil { // killed between link and remove
		t.Fatal(err)
	}
	if r, err := xtc.Repair(path, false); err != nil || r.Complete || r.Events != 1 {
		t.Errorf("%+v %v", r, err)
	}
	for _, bad := range []string{filepath.Join(dir, "any.xtc2"), filepath.Join(dir, "e-r0001-s000-c001.xtc2")} {
		if _, err := xtc.Repair(bad, false); err == nil {
			t.Errorf("%s was taken", bad)
		}
	}
	if _, err := xtc.Repair(filepath.Join(dir, "e-r0009-s000-c000.xtc2"), false); !os.IsNotExist(unwrapAll(err)) {
		t.Errorf("no file: %v", err)
	}
}

func unwrapAll(err error) error {
	for {
		u, ok := err.(interface{ Unwrap() error })
		if !ok {
			return err
		}
		if _, ok := err.(*fs.PathError); ok {
			return err
		}
		err = u.Unwrap()
	}
}

// TestRepairCRC makes the checksums of what is left, and says what differs from those that were written.
func TestRepairCRC(t *testing.T) {
	path := withCRC(t)
	big, sums := must(os.ReadFile(path)), must(os.ReadFile(path+".crc"))
	events, end := wholeIn(big[:len(big)-50])
	damaged, pixel := bytes.Clone(big), 0
	for range 5 { // the last byte of the first event
		pixel += xtc.Dgram(big[pixel:]).Size()
	}
	damaged[pixel-1] ^= 4
	for name, left := range map[string][]byte{"good": big[:len(big)-50], "damaged": damaged[:len(big)-50]} {
		for n := 0; n <= len(sums); n += 20 {
			dir := writeFiles(t, map[string][]byte{"e-r0001-s000-c000.xtc2.inprogress": left,
				"e-r0001-s000-c000.xtc2.crc.inprogress": sums[:n]})
			r, err := xtc.Repair(filepath.Join(dir, "e-r0001-s000-c000.xtc2"), false)
			if err != nil {
				t.Fatal(name, n, err)
			}
			checkRepaired(t, dir, r, events, left[:end])
			if found := problems(t, r.Files[0]); len(found) > 0 {
				t.Fatal(name, n, found)
			}
			if said := len(r.Notes) > 0; said != (name == "damaged" && n >= 8+5*16) {
				t.Fatal(name, n, r.Notes)
			}
			if _, err := os.Stat(r.Files[0] + ".crc.inprogress"); err == nil {
				t.Fatal("the old checksums are still there")
			}
		}
	}
}
