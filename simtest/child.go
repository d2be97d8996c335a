package simtest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"drp/internal/world"
	"drp/pebble"
	"drp/xtc"
)

// child is a simulated process that speaks the protocol of docs/formats.md and runs a script of its own kind: what it
// does with an event depends on the number of the event, and what befalls it on chance.
type child struct {
	lab    *lab
	pid    int
	second bool // of the second script
	trial  bool // what it makes is thrown away
	seated bool
	text   int64 // of the script
	worker int   // -1 for a spare
	in     bytes.Buffer
	out    bytes.Buffer
	input  world.Flag
	output world.Flag
	closed bool // nobody writes to it any more
	killed bool
	dead   bool // it does nothing any more
	death  []world.Flag
	hung   world.Flag

	table      *xtc.Table
	own        *xtc.Names
	trigger    *xtc.Names   // nil without a trigger
	waiting    bytes.Buffer // answers that it has not sent yet
	inHand     []int64      // events it has read and not answered
	generation uint64       // of the constants it was told of, 0 if there are none
	begun      bool         // it was shown a BeginRun
	aside      []byte       // requests that came before the answer it waits for
	part       *made        // where corrected pixels lie, nil if it does not know
	board      board        // and the values of parameters
	area       area         // where it sees what was found
	liar       bool         // it answers nonsense, and is taken for dead from there on
}

const recordBytes = 32

const (
	kindHello = iota + 1
	kindReplay
	kindTransition
	kindEvent
	kindAttach
	kindScript
	kindWant
)

// errGone ends the life of a child.
var errGone = errors.New("the child is gone")

// mishap lets chance strike, at a point where a process may die or hang.
func (c *child) mishap(mean time.Duration) error {
	l := c.lab
	l.world.Sleep(l.soon(mean))
	if c.dead {
		return errGone
	}
	if l.happens(l.plan.deadly) {
		return errors.New("it crashed")
	}
	if l.happens(l.plan.hangs) {
		return c.hang()
	}
	return nil
}

func (c *child) hang() error {
	c.lab.trace("child %d hangs", c.pid)
	for !c.dead {
		c.hung.Wait(world.ForEver)
	}
	return errGone
}

// need waits until there are n bytes to read.
func (c *child) need(n int) ([]byte, error) {
	for c.in.Len() < n {
		if c.dead {
			return nil, errGone
		}
		if c.closed {
			return nil, io.EOF
		}
		c.input.Wait(world.ForEver)
	}
	return c.in.Next(n), nil
}

func (c *child) say(b []byte) {
	if !c.dead {
		c.out.Write(b)
		c.output.Set()
	}
}

// live is the life of a child, and why it ends.
func (c *child) live() error {
	for {
		if c.in.Len() < recordBytes {
			c.flush()
		}
		r, err := c.need(recordBytes)
		if err != nil {
			return err
		}
		r = append([]byte(nil), r...)
		switch r[0] {
		case kindHello:
			err = c.hello(r)
		case kindAttach:
			err = c.attach(r)
		case kindScript:
			var text []byte
			if text, err = c.need(int(binary.LittleEndian.Uint32(r[12:]))); err == nil {
				c.readSource(text)
			}
		case kindReplay:
			err = c.replay(r)
		case kindTransition:
			err = c.transition(r)
		case kindEvent:
			err = c.event(r)
		default:
			c.lab.problem("child %d was sent a record of kind %d", c.pid, r[0])
		}
		if err != nil {
			return err
		}
	}
}

// flush sends the answers that wait. Nothing it answered is in its hands then.
func (c *child) flush() {
	if c.dead || c.waiting.Len() == 0 {
		return
	}
	c.say(c.waiting.Next(c.waiting.Len()))
	if !c.liar {
		c.inHand = c.inHand[:0]
	}
}

