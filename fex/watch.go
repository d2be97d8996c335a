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
	longAbsence = watchTick              // of the watch itself: the machine or this program stood still
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
				worker.excuse(absent, now)
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

// excuse takes the time that nobody could make progress in off the silence of a child, and off the time that a run has to
// end; one that was heard of since is not heard of in the future.
func (w *Worker) excuse(absent, now time.Duration) {
	w.progress.Store(min(w.progress.Load()+int64(absent), int64(now)))
	w.mu.Lock()
	w.ending.at = min(w.ending.at+absent, now)
	w.mu.Unlock()
}

// enforceDeadline asks a child that is silent with work in hand for its stack, and ends it when it stays silent.
func (w *Worker) enforceDeadline(now time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.hurry(now)
	if w.child == nil || w.queue.written == 0 {
		return
	}
	soft, due := w.cfg.SoftDeadline, w.due()
	silent := now - time.Duration(w.progress.Load())
	switch {
	case w.killed != nil:
	case now >= due:
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
		w.log.Warn(fmt.Sprintf("no answer from the script yet: its stack follows; it is ended in %v", (due-now).Round(watchTick)),
			"seconds", silent.Seconds())
		w.child.DumpStack()
	}
}
