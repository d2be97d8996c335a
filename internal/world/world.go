// Package world is what the pipeline needs of the machine around it: time, waiting, goroutines and chance. The real one
// is the operating system's; the simulated one runs everything in one goroutine at a time, in an order and at times
// that one seed decides, so that a run can be repeated exactly.
//
// What runs in a World waits only by Flags. It may take mutexes, but must hold none while it waits.
package world

import (
	"math/rand/v2"
	"sync"
	"time"
)

// World is time, waiting, goroutines and chance.
type World interface {
	// Now is the time since the world began. It never jumps, whatever the clock of the machine does.
	Now() time.Duration
	// Go runs f beside the caller.
	Go(f func())
	// NewFlag makes a flag that is not set.
	NewFlag() Flag
	// After runs f beside the others when d has passed, unless it was stopped before.
	After(d time.Duration, f func()) (stop func())
	// Chance is a number from 0 to n-1.
	Chance(n int64) int64
}

// Flag wakes one waiter. Setting it before anybody waits is not lost, setting it twice is as good as once.
type Flag interface {
	Set()
	// Wait returns true when the flag was set, and takes it down; or false after a time, if that is not negative. Only
	// one may wait at a time.
	Wait(atMost time.Duration) bool
}

// ForEver is a time that does not end a Wait.
const ForEver time.Duration = -1

// Real is the operating system's world.
func Real() World { return realWorld{time.Now()} }

type realWorld struct{ began time.Time }

func (w realWorld) Now() time.Duration { return time.Since(w.began) }
func (realWorld) Go(f func())          { go f() }
func (realWorld) NewFlag() Flag        { return &realFlag{set: make(chan struct{}, 1)} }
func (realWorld) Chance(n int64) int64 { return rand.Int64N(n) }
func (realWorld) After(d time.Duration, f func()) func() {
	t := time.AfterFunc(d, f)
	return func() { t.Stop() }
}

type realFlag struct {
	set   chan struct{}
	timer *time.Timer // of the one waiter, kept so that waiting allocates nothing
}

func (f *realFlag) Set() {
	select {
	case f.set <- struct{}{}:
	default:
	}
}

func (f *realFlag) Wait(atMost time.Duration) bool {
	if atMost < 0 {
		<-f.set
		return true
	}
	if f.timer == nil {
		f.timer = time.NewTimer(atMost)
	} else {
		f.timer.Reset(atMost)
	}
	defer f.timer.Stop()
	select {
	case <-f.set:
		return true
	case <-f.timer.C:
		return false
	}
}

// Join runs functions beside the caller and waits for all of them.
type Join struct {
	w    World
	mu   sync.Mutex
	left int
	done Flag
}

// NewJoin makes a Join in which nothing runs.
func NewJoin(w World) *Join { return &Join{w: w, done: w.NewFlag()} }

// Go runs f beside the caller.
func (j *Join) Go(f func()) {
	j.mu.Lock()
	j.left++
	j.mu.Unlock()
	j.w.Go(func() {
		defer func() {
			j.mu.Lock()
			j.left--
			j.mu.Unlock()
			j.done.Set()
		}()
		f()
	})
}

// Wait returns when all have returned. Only one may wait.
func (j *Join) Wait() {
	for {
		j.mu.Lock()
		left := j.left
		j.mu.Unlock()
		if left == 0 {
			return
		}
		j.done.Wait(ForEver)
	}
}
