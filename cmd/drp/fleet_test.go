package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/rundir"
	"drp/internal/testkit"
	"drp/shm"
)

// sleeper is a process of the test.
func sleeper(t *testing.T, ignore string) (*exec.Cmd, shm.Owner) {
	t.Helper()
	cmd := exec.Command("sh", "-c", "trap '' "+ignore+"; echo ready; while :; do sleep 0.05; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 6)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	owner, err := shm.OwnerOf(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	return cmd, owner
}

// TestFleetEndsNobodyElse: a process that only has the number of one that was started is left alone; one that does not end
// is killed, and named.
func TestFleetEndsNobodyElse(t *testing.T) {
	testkit.RuntimeFolder(t)
	other, owner := sleeper(t, "HUP")
	mild, mildOwner := sleeper(t, "HUP")
	stubborn, stubbornOwner := sleeper(t, "TERM")
	owner.StartTime--
	f, err := openFleet("p")
	if err != nil {
		t.Fatal(err)
	}
	f.all = []started{{Name: "former", Owner: owner}, {Name: "mild", Owner: mildOwner}, {Name: "stubborn", Owner: stubbornOwner}}
	if err := f.save(); err != nil {
		t.Fatal(err)
	}
	if _, err := openFleet("p"); err == nil || !strings.Contains(err.Error(), "partition p is being started or ended: process ") {
		t.Errorf("a second one had it: %v", err)
	}
	f.release()
	if f, err = openFleet("p"); err != nil || len(f.all) != 3 {
		t.Fatalf("%v, %+v", err, f)
	}
	defer f.release()
	err = f.end(f.all, 3*time.Second)
	if err == nil || !strings.Contains(err.Error(), "stubborn (process ") || strings.Contains(err.Error(), "mild") || strings.Contains(err.Error(), "former") {
		t.Error(err)
	}
	for cmd, want := range map[*exec.Cmd]syscall.Signal{mild: syscall.SIGTERM, stubborn: syscall.SIGKILL} {
		_ = cmd.Wait()
		if got := cmd.ProcessState.Sys().(syscall.WaitStatus).Signal(); got != want {
			t.Errorf("it ended by %v, and not by %v", got, want)
		}
	}
	if err := other.Process.Signal(syscall.Signal(0)); err != nil {
		t.Errorf("the other one has ended: %v", err)
	}
	if _, err := os.Stat(filepath.Join(rundir.Base(), rundir.Up, "p.json")); !os.IsNotExist(err) {
		t.Errorf("something is left: %v", err)
	}
}
