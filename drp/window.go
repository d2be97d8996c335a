package drp

import (
	"sync/atomic"
	"unsafe"

	"drp/fex"
	"drp/internal/world"
	"drp/pebble"
	"drp/xtc"
)

// entry is one datagram under way. The dispatcher writes what it knows before it publishes the entry; workers write
// their answers and count pending down; the collector reads everything once pending is zero.
type entry struct {
	pending atomic.Int32 // answers that are still to come

	service xtc.TransitionID
	implied bool // made up by us: recorded only when a script added something
	keepRaw bool
	status  fex.Status // of an event, as are the next two
	worker  int16      // its ring holds the slot
	// What was made for the script beside the raw data.
	prepared    bool   // it has a place that is free again with the answer
	searched    bool   // its slot has what was found in it
	calibration uint32 // generation of the constants, 0 if none were used
	result      uint32 // bytes
	side        uint32 // words
	crc         uint32 // of an event as the source wrote it, if asked for
	ix          pebble.Index
	settings    uint16 // the entry of the board, 0 is none
	time        uint64
	number      int64   // of an event, counted from 0
	detail      *detail // of few; storing pointers costs more than all the rest
}

// An entry goes from one core to the next twice, so it is one cache line: this fails to compile when it is not.
var _ [64 - unsafe.Sizeof(entry{})]byte

// detail is what most events do not have.
type detail struct {
	corrupt error        // why an event was not shown to a script
	failure *fex.Failure // of the script on an event
	answers []fex.Answer // to a transition, one per worker
	script  string       // of a transition: SHA-256 of the script's text
	loaded  *loaded      // and if it is recorded there
	// Of a transition: the dispatcher's part of the books when it came, which is what they are up to there.
	received, dropped int64
	constants         uint32 // what a child says that holds the present ones
	published         string // these
	order             uint64 // of run control, that it follows; 0 is none
	run               int    // that run control has named it; 0 is not
	trouble           error  // of the script
}

// note takes the answer to an event.
func (e *entry) note(a *fex.Answer) {
	e.status, e.result, e.side = a.Status, uint32(a.ResultBytes), uint32(a.SideWords)
	if a.Status == fex.Unserved && !e.searched {
		e.calibration = 0 // no script has seen what was made
	}
	if a.Failure != nil {
		e.detail = &detail{failure: a.Failure}
	}
}

// failure is why the script failed on an event, if it said so.
func (e *entry) failure() *fex.Failure {
	if e.detail == nil {
		return nil
	}
	return e.detail.failure
}

// window is the datagrams under way, in source order. It is a ring: the dispatcher pushes, the collector pops, and
// there are as many places as slots that a datagram can be in, so a push always finds one.
type window struct {
	ring  []entry
	head  atomic.Uint64 // published; only the dispatcher writes
	tail  uint64        // only the collector reads and writes
	ended atomic.Bool   // nothing more will be pushed
	wake  world.Flag    // something changed for the collector
}

func newWindow(w world.World, capacity int) *window {
	return &window{ring: make([]entry, capacity), wake: w.NewFlag()}
}

// next is the entry that push will publish, and its tag.
func (w *window) next() (*entry, uint64) {
	tag := w.head.Load()
	return w.at(tag), tag
}

func (w *window) at(tag uint64) *entry { return &w.ring[tag%uint64(len(w.ring))] }

// push publishes the entry given by next.
func (w *window) push() { w.head.Add(1) }

// oldest is the oldest entry, or nil when it is not finished or there is none.
func (w *window) oldest() *entry {
	if w.tail == w.head.Load() {
		return nil
	}
	if e := w.at(w.tail); e.pending.Load() == 0 {
		return e
	}
	return nil
}

// pop forgets the oldest entry.
func (w *window) pop() { w.tail++ }

// over tells that everything pushed was popped and nothing more will come.
func (w *window) over() bool { return w.ended.Load() && w.tail == w.head.Load() }

func (w *window) signal() { w.wake.Set() }
