package e2e

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
	"testing"
	"time"

	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/xtc"
)

// program is the built binary.
var program string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "drp-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "bin", "drp")
	args := []string{"build", "-o", program}
	if raceDetector {
		args = append(args, "-race")
	}
	if invariant.Enabled {
		args = append(args, "-tags", "invariants")
	}
	build := exec.Command("go", append(args, "./cmd/drp")...)
	build.Dir = testkit.Root()
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// books is what --summary writes.
type books struct {
	Received     int      `json:"received"`
	Recorded     int      `json:"recorded"`
	Rejected     int      `json:"rejected"`
	Vetoed       int      `json:"vetoed"`
	Quarantined  int      `json:"quarantined"`
	Dropped      int      `json:"dropped"`
	Failed       int      `json:"failed"`
	InFlight     int      `json:"in_flight"`
	Damaged      int      `json:"damaged"`
	Restarts     int      `json:"restarts"`
	Seconds      float64  `json:"seconds"`
	BytesWritten int64    `json:"bytes_recorded"`
	Files        []string `json:"files"`
	Failures     []string `json:"failures"`
}

// invocation is one run of the program.
type invocation struct {
	t       *testing.T
	cmd     *exec.Cmd
	mark    string // in the environment of everything it starts
	summary string
	stdout  bytes.Buffer
	stderr  lockedBuffer
	done    chan struct{}
}

