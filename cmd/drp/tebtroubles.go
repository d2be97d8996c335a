package main

import (
	"fmt"
	"slices"
	"sync"

	"drp/control"
	"drp/teb"
)

// tebTroubles is what an operator should know of a trigger event builder that goes on, for run control.
type tebTroubles struct {
	b *builders

	mu     sync.Mutex // protects all below
	begun  decided    // as the run began
	script string     // what is wrong with the script, though the run goes on
}

// decided is how many events there were, and what became of some.
type decided struct{ events, failed, defaulted uint64 }

func (t *tebTroubles) total() (all decided) {
	t.b.mu.Lock()
	builders := slices.Clone(t.b.all)
	t.b.mu.Unlock()
	for _, b := range builders {
		books := b.Books()
		all.events += books.Events
		all.failed += books.Reasons[teb.ReasonFailed]
		all.defaulted += books.Defaulted
	}
	return all
}

// follow is for an order: what was before a run is not its trouble.
func (t *tebTroubles) follow(o control.Order) {
	if o.Name != "begin-run" {
		return
	}
	now := t.total()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.begun = now
}

// ofScript takes what is wrong with the trigger script, or that nothing is any more.
func (t *tebTroubles) ofScript(text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.script = text
}

func (t *tebTroubles) report() control.Report {
	now := t.total()
	t.mu.Lock()
	defer t.mu.Unlock()
	r := control.Report{Events: int64(now.events), Troubles: map[string]string{}}
	events := now.events - t.begun.events
	if n := now.failed - t.begun.failed; n > 0 {
		r.Troubles["trigger"] = fmt.Sprintf("the trigger failed on %d of %d events of this run, which get the default", n, events)
	}
	if n := now.defaulted - t.begun.defaulted; n > 0 {
		r.Troubles["decision"] = fmt.Sprintf("%d of %d events of this run were not decided in time, and get the default", n, events)
	}
	if t.script != "" {
		r.Troubles["trigger-script"] = t.script
	}
	t.b.settings.words(&r)
	return r
}
