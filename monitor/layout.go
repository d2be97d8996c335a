package monitor

import (
	"sync/atomic"
	"unsafe"
)

// Version is that of all that is in memory and on the socket; docs/formats.md describes it, and python/src/drp/_watch.py
// reads it.
const Version = 1

// A slot is a head and the datagram.
const (
	slotSeq    = 0 // of the event in it; 0 while it is written
	slotNumber = 8
	slotSize   = 16
	slotLayout = 20
	slotFlags  = 24
	slotBits   = 28

	slotHeadBytes = 64
	pageBytes     = 4096
)

// A queue is what the server writes, what the consumer writes, each with a cache line of its own, and the entries.
const (
	queueHead    = 0  // entries so far
	queueOffered = 8  // events so far that the consumer chose
	queueBefore  = 16 // events that there were before he came, as of the first since

	queueTail    = 64 // entries that the consumer has done with
	queueHeld    = 72 // the event whose slot he reads, 0 if none
	queueWaiting = 80 // he sleeps until he is woken

	queueEntries = 128
	entryBytes   = 32
	queueLength  = 1024
	queueBytes   = queueEntries + queueLength*entryBytes
)

// An entry of a queue names an event.
const (
	entrySeq         = 0
	entryOrdinal     = 8  // among all events that the consumer chose, from 1
	entryTransitions = 16 // that came before it
	entrySlot        = 24
)

// Flags of an event.
const (
	Hit      = 1 << iota // hit finding says so
	Rejected             // by the script
	Vetoed               // by the trigger
)

// word is a number of 64 bits in shared memory. All who share it read and write it as a whole, and in order.
func word(mem []byte, at int) *atomic.Uint64 {
	return (*atomic.Uint64)(unsafe.Pointer(&mem[at : at+8][0]))
}

func entryAt(index uint64) int { return queueEntries + int(index%queueLength)*entryBytes }
