package fex

import "fmt"

// wear is how a child bears its work: what it has done, and whether it still can.
type wear struct {
	answered int64 // events
	quota    int64 // events after which it is replaced; 0 is never
	worked   bool  // on an event, and well
	failures int   // in a row since
}

// failuresInARow is how many events a script that has worked may fail at one after the other, before it is tried whether
// a fresh child does better.
const failuresInARow = 50

// SizeError says that a child holds more memory than it may.
type SizeError struct {
	Held, Allowed int64 // bytes
	When          string
}

func (e *SizeError) Error() string {
	return fmt.Sprintf("fex: the script's process %s and holds %d MB, more than the %d MB allowed (--max-rss)", e.When,
		e.Held>>20, e.Allowed>>20)
}

// tooLarge is the error about a child that is too large before it has worked on anything: another would be no smaller.
func (cfg *Config) tooLarge(p Process, when string) error {
	if cfg.MaxResident > 0 {
		if held := p.Resident(); held > cfg.MaxResident {
			return &SizeError{Held: held, Allowed: cfg.MaxResident, When: when}
		}
	}
	return nil
}

// room is how many more records the child may be given before it is replaced; w.mu is held.
func (w *Worker) room() int {
	if w.wear.quota == 0 {
		return len(w.queue.ring)
	}
	return int(max(0, w.wear.quota-w.wear.answered-int64(w.queue.written)))
}

// bear takes note of what became of an event; w.mu is held. A child that has worked and now lacks memory or descriptors,
// or fails at everything, is replaced.
func (w *Worker) bear(a *Answer) {
	w.wear.answered++
	w.events++
	if a.Status <= Rejected {
		w.wear.worked, w.wear.failures = true, 0
		return
	}
	w.wear.failures++
	switch {
	case !w.wear.worked || w.recycle || w.child == nil:
	case a.Failure.Exhausted:
		w.log.Warn("the script's process has used up what the system gives it: it is replaced", "error", a.Failure.String())
		w.dismiss()
	case w.wear.failures >= failuresInARow:
		w.log.Warn(fmt.Sprintf("the script worked and then failed %d times in a row: its process is replaced",
			w.wear.failures), "error", a.Failure.String())
		w.recycle = true
	}
}

// dismiss ends a child that can do nothing any more. What it has in hand goes to the next one, and is no death of it.
func (w *Worker) dismiss() {
	w.recycle, w.dismissed = true, true
	w.child.Kill()
	w.child = nil // nobody writes any more; the reader sees the end
}

// look asks for the replacement of a child that holds too much memory. It waits until there is a spare, so that the
// replacement is short; only a child that has grown to twice the limit is not waited for.
func (w *Worker) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.cfg.MaxResident == 0 || w.child == nil || w.recycle || w.closed {
		return
	}
	held := w.child.Resident()
	switch {
	case held > 2*w.cfg.MaxResident:
		w.killed = &SizeError{Held: held, Allowed: w.cfg.MaxResident, When: "was ended: it has grown"}
		w.child.Kill()
	case held <= w.cfg.MaxResident || w.wear.answered == 0:
	case w.group.spares.wanted == 0 || w.group.spares.ready():
		w.log.Warn(fmt.Sprintf("the script's process holds %d MB, more than %d MB: it is replaced when it has answered",
			held>>20, w.cfg.MaxResident>>20))
		w.recycle = true
		w.recycleIfDue()
	}
}

// recycleIfDue lets a child go that shall be replaced and has nothing in hand; w.mu is held. What waits goes to the next
// one, one by one if it was so before.
func (w *Worker) recycleIfDue() {
	if w.wear.quota > 0 && w.wear.answered >= w.wear.quota {
		w.recycle = true
	}
	if w.recycle && w.queue.written == 0 && w.child != nil {
		w.child.HangUp()
		w.world.After(closeGrace, w.child.Kill)
		w.child = nil // nobody writes any more; the reader sees the end
	}
}
