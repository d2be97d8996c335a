package rundir_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"drp/internal/rundir"
)

func listen(t *testing.T, path string) {
	t.Helper()
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
}

func TestSocketsOfTheLivingAreFoundAndThoseOfTheDeadRemoved(t *testing.T) {
	base, err := os.MkdirTemp("", "r") //nolint:usetesting // a socket has a short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(base) })
	t.Setenv("XDG_RUNTIME_DIR", base)
	if found, err := rundir.Living("s"); err != nil || len(found) > 0 {
		t.Errorf("%v, %v", found, err)
	}
	own, err := rundir.Create()
	if err != nil {
		t.Fatal(err)
	}
	dead := filepath.Join(rundir.Base(), "1-1-otherboot")
	full := filepath.Join(rundir.Base(), "2-1-otherboot")
	for _, dir := range []string{dead, full} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
		listen(t, filepath.Join(dir, "s"))
	}
	if err := os.WriteFile(filepath.Join(full, "notes"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(own, "other"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	listen(t, filepath.Join(own, "s"))
	release, err := rundir.Lock("tst")
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	found, err := rundir.Living("s")
	if err != nil || len(found) != 1 || found[0] != filepath.Join(own, "s") {
		t.Errorf("%v, %v", found, err)
	}
	if found, _ := rundir.Living("other"); len(found) > 0 {
		t.Errorf("%v is no socket", found)
	}
	rundir.RemoveDead()
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Errorf("the folder of the dead is there: %v", err)
	}
	for _, path := range []string{own, filepath.Join(own, "s"), filepath.Join(full, "notes"), filepath.Join(rundir.Base(), "partition-tst.lock")} {
		if _, err := os.Stat(path); err != nil {
			t.Errorf("%v: it was not to be removed", err)
		}
	}
}
