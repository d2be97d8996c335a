package fex

import (
	"fmt"
	"time"
)

const (
	watchTick   = 100 * time.Millisecond
	memoryTick  = time.Second
	closeGrace  = 2 * time.Second        // what a child gets to end by itself once its requests are closed
	stackTime   = 200 * time.Millisecond // and to write its stacks before it is ended
	longAbsence = time.Second            // of the watch itself: the machine or this program stood still
)

// watch looks for children that are silent, too large, or due to be replaced.
func (g *Group) watch() {
	w := g.world
	last, memory := w.Now(), w.Now()
	for !g.stop.Wait(watchTick) {
		now := w.Now()
		absent := now - last - watchTick
		last = now
		for _, worker := range g.Workers {
			if absent > longAbsence {
				worker.progress.Add(int64(absent)) // nobody could make progress
			}
			worker.enforceDeadline(now)
		}
		if now-memory < memoryTick {
			continue
		}
		memory = now
		g.spares.look()
		for _, worker := range g.Workers {
			worker.look()
		}
	}
}

// enforceDeadline asks a child that is silent with work in hand for its stack, and ends it when it stays silent.
func (w *Worker) enforceDeadline(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child == nil || w.queue.written == 0 {
		return
	}
	soft, hard := w.cfg.SoftDeadline, w.cfg.EventDeadline
	if w.queue.at(0).kind == kindTransition {
		hard = w.cfg.TransitionDeadline
	}
	silent := now - time.Duration(w.progress.Load())
	switch {
	case w.killed != nil:
	case silent >= hard:
		w.killed = errTooLate
		p := w.child
		if w.warned {
			p.Kill()
			return
		}
		w.log.Error("no answer from the script: its stack follows, then it is ended and replaced", "seconds", silent.Seconds())
		p.DumpStack()
		w.world.After(stackTime, p.Kill)
	case soft > 0 && silent >= soft && !w.warned:
		w.warned = true
		w.log.Warn(fmt.Sprintf("no answer from the script yet: its stack follows; it is ended after %v", hard),
			"seconds", silent.Seconds())
		w.child.DumpStack()
	}
}

// look asks for the replacement of a child that holds too much memory or has worked long enough. It waits until there is
// a spare, so that the replacement is short; only a child that has grown to twice the limit is not waited for.
func (w *Worker) look() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child == nil || w.recycle || w.closed {
		return
	}
	due := w.cfg.RecycleAfter > 0 && w.answered >= w.cfg.RecycleAfter
	if w.cfg.MaxResident > 0 {
		held := w.child.Resident()
		if held > 2*w.cfg.MaxResident {
			w.killed = fmt.Errorf("fex: the Python child held %d MB and was ended", held>>20)
			w.child.Kill()
			return
		}
		if held > w.cfg.MaxResident && !due {
			due = true
			w.log.Warn(fmt.Sprintf("the script's process holds %d MB, more than %d MB: it is replaced when it has answered",
				held>>20, w.cfg.MaxResident>>20))
		}
	}
	if due && (w.group.spares.wanted == 0 || w.group.spares.ready()) {
		w.recycle = true
		w.recycleIfDue()
	}
}

// recycleIfDue lets a child go that shall be replaced and has nothing in hand.
func (w *Worker) recycleIfDue() {
	if w.recycle && w.queue.written == 0 && w.child != nil && !w.solo {
		w.child.HangUp()
		w.world.After(closeGrace, w.child.Kill)
		w.child = nil // nobody writes any more; the reader sees the end
	}
}
