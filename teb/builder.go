package teb

import (
	"math"
	"math/bits"
	"time"

	"drp/xtc"
)

// MaxContributors is how many a partition may have: sets of them are words of 64 bits.
const MaxContributors = 64

// none is no place in the window.
const none = int32(-1)

// event is what the builder knows of one event, or transition, in its window.
type event struct {
	key        Key
	time       uint64
	ordinal    uint64 // counts the events of its lowest readout group; known when it is taken
	due        time.Duration
	have       uint64 // contributors that brought something
	next, prev int32  // in order of keys
	groups     uint16
	damage     xtc.Damage
	service    xtc.TransitionID
}

// contributor is what the builder knows of one of them.
type contributor struct {
	schema *Schema
	groups uint16
	rows   []byte // one row for each place of the window

	generation uint64
	sequence   uint64 // of its next batch
	from       Key    // the lowest that it may bring next: of lower ones nothing more will come
	cursor     int32  // the place of its last row, if that is still in the window
	joined     bool

	came, late, missed uint64 // see Contributed
}

// builder joins the rows of several contributors to events. It is a window of a fixed number of places, in a list in the
// order of keys: what is complete at the front, or waited for long enough, may be taken. A row is found or put in by a
// walk from where the contributor's last one was, which is nearly always one step.
//
//	front                                       back
//	 100 ---- 101 ---- 102 ---- 103 ---- 104        floor: 100, what comes below is late
//	  a b      a        a b      a        a         contributor b is at 102: it has nothing for 101
//	                     ^b                ^a
//
// Contributors bring their rows in order, so that one that is beyond an event is not waited for. A transition is waited for
// by all, and as nothing is taken but from the front, it overtakes nothing.
//
// It is used by one goroutine at a time.
type builder struct {
	contributors []contributor
	members      uint64     // all of them
	waited       uint64     // those that are waited for
	needs        [16]uint64 // by readout group: the members that have it
	deadline     time.Duration

	events      []event
	front, back int32
	free        []int32 // a ring: places come back in about the order in which they were taken
	freeAt      int
	freeCount   int
	reserve     int // places that are left for what comes before the front
	floor       Key // what is below was given away

	ordinals [16]uint64
	books    *Books
}

func newBuilder(c *Config, books *Books) *builder {
	b := &builder{deadline: c.Deadline, events: make([]event, c.Window), free: make([]int32, c.Window), freeCount: c.Window,
		front: none, back: none, reserve: len(c.Contributors), books: books}
	for i := range b.free {
		b.free[i] = int32(i)
	}
	for k, m := range c.Contributors {
		b.contributors = append(b.contributors, contributor{schema: m.Schema, groups: m.Groups, cursor: none,
			rows: make([]byte, c.Window*m.Schema.rowBytes)})
		b.members |= 1 << k
		for g := range b.needs {
			if m.Groups>>g&1 != 0 {
				b.needs[g] |= 1 << k
			}
		}
	}
	b.waited = b.members
	return b
}

// fate is what became of a row.
type fate uint8

const (
	accepted  fate = iota
	full           // not taken: there is no place now
	late           // the event was given away before
	duplicate      // the contributor has brought it already
	unordered      // the contributor was beyond it already
	conflict       // others say that it is another kind of datagram
	malformed
	numFates
)

// add takes a row of contributor k, which has the size of its schema. A new generation starts at the floor.
func (b *builder) add(k int, row []byte, now time.Duration) fate {
	h := HeadOf(row)
	if h.Service >= xtc.NumTransitions || le.Uint32(row[20:])>>8 != 0 || h.Pulse == math.MaxUint64 || h.Time == math.MaxUint64 {
		return malformed
	}
	c, key := &b.contributors[k], h.Key()
	switch {
	case key.Less(c.from):
		return b.again(k, key)
	case key.Less(b.floor):
		c.from = key.Next()
		return late
	}
	at := b.find(c.cursor, key)
	if at == none || b.events[at].key != key {
		place := b.open(at, h, now)
		if place == none {
			return full
		}
		at = place
	}
	c.from = key.Next()
	b.waited |= 1 << k // if it was gone, it is back
	e := &b.events[at]
	switch {
	case e.have>>k&1 != 0:
		return duplicate
	case e.service != h.Service:
		return conflict
	}
	c.cursor = at
	e.have |= 1 << k
	e.groups |= h.Groups
	e.damage |= h.Damage
	size := c.schema.rowBytes
	copy(c.rows[int(at)*size:][:size], row)
	return accepted
}

// again tells what it is that a contributor brings after it was beyond it.
func (b *builder) again(k int, key Key) fate {
	if key.Less(b.floor) {
		return late
	}
	at := b.contributors[k].cursor
	for at != none && key.Less(b.events[at].key) {
		at = b.events[at].prev
	}
	if at != none && b.events[at].key == key && b.events[at].have>>k&1 != 0 {
		return duplicate
	}
	return unordered
}

