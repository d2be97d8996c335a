package drp

import (
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/internal/world"
	"drp/xtc"
)

// sample is an event to try another text of a script on. The first good one behind each Enable is copied, and the next one
// when somebody asks: so nothing is copied with each event, and there is one when none comes.
type sample struct {
	asked atomic.Bool // the next good event is wanted

	mu         sync.Mutex // protects all below
	arrived    world.Flag
	configures int // of the run, when it came
	number     int64
	time       uint64
	settings   uint16
	event      []byte
	found      []byte // where scripts see the hits
}

// keptEvent is a copy of what a sample has.
type keptEvent struct {
	number   int64
	time     uint64
	settings uint16 // the entry of the board with its values
	dgram    xtc.Dgram
	found    []byte
}

// sampleTime is how long a new event is waited for.
const sampleTime = 500 * time.Millisecond

// fresh gives the latest good event that there can be, nil if there is none that goes with what holds.
func (s *sample) fresh(l *reloads, present []fex.Shown) *keptEvent {
	s.mu.Lock()
	arrived := l.r.world.NewFlag()
	s.arrived = arrived
	s.mu.Unlock()
	s.asked.Store(true)
	if slices.ContainsFunc(present, func(k fex.Shown) bool { return k.Service == uint8(xtc.Enable) }) {
		until := l.r.world.Now() + sampleTime
		for l.over.Err() == nil && !arrived.Wait(waitTick) && l.r.world.Now() < until {
		}
	}
	configures, _ := l.moved()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.configures != configures || len(s.event) == 0 {
		return nil
	}
	return &keptEvent{number: s.number, time: s.time, settings: s.settings, dgram: slices.Clone(s.event), found: slices.Clone(s.found)}
}

// loading is what the collector knows of the texts of the scripts.
type loading struct {
	sample     bool       // the next good event is copied for the first script
	configures int        // so many have passed
	names      *xtc.Names // of what is recorded of the texts; nil when nothing is declared
}

// sample keeps an event that a worker has answered, if it is good. One that the script failed at is better than none.
func (c *collector) sample(e *entry, d xtc.Dgram) {
	if e.status > fex.Oversize || e.detail != nil && e.detail.corrupt != nil {
		return
	}
	var found []byte
	if e.searched {
		s := c.hits.searchers[e.worker]
		found = s.memory.Bytes()[int(e.ix.Slot)*s.stride:][:s.stride]
	}
	k := keptEvent{number: e.number, time: e.time, settings: e.settings, dgram: d, found: found}
	c.loading.sample = !c.reloads.samples[0].keep(&k, e.status <= fex.Rejected, c.loading.configures)
}

// keep copies an event; it tells whether that is what was asked for.
func (s *sample) keep(e *keptEvent, good bool, configures int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !good && s.configures == configures {
		return false
	}
	s.configures, s.number, s.time, s.settings = configures, e.number, e.time, e.settings
	s.event, s.found = append(s.event[:0], e.dgram...), append(s.found[:0], e.found...)
	if !good {
		return false
	}
	s.asked.Store(false)
	if s.arrived != nil {
		s.arrived.Set()
		s.arrived = nil
	}
	return true
}

// begin asks for a sample when events are about to come.
func (c *collector) begin(id xtc.TransitionID) {
	switch id {
	case xtc.Configure:
		c.loading.configures++
	case xtc.Enable:
		for i := range c.reloads.samples {
			c.reloads.samples[i].asked.Store(true)
		}
	}
}
