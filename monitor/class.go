package monitor

import (
	"encoding/binary"
	"slices"
	"sync/atomic"
	"time"
)

// class is the consumers that chose the same. What they chose is counted once for all of them, so that it costs nothing
// that many of them are stopped.
type class struct {
	choice    Choice
	consumers int
	chosen    uint64 // events, but for those ahead

	// Of who publishes alone, without the mutex.
	fitted uint64 // events that fit the conditions; one in so many of these is chosen
	ahead  uint64 // events that were chosen since chosen was brought up to date
	due    bool   // the event at hand is one
	open   bool   // somebody had room when that was looked at
}

func (k *class) offer(f *Facts) {
	k.due = false
	if !k.choice.fits(f) {
		return
	}
	k.fitted++
	if k.choice.Every > 1 && (k.fitted-1)%k.choice.Every != 0 {
		return
	}
	k.ahead++
	k.due = true
}

const (
	// sweepTime is how often it is looked whether those whose queues are full have room again.
	sweepTime = time.Millisecond
	// mostUnseen events pass before it is looked at the clock for that, where they come fast.
	mostUnseen = 64
)

// audience is all consumers: those to whom each event is offered, and those whose queues are full, which are looked at now
// and then only.
//
// While nobody who is due has room, events are counted without the mutex, and without a look at the clock for most of
// them: otherwise a consumer that is stopped would cost a tenth of the throughput of a run of small events. So the numbers
// that others are told can be mostUnseen events behind. They are exact at transitions, when somebody comes, and at the end.
type audience struct {
	all     []*consumer
	ready   []*consumer
	full    []*consumer
	classes []*class
	swept   time.Time
	every   time.Duration
	now     func() time.Time
	changed atomic.Bool // somebody came

	// Of who publishes alone, without the mutex.
	offered uint64   // events so far
	known   []*class // classes, when somebody came last
	unseen  int      // events that may pass until it is looked again whether somebody has room
	stride  int
	looked  time.Time
}

// count lets all choose an event, and tells whether it has to be looked at who has room for it.
func (a *audience) count(f *Facts) (look bool) {
	due := false
	for _, k := range a.known {
		k.offer(f)
		due = due || k.due
		look = look || k.due && k.open
	}
	if due {
		a.unseen--
	}
	return look || due && a.unseen < 0
}

// settle brings what was chosen up to date. Whoever came since has chosen nothing of it.
func (a *audience) settle() {
	for _, c := range a.all {
		if c.fresh {
			c.before += c.class.ahead
		}
	}
	for _, k := range a.known {
		k.chosen += k.ahead
		k.ahead = 0
	}
}

// meet takes in who came.
func (a *audience) meet() {
	a.changed.Store(false)
	a.known = append(a.known[:0], a.classes...)
	for _, c := range a.all {
		if c.fresh { // and he may choose the one at hand
			binary.LittleEndian.PutUint64(c.mem[queueBefore:], a.offered-1)
		}
		c.fresh = false
	}
}

// offer tells whether anybody has room for the event that was counted.
func (a *audience) offer() bool {
	if len(a.full) > 0 && a.unseen < 0 {
		a.sweep()
	}
	for _, k := range a.known {
		k.open = false
	}
	some := false
	for i := 0; i < len(a.ready); i++ {
		c := a.ready[i]
		switch {
		case c.fresh:
		case !c.class.due:
			c.class.open = true
		case c.hasRoom():
			c.due = c.ordinal()
			c.class.open, some = true, true
		default:
			last := len(a.ready) - 1
			a.ready[i] = a.ready[last]
			a.ready = a.ready[:last]
			a.full = append(a.full, c)
			i--
		}
	}
	return some
}

// sweep lets those who have room again be offered events.
func (a *audience) sweep() {
	now := a.now()
	switch since := now.Sub(a.looked); {
	case since >= a.every:
		a.stride = 1
	case since < a.every/8:
		a.stride = min(2*max(a.stride, 1), mostUnseen)
	}
	a.looked, a.unseen = now, a.stride-1
	if now.Sub(a.swept) < a.every {
		return
	}
	a.swept = now
	for i := 0; i < len(a.full); i++ {
		if c := a.full[i]; c.hasRoom() {
			last := len(a.full) - 1
			a.full[i] = a.full[last]
			a.full = a.full[:last]
			a.ready = append(a.ready, c)
			i--
		}
	}
}

// push gives the event at hand to those who are due.
func (a *audience) push(seq, transitions uint64, slot int) (entries int64) {
	for _, c := range a.ready {
		if c.due != 0 {
			c.push(seq, transitions, slot)
			entries++
		}
	}
	return entries
}

// pass lets them miss it.
func (a *audience) pass() {
	for _, c := range a.ready {
		c.due = 0
	}
}

// missed is what those who are there chose and were not given.
func (a *audience) missed() (n int64) {
	for _, c := range a.all {
		n += int64(c.ordinal() - c.entries)
	}
	return n
}

func (a *audience) add(c *consumer) {
	of := c.choice
	of.Newest = false
	at := slices.IndexFunc(a.classes, func(k *class) bool { return k.choice == of })
	if at < 0 {
		at = len(a.classes)
		a.classes = append(a.classes, &class{choice: of})
	}
	c.class = a.classes[at]
	c.class.consumers++
	c.before, c.fresh = c.class.chosen, true
	a.changed.Store(true)
	a.all, a.ready = append(a.all, c), append(a.ready, c)
}

func (a *audience) remove(c *consumer) {
	is := func(other *consumer) bool { return other == c }
	a.all, a.ready, a.full = slices.DeleteFunc(a.all, is), slices.DeleteFunc(a.ready, is), slices.DeleteFunc(a.full, is)
	if c.class.consumers--; c.class.consumers == 0 {
		a.classes = slices.DeleteFunc(a.classes, func(k *class) bool { return k == c.class })
	}
}
