package monitor

import (
	"encoding/binary"
	"fmt"
	"time"

	"drp/shm"
	"drp/xtc"
)

// leaseTime is how long a consumer can keep a slot when all slots are kept.
const leaseTime = 5 * time.Second

// Memory that the slots take together when nobody says how many there are.
const (
	usualBytes = 128 << 20
	mostSlots  = 4096
	fewSlots   = 8
)

// ring is the slots.
//
// A slot is overwritten when its turn comes, unless a consumer holds it: then the next one's has come. The one who holds
// and the one who overwrites settle it as two do at a door: each says what he is about to do, and then looks what the other
// has said. The server takes the number out of the slot and looks who holds it; a consumer says what he holds and looks
// whether its number is still in the slot. One of them sees the other, or both do.
type ring struct {
	seg       *shm.Segment
	mem       []byte
	slotBytes int
	kept      []time.Time // since when a slot was passed over
	next      int
	seq       uint64
	now       func() time.Time
}

// segment is what the slots have room in.
const segment = shm.MaxBytes - shm.HeaderBytes

// Bytes is how much memory a Server takes for its slots, given their number or 0.
func Bytes(slots, eventBytes int) int64 {
	slots, slotBytes := measure(slots, eventBytes)
	return int64(slots) * int64(slotBytes)
}

func measure(slots, eventBytes int) (count, slotBytes int) {
	slotBytes = (slotHeadBytes + eventBytes + pageBytes - 1) / pageBytes * pageBytes
	if slots == 0 {
		slots = min(max(usualBytes/slotBytes, fewSlots), mostSlots, max(1, segment/slotBytes))
	}
	return slots, slotBytes
}

func newRing(slots, eventBytes int, now func() time.Time) (*ring, error) {
	slots, slotBytes := measure(slots, eventBytes)
	if slots < 1 || slots > segment/slotBytes {
		return nil, fmt.Errorf("monitor: %d slots of %d bytes do not fit in one shared-memory segment of 2 GiB: take fewer",
			slots, slotBytes)
	}
	seg, err := shm.Create(slots * slotBytes)
	if err != nil {
		return nil, fmt.Errorf("monitor: %w", err)
	}
	r := &ring{seg: seg, mem: seg.Bytes(), slotBytes: slotBytes, kept: make([]time.Time, slots), now: now}
	if err := seg.ForReaders(); err != nil {
		_ = seg.Close()
		return nil, fmt.Errorf("monitor: %w", err)
	}
	seg.Prefault() // a lack of memory shall end the start, and not the run
	return r, nil
}

func (r *ring) slot(i int) []byte { return r.mem[i*r.slotBytes : (i+1)*r.slotBytes] }

// take gives a slot that nobody reads, and whose number is taken out. Without one it takes one that was kept for too long;
// whoever kept it can tell.
func (r *ring) take(all []*consumer) (int, bool) {
	for range r.kept {
		i := r.advance()
		seq := word(r.slot(i), slotSeq)
		old := seq.Load()
		if old != 0 && held(all, old) {
			r.passOver(i)
			continue
		}
		seq.Store(0)
		if old != 0 && held(all, old) { // somebody came to it just now
			seq.Store(old)
			r.passOver(i)
			continue
		}
		r.kept[i] = time.Time{}
		return i, true
	}
	for range r.kept {
		i := r.advance()
		if r.now().Sub(r.kept[i]) > leaseTime {
			word(r.slot(i), slotSeq).Store(0)
			r.kept[i] = time.Time{}
			return i, true
		}
	}
	return 0, false
}

func (r *ring) advance() int {
	i := r.next
	if r.next++; r.next == len(r.kept) {
		r.next = 0
	}
	return i
}

func (r *ring) passOver(i int) {
	if r.kept[i].IsZero() {
		r.kept[i] = r.now()
	}
}

func held(all []*consumer, seq uint64) bool {
	for _, c := range all {
		if c.held.Load() == seq {
			return true
		}
	}
	return false
}

// room is the largest event.
func (r *ring) room() int { return r.slotBytes - slotHeadBytes }

// fill writes an event to a slot, and gives its number.
func (r *ring) fill(i int, e *Event, layout func(xtc.Dgram) uint32) uint64 {
	s := r.slot(i)
	size := len(e.Dgram) + len(e.Added)
	d := xtc.Dgram(s[slotHeadBytes : slotHeadBytes+size])
	e.putTo(d)
	binary.LittleEndian.PutUint64(s[slotNumber:], uint64(e.Number))
	binary.LittleEndian.PutUint32(s[slotSize:], uint32(size))
	binary.LittleEndian.PutUint32(s[slotFlags:], e.Flags)
	binary.LittleEndian.PutUint32(s[slotBits:], e.Bits)
	n := uint32(0)
	if layout != nil {
		n = layout(d)
	}
	binary.LittleEndian.PutUint32(s[slotLayout:], n)
	r.seq++
	word(s, slotSeq).Store(r.seq)
	return r.seq
}
