package main

import (
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"drp/hit/plot"
)

// TestOnlyPlainFilesAreReplaced: what is no plain file stays as it is, with --force, too.
func TestOnlyPlainFilesAreReplaced(t *testing.T) {
	file, store := spotRun(t, 4)
	target := write(t, "target.png", "of somebody")
	for _, err := range []error{os.Symlink(target, "link.png"), syscall.Mkfifo("pipe.png", 0o600), os.Mkdir("folder.png", 0o700),
		os.Symlink(target, "link.cxi"), syscall.Mkfifo("pipe.geom", 0o600)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.Listen("unix", "socket.png")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	find := []string{file, "--calib", store, "--find", findSpots, "--force"}
	for name, kind := range map[string]string{"link.png": "a link", "pipe.png": "a pipe", "folder.png": "a folder", "socket.png": "no plain file"} {
		before, err := os.Lstat(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, args := range [][]string{append([]string{"hits", "plot", "-e", "0", "-o", name}, find...),
			append([]string{"hits", "tune", "--grid", "min_snr=5", "-o", name}, find...), {"monitor", "test/cam", "--png", name}} {
			code, _, errs := command(t, args...)
			if code != 2 {
				t.Errorf("%s: exit code %d", args[:2], code)
			}
			says(t, errs, name+" is "+kind+", which is not written over: name another file")
		}
		if now, err := os.Lstat(name); err != nil || now.Mode() != before.Mode() || !os.SameFile(now, before) {
			t.Errorf("%s was %v, and is %v, %v", name, before.Mode(), now, err)
		}
	}
	for cxi, want := range map[string]string{"link.cxi": "link.cxi is a link", "pipe.cxi": "pipe.geom is a pipe"} {
		code, _, errs := command(t, append([]string{"convert", "--cxi", cxi}, find...)...)
		if code != 2 {
			t.Errorf("%s: exit code %d", cxi, code)
		}
		says(t, errs, want)
	}
	if text(t, target) != "of somebody" {
		t.Error("what a link names was written over")
	}
}

// TestReplacedMeanwhile: a link that came there while the picture was drawn is not replaced, either.
func TestReplacedMeanwhile(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "a.png")
	if err := os.Symlink(write(t, filepath.Join(dir, "target"), "x"), path); err != nil {
		t.Fatal(err)
	}
	if err := writeOver(path, true, nil); err == nil {
		t.Error("it was written over")
	}
	if err := writeFrame(path, &plot.Frame{Pixels: make([]float32, 4), Rows: 2, Cols: 2}); err == nil {
		t.Error("a picture of a run was put in its place")
	}
	if info, err := os.Lstat(path); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("%v, %v", info, err)
	}
}
