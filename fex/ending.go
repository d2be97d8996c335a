package fex

import (
	"errors"
	"time"
)

// finishTime is Config.FinishTime where nobody says otherwise.
const finishTime = 10 * time.Second

// ending is what a worker knows of the end of the run.
type ending struct {
	asked   bool
	at      time.Duration // when, in the time of the world
	before  uint64        // requests that had been made by then
	refuses bool          // no more events are tried
}

// errEnding ends a replacement that has nothing to do any more.
var errEnding = errors.New("fex: the run is to end")

// Finish tells that the run shall end: what the workers have is worked on, and transitions still come. But nobody waits
// long for a child that hangs: it is not replaced, nor is any that dies after some time. Who has no child any more is
// out of service.
func (g *Group) Finish() { g.end(false) }

// Refuse is Finish for a run that ends because its script kills: what a child has in hand is the last that is tried. All
// other events are answered as Unserved at once, and a child that dies now is not replaced.
func (g *Group) Refuse() { g.end(true) }

func (g *Group) end(refuse bool) {
	now := g.world.Now()
	for _, w := range g.Workers {
		w.mu.Lock()
		e := &w.ending
		if !e.asked {
			e.asked, e.at, e.before = true, now, w.queue.tail
		}
		e.refuses = e.refuses || refuse
		if e.refuses && w.starting != nil {
			w.starting.Kill()
		}
		w.mu.Unlock()
		w.wake.Set()
	}
}

// ends tells that the worker gets no other child in the place of one that died, or that we ended because it hung.
func (w *Worker) ends(hung bool) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	e := &w.ending
	return e.asked && (e.refuses || hung || w.world.Now() >= e.at+w.cfg.FinishTime)
}

// due is when a silent child is ended; w.mu is held. What ends a run or a part of it has all its time, since scripts
// write then what they gathered.
func (w *Worker) due() time.Duration {
	allowed, oldest := w.cfg.EventDeadline, w.queue.at(0)
	if oldest.kind == kindTransition {
		if allowed = w.cfg.TransitionDeadline; w.onTrust(oldest) {
			allowed = w.group.beginTime()
		}
	}
	due := time.Duration(w.progress.Load()) + allowed
	if e := &w.ending; e.asked {
		_, begins := opens[uint8(oldest.transition)]
		if e.refuses && oldest.kind == kindEvent || begins && w.queue.head < e.before {
			due = min(due, e.at+w.cfg.FinishTime)
		}
	}
	return due
}

// hurry ends a child that is to take a place in a run that should have ended; w.mu is held.
func (w *Worker) hurry(now time.Duration) {
	if e := &w.ending; e.asked && now >= e.at+w.cfg.FinishTime && w.starting != nil {
		w.starting.Kill()
	}
}

// refused takes the oldest requests out of the queue that are not tried any more, and answers them; w.mu is held.
func (w *Worker) refused(answers []Answer) []Answer {
	if !w.ending.refuses || w.queue.written > 0 {
		return answers
	}
	n := len(answers)
	for w.queue.len() > 0 && w.queue.at(0).kind == kindEvent {
		answers = append(answers, w.unserved("the run is to end: the event is not tried any more"))
	}
	if len(answers) > n {
		w.resume() // with a transition, or nothing
	}
	return answers
}

// unserved answers the oldest request as one that nobody works on; w.mu is held.
func (w *Worker) unserved(why string) Answer {
	r := w.queue.pop()
	w.load.Add(-1)
	return Answer{Tag: r.tag, Status: Unserved, Failure: &Failure{Type: "Crash", Message: why}}
}
