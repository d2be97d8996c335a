package pace

import (
	"context"
	"math"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Budget is what may be used of a core, as time of the processor. Whoever wants something waits until what that is likely to take has
// been saved, one after the other; so there are no debts that would be paid when he has gone. What is used by a part of a budget, which
// has its own queue, is taken from the whole, too, where it waits for nobody. The fields are set before it is used. A nil one lets all
// through at once.
type Budget struct {
	Supply *Supply
	Part   float64 // of the supply
	Of     *Budget // the whole; nil where this is it

	mu    sync.Mutex // protects all below
	seen  time.Time
	rate  float64 // seconds of the processor in a second, from then on
	had   float64 // seconds of the processor until then, since the start
	given float64 // of these, and of those to come, what was promised
}

// rest is how long is saved while nobody wants anything.
const rest = 100 * time.Millisecond

// Around is charged with everything that is done: what the system and the scheduler of Go do for it on other threads. It was measured as what a
// process took beyond what its threads were charged.
const Around = 100 * time.Microsecond

// Cost is what something of a kind is likely to take: what the dearest of the last few took, but for one that stands alone; and before it is
// known what is guessed.
type Cost struct {
	Guess time.Duration
	usual atomic.Int64 // 0 is not known
	last  atomic.Int64
}

// unusual is how many times what is usual the most is that is charged for one thing. What takes longer was done for the first time, as the
// tables of constants are made: where processors are full, a picture after that would be waited for for a minute.
const unusual = 4

func (c *Cost) likely() time.Duration {
	if usual := c.usual.Load(); usual > 0 {
		return time.Duration(usual)
	}
	return c.Guess
}

// note takes what one took, and gives what is charged for it.
func (c *Cost) note(used time.Duration) (charged time.Duration) {
	const few = 4
	usual := c.likely()
	charged = min(used, unusual*max(usual, c.Guess))
	expected := min(charged, max(usual, time.Duration(c.last.Swap(int64(charged)))))
	c.usual.Store(int64(max(expected, usual-(usual-expected)/few)))
	return charged
}

// Charge takes something that is done anyway.
func (b *Budget) Charge(used time.Duration) {
	if b != nil {
		b.promise(used)
	}
}

// promise gives the moment, in seconds of the processor, at which so much has been saved.
func (b *Budget) promise(cost time.Duration) (due float64) {
	if b.Of != nil {
		b.Of.promise(cost)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass()
	b.given = max(b.given, b.had-rest.Seconds()*b.rate) + cost.Seconds()
	return b.given
}

// pass takes account of the time since it was looked at.
func (b *Budget) pass() {
	now := time.Now()
	if !b.seen.IsZero() {
		b.had += b.rate * now.Sub(b.seen).Seconds()
	}
	fresh := b.seen.IsZero()
	b.seen, b.rate = now, b.Part*b.Supply.share(now)
	if fresh {
		b.given = b.had - rest.Seconds()*b.rate
	}
}

// after says how long it is until a moment, as things are.
func (b *Budget) after(due float64) time.Duration {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.pass()
	return time.Duration(math.Ceil((due - b.had) / b.rate * float64(time.Second)))
}

// Turn is the right to do something that was saved for. It is used up by Spend or Leave.
type Turn struct {
	of    *Budget
	cost  *Cost
	saved time.Duration
}

// Bear waits until something has been saved for that is done anyway; false when the context has ended before.
func (b *Budget) Bear(ctx context.Context, cost time.Duration) bool {
	return b == nil || b.wait(ctx, b.promise(cost))
}

// wait returns at a moment; false when the context has ended before. It asks at each beat whether the supply has changed.
func (b *Budget) wait(ctx context.Context, due float64) bool {
	for wait := b.after(due); wait > 0; wait = b.after(due) {
		now := time.Now()
		if !Until(ctx, now.Add(min(wait, ToBeat(now)))) {
			return false
		}
	}
	return true
}

// Await returns when something like the last of its kind has been saved for; false when the context has ended before.
func (b *Budget) Await(ctx context.Context, c *Cost) (Turn, bool) {
	if b == nil {
		return Turn{}, true
	}
	t := Turn{b, c, c.likely() + Around}
	if !b.wait(ctx, b.promise(t.saved)) {
		t.Leave()
		return t, false
	}
	return t, true
}

// Spend does it, and takes from the budget what it took of the processor.
func (t Turn) Spend(work func()) {
	if t.of == nil {
		work()
		return
	}
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	began := threadTime()
	work()
	t.settle(threadTime() - began)
}

func (t Turn) settle(used time.Duration) {
	t.of.promise(t.cost.note(used) + Around - t.saved)
}

// Leave does nothing, and gives back what was saved but for the asking.
func (t Turn) Leave() {
	if t.of != nil {
		t.of.promise(Around - t.saved)
	}
}

// Do waits for its turn and does something; false when the context has ended before.
func (b *Budget) Do(ctx context.Context, c *Cost, work func()) bool {
	turn, mine := b.Await(ctx, c)
	if mine {
		turn.Spend(work)
	}
	return mine
}

// threadTime is what this thread has taken of the processor, to the nanosecond: what a Rusage says is of the last tick.
func threadTime() time.Duration {
	var used unix.Timespec
	if unix.ClockGettime(unix.CLOCK_THREAD_CPUTIME_ID, &used) != nil {
		return 0
	}
	return time.Duration(used.Nano())
}