func (c *child) hello(r []byte) error {
	text, err := c.need(int(binary.LittleEndian.Uint32(r[12:])))
	if err != nil {
		return err
	}
	var h struct {
		Worker  *int   `json:"worker"`
		Decided bool   `json:"decided"`
		Trial   bool   `json:"trial"`
		Source  []byte `json:"source"`
	}
	if err := json.Unmarshal(text, &h); err != nil || h.Decided != c.second {
		c.lab.problem("the hello is none for the script: %v, %s", err, text)
	}
	c.readSource(h.Source)
	if c.trial = h.Trial; h.Worker != nil {
		c.worker = *h.Worker
		c.findArea(text)
	}
	c.findBoard(text)
	if c.lab.run != nil {
		if err := c.mishap(50 * time.Millisecond); err != nil {
			return err
		}
	}
	answer := []byte(`{"version":2,"pid":1,"python":"3","numpy":"2","drp":"0"}`)
	c.say(append(c.record(kindHello, 0, 0, len(answer), r), answer...))
	return nil
}

func (c *child) attach(r []byte) error {
	text, err := c.need(int(binary.LittleEndian.Uint32(r[12:])))
	if err != nil {
		return err
	}
	var place struct {
		Worker int `json:"worker"`
	}
	if err := json.Unmarshal(text, &place); err != nil || c.worker >= 0 {
		c.lab.problem("child %d of worker %d is attached to %s", c.pid, c.worker, text)
	}
	c.worker = place.Worker
	c.findArea(text)
	if err := c.mishap(time.Millisecond); err != nil {
		return err
	}
	c.say(c.record(kindAttach, 0, 0, 0, r))
	return nil
}

// record answers r.
func (c *child) record(kind, status byte, count uint16, size int, r []byte) []byte {
	a := append([]byte(nil), r...)
	a[0], a[1] = kind, status
	binary.LittleEndian.PutUint16(a[2:], count)
	binary.LittleEndian.PutUint32(a[12:], uint32(size))
	return a
}

func (c *child) replay(r []byte) error {
	d, err := c.need(int(binary.LittleEndian.Uint32(r[12:])))
	if err != nil {
		return err
	}
	c.see(append([]byte(nil), d...))
	if err := c.mishap(2 * time.Millisecond); err != nil {
		return err
	}
	c.say(c.record(kindReplay, 0, 0, 0, r))
	return nil
}

// see takes a transition in.
func (c *child) see(d xtc.Dgram) {
	if d.Service() != xtc.Configure {
		c.told(d)
		return
	}
	c.generation, c.part, c.begun = 0, nil, false
	c.table = xtc.NewTable()
	if err := c.table.Configure(d); err != nil {
		c.lab.problem("child %d cannot read the Configure: %v", c.pid, err)
	}
	id, err := c.table.FreeID(1)
	if err != nil {
		c.lab.problem("no id is free: %v", err)
	}
	c.own = &xtc.Names{ID: id, DetType: "fex", DetName: "epix", DetID: "s", Alg: "number", Version: xtc.Version{Major: 1},
		Entries: []xtc.Name{{Name: "n", Type: xtc.Int64}, {Name: "text", Type: xtc.Int64}}}
	if c.second {
		c.own.Alg = "second"
	}
	if c.trigger = nil; c.lab.plan.trigger.there && !c.second {
		c.trigger = &xtc.Names{ID: id + 1, DetType: "trigger", DetName: "trigger", Alg: "input", Version: xtc.Version{Major: 1},
			Entries: []xtc.Name{{Name: "n", Type: xtc.Double}}}
	}
}

func (c *child) slot(r []byte) pebble.Index {
	return pebble.Index{Slot: binary.LittleEndian.Uint32(r[4:]), Generation: binary.LittleEndian.Uint32(r[8:])}
}

func (c *child) transition(r []byte) error {
	c.flush()
	c.sit()
	ref, err := c.memory().Transitions.Ref(c.slot(r))
	if err != nil {
		c.lab.problem("child %d was given a transition that is not there: %v", c.pid, err)
		return errGone
	}
	d := xtc.Dgram(append([]byte(nil), ref.Bytes()...))
	c.see(d)
	if err := c.mishap(2 * time.Millisecond); err != nil {
		return err
	}
	if c.stalls(d) {
		return c.hang()
	}
	size := 0
	if d.Service() == xtc.Configure {
		names, err := c.own.AppendTo(nil)
		if err == nil && c.trigger != nil {
			names, err = c.trigger.AppendTo(names)
		}
		if err != nil {
			c.lab.problem("%v", err)
		}
		more, blocks := c.declareLevel(c.own.ID + 2)
		size = copy(c.memory().Results[c.worker].Transition(), append(append(names, more...), blocks...))
	}
	a := c.record(kindTransition, 0, 0, size, r)
	holds := uint32(c.generation)
	if c.lab.happens(c.lab.plan.forgets) {
		holds++
	}
	binary.LittleEndian.PutUint32(a[16:], holds)
	c.say(a)
	return nil
}

