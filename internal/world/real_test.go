package world_test

import (
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/internal/world"
)

const moment = 20 * time.Millisecond

func TestRealFlag(t *testing.T) {
	w := world.Real()
	f := w.NewFlag()
	if f.Wait(0) || f.Wait(moment) {
		t.Error("a flag that nobody has set is set")
	}
	f.Set()
	f.Set()
	if !f.Wait(moment) {
		t.Error("what was set before the wait is lost")
	}
	if f.Wait(moment) {
		t.Error("set twice is set again")
	}
	began := w.Now()
	w.Go(func() { time.Sleep(moment); f.Set() })
	if !f.Wait(time.Hour) || w.Now()-began > testkit.Patience {
		t.Error("the waiter was not woken")
	}
	w.Go(func() { time.Sleep(moment); f.Set() })
	if !f.Wait(world.ForEver) {
		t.Error("a wait for ever ended by itself")
	}
}

// TestRealFlagWaitAllocatesNothing once it has a timer: the collector waits for each event.
func TestRealFlagWaitAllocatesNothing(t *testing.T) {
	f := world.Real().NewFlag()
	if n := testing.AllocsPerRun(100, func() { f.Set(); f.Wait(time.Second); f.Wait(time.Microsecond) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRealAfter(t *testing.T) {
	testkit.NoLeaks(t)
	w := world.Real()
	done := w.NewFlag()
	var called atomic.Int32
	stop := w.After(moment, func() { called.Add(1); done.Set() })
	if !done.Wait(testkit.Patience) {
		t.Fatal("it did not happen")
	}
	stop() // too late, and no harm
	w.After(moment, func() { called.Add(1) })()
	time.Sleep(3 * moment)
	if called.Load() != 1 {
		t.Errorf("it happened %d times, want once", called.Load())
	}
}

func TestRealTimeAndChance(t *testing.T) {
	w := world.Real()
	last := w.Now()
	for range 1000 {
		now := w.Now()
		if now < last {
			t.Fatalf("%v comes after %v", now, last)
		}
		last = now
		if c := w.Chance(3); c < 0 || c > 2 {
			t.Fatalf("chance of 3 gives %d", c)
		}
	}
}

func TestJoin(t *testing.T) {
	testkit.NoLeaks(t)
	j := world.NewJoin(world.Real())
	j.Wait() // nothing runs
	var done atomic.Int32
	for round := range int32(3) { // it can be used again
		for range 50 {
			j.Go(func() {
				time.Sleep(moment / 10)
				done.Add(1)
			})
		}
		if j.Wait(); done.Load() != 50*(round+1) {
			t.Errorf("round %d: Wait returned after %d", round, done.Load())
		}
	}
}
