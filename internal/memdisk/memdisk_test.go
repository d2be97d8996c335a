package memdisk_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"drp/internal/memdisk"
	"drp/internal/testkit"
	"drp/xtc"
)

var name = xtc.FileName{Expt: "test", Run: 5, Stream: 2}

func create(t *testing.T, d *memdisk.Disk) *xtc.Writer {
	t.Helper()
	w, err := xtc.CreateWith(xtc.WriterOptions{Disk: d}, "out", name)
	if err != nil {
		t.Fatal(err)
	}
	return w
}

// record writes a run, flushed after each datagram.
func record(w *xtc.Writer) error {
	for _, d := range (testkit.Camera{}).Run(3) {
		if err := errors.Join(w.Append(d), w.Flush()); err != nil {
			return err
		}
	}
	return w.Close()
}

// TestSameAsReal has the files of a writer on this disk equal to those on a real one.
func TestSameAsReal(t *testing.T) {
	d := memdisk.New()
	if err := record(create(t, d)); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	w, err := xtc.Create(filepath.Join(dir, "out"), name)
	if err == nil {
		err = record(w)
	}
	if err != nil {
		t.Fatal(err)
	}
	saved := t.TempDir()
	if err := d.Save(saved, nil); err != nil {
		t.Fatal(err)
	}
	used := int64(0)
	for i, f := range d.Files() {
		want, err := os.ReadFile(filepath.Join(dir, f.Path))
		again, err2 := os.ReadFile(filepath.Join(saved, f.Path))
		if err != nil || err2 != nil || !bytes.Equal(f.Data, want) || !bytes.Equal(again, want) || f.Open || f.Synced != len(want) {
			t.Errorf("%d: %s differs: %v %v", i, f.Path, err, err2)
		}
		used += int64(len(want))
	}
	if len(d.Files()) != 2 || d.Used() != used {
		t.Errorf("%d files of %d bytes, want 2 of %d", len(d.Files()), d.Used(), used)
	}
}

// TestFaults lets each operation fail in turn: the writer says so and the error is the one that was chosen.
func TestFaults(t *testing.T) {
	for at := 0; ; at++ {
		d, n := memdisk.New(), 0
		var failed memdisk.Op
		d.Fault = func(op memdisk.Op, _ string, _ int) (int, error) {
			if n++; n-1 == at {
				failed = op
				return 0, syscall.EIO
			}
			return 0, nil
		}
		w, err := xtc.CreateWith(xtc.WriterOptions{Disk: d}, "out", name)
		if err == nil {
			err = record(w)
		}
		if n <= at {
			if at < 20 {
				t.Errorf("only %d operations were asked for", at)
			}
			return
		}
		if !errors.Is(err, syscall.EIO) {
			t.Errorf("operation %d, %v: %v", at, failed, err)
		}
	}
}

func TestShortWrite(t *testing.T) {
	d := memdisk.New()
	w := create(t, d)
	all := testkit.Camera{}.Run(1)
	if err := errors.Join(w.Append(all[0]), w.Flush()); err != nil {
		t.Fatal(err)
	}
	d.Fault = func(op memdisk.Op, _ string, _ int) (int, error) {
		switch op {
		case memdisk.Write:
			return 7, syscall.ENOSPC
		case memdisk.Cut:
			return 0, syscall.EIO
		}
		return 0, nil
	}
	if err := errors.Join(w.Append(all[1]), w.Flush()); !errors.Is(err, syscall.ENOSPC) || !errors.Is(err, syscall.EIO) {
		t.Error(err)
	}
	if f := d.Files()[1]; len(f.Data) != len(all[0])+7 || f.Synced != 0 || !f.Open {
		t.Errorf("%s: %d bytes, %d synced", f.Path, len(f.Data), f.Synced)
	}
	saved := t.TempDir()
	if err := d.Save(saved, func(f memdisk.File) int { return f.Synced }); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Join(saved, d.Files()[1].Path)); err != nil || info.Size() != 0 {
		t.Error(info, err)
	}
}

func TestCapacity(t *testing.T) {
	d := memdisk.New()
	d.Capacity = 30000
	w := create(t, d)
	if err := record(w); !errors.Is(err, nil) {
		t.Fatal(err)
	}
	d.Capacity = d.Used() + 10
	again, err := xtc.CreateWith(xtc.WriterOptions{Disk: d}, "more", name)
	if err != nil {
		t.Fatal(err)
	}
	if err := record(again); !errors.Is(err, syscall.ENOSPC) || d.Used() > d.Capacity {
		t.Error(err, d.Used())
	}
}

// TestNames has names that are taken, missing and removed.
func TestNames(t *testing.T) {
	d := memdisk.New()
	w := create(t, d)
	if _, err := xtc.CreateWith(xtc.WriterOptions{Disk: d}, "out", name); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	if _, err := d.Create("nowhere/file"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
	d.Put("out/"+name.Data(), []byte("precious"))
	if err := record(w); !errors.Is(err, fs.ErrExist) {
		t.Error(err)
	}
	w = must(xtc.CreateWith(xtc.WriterOptions{Disk: d}, "gone", name))
	if err := d.Remove("gone/" + name.Data() + ".inprogress"); err != nil {
		t.Fatal(err)
	}
	if err := record(w); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func must[T any](v T, err error) T {
	if err != nil {
		panic(err)
	}
	return v
}
