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
		w.mu.Lock()
		kept := slices.Clone(w.state.kept)
		w.mu.Unlock()
		var all []Shown
		for _, k := range kept {
			all = append(all, Shown{Service: k.id, Time: k.time, Dgram: k.dgram, Made: k.made})
		}
		return all
	}
	return nil
}

// Prepare warms up a child for each worker that has another text of the script and has taken the Configure that holds with
// it, one after the other, so that a Swap finds them ready. It returns at once. Only the latest text counts.
func (g *Group) Prepare(text []byte) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spares.discard()
	g.editions++
	g.next = &script{text: text, edition: g.editions}
	g.spares.wake.Set()
}

// Discard ends the children of a Prepare that no Swap will follow.
func (g *Group) Discard() {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.spares.discard()
	g.next = nil
	g.spares.wake.Set()
}

// Swap puts a child in the place of each that runs the text of the latest Prepare, and sees first what holds; the one before
// is hung up on. Nothing may be under way. Requests may come at once: they wait for the child.
func (g *Group) Swap() {
	g.mu.Lock()
	if g.next == nil {
		g.mu.Unlock()
		return
	}
	g.script, g.next = *g.next, nil
	g.oldest = g.script.edition
	g.spares.promoteAside()
	g.mu.Unlock()
	g.spares.wake.Set()
	for _, w := range g.Workers {
		w.mu.Lock()
		w.replaceOutdated()
		w.mu.Unlock()
	}
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
