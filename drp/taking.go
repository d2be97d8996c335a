package drp

import (
	"fmt"
	"time"

	"drp/watch"
	"drp/xtc"
)

// boundary takes what was tried, before a transition from which on it can be used: nothing is under way then. It tells
// whether other texts are used from there on.
func (l *reloads) boundary(id xtc.TransitionID) bool {
	n, fell := l.due(id)
	if n == nil {
		return fell
	}
	err := l.advance(n)
	if err != nil {
		n.discard()
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err != nil {
		l.taking = nil
		if l.r.soft.Err() == nil { // else it is only too late
			l.refuse(err)
		}
		return fell
	}
	l.use(n.texts, n.changed)
	l.outcomes.Used++
	n.taken = true
	l.r.forget() // the other text may ask for less
	for i, g := range l.r.groups() {
		if n.changed[i] {
			g.Swap(n.ready[i])
			l.r.cfg.Log.Info(fmt.Sprintf("script %s: another text is used from this %v on, SHA-256 %s, generation %d", n.texts[i].path, id,
				n.texts[i].sha256, l.generation))
		}
	}
	return true
}

// due gives what is taken before a transition, nil if nothing is, and whether a worker has fallen back.
func (l *reloads) due(id xtc.TransitionID) (n *upcoming, fell bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if id == xtc.BeginRun {
		l.begun++
	}
	if id != xtc.BeginRun && id != xtc.BeginStep && id != xtc.Enable {
		return nil, false
	}
	texts := l.used
	for i, t := range l.fallen {
		if t != nil {
			texts[i], fell = *t, true
		}
	}
	if l.fallen = [2]*text{}; fell {
		why := l.refused
		l.use(texts, [2]bool{true, true})
		l.refused = why
		l.now.Store(l.next != nil && l.next.now) // it is told here
	}
	if n = l.next; n == nil || id == xtc.Enable && !n.now {
		return nil, fell
	}
	l.next, l.taking = nil, n
	l.now.Store(false)
	return n, fell
}

// advance brings the children to where the run is, before anything is changed.
func (l *reloads) advance(n *upcoming) error {
	for i, p := range n.ready {
		if p == nil {
			continue
		}
		if err := p.Advance(l.r.soft); err != nil {
			return n.cannotBegin(i, err)
		}
	}
	return nil
}

// warm starts the children, and waits until all have run the text up to where it waits for its first run.
func (l *reloads) warm(n *upcoming) (err error) {
	for i, g := range l.r.groups() {
		if !n.changed[i] {
			continue
		}
		if n.ready[i], err = g.Prepare(l.over, n.texts[i].bytes, l.patience(n.slowest[i])); err != nil {
			n.discard()
			return n.cannotBegin(i, err)
		}
	}
	return nil
}

// patience is how long the run waits for a text at a transition that begins something: as for an event, unless the trial took long.
func (l *reloads) patience(slowest time.Duration) time.Duration {
	return max(l.r.cfg.EventDeadline, 2*slowest)
}

func (n *upcoming) cannotBegin(which int, err error) error {
	return fmt.Errorf("script %s: the trial went well, but a worker's new process cannot begin: %w", n.texts[which].path, reasonOf(err))
}

func (n *upcoming) discard() {
	if n == nil {
		return
	}
	for i, p := range n.ready {
		if p != nil {
			p.Discard()
		}
		n.ready[i] = nil
	}
}

// refuse takes note of why a text is not used; l.mu is held.
func (l *reloads) refuse(err error) {
	l.refused = err.Error()
	l.outcomes.Refused++
	l.r.cfg.Log.Error(fmt.Sprintf("another text of the script was asked for and is not taken, the run goes on with the one before: %v", err))
}

// fellBack tells that the last worker of a group runs the text before the one that was taken last, with which no child starts any
// more. The dispatcher is the one who notes it, before the next event.
func (l *reloads) fellBack(which int, cause error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	back := l.former[which]
	l.fallen[which] = &back
	l.refused = fmt.Sprintf("script %s: it was used, and then no process could begin with it: %v", back.path, reasonOf(cause))
	l.outcomes.FellBack++
	l.now.Store(true)
}

// tell puts what is known into a status.
func (l *reloads) tell(s *watch.Status) {
	l.mu.Lock()
	defer l.mu.Unlock()
	s.Loaded = watch.Loaded{SHA256: l.used[0].sha256, PostSHA256: l.used[1].sha256, Generation: l.generation, Time: l.since, Refused: l.refused,
		Reloads: l.outcomes}
	n := l.next
	if l.takes() {
		n = l.taking
	}
	if n != nil {
		s.Loaded.Next = &watch.NextScript{SHA256: n.texts[0].sha256, PostSHA256: n.texts[1].sha256, State: l.state(n)}
	}
}

// takes tells whether workers are about to use another text; l.mu is held.
func (l *reloads) takes() bool {
	if l.taking == nil || !l.taking.taken {
		return l.taking != nil
	}
	for _, g := range l.r.groups() {
		if !g.Swapped() && l.r.finished.Load() == 0 {
			return true
		}
	}
	l.taking = nil
	return false
}
