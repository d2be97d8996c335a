package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
	"sync/atomic"
	"time"

	"drp/pebble"
	"drp/xtc"
)

// Order is a transition that run control wants, or a halt before one.
type Order struct {
	Number  uint64 // of the order, for those who say when it was followed
	Service xtc.TransitionID
	Time    uint64 // events are later than an Enable and earlier than a Disable
	From    uint64 // with Enable: no event before it, since the others were there alone
	Run     int    // with BeginRun
	Step    int    // with BeginStep, from 0
	Hold    bool   // it is no transition: give no more events, and say how far they went
	GoOn    bool   // nor is this: give events again
}

// follower is a source that makes each transition as it is ordered, and events between Enable and Disable.
type follower interface{ follow(o Order) }

// Held keeps a source at each transition until it is ordered. A simulated camera makes what is ordered. Files give the
// transition that they have there; where they have none, one without contents is made up. Events come between Enable and
// Disable, and all up to the time of a Disable do, so that sources of the same events end with the same one: for that a Hold
// goes before it, and its time is that of the furthest of all.
//
// Order may be called by anybody, the rest by one goroutine.
type Held struct {
	Source
	from follower               // nil: the source has transitions of its own
	open func() (Source, error) // begins anew, for a further Configure
	held func(order uint64)     // told that a Hold was followed, or its end
	pace paced

	mu     sync.Mutex // protects orders
	orders []Order
	wake   chan struct{} // has a token when there may be an order

	due       *Order // that is followed next
	followed  Order  // by the transition that was given away last
	ahead     Header // announced by the source and not given away, while has is true
	has       bool
	head      Header // given away
	madeUp    bool   // by us
	begun     bool   // something of the source was given away
	enabled   bool
	holding   bool
	notBefore uint64

	last    atomic.Uint64 // time of what was given away last
	through atomic.Bool   // the source has no more events for this Enable
}

// Hold keeps a source. When it gets a Configure for the second time it is opened again.
func Hold(s Source, open func() (Source, error), r Rate, held func(order uint64)) *Held {
	h := &Held{Source: s, open: open, held: held, pace: paced{rate: r}, wake: make(chan struct{}, 1)}
	h.from, _ = s.(follower)
	return h
}

// Order wants a transition once those before are done.
func (h *Held) Order(o Order) {
	h.mu.Lock()
	h.orders = append(h.orders, o)
	h.mu.Unlock()
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// Last is the time of what was given away last, and tells whether the source has more events for this Enable.
func (h *Held) Last() (time uint64, through bool) { return h.last.Load(), h.through.Load() }

// Ordered is the order that an announced transition follows.
func (h *Held) Ordered() Order { return h.followed }

// Next implements Source.
func (h *Held) Next(ctx context.Context) (Header, error) {
	for {
		if err := ctx.Err(); err != nil {
			return Header{}, err
		}
		h.take()
		switch {
		case h.due != nil && (h.due.Hold || h.due.GoOn):
			h.holding = h.due.Hold
			h.held(h.due.Number)
			h.due = nil
			continue
		case h.due != nil && h.enabled && h.due.Service == xtc.Disable:
			more, err := h.event(ctx, h.due.Time)
			if err != nil {
				return Header{}, err
			}
			if more {
				return h.give(h.ahead, false), nil
			}
			return h.transition(ctx)
		case h.due != nil:
			return h.transition(ctx)
		case h.enabled && !h.holding && !h.through.Load():
			more, err := h.event(ctx, math.MaxUint64)
			if err != nil {
				return Header{}, err
			}
			if h.through.Store(!more); more && h.paced(ctx) {
				return h.give(h.ahead, false), nil
			}
			continue
		}
		select {
		case <-h.wake:
		case <-ctx.Done():
		}
	}
}

// take takes the next order, if none is being followed.
func (h *Held) take() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.due == nil && len(h.orders) > 0 {
		o := h.orders[0]
		h.due, h.orders = &o, h.orders[1:]
	}
}

// paced waits until the event ahead is due. It is false when an order came before that.
func (h *Held) paced(ctx context.Context) bool {
	if h.pace.rate == (Rate{}) {
		return true
	}
	switch {
	case h.from != nil && h.pace.rate.Recorded:
		h.pace.due = xtc.WallTime(h.ahead.Time) // it keeps the clock of those who order
	case h.ahead.Service.IsEvent() && !h.pace.holds:
		h.pace.schedule(h.ahead)
		h.pace.holds = true
	}
	return h.pace.wait(ctx, h.wake) == nil
}

