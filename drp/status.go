package drp

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/pebble"
	"drp/teb"
	"drp/watch"
	"drp/xtc"
)

// standing is what a Status tells beside the books: the dispatcher and the collector note it at transitions, and with
// batches of decisions.
type standing struct {
	generation atomic.Uint32 // of the constants
	undecided  atomic.Int64
	processes  watch.Processes

	mu         sync.Mutex // protects all below
	state      string
	transition string
	run        int
	published  string
	decisions  map[string]*atomic.Uint64 // by reason
}

// stateAfter is how far a run is begun after a transition.
var stateAfter = map[xtc.TransitionID]level{xtc.Configure: configured, xtc.Unconfigure: unconfigured, xtc.BeginRun: running,
	xtc.EndRun: configured, xtc.BeginStep: inStep, xtc.EndStep: running, xtc.Enable: enabled, xtc.Disable: inStep}

// stateNames are those of a Status, where no name has two words.
var stateNames = [...]string{"unconfigured", "configured", "running", "stepping", "enabled"}

// passed notes a transition that all workers have taken.
func (s *standing) passed(e *entry, table *xtc.Table, d xtc.Dgram) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.transition, s.published = e.service.String(), e.detail.published
	if level, known := stateAfter[e.service]; known {
		s.state = stateNames[level]
	}
	if e.service == xtc.BeginRun {
		if _, run, ok := xtc.RunInfo(table, d); ok {
			s.run = run
		}
	}
}

// counters gives those of the reasons of a table.
func (s *standing) counters(reasons []teb.Reason) []*atomic.Uint64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.decisions == nil {
		s.decisions = map[string]*atomic.Uint64{}
	}
	all := make([]*atomic.Uint64, len(reasons))
	for i, r := range reasons {
		if s.decisions[r.Name] == nil {
			s.decisions[r.Name] = &atomic.Uint64{}
		}
		all[i] = s.decisions[r.Name]
	}
	return all
}

// decided counts a batch, with one addition for each row of equal reasons.
func (s *standing) decided(counters []*atomic.Uint64, batch []teb.Decision) {
	s.undecided.Add(-int64(len(batch)))
	for len(batch) > 0 {
		reason, n := batch[0].Reason, 1
		for n < len(batch) && batch[n].Reason == reason {
			n++
		}
		if int(reason) < len(counters) {
			counters[reason].Add(uint64(n))
		}
		batch = batch[n:]
	}
}

// Watch begins to time the stages, which reads the clock a few times for one event in 64; Status does so, too.
func (r *Run) Watch() { r.timing.begin(r) }

// Status tells all that is known about the run. It may be called from New on; nobody in the run waits for it.
func (r *Run) Status() watch.Status {
	r.Watch()
	now, timed := r.Snapshot(), r.timing.on.Load()
	host, _ := os.Hostname()
	s := watch.Status{Host: host, PID: os.Getpid(), Experiment: r.exptName(), Run: r.runNumber(), Source: r.info.Name,
		Script: strings.Join(append([]string{filepath.Base(r.cfg.Script)}, r.cfg.Args...), " "), State: "starting", Time: time.Now(),
		Seconds: now.Seconds, Events: eventsOf(&now), Stages: timed.stages(), Bounds: watch.Bounds(), Consumers: []watch.Consumer{},
		Hits: watch.Hits{Searched: now.Searched, Hits: now.Hits, Passed: now.Passed, Unsearched: now.Unsearched, ByGPU: now.ByGPU,
			Instead: now.Instead},
		Transitions: watch.Slots{Slots: r.pool.Transitions.Slots(), InUse: r.pool.Transitions.InUse()},
		Failures:    append([]string{}, now.Failures...)}
	for _, c := range r.Consumers() {
		s.Consumers = append(s.Consumers, watch.Consumer{Number: c.Number, Name: c.Name, PID: c.PID, Delivered: c.Entries, Missed: c.Missed,
			Newest: c.Choice.Newest})
	}
	r.reloads.tell(&s)
	s.Settings = r.steering.standing()
	r.standing.tell(&s, r.cfg.Trigger != nil, timed)
	if r.cfg.Run > 0 {
		s.Run = r.cfg.Run
	}
	if r.finished.Load() != 0 {
		s.State = "ended"
	}
	for i, ring := range r.pool.Events {
		w := r.worker(r.group, i, ring)
		w.Waiting, w.Script = r.preparation.load(i), timed.script[i].Latency()
		s.Workers = append(s.Workers, w)
		if r.post != nil {
			s.Post = append(s.Post, r.worker(r.post.group, i, ring))
		}
	}
	return s
}

func (s *standing) tell(to *watch.Status, trigger bool, timed *timed) {
	to.Calibration.Generation = s.generation.Load()
	s.mu.Lock()
	defer s.mu.Unlock()
	to.Transition, to.Calibration.Published = s.transition, s.published
	if s.state != "" {
		to.State = s.state
	}
	if s.run != 0 {
		to.Run = s.run
	}
	if !trigger {
		return
	}
	to.Trigger = &watch.Trigger{Waiting: max(0, s.undecided.Load()), Latency: timed.decide.Latency(), Decisions: []watch.Decision{}}
	for _, reason := range slices.Sorted(maps.Keys(s.decisions)) {
		to.Trigger.Decisions = append(to.Trigger.Decisions, watch.Decision{Reason: reason, Count: s.decisions[reason].Load()})
	}
}

func eventsOf(s *Summary) watch.Events {
	return watch.Events{Received: s.Received, Recorded: s.Recorded, Rejected: s.Rejected, Vetoed: s.Vetoed,
		Quarantined: s.Quarantined, Dropped: s.Dropped, Failed: s.Failed, InFlight: s.InFlight, Lost: s.Lost(), Damaged: s.Damaged,
		Altered: s.Altered, Late: s.Late, Defaulted: s.Defaulted, Unwanted: s.Unwanted, Posted: s.Posted, PostFailed: s.PostFailed, BytesReceived: s.BytesReceived,
		BytesRecorded: s.BytesRecorded, Deadtime: s.DeadtimeSeconds}
}

// worker tells of one of a group, which reads a ring.
func (r *Run) worker(g *fex.Group, i int, ring *pebble.Ring) watch.Worker {
	said := g.Report(i)
	none := watch.Histogram{}
	w := watch.Worker{Number: i, State: stateOf(&said, r.finished.Load() != 0), PID: said.PID, Slots: watch.Slots{Slots: ring.Slots(), InUse: ring.InUse()},
		Waiting: said.Waiting, Events: said.Events, Busy: said.Busy.Seconds(), Restarts: said.Restarts, Recycled: said.Recycled,
		Script: none.Latency()}
	r.standing.processes.Look(&w)
	return w
}

func stateOf(r *fex.Report, ended bool) string {
	switch {
	case r.Retired:
		return "retired"
	case r.PID == 0 && ended:
		return "ended"
	case r.PID == 0:
		return "starting"
	case r.Waiting > 0:
		return "working"
	}
	return "idle"
}
