package drp

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"drp/fex"
	"drp/pebble"
	"drp/source"
	"drp/xtc"
)

// waitTick bounds every wait for memory or answers; afterwards the state is looked at again.
const waitTick = 100 * time.Millisecond

// dispatch takes datagrams from the source to the workers until the source ends, the limit is reached or the context
// is cancelled. Then it closes what is open.
func (r *Run) dispatch(ctx context.Context) error {
	err := r.pump(ctx)
	switch {
	case r.hard.Err() != nil:
		return err
	case errors.Is(err, io.EOF):
		err = nil
	case errors.Is(err, errLimit), ctx.Err() != nil:
		r.early = true
		err = nil
		if errors.Is(context.Cause(ctx), errInterrupted) {
			err = errInterrupted
		}
	}
	if closing := r.closeRun(); closing != nil {
		return errors.Join(err, closing)
	}
	return err
}

// errLimit ends the pump when all events asked for are in.
var errLimit = errors.New("all events asked for are in")

func (r *Run) pump(ctx context.Context) error {
	for {
		h, err := r.source.Next(ctx)
		if err == nil {
			err = ctx.Err()
		}
		if err != nil {
			return sourceFailure(err)
		}
		if h.Service.IsEvent() {
			if r.cfg.Events > 0 && r.books.received.Load() >= r.cfg.Events {
				return errLimit
			}
			err = r.event(ctx, h)
		} else {
			err = r.transition(h)
		}
		if err != nil {
			return err
		}
	}
}

// sourceFailure keeps the end of the source and of the context apart from trouble.
func sourceFailure(err error) error {
	if errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, context.Canceled) {
		return err
	}
	return fail(SourceTrouble, err)
}

// event gives one event to a worker.
func (r *Run) event(ctx context.Context, h source.Header) error {
	if r.reloads.now.Load() {
		if err := r.swapNow(h.Time); err != nil {
			return err
		}
	}
	if err := r.follow(h.Service, h.Time); err != nil {
		return err
	}
	worker, free, err := r.loan(ctx)
	switch {
	case errors.Is(err, errFull):
		r.books.received.Add(1)
		if r.books.dropped.Add(1) == 1 {
			r.cfg.Log.Warn("the workers cannot keep up: events are dropped (--policy drop)")
		}
		return sourceFailureOrNil(r.source.Skip())
	case err != nil:
		return err
	}
	r.inHand = free
	loan := &r.inHand
	r.timing.filling(r.window.head.Load())
	n, err := r.source.Fill(loan)
	if err != nil {
		loan.Abort()
		return sourceFailure(err)
	}
	d := xtc.Dgram(loan.Bytes()[:n])
	number := r.books.received.Add(1) - 1
	if number == 0 {
		r.started.Store(int64(r.world.Now())) // the script has been read by now, which shall not count for the rate
	}
	r.books.bytesIn.Add(int64(n))
	e, tag := r.window.next()
	layout, corrupt := r.layouts.number(d)
	e.service, e.time, e.number, e.worker = h.Service, h.Time, number, int16(worker)
	e.prepared, e.searched, e.calibration = false, false, 0
	e.settings = r.steering.hold(number)
	e.keepRaw = r.cfg.Prescale > 0 && number%r.cfg.Prescale == 0 || r.cfg.L0Raw && d.KeepRaw()
	e.crc = r.sums.of(d)
	e.implied, e.ix = false, loan.Seal(n)
	if e.detail != nil {
		e.detail = nil
	}
	r.lastTime = max(r.lastTime, h.Time)
	if corrupt != nil {
		e.detail = &detail{corrupt: corrupt}
		e.pending.Store(0)
		r.window.push()
		r.window.signal()
		return nil
	}
	in := r.hits.rows.of(d, h.Time)
	e.pending.Store(1)
	r.timing.filled(tag)
	r.window.push()
	r.preparation.event(worker, &fex.Work{Index: e.ix, Bytes: n, Layout: layout, Time: h.Time, Tag: tag,
		Settings: r.steering.told(e.settings, ofScript)}, in)
	return nil
}

func sourceFailureOrNil(err error) error {
	if err == nil {
		return nil
	}
	return sourceFailure(err)
}

// errFull says that no worker has room, under --policy drop.
var errFull = errors.New("no slot is free")

// loan takes a slot of the least loaded worker that has one; among equals the workers take turns.
func (r *Run) loan(ctx context.Context) (int, pebble.Loan, error) {
	waited := time.Duration(-1)
	for {
		best, load := -1, 0
		for k := range r.group.Workers {
			i := (r.nextWorker + k) % len(r.group.Workers)
			ring := r.pool.Events[i]
			if ring.InUse() == ring.Slots() || r.group.Workers[i].Retired() || r.post.avoids(i) {
				continue
			}
			if l := r.preparation.load(i); best < 0 || l < load {
				best, load = i, l
			}
		}
		if best >= 0 {
			r.nextWorker = (best + 1) % len(r.group.Workers)
			loan, _ := r.pool.Events[best].TryLoan()
			if waited >= 0 {
				r.books.deadtime.Add(int64(r.world.Now() - waited))
			}
			return best, loan, nil
		}
		if r.cfg.Drop {
			return 0, pebble.Loan{}, errFull
		}
		now := r.world.Now()
		if waited >= 0 { // as it passes: a wait of seconds is no part of the last one
			r.books.deadtime.Add(int64(now - waited))
		}
		waited = now
		if err := ctx.Err(); err != nil {
			return 0, pebble.Loan{}, err
		}
		r.pool.Wait(waitTick)
	}
}