// find gives the last event of the window with this key or a lower one. It begins at a place at which that holds.
func (b *builder) find(at int32, key Key) int32 {
	if b.back != none && !key.Less(b.events[b.back].key) {
		return b.back
	}
	next := b.front
	if at != none {
		next = b.events[at].next
	}
	for next != none && !key.Less(b.events[next].key) {
		at, next = next, b.events[next].next
	}
	return at
}

// open puts a new event behind another, or in front of all. Places are kept back for what comes before the front, since
// everything else waits for that. No event is due later than one behind it.
func (b *builder) open(behind int32, h Head, now time.Duration) int32 {
	if b.freeCount == 0 || b.freeCount <= b.reserve && behind != none {
		return none
	}
	place := b.free[b.freeAt]
	b.freeAt = (b.freeAt + 1) % len(b.free)
	b.freeCount--
	b.books.Opened++
	b.books.InWindow++
	next := b.front
	if behind != none {
		next = b.events[behind].next
	}
	e := &b.events[place]
	*e = event{key: h.Key(), time: h.Time, due: now + b.deadline, service: h.Service, next: next, prev: behind}
	if next != none {
		e.due = min(e.due, b.events[next].due)
		b.events[next].prev = place
	} else {
		b.back = place
	}
	if behind != none {
		b.events[behind].next = place
	} else {
		b.front = place
	}
	return place
}

// release gives a place back.
func (b *builder) release(place int32) {
	at := b.freeAt + b.freeCount
	if at >= len(b.free) {
		at -= len(b.free)
	}
	b.free[at] = place
	b.freeCount++
}

// need is which contributors an event should have.
func (b *builder) need(e *event) uint64 {
	if !e.service.IsEvent() || e.groups == 0 {
		return b.members
	}
	need := uint64(0)
	for groups := e.groups; groups != 0; groups &= groups - 1 {
		need |= b.needs[bits.TrailingZeros16(groups)]
	}
	return need
}

// pending is who of the missing ones may still bring something.
func (b *builder) pending(e *event, missing uint64) uint64 {
	missing &= b.waited
	for left := missing; left != 0; left &= left - 1 {
		k := bits.TrailingZeros64(left)
		if e.key.Less(b.contributors[k].from) {
			missing &^= 1 << k
		}
	}
	return missing
}

// take gives the place at the front if that may go: when it is complete, when nobody can complete it, when it was waited
// for long enough, or when all has to go.
func (b *builder) take(now time.Duration, all bool) int32 {
	place := b.front
	if place == none {
		return none
	}
	e := &b.events[place]
	missing := b.need(e) &^ e.have
	pending := uint64(0)
	if missing != 0 {
		pending = b.pending(e, missing)
		if pending != 0 && now < e.due && !all {
			return none
		}
		for left := missing; left != 0; left &= left - 1 {
			b.contributors[bits.TrailingZeros64(left)].missed++
		}
	}
	b.judge(e, missing, pending)
	if b.front = e.next; b.front == none {
		b.back = none
	} else {
		b.events[b.front].prev = none
	}
	b.floor = e.key.Next()
	b.books.InWindow--
	for have := e.have; have != 0; have &= have - 1 {
		if c := &b.contributors[bits.TrailingZeros64(have)]; c.cursor == place {
			c.cursor = none
		}
	}
	return place
}

// judge notes what is missing, and counts.
func (b *builder) judge(e *event, missing, pending uint64) {
	switch {
	case missing == 0:
		b.books.Complete++
	case pending != 0:
		e.damage |= xtc.DamageDroppedContribution | xtc.DamageTimedOut
		b.books.TimedOut++
	case missing&^b.waited != 0:
		e.damage |= xtc.DamageDroppedContribution
		b.books.Absent++
	default:
		e.damage |= xtc.DamageDroppedContribution
		b.books.Skipped++
	}
	if !e.service.IsEvent() {
		b.books.Transitions++
		return
	}
	b.books.Events++
	g := lowest(e.groups)
	e.ordinal = b.ordinals[g]
	b.ordinals[g]++
}

// lowest is the readout group in which an event counts.
func lowest(groups uint16) int { return bits.TrailingZeros16(groups) & 15 }

// gone stops waiting for a contributor.
func (b *builder) gone(k int) { b.waited &^= 1 << k }

// join begins another life of a contributor. If it is not the first, it is waited for from its first row on.
func (b *builder) join(k int, generation uint64) {
	c := &b.contributors[k]
	if c.joined {
		b.gone(k)
	}
	c.joined, c.generation, c.sequence, c.from, c.cursor = true, generation, 0, b.floor, none
}

// empty tells whether nothing is in the window.
func (b *builder) empty() bool { return b.front == none }

// ready tells whether take would give something.
func (b *builder) ready(now time.Duration) bool {
	if b.front == none {
		return false
	}
	e := &b.events[b.front]
	missing := b.need(e) &^ e.have
	return missing == 0 || now >= e.due || b.pending(e, missing) == 0
}
