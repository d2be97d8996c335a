package monitor

import "drp/xtc"

// Event is what is published: a datagram, and what is added behind it.
type Event struct {
	Facts
	Dgram  xtc.Dgram
	Added  []byte
	Damage xtc.Damage // besides that of the datagram
}

// putTo writes it as one datagram.
func (e *Event) putTo(d xtc.Dgram) {
	copy(d[copy(d, e.Dgram):], e.Added)
	d.SetSize(len(d))
	d.SetDamage(e.Dgram.Damage() | e.Damage)
}

// transition is one that was published, or the end of all.
type transition struct {
	kind   byte
	number uint64 // among all transitions, from 1
	dgram  xtc.Dgram
}

// state is the transitions that hold, in the order in which they came.
type state []*transition

// opens maps the transitions that end what others began.
var opens = map[xtc.TransitionID]xtc.TransitionID{xtc.Unconfigure: xtc.Configure, xtc.EndRun: xtc.BeginRun,
	xtc.EndStep: xtc.BeginStep, xtc.Disable: xtc.Enable}

// ranks say what ends with what: whatever ranks higher. Slow values hold on from step to step.
var ranks = map[xtc.TransitionID]int{xtc.Configure: 1, xtc.BeginRun: 2, xtc.SlowUpdate: 3, xtc.BeginStep: 4, xtc.Enable: 5}

// apply takes a transition into account.
func (s state) apply(t *transition) state {
	id := t.dgram.Service()
	began, ends := opens[id]
	if !ends {
		began = id
	}
	rank := ranks[began]
	if rank == 0 {
		return s
	}
	kept := s[:0:0]
	for _, old := range s {
		if other := ranks[old.dgram.Service()]; other < rank || rank == ranks[xtc.SlowUpdate] && other > rank {
			kept = append(kept, old)
		}
	}
	if ends {
		return kept
	}
	return append(kept, t)
}
