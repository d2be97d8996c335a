package fex

import (
	"errors"

	"drp/pebble"
)

// Work is an event for a script. What was prepared for it, by whoever hands it over, lies at a place of memory that the
// script's process comes to know by asking; see Want.
type Work struct {
	Index     pebble.Index // sealed, of this worker's ring
	Bytes     int
	Layout    uint32
	Time, Tag uint64
	Prepared  uint16 // one more than the place of what was prepared for it; 0 is nothing
	Parts     uint8  // how many of the things asked for so far were prepared
	Settings  uint16 // the entry of the board (Config.Settings) with the values that hold for it; 0 is none
}

// settingsShift is where the layout of a request, of which there are few, makes room for Settings.
const settingsShift = 16

// maxParts is what a request has room for.
const maxParts = 1<<(8-partsShift) - 1

// Want is what a script asks for while it has an event in hand.
type Want struct {
	Tag   uint64 // of the event
	Kind  uint32 // as the Python package and the caller agree
	Names uint32 // the NamesID of a segment of the detector
}

// Wanted is where the thing asked for lies: Bytes of it at Place x Stride of the payload of a segment. From then on the
// same thing may be prepared for events beforehand: that is their part number Part, at another place of the segment.
type Wanted struct {
	Refused    string // why there is none; the rest does not count then
	Segment    int
	Places     int
	Stride     int
	Bytes      int
	Place      uint16
	Part       uint8
	Rows, Cols int // of its last two dimensions
}

// errWant ends a child that asks for something in an event that it does not have.
var errWant = errors.New("fex: the child asked for something for an event that it does not have")

// want answers a child that asks for something; it runs on the worker's goroutine, without a lock while it is made.
func (w *Worker) want(asked []byte) error {
	var r record
	r.parse(asked)
	w.mu.Lock()
	var tag uint64
	found := false
	for i := range w.queue.written {
		if q := w.queue.at(i); q.kind == kindEvent && q.slot == r.slot && q.generation == r.generation {
			tag, found = q.tag, true
			break
		}
	}
	w.mu.Unlock()
	if !found {
		return errWant
	}
	made := Wanted{Refused: "drp prepares nothing for scripts here"}
	if w.cfg.Want != nil {
		made = w.cfg.Want(w.id, Want{Tag: tag, Kind: r.transition, Names: r.layout})
	}
	a := record{kind: kindWant, count: uint16(made.Part), slot: uint32(made.Place), generation: uint32(made.Segment),
		bytes: uint32(made.Bytes), layout: uint32(made.Stride), transition: uint32(made.Places), time: uint64(made.Rows)<<32 | uint64(made.Cols)}
	if made.Refused != "" {
		a = record{kind: kindWant, status: 1, bytes: uint32(len(made.Refused))}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child != nil {
		_ = w.child.Write(append(a.append(nil), made.Refused...)) // a broken pipe is left to the reader
	}
	return nil
}
