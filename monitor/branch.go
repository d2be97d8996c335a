package monitor

import (
	"context"
	"errors"
	"io"
	"sync"
	"time"

	"drp/xtc"
)

// branch is one of the runs of a Merge. A goroutine watches it, and hands on one thing after the other: the next when it is
// asked for that, since what it has handed on is valid until then.
type branch struct {
	MergedRun
	more   chan bool // asks for the next; true is for passing over all that waits
	newest bool      // nothing that has waited is wanted

	asked  bool  // for the next, which has not come
	head   *Item // the event that has come
	silent bool  // it was waited for, and had nothing
	fresh  bool  // its run has begun since an event was given
	opens  bool  // it is being told of the transitions that hold
}

// arrival is what came of a branch; without an item it has begun to watch, maybe since its run before is over, or its run is over.
type arrival struct {
	from *branch
	item *Item
	up   bool
	err  error
}

// redialPause is how long it takes until it is tried again to watch a run.
const redialPause = 100 * time.Millisecond

// watch watches one run after the other of the same name.
func (b *branch) watch(ctx context.Context, who string, came chan<- arrival) {
	next := make(chan *Client)
	var dialing sync.WaitGroup
	defer dialing.Wait()
	dialing.Go(func() { b.dial(ctx, who, next) })
	hand := func(a arrival) bool {
		select {
		case came <- a:
			return true
		case <-ctx.Done():
			return false
		}
	}
	var ended error // why what was there before is over
	var lost uint64
	for {
		var c *Client
		select {
		case c = <-next:
		case <-ctx.Done():
			return
		}
		if c == nil {
			if ended != nil && !hand(arrival{from: b, err: ended}) {
				return
			}
			ended = nil
			select {
			case <-ctx.Done():
			case <-time.After(redialPause):
			}
			continue
		}
		c.owe(lost)
		if b.newest {
			c.Skip()
		}
		if hand(arrival{from: b, up: true}) {
			ended = b.follow(ctx, c, hand)
		}
		lost = c.owed()
		_ = c.Close()
	}
}

// dial takes a place in the queue of whoever publishes as soon as he does, also while what one who is dead has left is read, and gives
// it to who asks, nil where nobody publishes. One who dies in his turn before that is given up: of the dead, the memory of one is kept.
func (b *branch) dial(ctx context.Context, who string, next chan<- *Client) {
	tick := time.NewTicker(redialPause)
	defer tick.Stop()
	var c, due *Client // due is c until that was given
	var lost uint64
	again := false
	for {
		if c == nil || c.dead() {
			if due != nil {
				lost = due.owed()
				_ = due.Close()
			}
			if c, _ = Dial(ctx, b.Name, Choice{}, who); c != nil { // else the name is of nobody, or we are not let in yet
				c.owe(lost)
				c.follows, again, lost = again, true, 0
			}
			due = c
		}
		select {
		case next <- due:
			due = nil
		case <-tick.C:
		case <-ctx.Done():
			if due != nil {
				_ = due.Close()
			}
			return
		}
	}
}

// follow hands on what comes of one run, to its end.
func (b *branch) follow(ctx context.Context, c *Client, hand func(arrival) bool) error {
	for {
		select {
		case skip := <-b.more:
			c.Release()
			if skip {
				c.Skip()
			}
		case <-ctx.Done():
			return ctx.Err()
		}
		it, err := c.Next(ctx)
		if err != nil {
			return err
		}
		if !hand(arrival{from: b, item: it}) {
			return ctx.Err()
		}
	}
}

// take takes note of what has come, up to an event from some time on; it gives a transition.
func (b *branch) take(a arrival, from uint64) *Item {
	if a.item == nil {
		b.State, b.Running, b.asked = "lost", false, false
		switch {
		case a.up:
			b.State, b.opens, b.silent = "running", true, false
		case errors.Is(a.err, io.EOF):
			b.State = "ended"
		}
		return nil
	}
	b.asked, b.opens = false, a.item.Replayed
	if id := a.item.Dgram.Service(); !id.IsEvent() {
		switch id {
		case xtc.BeginRun:
			b.Running, b.fresh, b.silent = true, true, false
		case xtc.EndRun, xtc.Unconfigure, xtc.Configure:
			b.Running = false
		}
		return a.item
	}
	b.Running = true
	b.Missed += a.item.Missed
	if a.item.Dgram.Time() < from {
		b.Late++
		return nil
	}
	b.Got++
	b.head = a.item
	return nil
}

// expected tells whether it may have an event.
func (b *branch) expected() bool { return b.State == "running" && (b.Running || b.opens) }

// pass lets go of an event that nobody has seen.
func (b *branch) pass() {
	b.head = nil
	b.Got--
	b.Missed++
}

// ask asks for the next, if there is a run and nothing of it is at hand.
func (b *branch) ask(skip bool) {
	if b.State == "running" && !b.asked && b.head == nil {
		b.asked = true
		b.more <- skip // has room, since nothing was asked for
	}
}
