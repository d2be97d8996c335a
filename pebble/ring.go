package pebble

import (
	"errors"
	"fmt"
	"sync/atomic"

	"drp/internal/invariant"
	"drp/shm"
)

// Index names the contents of a slot: it is valid until that slot is released.
type Index struct {
	Slot       uint32
	Generation uint32
}

// The states of a slot. The generation goes up when it becomes free again.
const (
	free uint64 = iota
	loaned
	sealed
	decided  // what becomes of the datagram is settled
	released // given back, but an earlier slot is not yet

	stateBits = 3
	stateMask = 1<<stateBits - 1
)

// word is what a slot's state holds.
func word(generation uint32, state uint64) uint64 { return uint64(generation)<<stateBits | state }

type slot struct {
	state    atomic.Uint64 // generation and state, see word; every change is a compare-and-swap
	bytes    int           // written before sealed, read after
	resident uint64        // see Loan.Resident
	_        [40]byte      // a cache line for each: when the ring is full, one is filled beside one that is released
}

// Ring is a ring of equal slots in one shared-memory segment.
type Ring struct {
	seg       *shm.Segment
	mem       []byte
	slotBytes int
	slots     []slot
	head      atomic.Uint64 // slots loaned so far; written by the loaning goroutine only
	tail      atomic.Uint64 // slots free again; moved by whoever releases the oldest one
}

func newRing(slots, slotBytes int) (*Ring, error) {
	if slots < 1 || slotBytes < 1 {
		return nil, fmt.Errorf("pebble: %d slots of %d bytes is no ring", slots, slotBytes)
	}
	if slots > shm.MaxBytes/slotBytes {
		return nil, fmt.Errorf("pebble: %d slots of %d bytes do not fit in one segment (2 GiB - 1): "+
			"lower --slots or --buf-bytes", slots, slotBytes)
	}
	seg, err := shm.Create(slots * slotBytes)
	if err != nil {
		return nil, fmt.Errorf("pebble: %w", err)
	}
	if err := seg.ForReaders(); err != nil { // a script that attaches it by its id shall not change data
		return nil, errors.Join(fmt.Errorf("pebble: %w", err), seg.Close())
	}
	return &Ring{seg: seg, mem: seg.Bytes(), slotBytes: slotBytes, slots: make([]slot, slots)}, nil
}

// Bytes is the memory of all slots, for those who make it known to a device. It is not for reading or writing.
func (r *Ring) Bytes() []byte { return r.mem }

// SegmentID is the id by which another process attaches the ring.
func (r *Ring) SegmentID() int { return r.seg.ID() }

// Slots is the number of slots.
func (r *Ring) Slots() int { return len(r.slots) }

// SlotBytes is the size of a slot, and the distance from one to the next.
func (r *Ring) SlotBytes() int { return r.slotBytes }

// InUse is the number of slots that are loaned, sealed, or waiting for an earlier one.
func (r *Ring) InUse() int { return int(r.head.Load() - r.tail.Load()) }

// TryLoan loans the next slot, or reports that none is free.
func (r *Ring) TryLoan() (Loan, bool) {
	head := r.head.Load()
	if head-r.tail.Load() >= uint64(len(r.slots)) {
		return Loan{}, false
	}
	i := uint32(head % uint64(len(r.slots)))
	s := &r.slots[i]
	was := s.state.Load()
	if invariant.Enabled {
		invariant.Check(was&stateMask == free, "loan of slot %d in state %d", i, was&stateMask)
	}
	s.state.Store(was&^stateMask | loaned)
	r.head.Store(head + 1)
	return Loan{ring: r, index: Index{Slot: i, Generation: uint32(was >> stateBits)}}, true
}

// Ref gives read access to a sealed slot. It fails when the index is out of range or its generation is over.
func (r *Ring) Ref(ix Index) (Ref, error) {
	if int(ix.Slot) >= len(r.slots) {
		return Ref{}, fmt.Errorf("pebble: slot %d of a ring of %d", ix.Slot, len(r.slots))
	}
	if state := r.slots[ix.Slot].state.Load(); state != word(ix.Generation, sealed) {
		return Ref{}, fmt.Errorf("pebble: slot %d holds generation %d, not %d", ix.Slot, uint32(state>>stateBits),
			ix.Generation)
	}
	return Ref{ring: r, index: ix}, nil
}

func (r *Ring) memory(i uint32) []byte {
	at := int(i) * r.slotBytes
	return r.mem[at : at+r.slotBytes : at+r.slotBytes]
}

// giveBack marks a slot as released and frees every released slot from the oldest on. Two goroutines may be here: the
// one whose compare-and-swap frees a slot moves the tail, and then looks at the next slot itself, so none is missed. A
// slot is freed once each lap, so its generation is the number of the lap; comparing with the generation that the tail
// asks for keeps a goroutine that read an old tail from freeing the slot one lap later, out of order.
func (r *Ring) giveBack(i uint32, from uint64) {
	s := &r.slots[i]
	if invariant.Enabled {
		r.overwrite(i) // now: once it is marked, it may be somebody else's at any moment
	}
	if !s.state.CompareAndSwap(from, from&^stateMask|released) {
		panic(fmt.Sprintf("pebble: slot %d given back twice", i))
	}
	for {
		tail := r.tail.Load()
		if tail == r.head.Load() {
			break
		}
		oldest := &r.slots[tail%uint64(len(r.slots))]
		state := word(uint32(tail/uint64(len(r.slots))), released)
		if oldest.state.Load() != state {
			break
		}
		next := word(uint32(state>>stateBits)+1, free)
		if oldest.state.CompareAndSwap(state, next) {
			r.tail.Add(1)
		}
	}
}

// overwrite makes late readers of a freed slot see nonsense, in the checked build.
func (r *Ring) overwrite(i uint32) {
	mem := r.memory(i)
	for k := range mem {
		mem[k] = 0xdb
	}
	r.slots[i].resident = 0
}

func (r *Ring) close() error { return r.seg.Close() }
