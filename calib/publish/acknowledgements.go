package publish

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"drp/internal/world"
)

// Acknowledgements notes which generation each worker holds. One is for one detector.
type Acknowledgements struct {
	w       world.World
	changed world.Flag

	mu   sync.Mutex // protects held; nobody waits while he has it
	held map[string]uint64
}

// MissingError names the workers that do not hold a generation when they should.
type MissingError struct {
	Generation uint64
	Workers    []string
	After      time.Duration
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("calib: after %v generation %d of the constants is missing in %s", e.After, e.Generation,
		strings.Join(e.Workers, ", "))
}

// NewAcknowledgements begins with workers that hold nothing.
func NewAcknowledgements(w world.World, workers ...string) *Acknowledgements {
	a := &Acknowledgements{w: w, changed: w.NewFlag(), held: map[string]uint64{}}
	for _, name := range workers {
		a.held[name] = 0
	}
	return a
}

// Join adds a worker, or one that was started anew: it holds nothing until it says so.
func (a *Acknowledgements) Join(worker string) { a.note(func() { a.held[worker] = 0 }) }

// Leave removes a worker, for which nobody waits any more.
func (a *Acknowledgements) Leave(worker string) { a.note(func() { delete(a.held, worker) }) }

// Held is what a worker says when it has attached a generation. Of one that has left it means nothing.
func (a *Acknowledgements) Held(worker string, generation uint64) {
	a.note(func() {
		if _, known := a.held[worker]; known {
			a.held[worker] = generation
		}
	})
}

func (a *Acknowledgements) note(change func()) {
	a.mu.Lock()
	change()
	a.mu.Unlock()
	a.changed.Set()
}

// Wait returns when all workers hold this very generation, or with a *MissingError after atMost. Only one may wait at a
// time.
func (a *Acknowledgements) Wait(generation uint64, atMost time.Duration) error {
	deadline := a.w.Now() + atMost
	for {
		missing := a.missing(generation)
		if len(missing) == 0 {
			return nil
		}
		left := deadline - a.w.Now()
		if left <= 0 {
			return &MissingError{generation, missing, atMost}
		}
		a.changed.Wait(left)
	}
}

func (a *Acknowledgements) missing(generation uint64) (names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, name := range slices.Sorted(maps.Keys(a.held)) {
		if a.held[name] != generation {
			names = append(names, name)
		}
	}
	return names
}
