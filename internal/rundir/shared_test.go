package rundir_test

import (
	"fmt"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"drp/internal/rundir"
)

// TestSocketsThatNobodyHolds are stale, with their locks; those of the living and files of others are not touched.
func TestSocketsThatNobodyHolds(t *testing.T) {
	for _, folder := range []string{rundir.Calib, rundir.Monitor, rundir.Control} {
		t.Run(folder, func(t *testing.T) { socketsThatNobodyHolds(t, folder) })
	}
}

func socketsThatNobodyHolds(t *testing.T, folder string) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir, err := rundir.Shared(folder)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info, err)
	}
	socket := func(name string) string {
		path := filepath.Join(dir, name)
		l, err := net.Listen("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		l.(*net.UnixListener).SetUnlinkOnClose(false)
		_ = l.Close()
		return path
	}
	living, dead := socket("living"), socket("dead")
	release, err := rundir.Hold(living + ".lock")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	for _, name := range []string{dead + ".lock", filepath.Join(dir, "other")} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stale, err := rundir.Stale()
	if err != nil || len(stale) != 1 || stale[0] != dead+".lock" {
		t.Fatalf("%v, %v", stale, err)
	}
	if err := rundir.Remove(living + ".lock"); err == nil {
		t.Error("the lock of a living holder was removed")
	}
	if err := rundir.Remove(stale[0]); err != nil {
		t.Error(err)
	}
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != 3 {
		t.Errorf("left: %v", left)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := rundir.Shared(folder); err == nil {
		t.Error("a folder of others was taken")
	}
}

// TestFilesBesideSockets: what a process without a partition leaves beside its socket is stale when that process is gone.
func TestFilesBesideSockets(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir, err := rundir.Shared(rundir.Calib)
	if err != nil {
		t.Fatal(err)
	}
	const gone = 1 << 30 // more than a process ID can be
	dead := []string{fmt.Sprintf("calib-pid-%d-cam-1234.generation", gone), fmt.Sprintf("calib-pid-%d-cam-1234.use", gone)}
	kept := []string{"calib-tst-cam-1234.generation", fmt.Sprintf("calib-pid-%d-cam-1234.generation", os.Getpid()),
		fmt.Sprintf("calib-pid-%d-cam-5678.generation", gone), fmt.Sprintf("calib-pid-%d-cam-1234.other", gone)}
	for _, name := range append(slices.Clone(dead), kept...) {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	release, err := rundir.Hold(filepath.Join(dir, fmt.Sprintf("calib-pid-%d-cam-5678.lock", gone)))
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	stale, err := rundir.Stale()
	for i, path := range stale {
		if stale[i] = filepath.Base(path); rundir.Remove(path) != nil {
			t.Errorf("%s was not removed", path)
		}
	}
	if err != nil || !slices.Equal(stale, dead) {
		t.Errorf("%v, %q", err, stale)
	}
	for _, name := range kept {
		if _, err := os.Stat(filepath.Join(dir, name)); err != nil || rundir.Remove(filepath.Join(dir, name)) == nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
