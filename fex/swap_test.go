package fex_test

import (
	"context"
	"errors"
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

// swapping says with every event which text it is, and how many runs and steps its process has seen.
const swapping = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="text", fields={"text": (str, 1)})
runs = steps = 0
for run in ds.runs():
    runs += 1
    for step in run.steps():
        steps += 1
        for evt in step.events():
            out.text = f"TEXT:{runs}:{steps}"
            evt.add(out)
`

// TestSwap: from a swap on all events are those of the other text, whose children have seen what holds; nobody has died.
func TestSwap(t *testing.T) {
	for _, tt := range []struct {
		name   string
		spares int
	}{{"no spare", 0}, {"a spare of the old text", 1}} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2, spares: tt.spares})
			r.begin()
			r.expect(r.burst(20), "first:1:1")
			r.warm(tt.spares)
			never := r.prepare("never")
			second := r.prepare("second")
			never.Discard()
			prepared := fex.PreparedPIDs(second)
			r.expect(r.burst(20), "first:1:1")
			r.transition(testkit.Plain(xtc.Disable, 50))
			r.transition(testkit.Plain(xtc.EndStep, 51))
			if err := second.Advance(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.group.Swap(second)
			r.until("all have changed", r.group.Swapped)
			r.transition(testkit.Plain(xtc.BeginStep, 52))
			r.transition(testkit.Plain(xtc.Enable, 53))
			r.expect(r.burst(20), "second:1:1")
			for i := range prepared {
				if pid := r.group.PID(i); !slices.Contains(prepared, pid) {
					t.Errorf("worker %d has the process %d, and %v were prepared", i, pid, prepared)
				}
			}
			r.end()
			r.waitAll()
			r.until("no more than the spares that are wanted", func() bool { return fex.WarmSpares(r.group) <= tt.spares })
			if r.restartCount() != 0 {
				t.Errorf("deaths: %q", r.restarts)
			}
			r.check()
		})
	}
}

// prepare gives children of another text.
func (r *rig) prepare(text string) *fex.Prepared {
	r.t.Helper()
	p, err := r.group.Prepare(context.Background(), []byte(strings.ReplaceAll(swapping, "TEXT", text)), time.Minute)
	if err != nil {
		r.t.Fatal(err)
	}
	return p
}

// TestDiscard: children of a text that is not wanted any more end.
func TestDiscard(t *testing.T) {
	r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2})
	r.begin()
	p := r.prepare("second")
	if n := len(fex.PreparedPIDs(p)); n != 2 {
		t.Errorf("there are %d children of the other text", n)
	}
	p.Discard()
	r.until("their end", func() bool { return len(r.children()) == 2 })
	r.expect(r.burst(20), "first:1:1")
	r.end()
}

// TestSwapWhileAChildDies: a worker whose child is being replaced at a swap goes on with the other text, too.
func TestSwapWhileAChildDies(t *testing.T) {
	r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2})
	r.begin()
	r.expect(r.burst(20), "first:1:1")
	r.transition(testkit.Plain(xtc.Disable, 50))
	r.transition(testkit.Plain(xtc.EndStep, 51))
	p := r.prepare("second")
	if err := syscall.Kill(r.group.PID(0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	if err := p.Advance(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.group.Swap(p)
	r.transition(testkit.Plain(xtc.BeginStep, 52))
	r.expect(r.burst(20), "second:1:1")
	r.end()
}

// TestPrepareThatFails: of a text that cannot begin no child is left, and the reason is told with what the script said.
func TestPrepareThatFails(t *testing.T) {
	for name, tt := range map[string]struct{ first, then, want string }{
		"at the start":     {`open(sys.argv[0] + ".once", "x")`, "pass", "FileExistsError"},
		"hangs":            {"time.sleep(1000)", "pass", "no answer in time"},
		"dies":             {`print("that was all", file=sys.stderr); os._exit(3)`, "pass", "that was all"},
		"when a run holds": {"pass", `open(sys.argv[0] + ".once", "x")`, "FileExistsError"},
		"hangs in a run":   {"pass", "time.sleep(1000)", "no answer in time"},
	} {
		t.Run(name, func(t *testing.T) {
			r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2, deadline: testkit.Deadline(t, time.Second)})
			r.begin()
			text := strings.Replace("import os, sys, time\n"+swapping, "\nruns = ", "\n"+tt.first+"\nruns = ", 1)
			text = strings.Replace(text, "    runs += 1\n", "    runs += 1\n    "+tt.then+"\n", 1)
			p, err := r.group.Prepare(t.Context(), []byte(text), time.Minute)
			if (err == nil) != (tt.first == "pass") {
				t.Fatalf("it is prepared: %v", err)
			}
			if err == nil {
				err = p.Advance(t.Context())
				p.Discard()
			}
			var death *fex.DeathError
			if !errors.As(err, &death) || !strings.Contains(death.Reason+strings.Join(death.Output, "\n"), tt.want) {
				t.Errorf("%v; log:\n%s", err, r.log)
			}
			r.until("the end of those that did not fail", func() bool { return len(r.children()) == 2 })
			r.expect(r.burst(20), "first:1:1")
			r.end()
			if r.restartCount() != 0 || len(r.gaveUp) != 0 {
				t.Errorf("deaths %q, %q", r.restarts, r.gaveUp)
			}
		})
	}
}

// TestPrepareIsCalledOff: nobody waits for a text when the run ends.
func TestPrepareIsCalledOff(t *testing.T) {
	r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2})
	r.begin()
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(300*time.Millisecond, cancel)
	if _, err := r.group.Prepare(ctx, []byte("import time\ntime.sleep(1000)\n"), time.Minute); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	r.end()
}

// TestFallBack: when no child starts with a text that was swapped in, the last worker goes on with the one before.
func TestFallBack(t *testing.T) {
	r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first")})
	r.begin()
	gate := filepath.Join(t.TempDir(), "gate")
	text := "import os\nif os.path.exists('" + gate + "'): os._exit(3)\n" + strings.ReplaceAll(swapping, "TEXT", "second")
	p, err := r.group.Prepare(t.Context(), []byte(text), time.Minute)
	if err == nil {
		err = p.Advance(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
	r.group.Swap(p)
	r.expect(r.burst(20), "second:1:1")
	testkit.WriteFile(t, gate, "")
	if err := syscall.Kill(r.group.PID(0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.expect(r.burst(20), "first:1:1")
	r.end()
	if r.fellBack.Load() != 1 || len(r.gaveUp) != 0 {
		t.Errorf("it went back %d times and gave up %q", r.fellBack.Load(), r.gaveUp)
	}
}

// expect waits for events, whose results must name a text.
func (r *rig) expect(tags []uint64, text string) {
	r.t.Helper()
	r.wait(tags...)
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tag := range tags {
		if got := r.results[tag]; !strings.Contains(got, text) {
			r.t.Fatalf("event of request %d has %q, want %s; log:\n%s", tag, got, text, r.log)
		}
	}
}

// until waits for something.
func (r *rig) until(what string, is func() bool) {
	r.t.Helper()
	if !testkit.Within(testkit.Patience, is) {
		r.t.Fatalf("%s never came; log:\n%s", what, r.log)
	}
}
