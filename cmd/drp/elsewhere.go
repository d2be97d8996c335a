package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"sync"
	"time"

	"drp/watch"
)

// elsewhere is the status of a run of another process: of the one that this process watches. When that does not answer any more
// its last status stays, with what became of it as its state.
type elsewhere struct {
	mu       sync.Mutex // protects all below
	latest   watch.Status
	over     string    // what became of the run that was watched, as a state; empty while one is watched
	asked    time.Time // when the runs were asked
	answered time.Time // when this one has answered; zero before there was one
}

// Times of who asks a run of another process.
const (
	askOften = 500 * time.Millisecond // and how long one waits for an answer
	lostTime = 3 * time.Second        // without an answer
)

func (e *elsewhere) status() watch.Status {
	e.mu.Lock()
	defer e.mu.Unlock()
	if time.Since(e.asked) >= askOften {
		e.ask()
	}
	return e.latest
}

// watched is told that a run begins to be watched, or with an error why it is not any more.
func (e *elsewhere) watched(err error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	switch {
	case err == nil:
		e.over = ""
	case errors.Is(err, io.EOF):
		e.over = "ended"
		e.ask() // the books as they are in the end, where it is still there
	default:
		e.over = "lost"
	}
}

// ask asks all runs for the one that has this process among those who watch. One that ends has nobody there any more.
func (e *elsewhere) ask() {
	ctx, cancel := context.WithTimeout(context.Background(), askOften)
	defer cancel()
	all, _ := (&lookFlags{}).find(ctx, nil) // none is one that does not answer
	e.asked = time.Now()
	found := false
	for _, s := range all {
		s.client.Close()
		here := slices.ContainsFunc(s.status.Consumers, func(c watch.Consumer) bool { return c.PID == os.Getpid() })
		if here || !found && s.status.PID == e.latest.PID {
			e.latest, e.answered, found = *s.status, e.asked, true
		}
	}
	switch {
	case found:
	case e.answered.IsZero():
		e.latest = (&onlookers{flags: &watchFlags{}}).status()
	case e.over != "" && e.latest.State != "ended":
		e.end(e.over)
	case e.latest.State != "ended" && time.Since(e.answered) > lostTime:
		e.end("lost")
	}
}

// end notes what became of the run, and of its workers where that is known.
func (e *elsewhere) end(state string) {
	e.latest.State = state
	if state != "ended" {
		return
	}
	e.latest.Workers = slices.Clone(e.latest.Workers) // who has asked before still has the others
	for i := range e.latest.Workers {
		e.latest.Workers[i].State = state
	}
}
