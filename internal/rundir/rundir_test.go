package rundir_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"drp/internal/rundir"
)

func TestOnlyFoldersOfTheDeadAreStale(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	if stale, err := rundir.Stale(); err != nil || len(stale) != 0 {
		t.Fatalf("without a folder: %v, %v", stale, err)
	}
	mine, err := rundir.Create()
	if err != nil {
		t.Fatal(err)
	}
	if again, err := rundir.Create(); err != nil || again != mine {
		t.Fatalf("a second Create gave %s, %v", again, err)
	}
	dead := filepath.Join(rundir.Base(), "4194305-1-no-such-boot")
	foreign := filepath.Join(rundir.Base(), "somebody")
	for _, dir := range []string{dead, foreign} {
		if err := os.Mkdir(dir, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	socket, err := net.Listen("unix", filepath.Join(dead, "calib.ipc"))
	if err != nil {
		t.Fatal(err)
	}
	socket.(*net.UnixListener).SetUnlinkOnClose(false)
	if err := socket.Close(); err != nil {
		t.Fatal(err)
	}
	stale, err := rundir.Stale()
	if err != nil || len(stale) != 1 || stale[0] != dead {
		t.Fatalf("stale: %v, %v", stale, err)
	}
	if err := rundir.Remove(dead); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead); !os.IsNotExist(err) {
		t.Error("still there")
	}
	for _, dir := range []string{mine, foreign, "/tmp"} {
		if err := rundir.Remove(dir); err == nil {
			t.Errorf("%s was removed", dir)
		}
	}
}

func TestWhatIsNotOursKeepsTheFolder(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dead := filepath.Join(rundir.Base(), "4194305-1-no-such-boot")
	if err := os.MkdirAll(dead, 0o700); err != nil {
		t.Fatal(err)
	}
	kept := filepath.Join(dead, "notes.txt")
	if err := os.WriteFile(kept, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := rundir.Remove(dead); err == nil {
		t.Error("a folder with a file in it was removed")
	}
	if _, err := os.Stat(kept); err != nil {
		t.Error(err)
	}
}

func TestABaseOfOthersIsRefused(t *testing.T) {
	runtime := t.TempDir()
	t.Setenv("XDG_RUNTIME_DIR", runtime)
	if err := os.Mkdir(rundir.Base(), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(rundir.Base(), 0o755); err != nil {
		t.Fatal(err)
	}
	if _, err := rundir.Create(); err == nil {
		t.Error("a folder that others may read was taken")
	}
}
