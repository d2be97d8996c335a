package testkit

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Program is one run of a built binary.
type Program struct {
	Cmd            *exec.Cmd
	Mark           string // in the environment of everything it starts
	RunDir         string // its run-time folder
	Summary        string // file for its books, if it is told so
	Stdout, Stderr Buffer
	Done           chan struct{} // closed when Cmd.ProcessState is valid

	t testing.TB
}

// Books is what --summary writes.
type Books struct {
	Received     int      `json:"received"`
	Recorded     int      `json:"recorded"`
	Rejected     int      `json:"rejected"`
	Vetoed       int      `json:"vetoed"`
	Unwanted     int      `json:"kept_unwanted"`
	Quarantined  int      `json:"quarantined"`
	Dropped      int      `json:"dropped"`
	Failed       int      `json:"failed"`
	InFlight     int      `json:"in_flight"`
	Damaged      int      `json:"damaged"`
	Searched     int      `json:"searched"`
	ByGPU        int      `json:"searched_by_gpu"`
	Instead      int      `json:"searched_by_cpu_instead"`
	Defaulted    int      `json:"decided_by_default"`
	Posted       int      `json:"posted"`
	PostFailed   int      `json:"post_failed"`
	Altered      int      `json:"altered"`
	Late         int      `json:"late"`
	Restarts     int      `json:"restarts"`
	Seconds      float64  `json:"seconds"`
	BytesWritten int64    `json:"bytes_recorded"`
	Files        []string `json:"files"`
	Failures     []string `json:"failures"`
}

// Balanced tells whether every event has one outcome, or is still in flight.
func (b *Books) Balanced() bool {
	return b.Received == b.Recorded+b.Rejected+b.Vetoed+b.Quarantined+b.Dropped+b.Failed+b.InFlight
}

var marks atomic.Int64

// Prepare makes a command line ready; wrapper stands in front of it. Nothing of our own environment that the program
// looks at is passed on.
func Prepare(t testing.TB, wrapper []string, binary string, args ...string) *Program {
	t.Helper()
	p := &Program{t: t, Mark: fmt.Sprintf("TEST_MARK=%d.%d", os.Getpid(), marks.Add(1)), RunDir: shortFolder(t),
		Summary: filepath.Join(t.TempDir(), "summary.json"), Done: make(chan struct{})}
	words := append(append(append([]string{}, wrapper...), binary), args...)
	p.Cmd = exec.Command(words[0], words[1:]...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DRP_") && !strings.HasPrefix(e, "PYTHON") && !strings.HasPrefix(e, "VIRTUAL_ENV") {
			p.Cmd.Env = append(p.Cmd.Env, e)
		}
	}
	p.Cmd.Env = append(p.Cmd.Env, "PYTHONPATH="+PythonPath(), p.Mark, "XDG_RUNTIME_DIR="+p.RunDir,
		"GORACE=atexit_sleep_ms=0 halt_on_error=1 exitcode=66")
	p.Cmd.Stdout, p.Cmd.Stderr = &p.Stdout, &p.Stderr
	return p
}

// shortFolder is a folder whose name leaves room for that of a socket, which that of a test does not.
func shortFolder(t testing.TB) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "drp-") //nolint:usetesting // t.TempDir has a long name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// Start starts the program, which does not outlive the test.
func (p *Program) Start() {
	p.t.Helper()
	if err := p.Cmd.Start(); err != nil {
		p.t.Fatalf("%v", err)
	}
	go func() {
		_ = p.Cmd.Wait() // its verdict is in ProcessState
		close(p.Done)
	}()
	p.t.Cleanup(func() {
		if !p.Over() {
			_ = p.Cmd.Process.Kill()
			<-p.Done
		}
	})
}

// PID is its process id.
func (p *Program) PID() int { return p.Cmd.Process.Pid }

// Signal sends a signal, which may come too late.
func (p *Program) Signal(sig syscall.Signal) { _ = p.Cmd.Process.Signal(sig) }

// Over tells whether the program has ended.
func (p *Program) Over() bool {
	select {
	case <-p.Done:
		return true
	default:
		return false
	}
}

// WaitFor waits for the end. A program that hangs shows its stacks and fails the test.
func (p *Program) WaitFor(limit time.Duration) {
	p.t.Helper()
	select {
	case <-p.Done:
	case <-time.After(limit):
		p.Signal(syscall.SIGQUIT)
		<-time.After(2 * time.Second) // for the stacks
		p.t.Fatalf("the program hangs; it said:\n%s", p.Stderr.String())
	}
}

// Says waits until the program has said something on standard error.
func (p *Program) Says(what string) {
	p.t.Helper()
	said := func() bool { return strings.Contains(p.Stderr.String(), what) }
	if !Within(Patience, func() bool { return said() || p.Over() }) || !said() {
		p.t.Fatalf("%q is not said:\n%s", what, p.LastWords())
	}
}

// LastWords is the end of what the program has said on standard error.
func (p *Program) LastWords() string {
	const enough = 3000
	text := p.Stderr.String()
	return text[max(0, len(text)-enough):]
}

// Broke is what a program says that has gone wrong itself, empty if it does not.
func (p *Program) Broke() string {
	text := p.Stderr.String()
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "goroutine "} {
		if i := strings.Index(text, bad); i >= 0 {
			return text[i:min(len(text), i+4000)]
		}
	}
	return ""
}

// Books reads the summary, nil when there is none.
func (p *Program) Books() *Books {
	p.t.Helper()
	return ReadBooks(p.t, p.Summary)
}

// ReadBooks reads what a program wrote with --summary, nil when there is nothing.
func ReadBooks(t testing.TB, path string) *Books {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil || len(text) == 0 {
		return nil
	}
	b := &Books{}
	if err := json.Unmarshal(text, b); err != nil {
		t.Fatalf("summary: %v\n%s", err, text)
	}
	return b
}

// NothingLeft checks that neither processes nor segments outlive the program.
func (p *Program) NothingLeft() {
	p.t.Helper()
	p.dropHalfMade()
	var pids, ids []int
	if Within(Patience, func() bool {
		pids, ids = Marked(p.Mark), Segments(p.PID())
		return len(pids)+len(ids) == 0
	}) {
		return
	}
	for _, pid := range pids {
		p.t.Errorf("process %d is left: %s", pid, CommandLine(pid))
		_ = syscall.Kill(pid, syscall.SIGKILL) // ours by its mark
	}
	for _, id := range ids {
		p.t.Errorf("shm segment %d is left", id)
	}
}

// dropHalfMade removes the segment that a killed program was about to make, of which there is one at the most: it was not yet bound to
// vanish with those who are attached. docs/operations.md tells of it.
func (p *Program) dropHalfMade() {
	if !p.Over() || p.Cmd.ProcessState.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		return
	}
	table, _ := os.ReadFile("/proc/sysvipc/shm")
	for line := range strings.Lines(string(table)) {
		var key, id, perms, size, creator int
		if n, _ := fmt.Sscanf(line, "%d %d %o %d %d", &key, &id, &perms, &size, &creator); n == 5 && creator == p.PID() && perms&0o1000 == 0 {
			p.t.Logf("it was killed while it made segment %d", id)
			_, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, uintptr(id), 0, 0) // IPC_RMID
			return
		}
	}
}
