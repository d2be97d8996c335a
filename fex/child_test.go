package fex_test

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/fex"
	"drp/internal/testkit"
	"drp/xtc"
)

// numbered adds to every event its time and the run's number; body is run before that, with evt at hand.
func numbered(body string) string {
	var b strings.Builder
	b.WriteString(`import os, signal, subprocess, sys, time
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="number", fields={"time": (np.uint64, 0), "run": (np.uint32, 0), "step": (np.int32, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        n = evt.timestamp
`)
	for line := range strings.SplitSeq(strings.TrimSpace(body), "\n") {
		b.WriteString("        " + line + "\n")
	}
	b.WriteString(`        assert det.raw.raw(evt)[0, 0, 0] == 7 * n % 65536
        out.time, out.run = n, run.runnum
        out.step = -1 if run.step(evt) is None else run.step(evt).number
        evt.add(out)
`)
	return b.String()
}

// checkNumber checks what the script above added to an event that ended well.
func (r *rig) checkNumber(tag uint64, number int) {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	if a := r.answers[tag][0]; a.Status != fex.OK {
		r.t.Errorf("event %d ended with status %d: %v", number, a.Status, a.Failure)
		return
	}
	const data = 3 * xtc.XtcHeaderBytes // without arrays Shapes is empty
	result := []byte(r.results[tag])
	if len(result) != data+16 {
		r.t.Errorf("event %d: a result of %d bytes", number, len(result))
		return
	}
	want := fmt.Sprintf("%x", []byte{byte(number), byte(number >> 8), 0, 0, 0, 0, 0, 0, 5, 0, 0, 0, 0, 0, 0, 0})
	if got := fmt.Sprintf("%x", result[data:]); got != want {
		r.t.Errorf("event %d: the result holds %s, want %s", number, got, want)
	}
}

func TestRealChild(t *testing.T) {
	r := startRig(t, rigOptions{script: numbered(""), workers: 2})
	r.begin()
	for i, tag := range r.burst(1000) {
		r.wait(tag)
		r.checkNumber(tag, i)
	}
	r.end()
	r.check()
}

// TestScriptFailures: an exception costs the event it happens in, and says where.
func TestScriptFailures(t *testing.T) {
	tests := []struct {
		name   string
		body   string // at event 3 only
		status fex.Status
		want   string // kind and message
	}{
		{"raises", `raise ValueError("too bright")`, fex.Failed, "ValueError: too bright"},
		{"exits", `sys.exit("enough")`, fex.Failed, "SystemExit: enough"},
		{"wrong dtype", `out.time = "now"`, fex.Failed, "FieldError: Incorrect type for 'time'"},
		{"wrong rank", `out.time = np.zeros(3, np.uint64)`, fex.Failed, "FieldError: Incorrect rank for 'time'"},
		{"undeclared", `out.colour = 1`, fex.Failed, "AttributeError"},
		{"writes into raw", `det.raw.raw(evt)[0, 0, 0] = 1`, fex.Failed, "ValueError: assignment destination is read-only"},
		{"interrupt", `raise KeyboardInterrupt`, fex.Failed, "KeyboardInterrupt"},
		{"deep recursion", `f = lambda f: f(f); f(f)`, fex.Failed, "RecursionError"},
		{"out of memory", `bytearray(1 << 60)`, fex.Failed, "MemoryError"},
		{"breaks off", `break`, fex.Failed, "RuntimeError: the loop over the events was left while the run went on"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := startRig(t, rigOptions{script: numbered("if n == 3:\n    " + tt.body)})
			r.begin()
			tags := r.burst(8)
			r.waitAll()
			r.end()
			r.check()
			for i, tag := range tags {
				if i != 3 {
					r.checkNumber(tag, i)
					continue
				}
				f := r.failure(tag)
				if r.status(tag) != tt.status || f == nil {
					t.Fatalf("status %d, failure %v", r.status(tag), f)
				}
				if got := f.Type + ": " + f.Message; !strings.HasPrefix(got, tt.want) {
					t.Errorf("got %q, want %q", got, tt.want)
				}
				if filepath.Base(f.File) != "script.py" || f.Line == 0 {
					t.Errorf("it is said to be at %s:%d", f.File, f.Line)
				}
			}
			if n := r.restartCount(); n != 0 {
				t.Errorf("%d restarts", n)
			}
		})
	}
}