func (c *child) event(r []byte) error {
	l := c.lab
	if c.sit(); c.trial {
		return c.trialEvent(r)
	}
	n := l.number(binary.LittleEndian.Uint64(r[24:]))
	c.inHand = append(c.inHand, n)
	ref, err := l.pool.Events[c.worker].Ref(c.slot(r))
	if err != nil {
		l.problem("child %d was given event %d in a slot that does not hold it: %v", c.pid, n, err)
		return errGone
	}
	d := xtc.Dgram(ref.Bytes())
	if c.second {
		return c.secondEvent(r, n, d)
	}
	e := l.events[n]
	if e == nil || e.corrupt || !e.flipped && (l.number(d.Time()) != n || !bytes.Equal(d[xtc.DgramHeaderBytes:], e.payload)) {
		l.problem("child %d was shown something else than event %d", c.pid, n)
		return errGone
	}
	e.shown++
	e.told, e.used = c.holds(e), 0
	c.seeHits(e, n, c.slot(r).Slot)
	c.seeLevel(e, n, r)
	if !e.flipped && l.happens(l.plan.flips) {
		l.flipLater(e, n, l.pool.Events[c.worker], c.slot(r))
	}
	if err := c.mishap(l.plan.service); err != nil {
		return err
	}
	if l.happens(l.plan.looks) {
		if err := c.look(n, r, d); err != nil {
			return err
		}
	}
	status, count, size, err := c.work(n, c.slot(r).Slot, d)
	if err != nil {
		return err
	}
	if err := c.mishap(10 * time.Microsecond); err != nil {
		return err
	}
	a := c.record(kindEvent, status, count, size, r)
	if l.happens(l.plan.nonsense) {
		a[4+l.world.Chance(8)] ^= 1 << l.world.Chance(8) // another slot or generation
		l.trace("child %d will answer nonsense for event %d", c.pid, n)
		c.liar = true
	}
	c.waiting.Write(a)
	if solo := r[1]&1 != 0; solo || l.world.Chance(4) == 0 {
		c.flush()
	}
	return nil
}

// work is the script: it writes the result of an event.
func (c *child) work(n int64, slot uint32, d xtc.Dgram) (status byte, count uint16, size int, err error) {
	area := c.lab.pool.Results[c.worker].Event(slot)
	switch c.lab.plan.fateOf(n) {
	case poisons:
		return 0, 0, 0, fmt.Errorf("event %d kills", n)
	case sticks:
		return 0, 0, 0, c.hang()
	case rejects:
		return 1, 0, 0, nil
	case raises:
		return 2, 0, copy(area, `{"type":"ValueError","message":"no","file":"script.py","line":3}`), nil
	case tooLarge:
		return 3, 0, copy(area, `{"type":"ResultTooLarge","message":"no","file":"script.py","line":4}`), nil
	case garbage:
		return 0, 0, copy(area, bytes.Repeat([]byte{0xff, 3, 7}, 20)), nil
	}
	var b xtc.Builder
	b.Begin(area[:0:len(area)], c.own)
	b.Int(n)
	b.Int(c.text)
	block, err := b.End()
	if err == nil && c.trigger != nil {
		b.Begin(block, c.trigger)
		b.Float(float64(n))
		block, err = b.End()
	}
	if err != nil {
		c.lab.problem("%v", err)
	}
	at := (len(block) + 3) &^ 3
	for it := c.table.Blocks(d); it.Next(); {
		if names := it.Block().Names; names.Alg == "raw" {
			binary.LittleEndian.PutUint32(area[at+4*int(count):], uint32(names.ID))
			count++
		}
	}
	return 0, count, len(block), nil
}
