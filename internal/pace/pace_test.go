package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: a few at once, then one after the other, and a few again after a while; who has gone is not waited for.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pace{Few: 3, Gap: 10 * time.Millisecond}
		turns := func(want ...int) {
			t.Helper()
			for i, w := range want {
				if got := max(0, time.Until(p.Turn())); got != time.Duration(w)*time.Millisecond {
					t.Errorf("turn %d is in %v, want %v ms", i, got, w)
				}
			}
		}
		turns(0, 0, 0, 0, 10, 20, 30)
		if p.Now() {
			t.Error("one goes at once, before those who wait")
		}
		time.Sleep(45 * time.Millisecond)
		turns(0)
		time.Sleep(time.Hour)
		if !p.Now() {
			t.Error("none goes after an hour")
		}
		turns(0, 0, 0, 10)
		began := time.Now()
		if !p.Wait(t.Context()) || time.Since(began) != 20*time.Millisecond {
			t.Errorf("waited for %v", time.Since(began))
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.Wait(ctx) {
			t.Error("who has gone had his turn")
		}
	})
}

// TestBudget: whatever is asked for, its share of the time is used, but for what a rest makes up for.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := Budget{Share: 20, Credit: 300 * time.Millisecond, Guess: time.Millisecond}
		for i, want := range []time.Duration{0, 300 * time.Millisecond, 600 * time.Millisecond} {
			if b.Charge(15 * time.Millisecond); b.After() != want {
				t.Errorf("%d: nothing for %v, want %v", i, b.After(), want)
			}
		}
		time.Sleep(time.Hour)
		if b.Charge(15 * time.Millisecond); b.After() != 0 {
			t.Errorf("after an hour, nothing for %v", b.After())
		}
		began := time.Now()
		for range 100 {
			if !b.Wait(t.Context()) {
				t.Fatal("not its turn")
			}
			b.Charge(9 * time.Millisecond)
		}
		if took := time.Since(began); took != 99*200*time.Millisecond {
			t.Errorf("100 requests of 10 ms took %v", took)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if b.Wait(ctx) {
			t.Error("who has gone had his turn")
		}
		if (*Budget)(nil).After() != 0 || !(*Budget)(nil).Wait(ctx) {
			t.Error("without a budget one waits")
		}
	})
}

// TestSpend: what a thread does is charged, to less than a tick of the system, and what it waits for is not.
func TestSpend(t *testing.T) {
	b := Budget{Share: 1 << 20}
	b.Spend(func() { time.Sleep(10 * time.Millisecond) })
	waited := b.After()
	b.free = time.Time{}
	sum := 0
	b.Spend(func() {
		for began := threadTime(); threadTime()-began < 10*time.Millisecond; {
			sum++
		}
	})
	if worked := b.After(); worked <= waited || worked < 9*time.Millisecond<<20 {
		t.Errorf("%v for waiting and %v for %d rounds of work", waited, worked, sum)
	}
}
