package pebble

import "fmt"

// Loan is the exclusive right to fill a slot. Seal or Abort consumes it.
type Loan struct {
	ring  *Ring
	index Index
}

// Bytes is the whole slot, writable until Seal. It holds what the slot's last user left.
func (l *Loan) Bytes() []byte { return l.ring.memory(l.index.Slot) }

// Resident is a note that the filler of the slot's last round left about its contents, 0 if none. A source whose
// frames repeat need not write again what is still there.
func (l *Loan) Resident() uint64 { return l.ring.slots[l.index.Slot].resident }

// SetResident leaves such a note.
func (l *Loan) SetResident(note uint64) { l.ring.slots[l.index.Slot].resident = note }

// Seal ends the writing: the first n bytes are the datagram.
func (l *Loan) Seal(n int) Index {
	ring, ix := l.take()
	s := &ring.slots[ix.Slot]
	if n < 0 || n > ring.slotBytes {
		panic(fmt.Sprintf("pebble: seal of %d bytes in a slot of %d", n, ring.slotBytes))
	}
	s.bytes = n
	s.state.Store(word(ix.Generation, sealed))
	return ix
}

// Abort gives the slot back unused.
func (l *Loan) Abort() {
	ring, ix := l.take()
	ring.giveBack(ix.Slot, word(ix.Generation, loaned))
}

func (l *Loan) take() (*Ring, Index) {
	if l.ring == nil {
		panic("pebble: use of a loan that was sealed or aborted")
	}
	ring, ix := l.ring, l.index
	*l = Loan{}
	return ring, ix
}

// Ref is the right to read a sealed slot. Release consumes it and the slot's generation.
type Ref struct {
	ring    *Ring
	index   Index
	decided bool
}

// Decide claims the right to settle what becomes of the datagram. Of all who try, for one generation of the slot, one
// gets true.
func (f *Ref) Decide() bool {
	f.decided = f.ring.slots[f.index.Slot].state.CompareAndSwap(word(f.index.Generation, sealed),
		word(f.index.Generation, decided))
	return f.decided
}

// Bytes is the datagram in the slot, valid until Release.
func (f *Ref) Bytes() []byte {
	return f.ring.memory(f.index.Slot)[:f.ring.slots[f.index.Slot].bytes]
}

// Grow lets the one who is to decide write n bytes more behind the datagram, while nobody else reads it: it gives all of
// it then, or nil where the slot has no room.
func (f *Ref) Grow(n int) []byte {
	s := &f.ring.slots[f.index.Slot]
	if n > f.ring.slotBytes-s.bytes {
		return nil
	}
	s.bytes += n
	f.Spoilt()
	return f.Bytes()
}

// Spoilt says that the datagram is not what the filler wrote any more: his note of what is resident is no longer true.
func (f *Ref) Spoilt() { f.ring.slots[f.index.Slot].resident = 0 }

// Release gives the slot back: its generation is over.
func (f *Ref) Release() {
	if f.ring == nil {
		panic("pebble: second release of a reference")
	}
	ring, ix := f.ring, f.index
	from := sealed
	if f.decided {
		from = decided
	}
	*f = Ref{}
	ring.giveBack(ix.Slot, word(ix.Generation, from))
}
