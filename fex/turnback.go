package fex

import "time"

// A text of the script that a Swap brought has been tried, but only with what held then. When it kills a child at each try of
// a later BeginRun or BeginStep, all workers go back to the text before, and that text is shown the transition. This can be
// done there alone: the transition before it has been answered by all, so nobody has events in hand, and another transition comes
// before the next ones. Such a text has less time for what begins, too, since everybody waits for it.

// The transitions that a text can be given up for.
const (
	beginRun  = 4
	beginStep = 6
)

// onTrust tells whether a request is for a text that another one stands behind; w.mu may be held.
func (w *Worker) onTrust(r *request) bool {
	return r.kind == kindTransition && (r.transition == beginRun || r.transition == beginStep) && w.group.backed()
}

// backed tells whether there is a text to go back to.
func (g *Group) backed() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.before != nil
}

// outdated tells whether the latest child runs a text that the workers have left.
func (w *Worker) outdated() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.edition < w.group.oldestText()
}

// beginTime is how long a child may take for what begins something.
func (g *Group) beginTime() time.Duration {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.before != nil {
		return g.patience
	}
	return g.cfg.TransitionDeadline
}

// turnBack lets all workers go back to the text before the latest Swap, once. What a child of the other has in hand goes to the
// next one.
func (g *Group) turnBack(cause error) {
	g.mu.Lock()
	if g.before == nil {
		g.mu.Unlock()
		return
	}
	g.goBack()
	g.oldest = g.script.edition
	g.mu.Unlock()
	g.spares.wake.Set()
	g.cfg.Log.Error("no child can begin with the text of the script that was taken last: all workers use the one before from here on",
		"error", cause)
	g.cfg.FellBack(cause)
	for _, w := range g.Workers {
		w.mu.Lock()
		w.leaveText()
		w.mu.Unlock()
	}
}

// goBack makes the text before that of all children to come; g.mu is held.
func (g *Group) goBack() {
	g.editions++
	g.script, g.before = script{text: g.before.text, edition: g.editions}, nil
	g.spares.edition = g.editions
}

// leaveText ends a child of a text that is left, whatever it has in hand; w.mu is held.
func (w *Worker) leaveText() {
	if w.child == nil || w.closed || w.edition >= w.group.oldestText() {
		return
	}
	if w.queue.written > 0 {
		w.dismiss()
		return
	}
	w.replaceOutdated()
}

// turnsBack tells whether the request that killed is to be tried with the text before.
func (w *Worker) turnsBack(death *Death) bool {
	w.mu.Lock()
	r := w.queue.at(0)
	onTrust := w.onTrust(r)
	w.mu.Unlock()
	if onTrust {
		w.group.turnBack(&DeathError{Death: *death, InHand: 1})
	}
	if !w.outdated() {
		return false
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	r.deaths = nil
	return true
}
