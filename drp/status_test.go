package drp_test

import (
	"context"
	"runtime"
	"sync"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/teb"
	"drp/watch"
)

// observed lets a whole run through while somebody asks for its status all the time; look is called with each.
func observed(t *testing.T, cfg drp.Config, look func(*watch.Status)) (drp.Summary, watch.Status) {
	t.Helper()
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	r.Watch()
	over := make(chan struct{})
	var looking sync.WaitGroup
	looking.Go(func() {
		for {
			select {
			case <-over:
				return
			case <-time.After(time.Millisecond):
				s := r.Status()
				look(&s)
			}
		}
	})
	s, err := r.Run(context.Background())
	close(over)
	looking.Wait()
	if err != nil {
		t.Error(err)
	}
	return s, r.Status()
}

func counts(s *watch.Status) map[string]uint64 {
	all := map[string]uint64{}
	for _, stage := range s.Stages {
		all[stage.Name] = stage.Latency.Count
	}
	return all
}

// timedOf is how many of some events are timed: one in 64, by their place among all datagrams.
func timedOf(first, events uint64) (n uint64) {
	for tag := first; tag < first+events; tag++ {
		if tag*0x9e3779b97f4a7c15>>58 == 0 {
			n++
		}
	}
	return n
}

func TestAStatusTellsWhatTheBooksDo(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("myroi.py"))
	cfg.Args, cfg.Events, cfg.OutputDir = []string{"1", "2", "3"}, 3000, t.TempDir()
	states := map[string]bool{}
	s, status := observed(t, cfg, func(now *watch.Status) {
		states[now.State] = true
		e := now.Events
		if sum := e.Recorded + e.Rejected + e.Vetoed + e.Quarantined + e.Dropped + e.Failed + e.InFlight; sum != e.Received {
			t.Errorf("the books do not balance: %+v", e)
		}
		for _, w := range now.Workers {
			if w.Slots.InUse > w.Slots.Slots || w.Busy > now.Seconds+10 || w.Busy < 0 {
				t.Errorf("%+v", w)
			}
		}
	})
	if e := status.Events; e.Received != s.Received || e.Recorded != s.Recorded || e.BytesRecorded != s.BytesRecorded || e.InFlight != 0 {
		t.Errorf("%+v, and the books say %+v", e, s)
	}
	if status.State != "ended" || status.Transition != "Unconfigure" || status.Run != 1 || status.Script != "myroi.py 1 2 3" || !states["enabled"] {
		t.Errorf("%+v; states %v", status, states)
	}
	events, busy := int64(0), 0.
	for _, w := range status.Workers {
		events += w.Events
		busy += w.Busy
		if w.Waiting != 0 || w.Slots.InUse != 0 || w.Restarts != 0 || w.State != "ended" || w.PID != 0 {
			t.Errorf("%+v", w)
		}
	}
	if events != 3000 || busy <= 0 {
		t.Errorf("the workers answered %d events in %v s", events, busy)
	}
	want := timedOf(4, 3000) // after Configure, BeginRun, BeginStep and Enable
	for name, n := range counts(&status) {
		if name == "queue" || name == "prepare" || name == "post" { // nobody has asked for anything
			n += want
		}
		if n != want {
			t.Errorf("%s was timed %d times, not %d", name, n, want)
		}
	}
	if status.Trigger != nil {
		t.Error("there is no trigger")
	}
}

