package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// two is a partition without a trigger event builder, whose scripts do nothing.
const two = `
partition: plain
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded, source: "sim:segments=1,rows=8,cols=8,hz=200"}
drp: {x0: , x1: }
`

// signal sends a signal to a process of the site, and waits until it is stopped where that was wanted.
func (s *site) signal(name string, sig syscall.Signal) {
	s.t.Helper()
	if sig == syscall.SIGSTOP {
		testkit.Stop(s.t, s.pid(name))
		return
	}
	if err := syscall.Kill(s.pid(name), sig); err != nil {
		s.t.Fatal(err)
	}
}

// TestAProcessWasJustKilled: drp up does not take it for one that runs.
func TestAProcessWasJustKilled(t *testing.T) {
	t.Parallel()
	s := newSite(t, two)
	s.up()
	for range 3 {
		before := s.process("x1").PID
		if err := syscall.Kill(s.pid("x1"), syscall.SIGKILL); err != nil {
			t.Fatal(err)
		}
		s.up()
		if p := s.process("x1"); !p.There || p.PID == before || p.PID != s.pid("x1") || testkit.CommandLine(p.PID) == "" {
			t.Errorf("before %d, now %+v", before, p)
		}
	}
	s.ctl("state", "enabled")
	s.down()
}

// interrupted starts a command, interrupts it when it has begun with the partition, and sees that its exit code says so.
func (s *site) interrupted(args ...string) {
	s.t.Helper()
	v := s.command(args...)
	v.Start()
	begun := func() bool {
		locks, _ := filepath.Glob(filepath.Join(s.runDir, "drp", "up", "*.json.lock"))
		return len(locks) > 0
	}
	if !testkit.Within(testkit.Patience, begun) {
		s.t.Fatal("it does not begin")
	}
	if err := v.Cmd.Process.Signal(os.Interrupt); err != nil {
		s.t.Fatal(err)
	}
	v.WaitFor(testkit.Patience)
	if code := v.Cmd.ProcessState.ExitCode(); code != 130 || !strings.Contains(v.Stderr.String(), "interrupted") {
		s.t.Errorf("drp %v: exit code %d: %s", args, code, v.Stderr.String())
	}
}

// TestRunControlIsStopped: nobody waits for it for ever, what it was asked for meanwhile is not done later, and drp down ends
// everything.
func TestRunControlIsStopped(t *testing.T) {
	t.Parallel()
	s := newSite(t, two)
	s.interrupted("up", s.file)
	s.up()
	s.ctl("state", "enabled")
	s.signal("control", syscall.SIGSTOP)
	for _, words := range [][]string{{"status"}, {"shutdown"}} {
		if o := s.do(3, append([]string{"ctl"}, words...)...); !strings.Contains(o.stderr, "its process is stopped") {
			t.Error(o.stderr)
		}
	}
	s.signal("control", syscall.SIGCONT)
	s.more(50, "x0", "x1")
	if st := s.status(); st.State != "enabled" {
		t.Errorf("%+v", st)
	}
	s.signal("control", syscall.SIGSTOP)
	s.interrupted("down")
	if o := s.do(1, "down", "--wait", "10s"); !strings.Contains(o.stderr, "control (process ") || strings.Contains(o.stderr, "x0") {
		t.Error(o.stderr)
	}
}