// outcome is what became of it.
type outcome struct {
	code   int
	stdout string
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

// prepare makes a command line ready. Nothing of our own environment that the program looks at is passed on.
func prepare(t *testing.T, wrapper []string, args ...string) *invocation {
	t.Helper()
	v := &invocation{t: t, mark: fmt.Sprintf("E2E_MARK=%d.%d", os.Getpid(), marks.Add(1)),
		summary: filepath.Join(t.TempDir(), "summary.json"), done: make(chan struct{})}
	words := append(append(append([]string{}, wrapper...), program), args...)
	v.cmd = exec.Command(words[0], words[1:]...)
	for _, e := range os.Environ() {
		if !strings.HasPrefix(e, "DRP_") && !strings.HasPrefix(e, "PYTHON") && !strings.HasPrefix(e, "VIRTUAL_ENV") {
			v.cmd.Env = append(v.cmd.Env, e)
		}
	}
	v.cmd.Env = append(v.cmd.Env, "PYTHONPATH="+testkit.PythonPath(), v.mark, "XDG_RUNTIME_DIR="+t.TempDir(),
		"GORACE=atexit_sleep_ms=0 halt_on_error=1 exitcode=66")
	v.cmd.Stdout, v.cmd.Stderr = &v.stdout, &v.stderr
	return v
}

// pipeline makes the main job ready, with the interpreter of the tests.
func pipeline(t *testing.T, args ...string) *invocation {
	t.Helper()
	v := prepare(t, nil, append([]string{"--python", testkit.Python(t)}, args...)...)
	v.cmd.Args = append(v.cmd.Args, "--summary", v.summary)
	return v
}

// start starts the program; finish must follow.
func (v *invocation) start() *invocation {
	v.t.Helper()
	if err := v.cmd.Start(); err != nil {
		v.t.Fatal(err)
	}
	go func() {
		_ = v.cmd.Wait() // its verdict is in ProcessState
		close(v.done)
	}()
	v.t.Cleanup(func() {
		select {
		case <-v.done:
		default:
			_ = v.cmd.Process.Kill()
			<-v.done
		}
	})
	return v
}

// finish waits for the end, and checks that nothing is left and the books balance.
func (v *invocation) finish() outcome {
	v.t.Helper()
	select {
	case <-v.done:
	case <-time.After(60 * time.Second):
		v.t.Fatalf("the program does not end; it said:\n%s", v.stderr.String())
	}
	o := outcome{code: v.cmd.ProcessState.ExitCode(), stdout: v.stdout.String(), stderr: v.stderr.String()}
	v.nothingLeft(2 * time.Second)
	if strings.Contains(o.stderr, "DATA RACE") || strings.Contains(o.stderr, "panic:") || strings.Contains(o.stderr, "goroutine ") {
		v.t.Fatalf("the program broke:\n%s", o.stderr)
	}
	if text, err := os.ReadFile(v.summary); err == nil && len(text) > 0 {
		o.books = &books{}
		if err := json.Unmarshal(text, o.books); err != nil {
			v.t.Fatalf("summary: %v\n%s", err, text)
		}
		b := o.books
		if out := b.Recorded + b.Rejected + b.Vetoed + b.Quarantined + b.Dropped + b.Failed + b.InFlight; out != b.Received {
			v.t.Errorf("the books do not balance: %+v", b)
		}
	}
	return o
}

// run is start and finish.
func (v *invocation) run() outcome {
	v.t.Helper()
	return v.start().finish()
}

// wants checks exit code and messages.
func (o outcome) wants(t *testing.T, code int, messages ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, m := range messages {
		if !strings.Contains(o.stderr, m) {
			t.Errorf("%q is not said", m)
		}
	}
	if t.Failed() {
		t.Logf("stderr:\n%s\nstdout:\n%s", o.stderr, o.stdout)
	}
	return o
}

// nothingLeft checks that neither processes nor segments outlive the program.
func (v *invocation) nothingLeft(within time.Duration) {
	v.t.Helper()
	var pids, ids []int
	if !testkit.Within(within, func() bool {
		pids, ids = testkit.Marked(v.mark), testkit.Segments(v.cmd.Process.Pid)
		return len(pids)+len(ids) == 0
	}) {
		for _, pid := range pids {
			v.t.Errorf("process %d is left: %s", pid, testkit.CommandLine(pid))
		}
		for _, id := range ids {
			v.t.Errorf("shm segment %d is left", id)
		}
	}
	if files := testkit.FilesIn(value(v.cmd.Env, "XDG_RUNTIME_DIR")); len(files) > 0 {
		v.t.Errorf("left in the run-time folder: %v", files)
	}
}

func value(env []string, name string) string {
	for _, e := range env {
		if v, ok := strings.CutPrefix(e, name+"="); ok {
			return v
		}
	}
	return ""
}

// balanced is the summary of a run that came to its end.
func (o outcome) balanced(t *testing.T) *books {
	t.Helper()
	if o.books == nil {
		t.Fatalf("no summary; exit code %d:\n%s", o.code, o.stderr)
	}
	if o.books.InFlight != 0 {
		t.Errorf("%d events are in flight at the end", o.books.InFlight)
	}
	return o.books
}

// dataFiles are the recorded files without small data, all of which must be good.
func (o outcome) dataFiles(t *testing.T) []string {
	t.Helper()
	var data []string
	for _, path := range o.balanced(t).Files {
		if strings.Contains(path, ".smd.") {
			continue
		}
		data = append(data, path)
		if strings.HasSuffix(path, ".inprogress") {
			continue
		}
		report, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !report.OK() {
			t.Errorf("%s: %v, %+v, %v", path, err, report.Errors, report.Truncated)
		}
		if named, _ := xtc.ParseFileName(path); report.SmallData == nil && named.Chunk == 0 { // one for all chunks
			t.Errorf("%s has no small data", path)
		}
	}
	return data
}

// script runs a script over 40 events of a small simulated camera, on two workers.
func script(t *testing.T, text string, args ...string) outcome {
	t.Helper()
	return pipeline(t, append([]string{"-s", smallSim, "--events", "40", "-w", "2", "--slots", "32", "-p", testkit.Script(t, text)}, args...)...).run()
}

const smallSim = "sim:segments=1,rows=8,cols=8,bank=4,slow=0"

// looping is a script that runs body for each event; n counts events from 0, which the simulator's times tell.
func looping(declare, body string) string {
	indent := func(text, by string) string {
		return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by) + "\n"
	}
	return `import os, signal, subprocess, sys, time
import numpy as np
from drp import DataSource, drp_info
ds = DataSource()
` + indent(declare, "") + `for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        n = evt.nanoseconds // 40000
        raw = det.raw.raw(evt)
` + indent(body, "        ")
}

// number is what most scripts below declare and add.
const number = `out = ds.add_detector(ds.camera, alg="number", fields={"n": (np.uint32, 0), "a": (np.uint8, 1)})`

const addNumber = `out.n, out.a = n, np.zeros(n, np.uint8)
evt.add(out)
evt.remove(ds.camera, "raw")`

// event is an L1Accept as it was recorded.
type event struct {
	n      int
	damage xtc.Damage
	raw    int // blocks
	blocks map[string]xtc.Value
}

// events reads the events of a file of the simulated camera.
func events(t *testing.T, path string) []event {
	t.Helper()
	table := xtc.NewTable()
	var all []event
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		e := event{n: int(uint32(d.Time())) / 40000, damage: d.Damage(), blocks: map[string]xtc.Value{}}
		it := table.Blocks(d)
		for it.Next() {
			b := it.Block()
			if b.Names.Alg == "raw" {
				e.raw++
			}
			for i := range b.Names.Entries {
				e.blocks[b.Names.Alg+"."+b.Names.Entries[i].Name] = b.Field(i)
			}
		}
		if it.Err() != nil {
			t.Error(it.Err())
		}
		all = append(all, e)
	}
	return all
}
