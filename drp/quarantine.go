package drp

import (
	"errors"
	"fmt"
	"slices"

	"drp/fex"
	"drp/record"
	"drp/xtc"
)

// keptState is copies of the transitions that hold at present, as the source sent them, the latest SlowUpdate of the run
// among them.
type keptState []xtc.Dgram

// ends maps the transitions that end what others began.
var ends = map[xtc.TransitionID]xtc.TransitionID{xtc.Unconfigure: xtc.Configure, xtc.EndRun: xtc.BeginRun,
	xtc.EndStep: xtc.BeginStep, xtc.Disable: xtc.Enable}

func (s *keptState) apply(id xtc.TransitionID, d xtc.Dgram) {
	begins := id
	if begun, ending := ends[id]; ending {
		begins = begun
	}
	switch begins {
	case xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable, xtc.SlowUpdate:
	default:
		return
	}
	if at := slices.IndexFunc(*s, func(k xtc.Dgram) bool { return k.Service() == begins }); at >= 0 {
		// Whatever was begun after it ends with it, but slow values hold on from step to step.
		rest := slices.DeleteFunc(slices.Clone((*s)[at+1:]), func(k xtc.Dgram) bool {
			return begins != xtc.SlowUpdate && (k.Service() != xtc.SlowUpdate || begins == xtc.Configure || begins == xtc.BeginRun)
		})
		*s = append((*s)[:at], rest...)
	}
	if begins == id {
		*s = append(*s, slices.Clone(d))
	}
}

// Bounds of what quarantined events may do to a run.
const (
	fewQuarantined = 20 // from here on the share of quarantined events counts
)

// quarantine keeps an event that killed the script's process, and all that is known about it, away from the others. An
// event that cannot be kept there is recorded as one whose script failed.
func (c *collector) quarantine(e *entry, d xtc.Dgram) error {
	f := e.failure()
	where := fmt.Sprintf("%s, %s", scriptName(c.cfg.Script), eventName(e.number, e.time))
	c.complaints.note(where, f)
	if c.cfg.QuarantineDir != "" {
		path, err := c.store(e, d, f)
		if err != nil {
			c.cfg.Log.Error(fmt.Sprintf("%s cannot be quarantined, it is recorded with its raw data: %v", where, err))
			return errors.Join(c.keep(e, d, nil, nil, xtc.DamageUserDefined), c.strict())
		}
		c.books.kept.Add(1)
		c.cfg.Log.Error(fmt.Sprintf("%s is quarantined; drp test --event %s tries it again", where, path))
	}
	c.leave(e, d, nil, xtc.DamageUserDefined, &c.books.quarantined)
	c.killers++
	if err := c.strict(); err != nil {
		return err
	}
	soFar := e.number + 1 // those that wait behind it say nothing yet
	if limit := c.cfg.MaxQuarantine; limit > 0 && c.killers >= fewQuarantined && float64(c.killers) > limit/100*float64(soFar) {
		c.group.Refuse() // nothing more is tried: what waits would mostly kill, too
		return failf(Script, "%d of %d events killed the script's process: more than --max-quarantine %g %%", c.killers,
			soFar, limit)
	}
	return nil
}

func (c *collector) store(e *entry, d xtc.Dgram, f *fex.Failure) (string, error) {
	q := record.Quarantined{Expt: c.exptName(), Run: max(c.recorder.Run(), c.runNumber()), Stream: c.stream(),
		State: c.present, Event: d, Number: e.number, Script: c.cfg.Script, Args: c.cfg.Args, Detector: c.cfg.Detector,
		ScriptSHA256: c.script}
	for i := range f.Deaths {
		death := &f.Deaths[i]
		q.Attempts = append(q.Attempts, record.Attempt{Worker: death.Worker, PID: death.PID, When: death.When,
			Reason: death.Reason, Line: death.Line, Output: death.Output})
	}
	if c.cfg.Quarantine != nil {
		return c.cfg.Quarantine(&q)
	}
	return q.Store(c.cfg.QuarantineDir)
}
