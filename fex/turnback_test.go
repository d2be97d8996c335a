package fex_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestTurnBack: a text that a Swap brought and that kills the processes at each try of a later BeginRun or BeginStep is given up: all
// workers go on with the one before, also those that got through, and the transition is taken by that one.
func TestTurnBack(t *testing.T) {
	const trouble = "if os.path.exists(GATE) and drp_info.worker_num >= FROM: DOES"
	for _, tt := range []struct {
		name, from, does string
		at               xtc.TransitionID
	}{
		{"all hang at BeginRun", "0", "time.sleep(1000)", xtc.BeginRun},
		{"one hangs at BeginRun", "2", "time.sleep(1000)", xtc.BeginRun},
		{"all die at BeginRun", "0", "os._exit(3)", xtc.BeginRun},
		{"one dies at BeginStep", "2", "os._exit(3)", xtc.BeginStep},
		{"all hang at BeginStep", "0", "time.sleep(1000)", xtc.BeginStep},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startRig(t, rigOptions{script: strings.ReplaceAll(swapping, "TEXT", "first"), workers: 3, slow: 10 * time.Minute})
			r.begin()
			gate := filepath.Join(t.TempDir(), "gate")
			line := strings.NewReplacer("GATE", "'"+gate+"'", "FROM", tt.from, "DOES", tt.does).Replace(trouble)
			text := "import os, time\nfrom drp import drp_info\n" + strings.ReplaceAll(swapping, "TEXT", "second")
			at := map[xtc.TransitionID]string{xtc.BeginRun: "    runs += 1\n", xtc.BeginStep: "        steps += 1\n"}[tt.at]
			text = strings.Replace(text, at, at+at[:strings.IndexAny(at, "rs")]+line+"\n", 1)
			p, err := r.group.Prepare(t.Context(), []byte(text), 3*time.Second)
			if err == nil {
				err = p.Advance(t.Context())
			}
			if err != nil {
				t.Fatal(err)
			}
			r.group.Swap(p)
			r.expect(r.burst(20), "second:1:1")
			third := r.prepare("third") // before they go back, and it is swapped after that
			testkit.WriteFile(t, gate, "")
			for i, id := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.BeginRun, xtc.BeginStep, xtc.Enable} {
				for _, a := range r.transition(testkit.Plain(id, uint64(50+i))) {
					if a.Failure != nil {
						t.Errorf("at %v: %v", id, a.Failure)
					}
				}
			}
			r.expect(r.burst(30), "first:1:1")
			r.until("all have changed", r.group.Swapped)
			r.transition(testkit.Plain(xtc.Disable, 60))
			r.transition(testkit.Plain(xtc.EndStep, 61))
			if err := third.Advance(t.Context()); err != nil {
				t.Fatal(err)
			}
			r.group.Swap(third)
			r.transition(testkit.Plain(xtc.BeginStep, 62))
			r.transition(testkit.Plain(xtc.Enable, 63))
			r.expect(r.burst(20), "third:1:1")
			r.until("all have changed again", r.group.Swapped)
			r.end()
			r.waitAll()
			if r.fellBack.Load() != 1 || len(r.gaveUp) != 0 {
				t.Errorf("it went back %d times and gave up %q; log:\n%s", r.fellBack.Load(), r.gaveUp, r.log)
			}
		})
	}
}

// TestNoTurnBack: the text that a run began with, and one that a Configure brought, has nothing behind it.
func TestNoTurnBack(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	text := "import os\n" + strings.Replace(strings.ReplaceAll(swapping, "TEXT", "first"), "    runs += 1\n",
		"    runs += 1\n    if os.path.exists('"+gate+"'): os._exit(3)\n", 1)
	r := startRig(t, rigOptions{script: text})
	r.begin()
	r.expect(r.burst(5), "first:1:1")
	testkit.WriteFile(t, gate, "")
	for i, id := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun} {
		r.transition(testkit.Plain(id, uint64(50+i)))
	}
	if a := r.transition(testkit.Plain(xtc.BeginRun, 60)); a[0].Failure == nil || len(a[0].Failure.Deaths) != 4 || r.fellBack.Load() != 0 {
		t.Errorf("%+v, it went back %d times", a[0].Failure, r.fellBack.Load())
	}
}
