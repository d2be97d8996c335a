package world

import (
	"container/heap"
	"fmt"
	"math/rand/v2"
	"runtime"
	"runtime/debug"
	"time"
)

// Simulated is a world in which one goroutine runs at a time. A goroutine goes on until it waits for a flag or ends; then
// chance says which of those that can go on is next. When none can, time jumps to the next moment at which something
// happens. The same seed gives the same run, as long as what runs in it asks nobody else for time, chance or order.
type Simulated struct {
	rng   *rand.Rand
	now   time.Duration
	ready []*task
	later moments
	count uint64 // of moments, which orders those at the same time
	steps uint64
	limit uint64
	yield chan struct{} // a task hands the world back
	run   *task
	tasks []*task // that have not ended
	ended bool
	death any // what a task panicked with
}

// task is a goroutine of a simulated world.
type task struct {
	resume chan bool // false: the world has ended, and the task with it
	index  int       // in tasks
}

// NewSimulated makes a world. It ends, as stuck, after so many steps.
func NewSimulated(seed, steps uint64) *Simulated {
	return &Simulated{rng: rand.New(rand.NewPCG(seed, 0x647270)), limit: steps, yield: make(chan struct{})}
}

// StuckError says that a simulated run did not come to its end.
type StuckError struct {
	Steps uint64
	Now   time.Duration
	Idle  bool // everybody waits for ever; else it was too many steps
}

func (e *StuckError) Error() string {
	if e.Idle {
		return fmt.Sprintf("after %d steps, at %v, everybody waits for ever", e.Steps, e.Now)
	}
	return fmt.Sprintf("after %d steps, at %v, it still goes on", e.Steps, e.Now)
}

// Run lets f and all that it starts run until f returns; what still waits then is ended where it stands. A panic in any
// of them ends the run, and goes on here.
func (s *Simulated) Run(f func()) error {
	done := false
	s.Go(func() { f(); done = true })
	var err error
	for !done && s.death == nil && err == nil {
		err = s.step()
	}
	s.ended = true
	for len(s.tasks) > 0 {
		s.tasks[len(s.tasks)-1].resume <- false
		<-s.yield
	}
	if s.death != nil {
		panic(s.death)
	}
	return err
}

// Jump lets time pass for everybody at once, as when the machine was suspended.
func (s *Simulated) Jump(d time.Duration) { s.now += d }

func (s *Simulated) step() error {
	s.steps++
	if s.steps > s.limit {
		return &StuckError{Steps: s.steps, Now: s.now}
	}
	for len(s.later) > 0 && (len(s.ready) == 0 || s.later[0].at <= s.now) {
		m := heap.Pop(&s.later).(*moment)
		if m.happen == nil {
			continue // it was called off
		}
		s.now = max(s.now, m.at)
		m.happen()
	}
	if len(s.ready) == 0 {
		return &StuckError{Steps: s.steps, Now: s.now, Idle: true}
	}
	i := s.rng.IntN(len(s.ready))
	t := s.ready[i]
	s.ready[i] = s.ready[len(s.ready)-1]
	s.ready = s.ready[:len(s.ready)-1]
	s.run = t
	t.resume <- true
	<-s.yield
	s.run = nil
	return nil
}

// Steps is how often somebody went on.
func (s *Simulated) Steps() uint64 { return s.steps }

// Now implements World.
func (s *Simulated) Now() time.Duration { return s.now }

// Chance implements World.
func (s *Simulated) Chance(n int64) int64 { return s.rng.Int64N(n) }

// Go implements World.
func (s *Simulated) Go(f func()) {
	t := &task{resume: make(chan bool), index: len(s.tasks)}
	s.tasks = append(s.tasks, t)
	s.ready = append(s.ready, t)
	go func() {
		defer func() {
			if p := recover(); p != nil && s.death == nil {
				s.death = fmt.Sprintf("%v\n\n%s", p, debug.Stack()) // the stack is gone when it goes on
			}
			last := s.tasks[len(s.tasks)-1]
			s.tasks[t.index], last.index = last, t.index
			s.tasks = s.tasks[:len(s.tasks)-1]
			s.yield <- struct{}{}
		}()
		if <-t.resume {
			f()
		}
	}()
}

// After implements World.
func (s *Simulated) After(d time.Duration, f func()) func() {
	m := s.at(d, func() { s.Go(f) })
	return func() { m.happen = nil }
}

// Sleep lets time pass for the caller.
func (s *Simulated) Sleep(d time.Duration) { s.NewFlag().Wait(max(d, 0)) }

func (s *Simulated) at(d time.Duration, f func()) *moment {
	s.count++
	m := &moment{at: s.now + d, order: s.count, happen: f}
	heap.Push(&s.later, m)
	return m
}

// NewFlag implements World.
func (s *Simulated) NewFlag() Flag { return &simFlag{world: s} }

type simFlag struct {
	world  *Simulated
	set    bool
	waiter *task
}

func (f *simFlag) Set() {
	f.set = true
	if t := f.waiter; t != nil {
		f.waiter = nil
		f.world.ready = append(f.world.ready, t)
	}
}

func (f *simFlag) Wait(atMost time.Duration) bool {
	s := f.world
	if s.ended {
		runtime.Goexit() // even out of what is deferred
	}
	t := s.run
	if t == nil {
		panic("world: a goroutine of another world waits")
	}
	if !f.set {
		if f.waiter != nil {
			panic("world: two wait for one flag")
		}
		f.waiter = t
		var late *moment
		if atMost >= 0 {
			late = s.at(atMost, func() {
				if f.waiter == t {
					f.waiter = nil
					s.ready = append(s.ready, t)
				}
			})
		}
		t.pause(s)
		if late != nil {
			late.happen = nil
		}
	}
	set := f.set
	f.set = false
	return set
}

// pause lets others go on, until it is this task's turn again. At the end of the world that never comes.
func (t *task) pause(s *Simulated) {
	s.yield <- struct{}{}
	if !<-t.resume {
		runtime.Goexit()
	}
}

// moment is something that happens at a time.
type moment struct {
	at     time.Duration
	order  uint64
	happen func()
}

type moments []*moment

func (m *moments) Len() int { return len(*m) }
func (m *moments) Less(i, k int) bool {
	a, b := (*m)[i], (*m)[k]
	return a.at < b.at || a.at == b.at && a.order < b.order
}
func (m *moments) Swap(i, k int) { (*m)[i], (*m)[k] = (*m)[k], (*m)[i] }
func (m *moments) Push(x any)    { *m = append(*m, x.(*moment)) }
func (m *moments) Pop() any {
	old := *m
	x := old[len(old)-1]
	*m = old[:len(old)-1]
	return x
}