// TestChildDeaths: what kills the process is tried once more and then given up; nothing else is harmed, and the
// replacement knows where in the run it is.
func TestChildDeaths(t *testing.T) {
	tests := []struct {
		name  string
		body  string
		want  string
		line  bool // the script's line is known
		hangs bool
	}{
		{"os._exit", "os._exit(7)", "ended (exit status 7)", false, false},
		{"segmentation fault", "os.kill(os.getpid(), signal.SIGSEGV)", "Segmentation fault", true, false},
		{"killed", "os.kill(os.getpid(), signal.SIGKILL)", "ended (signal: killed)", false, false},
		{"closes its pipes", "os.closerange(3, 100); time.sleep(1000)", "ended (signal: killed)", false, false},
		{"writes into its pipe", "os.write(4, b'x' * 64); time.sleep(1000)", "does not match", false, false},
		{"endless loop", "while True: pass", "no answer in time", true, true},
		{"sleep", "time.sleep(1000)", "no answer in time", true, true},
		{"stopped", "os.kill(os.getpid(), signal.SIGSTOP)", "no answer in time", false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			tries := filepath.Join(t.TempDir(), "tries")
			o := rigOptions{args: []string{tries}, script: numbered("if n == 3:\n    open(sys.argv[1], 'a').write('x')\n    " + tt.body)}
			if tt.hangs {
				o.deadline = testkit.Deadline(t, time.Second)
			}
			r := startRig(t, o)
			r.begin()
			tags := r.burst(8)
			r.waitAll()
			r.end()
			r.check()
			for i, tag := range tags {
				if i != 3 {
					r.checkNumber(tag, i)
					continue
				}
				f := r.failure(tag)
				if r.status(tag) != fex.Crashed || f == nil || !strings.Contains(f.Message, tt.want) {
					t.Fatalf("status %d, failure %v, want %q", r.status(tag), f, tt.want)
				}
				if tt.line && (filepath.Base(f.File) != "script.py" || f.Line == 0) {
					t.Errorf("it is said to be at %s:%d", f.File, f.Line)
				}
			}
			if text, _ := os.ReadFile(tries); string(text) != "xx" {
				t.Errorf("the event was tried %d times, want twice", len(text))
			}
			if n := r.restartCount(); n != 2 {
				t.Errorf("%d restarts, want 2: %q", n, r.restarts)
			}
		})
	}
}

// TestDeathInTransition: a transition that kills two children fails, and those after it are answered.
func TestDeathInTransition(t *testing.T) {
	r := startRig(t, rigOptions{script: `import os
from drp import DataSource
ds = DataSource()
for run in ds.runs():
    os._exit(4)
`})
	if a := r.transition(r.camera.Configure(1)); a[0].Status != fex.OK {
		t.Fatalf("Configure: %v", a[0].Failure)
	}
	a := r.transition(r.camera.BeginRun(2, 5))
	if a[0].Status != fex.Crashed || !strings.Contains(a[0].Failure.Message, "exit status 4") {
		t.Errorf("BeginRun: status %d, %v", a[0].Status, a[0].Failure)
	}
	r.end()
	r.check()
}

// TestRandomKills: children that are killed at any moment lose nothing and do nothing twice.
func TestRandomKills(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 1))
	r := startRig(t, rigOptions{script: numbered(""), workers: 2})
	r.begin()
	const kills = 20
	var tags []uint64
	for k := range kills {
		tags = append(tags, r.burst(1+rng.IntN(300))...)
		if pids := r.children(); len(pids) > 0 {
			_ = syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL)
		}
		switch k % 3 {
		case 1:
			for range rng.IntN(2000) { // events go on while the death is noticed
				tags = append(tags, r.event())
			}
		case 2:
			r.waitAll() // so that no replacement is killed again and again, and given up
		}
	}
	r.waitAll()
	r.end()
	r.check()
	crashed := 0
	for i, tag := range tags {
		if r.status(tag) == fex.Crashed { // two kills hit it
			crashed++
			continue
		}
		r.checkNumber(tag, i)
	}
	if crashed > kills/2 {
		t.Errorf("%d events were given up by %d kills", crashed, kills)
	}
	if n := r.restartCount(); n == 0 || n > kills {
		t.Errorf("%d restarts by %d kills", n, kills)
	}
	if t.Failed() {
		t.Logf("seed %d; log:\n%s", seed, r.log)
	}
}