// TestAStatusOfHitsAndTrigger passes all stages, also with events that no script is shown.
func TestAStatusOfHitsAndTrigger(t *testing.T) {
	testkit.NoLeaks(t)
	const events = 600
	cfg := hitSettings(t, bundled("passthrough.py"), "statistics=full", spotRun(events))
	cfg.Hits.Only = true
	cfg.Trigger = &drp.Trigger{Rules: []teb.Rule{{Name: "hits", When: "cam_0.hit", Persist: true}}, Deadline: time.Minute}
	s, status := observed(t, cfg, func(*watch.Status) {})
	if h := status.Hits; h.Searched != events || h.Hits != s.Hits || h.Passed != events-h.Hits || h.Hits == 0 || h.Passed == 0 {
		t.Errorf("%+v", h)
	}
	n := counts(&status)
	for _, name := range []string{"fill", "queue", "prepare", "order", "record"} {
		if n[name] != n["total"] || n[name] == 0 {
			t.Errorf("%s was timed %d times, and all %d times", name, n[name], n["total"])
		}
	}
	if n["script"] == 0 || n["script"] >= n["total"] {
		t.Errorf("the script was timed %d times of %d", n["script"], n["total"])
	}
	decided := map[string]uint64{}
	for _, d := range status.Trigger.Decisions {
		decided[d.Reason] = d.Count
	}
	if decided["hits"] != uint64(s.Hits) || decided["rejected"] != uint64(events-s.Hits) || decided["transition"] == 0 || status.Trigger.Waiting != 0 {
		t.Errorf("%v, waiting %d; books %+v", decided, status.Trigger.Waiting, s)
	}
	if status.Trigger.Latency.Count == 0 {
		t.Error("no decision was timed")
	}
	if status.Calibration.Generation != 1 || status.Calibration.Published == "" {
		t.Errorf("%+v", status.Calibration)
	}
}

// TestAStatusOfASecondScript, which is shown what the first one leaves.
func TestAStatusOfASecondScript(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `from drp import DataSource
for run in DataSource().runs():
    for evt in run.events():
        if evt.timestamp % 3 == 0:
            evt.reject()
`))
	cfg.Events, cfg.OutputDir, cfg.Post = 2000, t.TempDir(), &drp.Post{Script: bundled("passthrough.py")}
	s, status := observed(t, cfg, func(*watch.Status) {})
	n := counts(&status)
	if n["post"] == 0 || n["post"] >= n["total"] || n["record"] != n["total"] || n["total"] != timedOf(4, 2000) {
		t.Errorf("%v; %d were rejected", n, s.Rejected)
	}
	if status.Events.Posted != s.Posted || s.Posted != s.Recorded || s.Rejected == 0 {
		t.Errorf("%+v, and the books say %+v", status.Events, s)
	}
	events := int64(0)
	for _, w := range status.Post {
		events += w.Events
	}
	if len(status.Post) != 2 || events != s.Posted {
		t.Errorf("%d events were answered by %+v", events, status.Post)
	}
}

// TestTimingThatBeginsInTheMiddle leaves out what was under way.
func TestTimingThatBeginsInTheMiddle(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Events = 60000
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	begun := make(chan struct{})
	go func() {
		defer close(begun)
		if testkit.Within(time.Minute, func() bool { return r.Snapshot().Received > 1000 }) {
			r.Watch()
		}
	}()
	if _, err := r.Run(context.Background()); err != nil {
		t.Error(err)
	}
	<-begun
	status := r.Status()
	n := counts(&status)
	if n["total"] == 0 || n["total"] >= timedOf(4, 60000) || n["order"] != n["total"] || n["script"] != n["total"] || n["record"] != n["total"] {
		t.Errorf("%v", n)
	}
}

// TestWatchingAllocatesNothing for an event: what twenty thousand more cost in allocations, with the stages timed.
func TestWatchingAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("the checked build makes messages it then does not need; the other build is measured")
	}
	testkit.NoLeaks(t)
	const few, many = 4000, 24000
	mallocs := func(events int64) uint64 {
		cfg := settings(t, bundled("passthrough.py"))
		cfg.Events, cfg.OutputDir = events, t.TempDir()
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := drp.New(context.Background(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		r.Watch()
		if _, err := r.Run(context.Background()); err != nil {
			t.Error(err)
		}
		runtime.ReadMemStats(&after)
		if s := r.Status(); counts(&s)["total"] == 0 {
			t.Error("nothing was timed")
		}
		return after.Mallocs - before.Mallocs
	}
	base := mallocs(few)
	if per := (float64(mallocs(many)) - float64(base)) / (many - few); per >= 0.01 {
		t.Errorf("%.3f allocations per event", per)
	}
}
