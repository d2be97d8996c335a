package fex

import "slices"

// Shown is a transition that holds, as the children were shown it.
type Shown struct {
	Service uint8
	Time    uint64
	Dgram   []byte
	Made    []byte // blocks that the script made of it, of a Configure
}

// Present gives the transitions that a child must be shown to be where the others are, in their order. It may be called at
// any time; what it gives is not changed.
func (g *Group) Present() []Shown {
	for _, w := range g.Workers {
		if w.Retired() {
			continue
		}
		var all []Shown
		for _, k := range w.holds() {
			all = append(all, Shown{Service: k.id, Time: k.time, Dgram: k.dgram, Made: k.made})
		}
		return all
	}
	return nil
}

// holds gives the transitions that the worker's child must have seen.
func (w *Worker) holds() []keptTransition {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.state.kept)
}

// Swap puts children that have advanced in the place of those that work, which are hung up on. Nothing may be under way, and
// nothing may have been since they advanced. Requests may come at once: they wait for the child.
func (g *Group) Swap(p *Prepared) {
	g.mu.Lock()
	g.editions++ // now, and not in Prepare: the workers may have gone back to another text since
	p.script.edition = g.editions
	for _, s := range p.children {
		if s != nil {
			s.edition = g.editions
		}
	}
	before := g.script
	g.before, g.script, g.oldest, g.patience = &before, p.script, p.script.edition, p.patience
	g.spares.edition = g.oldest // it has taken the Configure that holds
	left := g.successors
	g.successors = p.children
	g.mu.Unlock()
	endAll(left)
	g.spares.wake.Set()
	for _, w := range g.Workers {
		w.mu.Lock()
		w.replaceOutdated()
		w.mu.Unlock()
	}
}

// Swapped tells whether all workers that are in service have a child of the latest Swap, or of a text since.
func (g *Group) Swapped() bool {
	oldest := g.oldestText()
	for _, w := range g.Workers {
		w.mu.Lock()
		uses := w.child != nil && w.edition >= oldest
		w.mu.Unlock()
		if !uses && !w.Retired() {
			return false
		}
	}
	return true
}

// successor gives the child that a Swap has for a worker, once; nil if there is none.
func (g *Group) successor(worker int) *spare {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.successors == nil {
		return nil
	}
	s := g.successors[worker]
	g.successors[worker] = nil
	return s
}

// fallBack goes back to the text before the latest Swap, for the last worker of all when no child starts with that one: so no
// other works with the text that is left. It tells whether it did.
func (g *Group) fallBack() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.before == nil || g.serving > 1 {
		return false
	}
	g.goBack()
	return true
}

// replaceOutdated lets a child go that runs a text which was swapped; w.mu is held.
func (w *Worker) replaceOutdated() {
	if w.child == nil || w.closed || w.edition >= w.group.oldestText() {
		return
	}
	w.recycle = true
	w.recycleIfDue()
}

// oldestText is the edition of the script that a child must run at least.
func (g *Group) oldestText() int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.oldest
}
