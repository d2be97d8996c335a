package fex

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"drp/internal/world"
)

// transitionRetries is how often a transition is tried again at least: a run without it is none.
const transitionRetries = 3

// bury sees a child out that died, and takes note of the requests it had in hand. One that we ended for its size is no
// death of theirs.
func (w *Worker) bury(p Process, cause error) {
	p.Kill()
	p.Wait() // from here on it writes nothing into the results
	var size *SizeError
	ofSize := errors.As(cause, &size)
	death := &Death{Worker: w.id, PID: p.PID()}
	w.mu.Lock()
	inHand := w.queue.written
	for i := range inHand {
		r := w.queue.at(i)
		if ofSize {
			r.outgrown++
		} else {
			r.deaths = append(r.deaths, death)
		}
	}
	w.queue.written, w.held = 0, w.held[:0]
	// Alone in hand, it is the one that kills. Of several, each is suspect, and is tried by itself.
	guilty := false
	if inHand == 1 {
		r := w.queue.at(0)
		allowed := w.cfg.Retries
		if r.kind == kindTransition && !w.onTrust(r) {
			allowed = max(allowed, transitionRetries)
		}
		if w.cfg.HangOnce && r.transition == configure && errors.Is(cause, errTooLate) {
			allowed = 0 // it would only take as long again
		}
		guilty = ofSize && r.outgrown > allowed || !ofSize && len(r.deaths) > allowed
	}
	w.solo = w.queue.len() > 0
	w.mu.Unlock()
	report := func() {
		w.note(death, p.Obituary(cause))
		p.Close()
		w.cfg.Restarted(w.id, &DeathError{Death: *death, InHand: inHand})
	}
	switch {
	case !guilty:
		w.group.reports.Go(report) // its last words may take a second to come, and nobody waits for them
	case ofSize:
		report()
		w.giveUp(Failed, func(*request) *Failure { return &Failure{Type: "MemoryError", Message: size.Error()} })
	default:
		report()
		for !w.allNoted() { // a replacement may die before the last words of the one before have come
			w.noted.Wait(world.ForEver)
		}
		if !w.turnsBack(death) {
			w.giveUp(Crashed, w.crash)
		}
	}
}

// note fills in how a child died. Requests refer to it already.
func (w *Worker) note(death *Death, d Death) {
	w.mu.Lock()
	defer w.mu.Unlock()
	d.Worker, d.noted = w.id, true
	*death = d
	w.noted.Set()
}

// allNoted tells whether it is known how the children died that had the oldest request in hand.
func (w *Worker) allNoted() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return !slices.ContainsFunc(w.queue.at(0).deaths, func(d *Death) bool { return !d.noted })
}

// crash says why a request is given up that kills.
func (w *Worker) crash(r *request) *Failure {
	last := r.deaths[len(r.deaths)-1]
	f := &Failure{Type: "Crash", Message: last.Reason}
	if last.Line > 0 {
		f.File, f.Line = w.cfg.Script, last.Line
	}
	for _, d := range r.deaths {
		f.Deaths = append(f.Deaths, *d)
	}
	return f
}

// giveUp answers the oldest request, which no child could.
func (w *Worker) giveUp(status Status, why func(r *request) *Failure) {
	w.mu.Lock()
	r := w.queue.pop()
	w.load.Add(-1)
	w.tally()
	f := why(&r)
	if r.kind == kindTransition {
		w.failedAt(&r)
	}
	w.unrest.worked()
	w.solo = w.queue.len() > 0
	w.mu.Unlock()
	w.cfg.Answered(w.id, []Answer{{Tag: r.tag, Status: status, Failure: f}})
}

// replace brings another child to the present state and gives it the requests without an answer. It returns nil when
// the worker was closed or gets no child any more. A planned replacement is no death.
func (w *Worker) replace(planned, hung bool) Process {
	w.mu.Lock()
	w.recycle, w.dismissed, w.warned, w.wear = false, false, false, wear{quota: w.cfg.RecycleAfter}
	w.mu.Unlock()
	if !planned && w.unrest.died(w.world.Now(), w.cfg.MaxRestarts) {
		w.outOfService(fmt.Errorf("worker %d: its child died %d times within a minute", w.id, len(w.unrest.recent)))
		return nil
	}
	for attempt := 1; ; attempt++ {
		if pause := w.unrest.pause(w.world); pause > 0 {
			w.wait(pause)
		}
		if w.ends(hung) {
			w.outOfService(fmt.Errorf("worker %d: its child ended, and the run is to end: it is not replaced", w.id))
			return nil
		}
		p, err := w.bringUp(attempt == 1)
		var size *SizeError
		switch {
		case err == nil:
			return p
		case w.isClosed():
			return nil
		case errors.As(err, &size):
			w.outOfService(fmt.Errorf("worker %d: %w", w.id, err))
			return nil
		case attempt == startFailures && w.group.fallBack():
			w.log.Error("no child starts with the text of the script that was taken last: it is the one before from here on", "error", err)
			w.cfg.FellBack(err)
			attempt = 0
			continue
		case attempt == startFailures:
			w.outOfService(fmt.Errorf("worker %d: no child could be started %d times in a row: %w", w.id, attempt, err))
			return nil
		}
		w.log.Warn("a replacement child did not start", "error", err)
		w.unrest.deaths++
	}
}

// startFailures is how often in a row a replacement may fail to start.
const startFailures = 4

// wait waits, but not longer than a child is wanted.
func (w *Worker) wait(d time.Duration) {
	for until := w.world.Now() + d; !w.isClosed() && !w.ends(false); {
		left := until - w.world.Now()
		if left <= 0 {
			return
		}
		w.wake.Wait(left) // requests wake us, too
	}
}

