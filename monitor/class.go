package monitor

import (
	"slices"
	"time"
)

// class is the consumers that chose the same. What they chose is counted once for all of them, so that it costs nothing
// that many of them are stopped.
type class struct {
	choice    Choice
	consumers int
	fitted    uint64 // events that fit the conditions
	chosen    uint64 // one in so many of these
	due       bool   // the event at hand is one
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
	k.chosen++
	k.due = true
}

// sweepTime is how often it is looked whether those whose queues are full have room again.
const sweepTime = time.Millisecond

// audience is all consumers: those to whom each event is offered, and those whose queues are full, which are looked at now
// and then only.
type audience struct {
	all     []*consumer
	ready   []*consumer
	full    []*consumer
	classes []*class
	swept   time.Time
	every   time.Duration
}

// offer tells whether anybody gets an event.
func (a *audience) offer(f *Facts) bool {
	wanted := false
	for _, k := range a.classes {
		k.offer(f)
		wanted = wanted || k.due
	}
	if !wanted {
		return false
	}
	if len(a.full) > 0 {
		a.sweep()
	}
	some := false
	for i := 0; i < len(a.ready); i++ {
		c := a.ready[i]
		switch {
		case !c.class.due:
		case c.hasRoom():
			c.due = c.ordinal()
			some = true
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
	if now := time.Now(); now.Sub(a.swept) >= a.every {
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
	c.before = c.class.chosen
	a.all, a.ready = append(a.all, c), append(a.ready, c)
}

func (a *audience) remove(c *consumer) {
	is := func(other *consumer) bool { return other == c }
	a.all, a.ready, a.full = slices.DeleteFunc(a.all, is), slices.DeleteFunc(a.ready, is), slices.DeleteFunc(a.full, is)
	if c.class.consumers--; c.class.consumers == 0 {
		a.classes = slices.DeleteFunc(a.classes, func(k *class) bool { return k == c.class })
	}
}
