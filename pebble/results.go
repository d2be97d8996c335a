package pebble

import (
	"fmt"

	"drp/shm"
)

// Results is the segment a worker's child writes its answers into: one slot per slot of the worker's ring, and one
// area for the answer to a transition. Its contents are the child's and may be anything: check before believing.
type Results struct {
	seg             *shm.Segment
	mem             []byte
	slots           int
	slotBytes       int
	transitionBytes int
}

func newResults(slots, slotBytes, transitionBytes int) (*Results, error) {
	if slotBytes < minResultBytes || transitionBytes < minResultBytes {
		return nil, fmt.Errorf("pebble: a result area of %d bytes is too small: "+
			"give --fex-bytes and --transition-bytes at least %d", min(slotBytes, transitionBytes), minResultBytes)
	}
	if slots > (shm.MaxBytes-transitionBytes)/slotBytes {
		return nil, fmt.Errorf("pebble: %d results of %d bytes and one of %d do not fit in one segment (2 GiB - 1): "+
			"lower --slots, --fex-bytes or --transition-bytes", slots, slotBytes, transitionBytes)
	}
	seg, err := shm.Create(slots*slotBytes + transitionBytes)
	if err != nil {
		return nil, fmt.Errorf("pebble: %w", err)
	}
	return &Results{seg: seg, mem: seg.Bytes(), slots: slots, slotBytes: slotBytes, transitionBytes: transitionBytes}, nil
}

// minResultBytes leaves room for the message of a failed script.
const minResultBytes = 4096

// SegmentID is the id by which the child attaches the results.
func (r *Results) SegmentID() int { return r.seg.ID() }

// SlotBytes is the size of the result of one event.
func (r *Results) SlotBytes() int { return r.slotBytes }

// TransitionOffset is where the result of a transition begins, counted from the first result slot.
func (r *Results) TransitionOffset() int { return r.slots * r.slotBytes }

// TransitionBytes is the size of the result of a transition.
func (r *Results) TransitionBytes() int { return r.transitionBytes }

// Event is the result area of a slot.
func (r *Results) Event(slot uint32) []byte {
	at := int(slot) * r.slotBytes
	return r.mem[at : at+r.slotBytes : at+r.slotBytes]
}

// Transition is the result area for transitions.
func (r *Results) Transition() []byte { return r.mem[r.TransitionOffset():] }
