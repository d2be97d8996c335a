package simtest

import (
	"testing"
	"time"

	"drp/source"
)

// quiet is a lab in which nothing goes wrong by itself.
func quiet(events int) *lab {
	l := newLab(Options{Seed: 1})
	p := plan{camera: source.DefaultSim(), workers: 2, slots: 40, retries: 1, deadline: 15 * time.Second, service: time.Millisecond}
	p.camera.Segments, p.camera.Rows, p.camera.Cols, p.camera.Bank = 1, 4, 4, 2
	p.camera.Events, p.camera.Steps, p.camera.Runs, p.camera.Slow = events, 1, 1, 0
	l.plan = p
	return l
}

// TestInterruptWhileTheScriptHangs at its start ends the run after a short grace, though a transition may take a minute and
// is tried four times else.
func TestInterruptWhileTheScriptHangs(t *testing.T) {
	l := quiet(20)
	l.plan.hangs, l.plan.interruptAt = 10000, time.Second // no child is through with Configure
	res := l.simulate()
	if res.Time > 13*time.Second || len(res.Problems) > 0 {
		t.Errorf("it took %v; %v", res.Time, res.Problems)
	}
}

// TestMaxQuarantineEndsSoon, when every event kills: what waits is not tried, and nobody pauses before that.
func TestMaxQuarantineEndsSoon(t *testing.T) {
	for _, workers := range []int{1, 4} {
		l := quiet(1000)
		l.plan.workers, l.plan.slots, l.plan.poison, l.plan.maxQuarantine = workers, 400, 10000, 10
		res := l.simulate()
		tried := 0
		for _, e := range l.events {
			tried += min(e.shown, 1)
		}
		s := &res.Summary
		if s.Quarantined < 20 || s.Quarantined > 25 || tried > 32 || s.Recorded != s.Damaged || len(res.Problems) > 0 {
			t.Errorf("%d workers: %d of %d events tried, %+v; %v", workers, tried, len(l.events), *s, res.Problems)
		}
		if res.Time > time.Minute {
			t.Errorf("%d workers: it took %v", workers, res.Time)
		}
	}
}
