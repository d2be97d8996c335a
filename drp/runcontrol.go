package drp

import (
	"fmt"

	"drp/xtc"
)

// level is how far a run has been begun; each transition pair moves between two neighbours.
type level int

const (
	unconfigured level = iota
	configured
	running
	inStep
	enabled
)

var levelNames = [...]string{"unconfigured", "configured", "running", "in a step", "enabled"}

func (l level) String() string { return levelNames[l] }

// moves is the transition table: where each datagram is at home and where it leads.
var moves = [xtc.NumTransitions]struct {
	from, to level
	known    bool
}{
	xtc.Configure:          {unconfigured, configured, true},
	xtc.Unconfigure:        {configured, unconfigured, true},
	xtc.BeginRun:           {configured, running, true},
	xtc.EndRun:             {running, configured, true},
	xtc.BeginStep:          {running, inStep, true},
	xtc.EndStep:            {inStep, running, true},
	xtc.Enable:             {inStep, enabled, true},
	xtc.Disable:            {enabled, inStep, true},
	xtc.L1Accept:           {enabled, enabled, true},
	xtc.L1AcceptEndOfBatch: {enabled, enabled, true},
}

// up and down are the transitions that lead out of a level by one.
var (
	up   = [...]xtc.TransitionID{xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable}
	down = [...]xtc.TransitionID{0, xtc.Unconfigure, xtc.EndRun, xtc.EndStep, xtc.Disable}
)

// runControl follows the transitions of a source. Real files end without EndRun, repeat BeginStep or reconfigure in the
// middle: what is missing is implied, so that scripts always see a complete sequence, and reported.
type runControl struct {
	at level
}

// verdict is what to do with a datagram.
type verdict struct {
	implied [8]xtc.TransitionID // to be shown to the scripts first
	count   int
	from    level  // where the implied ones lead, and where the datagram itself starts
	deliver bool   // to the scripts; it is recorded in any case
	oddity  string // empty when all is regular
}

func (v *verdict) imply(id xtc.TransitionID) {
	v.implied[v.count] = id
	v.count++
}

// take moves to where a datagram leads. It fails when no order of transitions could make sense of the datagram.
func (r *runControl) take(id xtc.TransitionID) (verdict, error) {
	was := r.at
	v := verdict{from: was}
	if id == xtc.SlowUpdate && was > unconfigured {
		v.deliver = true
		return v, nil
	}
	if r.at == unconfigured && id != xtc.Configure {
		return v, fmt.Errorf("%v before Configure: without it the data has no names", id)
	}
	if int(id) >= len(moves) || !moves[id].known {
		v.oddity = fmt.Sprintf("%v is not a transition of a run: recorded, not shown to the script", id)
		return v, nil
	}
	m := moves[id]
	if r.at < m.from && m.to < m.from { // the end of something that never began
		v.oddity = fmt.Sprintf("%v while %v: recorded, not shown to the script", id, was)
		return v, nil
	}
	for r.at > m.from {
		v.imply(down[r.at])
		r.at--
	}
	for r.at < m.from {
		v.imply(up[r.at])
		r.at++
	}
	v.from, r.at = r.at, m.to
	v.deliver = true
	if v.count > 0 {
		v.oddity = fmt.Sprintf("%v while %v: %v implied", id, was, v.implied[:v.count])
	}
	return v, nil
}

// undo takes back a datagram that could not be had after all; the implied ones were shown.
func (r *runControl) undo(v verdict) { r.at = v.from }

// closing gives the transitions that end whatever is open.
func (r *runControl) closing() []xtc.TransitionID {
	var ids []xtc.TransitionID
	for ; r.at > unconfigured; r.at-- {
		ids = append(ids, down[r.at])
	}
	return ids
}
