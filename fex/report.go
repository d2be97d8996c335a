package fex

import "time"

// Report is how a worker is doing, since the group was started.
type Report struct {
	PID      int // 0 while it has no child
	Waiting  int // requests without an answer
	InHand   int // that its child was given, of these
	Events   int64
	Busy     time.Duration // during which requests had no answer
	Restarts int64         // of children that died
	Recycled int64         // children that were replaced as planned
	Retired  bool
}

// Report asks a worker. It may be called at any time.
func (g *Group) Report(worker int) Report {
	w := g.Workers[worker]
	w.mu.Lock()
	defer w.mu.Unlock()
	r := Report{Waiting: w.Load(), InHand: w.queue.written, Events: w.events, Busy: w.busy, Restarts: w.deaths,
		Recycled: w.replaced, Retired: w.Retired()}
	if w.child != nil {
		r.PID = w.child.PID()
	}
	if w.queue.len() > 0 {
		r.Busy += w.world.Now() - w.since
	}
	return r
}

// tally counts the time since the queue was last looked at, during which it was not empty; it gives the time. w.mu is held.
func (w *Worker) tally() time.Duration {
	now := w.world.Now()
	w.busy, w.since = w.busy+now-w.since, now
	return now
}
