package chaos

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"drp/internal/testkit"
)

// books is what --summary writes.
type books struct {
	Received    int      `json:"received"`
	Recorded    int      `json:"recorded"`
	Rejected    int      `json:"rejected"`
	Vetoed      int      `json:"vetoed"`
	Quarantined int      `json:"quarantined"`
	Dropped     int      `json:"dropped"`
	Failed      int      `json:"failed"`
	InFlight    int      `json:"in_flight"`
	Damaged     int      `json:"damaged"`
	Altered     int      `json:"altered"`
	Late        int      `json:"late"`
	Restarts    int      `json:"restarts"`
	Seconds     float64  `json:"seconds"`
	Files       []string `json:"files"`
}

// process is one run of the program.
type process struct {
	c       *trial
	cmd     *exec.Cmd
	mark    string // in the environment of everything it starts
	summary string
	stdout  bytes.Buffer
	stderr  lockedBuffer
	done    chan struct{}
	limit   time.Duration // after which it counts as hanging
}

// outcome is what became of it.
type outcome struct {
	code   int
	stderr string
	books  *books // nil when the run did not begin
}

// lockedBuffer can be read while it is written.
type lockedBuffer struct {
	mu  sync.Mutex // protects buf
	buf bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

var marks atomic.Int64

// prepare makes a command line ready; wrapper stands in front of it. Nothing of our own environment that the program
// looks at is passed on.
func (c *trial) prepare(wrapper []string, args ...string) *process {
	p := &process{c: c, mark: fmt.Sprintf("CHAOS_MARK=%d.%d", os.Getpid(), marks.Add(1)), done: make(chan struct{}),
		limit: 90 * time.Second}
	words := append(append(append([]string{}, wrapper...), program), args...)
	p.cmd = exec.Command(words[0], words[1:]...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DRP_") && !strings.HasPrefix(e, "PYTHON") && !strings.HasPrefix(e, "VIRTUAL_ENV") {
			p.cmd.Env = append(p.cmd.Env, e)
		}
	}
	p.cmd.Env = append(p.cmd.Env, "PYTHONPATH="+testkit.PythonPath(), p.mark, "XDG_RUNTIME_DIR="+c.TempDir(),
		"GORACE=atexit_sleep_ms=0 halt_on_error=1 exitcode=66")
	p.cmd.Stdout, p.cmd.Stderr = &p.stdout, &p.stderr
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p
}

// pipeline makes the main job ready, with the interpreter of the tests and a summary.
func (c *trial) pipeline(args ...string) *process {
	return c.wrapped(nil, args...)
}

func (c *trial) wrapped(wrapper []string, args ...string) *process {
	summary := filepath.Join(c.TempDir(), "summary.json")
	p := c.prepare(wrapper, append([]string{"--python", testkit.Python(c.T), "--progress=false", "--summary", summary}, args...)...)
	p.summary = summary
	return p
}

// start starts the program; finish must follow.
func (p *process) start() *process {
	if err := p.cmd.Start(); err != nil {
		p.c.Fatalf("%v", err)
	}
	go func() {
		_ = p.cmd.Wait() // its verdict is in ProcessState
		close(p.done)
	}()
	p.c.Cleanup(func() {
		select {
		case <-p.done:
		default:
			_ = p.cmd.Process.Kill()
			<-p.done
		}
	})
	return p
}

func (p *process) pid() int { return p.cmd.Process.Pid }

func (p *process) signal(sig syscall.Signal) { _ = p.cmd.Process.Signal(sig) }

// over tells whether the program has ended.
func (p *process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}

// finish waits for the end, and checks that nothing is left and that nothing broke.
func (p *process) finish() outcome {
	p.c.Helper()
	select {
	case <-p.done:
	case <-time.After(p.limit):
		p.signal(syscall.SIGQUIT)
		<-time.After(2 * time.Second) // for the stacks
		p.c.Fatalf("the program hangs; it said:\n%s", tail(p.stderr.String()))
	}
	o := outcome{code: p.cmd.ProcessState.ExitCode(), stderr: p.stderr.String()}
	p.nothingLeft(2 * time.Second)
	for _, bad := range []string{"DATA RACE", "panic:", "fatal error:", "goroutine "} {
		if i := strings.Index(o.stderr, bad); i >= 0 {
			p.c.Fatalf("the program broke:\n%s", o.stderr[i:min(len(o.stderr), i+4000)])
		}
	}
	if text, err := os.ReadFile(p.summary); err == nil && len(text) > 0 {
		o.books = &books{}
		if err := json.Unmarshal(text, o.books); err != nil {
			p.c.Fatalf("summary: %v\n%s", err, text)
		}
	}
	return o
}

func (p *process) run() outcome {
	p.c.Helper()
	return p.start().finish()
}

// ended is finish for a run that must come to its end with an exit code.
func (p *process) ended(code int) outcome {
	p.c.Helper()
	o := p.finish()
	if o.code != code {
		p.c.Errorf("exit code %d, want %d:\n%s", o.code, code, tail(o.stderr))
	}
	if o.books == nil {
		p.c.Fatalf("no summary:\n%s", tail(o.stderr))
	}
	return o
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

// nothingLeft checks that neither processes nor segments nor sockets outlive the program.
func (p *process) nothingLeft(within time.Duration) {
	p.c.Helper()
	var pids, ids []int
	if !testkit.Within(within, func() bool {
		pids, ids = testkit.Marked(p.mark), testkit.Segments(p.pid())
		return len(pids)+len(ids) == 0
	}) {
		for _, pid := range pids {
			p.c.Errorf("process %d is left: %s", pid, testkit.CommandLine(pid))
			_ = syscall.Kill(pid, syscall.SIGKILL) // ours by its mark
		}
		for _, id := range ids {
			p.c.Errorf("shm segment %d is left", id)
		}
	}
}

// children are the Python processes of the program.
func (p *process) children() (pids []int) {
	for _, pid := range testkit.Children(p.pid()) {
		if strings.Contains(testkit.CommandLine(pid), "-m drp") && testkit.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// recording waits until events are in a file below dir.
func (p *process) recording(dir string) {
	p.c.Helper()
	if !testkit.Within(30*time.Second, func() bool { return written(dir) > 4000 || p.over() }) || p.over() {
		p.c.Fatalf("nothing is recorded:\n%s", tail(p.stderr.String()))
	}
}

// written is the size of the data files.
func written(dir string) (size int64) {
	for _, path := range testkit.FilesIn(dir) {
		if info, err := os.Stat(path); err == nil && !strings.Contains(path, ".smd.") {
			size += info.Size()
		}
	}
	return size
}
