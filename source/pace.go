package source

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Rate says how fast events are delivered.
type Rate struct {
	Recorded  bool    // as the timestamps say
	PerSecond float64 // chosen; 0 is as fast as possible
}

// ParseRate reads "full", "recorded" or a number of events per second.
func ParseRate(text string) (Rate, error) {
	switch text {
	case "full", "":
		return Rate{}, nil
	case "recorded":
		return Rate{Recorded: true}, nil
	}
	hz, err := strconv.ParseFloat(text, 64)
	if err != nil || !(hz >= minPerSecond && hz <= 1e9) {
		return Rate{}, fmt.Errorf("rate %q: give full, recorded, or a number of events per second", text)
	}
	return Rate{PerSecond: hz}, nil
}

// minPerSecond is an event in eleven days: the time between two must fit in a time.Duration.
const minPerSecond = 1e-6

// Paced delivers the events of another source at a rate. When the receiver falls behind, what is due is delivered at
// once, but never more than catchUp of it.
func Paced(s Source, r Rate) Source {
	if r == (Rate{}) {
		return s
	}
	return &paced{Source: s, rate: r}
}

const (
	catchUp = time.Second
	// shortWait is not worth a sleep: the timer is coarser.
	shortWait = 50 * time.Microsecond
	longGap   = 10 * time.Second // between two recorded events; a longer one is a jump of the clock
)

type paced struct {
	Source
	rate    Rate
	due     time.Time
	last    uint64 // time of the event before, nanoseconds
	started bool
	waiting Header // announced by the source but not yet due
	holds   bool
}

func (p *paced) Next(ctx context.Context) (Header, error) {
	if !p.holds {
		h, err := p.Source.Next(ctx)
		if err != nil || !h.Service.IsEvent() {
			return h, err
		}
		p.schedule(h)
		p.waiting, p.holds = h, true
	}
	if err := p.wait(ctx, nil); err != nil {
		return Header{}, err
	}
	p.holds = false
	return p.waiting, nil
}

// errEarly says that an event is not due yet.
var errEarly = errors.New("source: somebody has called while an event was not due")

// wait waits until the event is due, or somebody calls.
func (p *paced) wait(ctx context.Context, call <-chan struct{}) error {
	if wait := time.Until(p.due); wait > shortWait {
		timer := time.NewTimer(wait)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ctx.Done():
			return ctx.Err()
		case <-call:
			return errEarly
		}
	} else if wait < -catchUp {
		p.due = time.Now().Add(-catchUp)
	}
	return nil
}

// schedule sets when an event is due, counted from the one before.
func (p *paced) schedule(h Header) {
	now := nanoseconds(h.Time)
	switch {
	case !p.started:
		p.started, p.due = true, time.Now()
	case p.rate.Recorded:
		if gap := time.Duration(now - p.last); now > p.last && gap < longGap {
			p.due = p.due.Add(gap)
		}
	default:
		p.due = p.due.Add(time.Duration(1e9 / p.rate.PerSecond))
	}
	p.last = now
}
