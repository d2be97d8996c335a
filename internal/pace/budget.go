package pace

import (
	"context"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Budget is what may be used of a core, measured as time of the processor: one in Share seconds, and a little more after a rest.
// Its fields are set before it is used. A nil one lets all through.
type Budget struct {
	Share  int
	Credit time.Duration // of rest that is made up for
	Guess  time.Duration // of what is waited for, until it is known, and for what is done around it

	mu   sync.Mutex // protects free
	free time.Time  // from which on something may be done
}

// After says for how long nothing may be done.
func (b *Budget) After() time.Duration {
	if b == nil {
		return 0
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return time.Until(b.free)
}

// Charge notes what was used, and gives the moment from which that was free.
func (b *Budget) Charge(used time.Duration) (from time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	from = b.free
	if earliest := time.Now().Add(-b.Credit); from.Before(earliest) {
		from = earliest
	}
	b.free = from.Add(time.Duration(b.Share) * used)
	return from
}

// Spend does something and notes what it took of the processor.
func (b *Budget) Spend(work func()) {
	if b == nil {
		work()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	work()
	b.Charge(threadTime() - began)
}

// threadTime is what this thread has taken of the processor, to the nanosecond: what a Rusage says is of the last tick.
func threadTime() time.Duration {
	var used unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used) != nil {
		return 0
	}
	return time.Duration(used.Nano())
}

// Wait returns when it is the turn of whoever asks, and charges the guess, so that those who wait come one after the other; false
// when the context has ended before.
func (b *Budget) Wait(ctx context.Context) bool {
	return b == nil || Until(ctx, b.Charge(b.Guess))
}