// outOfService ends the work of a worker: with the policy to degrade and somebody left to do it, the run goes on. A run
// that is to end anyway goes on to its end.
func (w *Worker) outOfService(cause error) {
	w.mu.Lock()
	ending := w.ending.asked
	w.mu.Unlock()
	w.retired.Store(true)
	w.log.Error("the worker is out of service", "cause", cause)
	if others := w.group.retire(); ending || w.cfg.Degrade && others {
		w.cfg.Retired(w.id, cause)
		return
	}
	w.cfg.GaveUp(w.id, cause)
}

// errClosed ends a replacement that is not wanted any more.
var errClosed = errors.New("fex: the worker was closed")

// setStarting makes a child that is being brought up known to those who may want to end it; it fails when the worker
// was closed.
func (w *Worker) setStarting(p Process) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.starting = p
	return w.unwanted()
}

// unwanted says why no child shall take the place any more; w.mu is held.
func (w *Worker) unwanted() error {
	switch {
	case w.closed:
		return errClosed
	case w.ending.refuses:
		return errEnding
	}
	return nil
}

func (w *Worker) isClosed() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.closed
}

// bringUp makes a spare or a new child the worker's. When spares do not answer, others may not either.
func (w *Worker) bringUp(fromSpares bool) (Process, error) {
	if s := w.group.successor(w.id); s != nil {
		err := w.settle(s, true)
		if err == nil || w.isClosed() || w.ends(false) {
			return s.p, err
		}
		w.log.Warn("a child of another text of the script could not take the place", "error", err)
	}
	patience := w.world.Now() + attachTime
	for fromSpares && w.world.Now() < patience {
		s := w.group.spares.take()
		if s == nil {
			break
		}
		err := w.settle(s, true)
		if err == nil || w.isClosed() || w.ends(false) {
			return s.p, err
		}
		w.log.Warn("a spare child could not take the place", "error", err)
	}
	p, err := w.cfg.Start(w.log)
	if err != nil {
		return nil, err
	}
	return p, w.settle(&spare{p: p}, false)
}

// settle puts a child in its place, or ends it.
func (w *Worker) settle(s *spare, attach bool) error {
	err := w.introduce(s, attach)
	if p := s.p; err != nil {
		_ = w.setStarting(nil)
		p.HangUp() // a child that listens has more to say than one that is killed
		p.Wait()
		p.Close()
	}
	return err
}

func (w *Worker) introduce(s *spare, attach bool) error {
	p := s.p
	if err := w.setStarting(p); err != nil {
		return err
	}
	if !s.advanced {
		if err := w.bringForward(s, attach); err != nil {
			return err
		}
	}
	if err := w.cfg.tooLarge(p, "has only just begun"); err != nil {
		return err
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if err := w.unwanted(); err != nil {
		return err
	}
	w.progress.Store(int64(w.world.Now()))
	w.child, w.starting, w.edition = p, nil, s.edition
	if w.replaceOutdated(); w.child == nil {
		return nil
	}
	w.bringUpToDate(p)
	if w.solo {
		w.writeNextSolo()
	} else {
		w.resume()
	}
	return nil
}

// bringForward tells a child which worker it is, and shows it what holds.
func (w *Worker) bringForward(s *spare, attach bool) error {
	p := s.p
	if !attach {
		now := w.group.presentScript()
		s.edition = now.edition
		first := w.group.hello(w.place, now)
		if _, err := greet(w.world, p, first, w.cfg.GreetDeadline); err != nil {
			return err
		}
	}
	if attach {
		if err := w.promote(s); err != nil {
			return err
		}
	}
	defer overdue(w.world, p, w.group.beginTime())()
	now := w.group.presentScript()
	for _, k := range w.state.kept {
		if k.id == configure && s.shown.same(&k) || k.hides(now.text) {
			continue // a spare has seen it, or a child like this one could not take it
		}
		if err := replay(p, &k); err != nil {
			return err
		}
	}
	return nil
}

// promote tells a spare which worker it is. One that has not heard of the present text of the script yet begins anew with
// it, since that is the text the run goes by: it changes only where nothing is kept to be replayed. A spare has nothing
// else to do, so one that does not answer soon is of no use: another child is started sooner than it may come round.
func (w *Worker) promote(s *spare) error {
	defer overdue(w.world, s.p, attachTime)()
	if now := w.group.presentScript(); now.edition != s.edition {
		if err := sendScript(s.p, now.text); err != nil {
			return s.p.NotStarted(err)
		}
		s.edition, s.shown = now.edition, nil
	}
	text, err := json.Marshal(w.place)
	if err != nil {
		return err
	}
	return ask(s.p, record{kind: kindAttach, bytes: uint32(len(text))}, text)
}

// attachTime is what a spare gets to answer that it knows its place, which takes it some milliseconds.
const attachTime = 2 * time.Second

// bringUpToDate tells the worker's child the present text of the script, if it has another. A broken pipe is left to the
// reader.
func (w *Worker) bringUpToDate(p Process) {
	if now := w.group.presentScript(); now.edition != w.edition {
		_ = sendScript(p, now.text)
		w.edition = now.edition
	}
}

// refuse answers everything that a worker without a child has or gets, until it is closed, so that nobody waits for it.
func (w *Worker) refuse() {
	for {
		w.mu.Lock()
		var answers []Answer
		for w.queue.len() > 0 && !w.closed {
			answers = append(answers, w.unserved("the worker has no child any more"))
		}
		closed := w.closed
		w.mu.Unlock()
		if closed {
			return
		}
		if answers != nil {
			w.cfg.Answered(w.id, answers)
		}
		w.wake.Wait(world.ForEver)
	}
}