func flows(service xtc.TransitionID) bool { return service.IsEvent() || service == xtc.SlowUpdate }

// look announces what the source has next, which is nothing at its end.
func (h *Held) look(ctx context.Context) error {
	if h.has {
		return nil
	}
	ahead, err := h.Source.Next(ctx)
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		h.ahead = Header{Service: xtc.NumTransitions}
		return nil
	}
	h.ahead, h.has = ahead, err == nil
	return err
}

// event tells whether an event, or a SlowUpdate, is ahead that is earlier than before.
func (h *Held) event(ctx context.Context, before uint64) (bool, error) {
	for {
		if err := h.look(ctx); err != nil {
			return false, err
		}
		if !h.has || !flows(h.ahead.Service) || h.ahead.Time >= before {
			return false, nil
		}
		if h.ahead.Time >= h.notBefore {
			return true, nil
		}
		h.has = false
		if err := h.Source.Skip(); err != nil {
			return false, err
		}
	}
}

// transition announces what is ordered.
func (h *Held) transition(ctx context.Context) (Header, error) {
	o := *h.due
	h.pace.holds, h.pace.started, h.holding = false, false, false
	h.enabled, h.notBefore = o.Service == xtc.Enable, o.From
	h.through.Store(false)
	own, err := h.seek(ctx, o)
	if err != nil {
		return Header{}, err
	}
	h.due, h.followed = nil, o
	if own {
		return h.give(h.ahead, false), nil
	}
	at := after(h.last.Load())
	if o.Service == xtc.Disable {
		at = max(at, o.Time)
	}
	return h.give(Header{Service: o.Service, Time: at, Bytes: xtc.DgramHeaderBytes}, true), nil
}

// seek tells whether the source has what is ordered ahead. What ends in files before that is left out.
func (h *Held) seek(ctx context.Context, o Order) (bool, error) {
	if h.from != nil {
		o.Time = max(o.Time, after(h.last.Load()))
		if o.From > 0 && h.pace.rate.Recorded { // what is over is not made up for
			o.From = max(o.From, timestamp(uint64(time.Since(xtc.WallTime(0)))))
		}
		h.from.follow(o)
		h.has = false
		return true, h.look(ctx)
	}
	for {
		if err := h.look(ctx); err != nil {
			return false, err
		}
		switch service := h.ahead.Service; {
		case service == o.Service && h.has:
			return true, nil
		case h.has && ends(service, h.enabled):
			h.has = false
			if err := h.Source.Skip(); err != nil {
				return false, err
			}
		case o.Service == xtc.Configure && h.begun:
			if err := h.reopen(); err != nil {
				return false, err
			}
		case o.Service == xtc.Configure:
			return false, fmt.Errorf("source: %s does not begin with a Configure: without it the data has no names", h.Info().Name)
		default:
			return false, nil
		}
	}
}

// ends tells what files may have before the transition that is wanted.
func ends(service xtc.TransitionID, enabled bool) bool {
	switch service {
	case xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.Unconfigure:
		return true
	}
	return service == xtc.SlowUpdate && !enabled
}

// reopen goes back to the Configure that files begin with.
func (h *Held) reopen() error {
	again, err := h.open()
	if err != nil {
		return err
	}
	err = h.Source.Close()
	h.Source, h.has, h.begun = again, false, false
	h.last.Store(0)
	return err
}

// give is what Fill and Skip are about.
func (h *Held) give(head Header, madeUp bool) Header {
	h.head, h.madeUp, h.begun = head, madeUp, true
	if !madeUp {
		h.has, h.pace.holds = false, false
	}
	h.last.Store(head.Time)
	return head
}

// Fill implements Source.
func (h *Held) Fill(loan *pebble.Loan) (int, error) {
	if !h.madeUp {
		return h.Source.Fill(loan)
	}
	loan.SetResident(0)
	xtc.PutDgramHeader(loan.Bytes(), h.head.Time, xtc.EnvOf(h.head.Service, 0), 0, 0, 0)
	return xtc.DgramHeaderBytes, nil
}

// Skip implements Source.
func (h *Held) Skip() error {
	if h.madeUp {
		return nil
	}
	return h.Source.Skip()
}

// after is the next time: nanoseconds end at a thousand million.
func after(time uint64) uint64 { return timestamp(nanoseconds(time) + 1) }