// transition gives a transition to all workers.
func (r *Run) transition(h source.Header) error {
	v, err := r.control.take(h.Service)
	if err != nil {
		return fail(SourceTrouble, err)
	}
	if err := r.imply(v, h.Time); err != nil {
		return err
	}
	loan, err := r.transitionSlot(h.Service)
	if err != nil {
		return err
	}
	n, err := r.source.Fill(&loan)
	if err != nil {
		loan.Abort()
		r.control.undo(v)
		return sourceFailure(err)
	}
	r.numberRun(h.Service, loan.Bytes()[:n])
	if h.Service == xtc.Configure {
		r.reload()
		r.forget()
		r.reloads.constants.Lock()
		n, err = r.calibration.configure(&loan, n)
		if err == nil {
			n, err = r.hits.configure(&loan, n)
		}
		r.reloads.constants.Unlock()
		if err == nil {
			n, err = r.steering.tellRings(&loan, n)
		}
		if err != nil {
			loan.Abort()
			r.control.undo(v)
			return err
		}
		if err := r.layouts.configure(loan.Bytes()[:n]); err != nil {
			loan.Abort()
			r.control.undo(v)
			return fail(SourceTrouble, fmt.Errorf("source: %w", err))
		}
	}
	return r.hand(&loan, n, h.Service, h.Time, v.deliver, false)
}

// follow moves the run control for an event, which may imply transitions.
func (r *Run) follow(id xtc.TransitionID, time uint64) error {
	if r.control.at == enabled {
		return nil
	}
	v, err := r.control.take(id)
	if err != nil {
		return fail(SourceTrouble, err)
	}
	return r.imply(v, time)
}

func (r *Run) imply(v verdict, time uint64) error {
	if v.oddity != "" {
		r.cfg.Log.Warn(v.oddity)
	}
	for _, id := range v.implied[:v.count] {
		if err := r.madeUp(id, time, true); err != nil {
			return err
		}
	}
	return nil
}

// madeUp hands on a transition that the source did not send.
func (r *Run) madeUp(id xtc.TransitionID, time uint64, implied bool) error {
	loan, err := r.transitionSlot(id)
	if err != nil {
		return err
	}
	loan.SetResident(0)
	xtc.PutDgramHeader(loan.Bytes(), time, xtc.EnvOf(id, 0), 0, 0, 0)
	return r.hand(&loan, xtc.DgramHeaderBytes, id, time, true, implied)
}

// transitionSlot waits for a slot, and until every worker has answered the transition before: a worker has one place
// for the result of a transition. With all that was before it answered, it is the moment for another text of the script.
func (r *Run) transitionSlot(id xtc.TransitionID) (pebble.Loan, error) {
	for r.awaited.Load() > 0 {
		r.transitionDone.Wait(waitTick)
		if err := r.hard.Err(); err != nil {
			return pebble.Loan{}, err
		}
	}
	r.swapped = r.reloads.boundary(id)
	for {
		if loan, ok := r.pool.Transitions.TryLoan(); ok {
			return loan, nil
		}
		r.pool.Wait(waitTick)
		if err := r.hard.Err(); err != nil {
			return pebble.Loan{}, err
		}
	}
}

func (r *Run) hand(loan *pebble.Loan, n int, id xtc.TransitionID, time uint64, deliver, implied bool) error {
	r.reloads.constants.Lock()
	n, err := r.calibration.transition(loan, n, id)
	if err == nil {
		err = r.hits.transition(id)
	}
	r.reloads.constants.Unlock()
	if err != nil {
		loan.Abort()
		return err
	}
	e, tag := r.window.next()
	e.service, e.time, e.implied, e.detail = id, time, implied, &detail{script: r.cfg.ScriptSHA256,
		loaded:   r.reloads.loaded(id, implied, r.swapped),
		received: r.books.received.Load(), dropped: r.books.dropped.Load(), constants: r.calibration.expected,
		published: r.calibration.published}
	r.mark(e)
	if id == xtc.Configure {
		r.steering.forget()
	}
	e.settings = r.steering.hold(r.books.received.Load())
	e.ix = loan.Seal(n)
	r.standing.generation.Store(r.calibration.generation)
	r.lastTime = max(r.lastTime, time)
	if !deliver {
		e.pending.Store(0)
		r.window.push()
		r.window.signal()
		return nil
	}
	workers := r.group.Workers
	e.detail.answers = make([]fex.Answer, len(workers))
	e.pending.Store(int32(len(workers)))
	r.awaited.Store(int32(len(workers)))
	if r.post != nil {
		r.awaited.Add(1)
	}
	if id == xtc.Configure { // and until it is known what the script has declared
		r.awaited.Add(1)
	}
	r.window.push()
	work := fex.Work{Index: e.ix, Bytes: n, Time: time, Tag: tag, Settings: r.steering.told(e.settings, ofScript)}
	for i := range workers {
		r.preparation.transition(i, &work, id, implied)
	}
	return nil
}

// closeRun shows the scripts the end of everything that is open. When we end the run and not the source, the closing
// transitions are recorded as well, stamped after the last datagram.
func (r *Run) closeRun() error {
	time := r.lastTime
	for _, id := range r.control.closing() {
		time++
		if err := r.madeUp(id, time, !r.early || id == xtc.Unconfigure); err != nil {
			return err
		}
	}
	return nil
}
