package page

import (
	"os"
	"strings"
	"time"

	"drp/source"
	"drp/watch"
	"drp/xtc"
)

// shown is the status of a replay, where none was recorded.
type shown struct {
	status watch.Status
	began  time.Time
}

func (s *shown) begin(info source.Info) {
	s.began = time.Now()
	host, _ := os.Hostname()
	s.status = watch.Status{Host: host, PID: os.Getpid(), Experiment: info.Expt, Run: max(info.Run, 0), Replay: true, Source: info.Name, Script: "replay",
		State: "unconfigured", Stages: []watch.Stage{}, Bounds: watch.Bounds(), Workers: []watch.Worker{}, Consumers: []watch.Consumer{},
		Failures: []string{}}
}

// states are those of a run after a transition, as in the status of one that goes on.
var states = map[xtc.TransitionID]string{xtc.Configure: "configured", xtc.Unconfigure: "unconfigured", xtc.BeginRun: "running",
	xtc.EndRun: "configured", xtc.BeginStep: "stepping", xtc.EndStep: "running", xtc.Enable: "enabled", xtc.Disable: "stepping"}

// transition notes one that was shown.
func (s *shown) transition(t *xtc.Table, d xtc.Dgram) {
	id := d.Service()
	s.status.Transition = id.String()
	if state := states[id]; state != "" {
		s.status.State = state
	}
	if id == xtc.BeginRun && t != nil {
		if expt, run, ok := xtc.RunInfo(t, d); ok {
			s.status.Experiment, s.status.Run = strings.ToValidUTF8(expt, "?"), run
		}
	}
}

// Source is where the run had its data from, as its record says; empty without one.
func (p *Player) Source() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.past.source()
}

// Status is what was recorded of the run at this place, but for the process, which is this one, and who watches it; or what a replay can tell of itself.
func (p *Player) Status() watch.Status {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shown.status
	for _, c := range p.monitor.Consumers() {
		s.Consumers = append(s.Consumers, watch.Consumer{Number: c.Number, Name: c.Name, PID: c.PID, Delivered: c.Entries, Missed: c.Missed,
			Newest: c.Choice.Newest})
	}
	if then := p.past.at(p.state.Position); then != nil {
		was := *then
		was.Host, was.PID, was.Consumers, was.Replay = s.Host, s.PID, s.Consumers, true
		return was
	}
	s.Time, s.Seconds = time.Now(), time.Since(p.shown.began).Seconds()
	s.Events.Received = p.state.Position + 1
	s.Events.Recorded = s.Events.Received
	if p.state.Ended {
		s.State = "ended"
	}
	return s
}
