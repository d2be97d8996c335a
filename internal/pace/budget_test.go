package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

const ms = time.Millisecond

// steady is a supply of so many parts of a core.
func steady(cores float64) *Supply {
	return &Supply{Least: cores, Most: cores, Spare: func() (float64, bool) { return 0, true }}
}

// TestBudget: whatever is asked for, and whatever it takes, no more is used in any time than was saved by then, but for what was
// not guessed, which is made up for.
func TestBudget(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Budget{Supply: steady(0.01), Part: 1}
		c := Cost{Guess: 10*ms - Around}
		began, used := time.Now(), time.Duration(0)
		for i := range 100 {
			turn, mine := b.Await(t.Context(), &c)
			if saved := time.Since(began) + rest; !mine || (used+10*ms)*100 > saved+time.Microsecond {
				t.Fatalf("%d: %v after %v, having used %v", i, mine, time.Since(began), used)
			}
			turn.settle(10*ms - Around)
			used += 10 * ms
		}
		if took := time.Since(began); took > 100*time.Second {
			t.Errorf("took %v", took)
		}
		turn, _ := b.Await(t.Context(), &c)
		turn.settle(50*ms - Around) // more than was guessed
		began = time.Now()
		turn, _ = b.Await(t.Context(), &c)
		if got := time.Since(began); got != 3970*ms {
			t.Errorf("the next is let through after %v", got)
		}
		turn.settle(time.Minute) // as what is done once for all, of which four times what is usual is charged
		began = time.Now()
		if _, mine := b.Await(t.Context(), &c); !mine || time.Since(began) != 6940*ms { // two like it in a row are expected
			t.Errorf("the next but one is let through after %v", time.Since(began))
		}
	})
}

// TestRest: little is saved by who does nothing.
func TestRest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Budget{Supply: steady(0.01), Part: 1}
		b.Charge(0)
		time.Sleep(time.Hour)
		began := time.Now()
		for range 10 {
			if !b.Bear(t.Context(), ms) {
				t.Fatal("not let through")
			}
		}
		if got := time.Since(began); got != 900*ms {
			t.Errorf("10 ms after %v", got)
		}
	})
}

// TestGone: who leaves while he waits pays for having asked.
func TestGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &Budget{Supply: steady(0.01), Part: 1}
		ctx, cancel := context.WithTimeout(t.Context(), ms)
		defer cancel()
		if b.Do(ctx, &Cost{Guess: time.Second}, func() { t.Error("done") }) {
			t.Error("had his turn")
		}
		began := time.Now()
		if !b.Do(t.Context(), &Cost{}, func() {}) || time.Since(began) > Around*100 {
			t.Errorf("the next waited for %v", time.Since(began))
		}
		if !(*Budget)(nil).Do(ctx, nil, func() {}) || !(*Budget)(nil).Bear(ctx, time.Hour) {
			t.Error("without a budget one waits")
		}
		(*Budget)(nil).Charge(time.Hour)
	})
}

// TestParts: small answers do not wait for pictures, and take no more than their part; pictures get what others leave.
func TestParts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		all := NewThrift(steady(0.01))
		all.Pictures.Charge(time.Second) // which are 100 s
		began := time.Now()
		for range 20 {
			if !all.Answers.Bear(t.Context(), ms) || !all.Words.Bear(t.Context(), ms/2) {
				t.Fatal("not let through")
			}
		}
		if got := time.Since(began); got < 3800*ms || got > 4001*ms {
			t.Errorf("20 ms of answers, of half of a hundredth, took %v", got)
		}
		if !all.Pictures.Bear(t.Context(), ms) {
			t.Fatal("not let through")
		}
		if got := time.Since(began); got < 102*time.Second || got > 104*time.Second {
			t.Errorf("pictures have to wait for %v: what they have used and what others have", got)
		}
	})
}

// TestCost: the dearest of the last few, but for one that stands alone.
func TestCost(t *testing.T) {
	c := Cost{Guess: 1000}
	for i, step := range []struct{ used, charged, then time.Duration }{
		{3000, 3000, 1000}, {4000, 4000, 3000}, {2000, 2000, 2750}, {1e6, 11000, 2750}, {0, 0, 2063}} {
		if i == 0 && c.likely() != 1000 {
			t.Error("the guess is not used")
		}
		if charged := c.note(step.used); charged != step.charged || c.likely() != step.then {
			t.Errorf("%d: %d charged and %d to come, want %+v", i, charged, c.likely(), step)
		}
	}
}

// TestSpend: what a thread does is charged, to less than a tick of the system, and what it waits for is not.
func TestSpend(t *testing.T) {
	b := &Budget{Supply: steady(1), Part: 1}
	spend := func(work func()) time.Duration {
		c := &Cost{Guess: 100 * ms}
		b.Do(t.Context(), c, work)
		return time.Duration(c.last.Load())
	}
	waited := spend(func() { time.Sleep(10 * ms) })
	sum := 0
	worked := spend(func() {
		for began := threadTime(); threadTime()-began < 10*ms; {
			sum++
		}
	})
	if worked <= waited || worked < 9*ms {
		t.Errorf("%v for waiting and %v for %d rounds of work", waited, worked, sum)
	}
}
