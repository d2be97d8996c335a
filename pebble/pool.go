package pebble

import (
	"errors"
	"fmt"
	"time"

	"drp/internal/world"
	"drp/shm"
)

// Sizes says how much memory a pool has.
type Sizes struct {
	Workers         int
	Slots           int // of each worker
	EventBytes      int // an L1Accept must fit
	ResultBytes     int // what the script adds to one event must fit
	TransitionBytes int // a transition must fit; the result of a transition has as much

	World world.World // nil is the real one
}

// transitionSlots is how many transitions may be under way at once: enough for Disable, EndStep, BeginStep and Enable
// of a scan to queue behind slow events, since the source waits for a free one.
const transitionSlots = 8

// DefaultSlots is the number of event slots of a worker: by addition of what can be held at once, several times over
// where events are small, since then a slot is little time, and less where one segment would not hold them.
func DefaultSlots(eventBytes int) int {
	const (
		source   = 1  // being filled
		inHand   = 32 // in the child, a batch it took in one read
		waiting  = 16 // written to the child while it works on that batch
		answered = 8  // waiting for an earlier event of another worker
		recorder = 7  // in one write of the recorder
		held     = source + inHand + waiting + answered + recorder

		smallBytes = 64 << 10 // up to here there are so many times more
		times      = 8
	)
	if eventBytes <= smallBytes {
		return times * held
	}
	return max(4, min(held, shm.MaxBytes/eventBytes))
}

// Pool is all the memory of a run: a ring for transitions, and for each worker a ring and its results.
type Pool struct {
	Transitions *Ring
	Events      []*Ring
	Results     []*Results
	freed       world.Flag
	borrowed    bool // the rings are another pool's
}

// Open makes the segments and touches every page of the event rings and results, so that a lack of memory ends the
// start and not the run. The transition areas are touched when they are used: they are large and mostly empty.
func Open(s Sizes) (*Pool, error) {
	if s.World == nil {
		s.World = world.Real()
	}
	p := &Pool{freed: s.World.NewFlag()}
	if err := p.open(s); err != nil {
		return nil, errors.Join(err, p.Close())
	}
	return p, nil
}

func (p *Pool) open(s Sizes) (err error) {
	if s.Workers < 1 {
		return fmt.Errorf("pebble: %d workers", s.Workers)
	}
	if p.Transitions, err = newRing(transitionSlots, s.TransitionBytes); err != nil {
		return err
	}
	for range s.Workers {
		ring, err := newRing(s.Slots, s.EventBytes)
		if err != nil {
			return err
		}
		p.Events = append(p.Events, ring)
		ring.seg.Prefault()
	}
	return p.addResults(s.ResultBytes, s.TransitionBytes)
}

// addResults makes those of all rings.
func (p *Pool) addResults(slotBytes, transitionBytes int) error {
	for _, ring := range p.Events {
		results, err := newResults(ring.Slots(), slotBytes, transitionBytes)
		if err != nil {
			return err
		}
		p.Results = append(p.Results, results)
		for at := 0; at < results.TransitionOffset(); at += shm.HeaderBytes {
			results.mem[at] = 0
		}
	}
	return nil
}

// Beside gives a pool of the same rings with results of its own, for those who work on the same datagrams after others
// have. It is closed before the one that it was made from.
func (p *Pool) Beside() (*Pool, error) {
	of := p.Results[0]
	b := &Pool{Transitions: p.Transitions, Events: p.Events, freed: p.freed, borrowed: true}
	if err := b.addResults(of.SlotBytes(), of.TransitionBytes()); err != nil {
		return nil, errors.Join(err, b.Close())
	}
	return b, nil
}

// Freed wakes the waiter. It is called once after a batch of releases, not by each, since a wake-up costs more than a
// release.
func (p *Pool) Freed() { p.freed.Set() }

// Wait returns when Freed was called since the last time, or after the time given. The caller looks again after each
// return. Only the goroutine that loans may wait.
func (p *Pool) Wait(atMost time.Duration) { p.freed.Wait(atMost) }

// Close detaches everything. Nobody may hold a Loan or a Ref.
func (p *Pool) Close() error {
	var errs []error
	if p.Transitions != nil && !p.borrowed {
		errs = append(errs, p.Transitions.close())
	}
	for _, ring := range p.Events {
		if !p.borrowed {
			errs = append(errs, ring.close())
		}
	}
	for _, results := range p.Results {
		errs = append(errs, results.seg.Close())
	}
	return errors.Join(errs...)
}
