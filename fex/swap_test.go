package fex_test

import (
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
		warm   bool // the children of the other text are waited for
	}{{"all are warm", 0, true}, {"none is warm", 0, false}, {"warm, with a spare", 1, true}, {"a spare of the old text", 1, false}} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2, spares: tt.spares})
			r.begin()
			r.expect(r.burst(20), "first:1:1")
			r.warm(tt.spares)
			r.group.Prepare([]byte(strings.ReplaceAll(swapping, "TEXT", "never")))
			r.group.Prepare([]byte(strings.ReplaceAll(swapping, "TEXT", "second")))
			var prepared []int
			if tt.warm {
				r.until("children of the other text", func() bool { prepared = fex.PreparedPIDs(r.group); return len(prepared) == 2 })
			}
			r.expect(r.burst(20), "first:1:1")
			r.transition(testkit.Plain(xtc.Disable, 50))
			r.transition(testkit.Plain(xtc.EndStep, 51))
			r.group.Swap()
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

// TestDiscard: children of a text that is not wanted any more end, and a swap does nothing.
func TestDiscard(t *testing.T) {
	r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 2})
	r.begin()
	r.group.Prepare([]byte(strings.ReplaceAll(swapping, "TEXT", "second")))
	r.until("the children", func() bool { return len(fex.PreparedPIDs(r.group)) == 2 })
	r.group.Discard()
	r.until("their end", func() bool { return len(r.children()) == 2 })
	r.group.Swap()
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
	r.group.Prepare([]byte(strings.ReplaceAll(swapping, "TEXT", "second")))
	if err := syscall.Kill(r.group.PID(0), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.group.Swap()
	r.transition(testkit.Plain(xtc.BeginStep, 52))
	r.expect(r.burst(20), "second:1:1")
	r.end()
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
	if !testkit.Within(30*time.Second, is) {
		r.t.Fatalf("%s never came; log:\n%s", what, r.log)
	}
}