// TestGrandchildrenGo: what a script starts ends with its worker.
func TestGrandchildrenGo(t *testing.T) {
	r := startRig(t, rigOptions{workers: 2, script: numbered(`if n < 2:
    subprocess.Popen(["sleep", "1000"])
    if os.fork() == 0:
        while True: time.sleep(1)`)})
	r.begin()
	r.burst(8)
	r.waitAll()
	r.end()
	r.check()
	groups := r.children()
	var all []int
	for _, pgid := range groups {
		all = append(all, testkit.Group(pgid)...)
	}
	if len(groups) != 2 || len(all) != 6 {
		t.Fatalf("%d children with %d processes in their groups, want 2 with 6", len(groups), len(all))
	}
	r.group.Close()
	r.group = nil
	if !testkit.Within(testkit.Patience, func() bool { return !slices.ContainsFunc(all, testkit.Alive) }) {
		t.Error("grandchildren are alive")
	}
}

// TestMegabytesOfOutput: the log stays small, and nothing blocks.
func TestMegabytesOfOutput(t *testing.T) {
	for _, tt := range []struct{ name, body string }{
		{"lines", `if n == 3: sys.stdout.write("spam and eggs\n" * 3700000)`},
		{"one line", `if n == 3: sys.stdout.write("x" * 50000000)`},
		{"stderr", `if n == 3: sys.stderr.write("spam and eggs\n" * 1000000)`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRig(t, rigOptions{script: numbered(tt.body)})
			r.begin()
			for i, tag := range r.burst(8) {
				r.wait(tag)
				r.checkNumber(tag, i)
			}
			r.end()
			r.check()
			if log := r.log.String(); len(log) > 64<<10 {
				t.Errorf("the log has %d bytes", len(log))
			}
		})
	}
}

// TestCloseWithBusyScript: a script that does not listen is ended after a grace.
func TestCloseWithBusyScript(t *testing.T) {
	testkit.AtOnce(t, 5*time.Second, func() time.Duration {
		started := filepath.Join(t.TempDir(), "started")
		r := startRig(t, rigOptions{args: []string{started}, script: numbered(`open(sys.argv[1], "w").close()
while True: pass`)})
		r.begin()
		r.burst(20)
		if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(started); return err == nil }) {
			t.Fatal("the script does not run")
		}
		began := time.Now()
		r.group.Close()
		r.group = nil
		return time.Since(began)
	})
}

// TestTransitionResults: what scripts add to transitions comes with its operation.
func TestTransitionResults(t *testing.T) {
	r := startRig(t, rigOptions{workers: 2, script: `import numpy as np
from drp import DataSource
ds = DataSource()
total = ds.add_detector("cam", alg="total", fields={"count": (np.uint64, 0)}, reduce="sum")
for run in ds.runs():
    count = sum(1 for evt in run.events())
    total.count = count
    run.add(total)
`})
	r.begin()
	r.burst(9)
	r.waitAll()
	counts := 0
	for worker, a := range r.end() {
		const data = 3 * xtc.XtcHeaderBytes
		if a.Status != fex.OK || len(a.Blocks()) != data+8 {
			t.Fatalf("worker %d: status %d, %d bytes, %v", worker, a.Status, len(a.Blocks()), a.Failure)
		}
		counts += int(a.Blocks()[data])
		if len(a.Side()) != 2 || a.Side()[1] != 1 {
			t.Errorf("worker %d: side list %v, want a NamesId and 1 for sum", worker, a.Side())
		}
	}
	if counts != 9 {
		t.Errorf("the workers counted %d events, want 9", counts)
	}
	r.check()
}
