package drp

import (
	"encoding/binary"
	"slices"
	"unsafe"

	"drp/fex"
	"drp/hit"
	"drp/shm"
	"drp/xtc"
)

// searcher looks for hits in the events of one worker.
type searcher struct {
	h      *hits
	memory *shm.Segment // that scripts read: a head and the peaks, for each slot of the worker's ring
	stride int          // from one slot to the next
	found  []found      // by slot; the collector reads it when the event is answered

	plan   *hit.Plan // that the finder was made from
	finder hit.Finder
	pixels pixels
	frame  hit.Frame // here and not in search, since what a finder is given lives on the heap
	result hit.Result
}

// found is what was found in an event, until its slot is free again: what hit finding contributes to any decision about it.
type found struct {
	hit.Record
	passed bool     // no script is shown the event
	block  []byte   // as it is recorded
	raw    []uint32 // the NamesIDs of the pixels that were searched
}

// usualBlock has room for what most events have: a slot gets it once.
const usualBlock = 4096

const (
	headBytes = int(unsafe.Sizeof(head{}))
	peakBytes = int(unsafe.Sizeof(hit.Peak{}))
)

// The sizes are those that Python knows: this fails to compile when they are not.
var (
	_ [64 - headBytes]byte
	_ [headBytes - 64]byte
	_ [32 - peakBytes]byte
	_ [peakBytes - 32]byte
)

// search looks for hits in an event. It tells whether a script shall see it. An event that lacks pixels of the camera, or
// has others than the constants are for, is not searched.
func (s *searcher) search(e *entry, d xtc.Dgram, in *row) (shown bool) {
	at := s.memory.Bytes()[int(e.ix.Slot)*s.stride:]
	to := (*head)(unsafe.Pointer(&at[0]))
	*to = head{}
	if plan := s.h.planOf(e.settings); s.plan != plan {
		s.plan = plan
		s.finder, s.pixels = s.h.r.cfg.Finder(s.plan), newPixels(s.h.camera, s.h.r.calibration.table)
	}
	if !s.pixels.of(d) {
		return true
	}
	s.frame = hit.Frame{Raw: s.pixels.raw, Number: uint64(e.number)}
	f := &s.found[e.ix.Slot]
	f.Thresholds = 0
	if in != nil {
		s.frame.Carried, f.Thresholds = in.carry, in.time
	}
	// The finder appends the peaks to where scripts see them.
	room := unsafe.Slice((*hit.Peak)(unsafe.Pointer(&at[headBytes])), s.h.cfg.MaxPeaks)
	s.result.Peaks = room[:0]
	s.finder.Find(&s.frame, &s.result)
	copy(room, s.result.Peaks) // should it have done otherwise
	f.Summary, f.By, f.Peaks, f.raw = s.result.Summary, s.result.By, room[:len(s.result.Peaks)], s.h.raw
	f.Regions, f.Radial, f.RadialCounts = s.result.Regions, s.result.Radial, s.result.RadialCounts // as long as they are encoded
	var err error
	if f.block, err = f.AppendTo(slices.Grow(f.block[:0], usualBlock), s.h.names); err != nil {
		panic(err) // the names are our own
	}
	*to = headOf(&f.Record)
	f.Regions, f.Radial, f.RadialCounts = nil, nil, nil
	e.searched, e.calibration = true, s.h.r.calibration.generation
	f.passed = s.h.cfg.Only && !f.Hit
	return !f.passed
}

// pass ends an event that no script is shown, as if one had seen it and added nothing.
func (r *Run) pass(e *entry) {
	e.note(&fex.Answer{Status: fex.OK})
	e.pending.Store(0)
	r.window.signal()
}

// pixels finds the raw pixels of a camera in events, where they lie.
type pixels struct {
	c     *camera
	table *xtc.Table
	raw   [][]uint16 // of each segment
	room  [][]uint16 // for those that lie at odd addresses; made when there are any
}

func newPixels(c *camera, table *xtc.Table) pixels {
	segments, _, _ := c.tables.Shape()
	return pixels{c: c, table: table, raw: make([][]uint16, segments), room: make([][]uint16, segments)}
}

// of finds those of an event; it tells whether all are there and as the constants have them.
func (p *pixels) of(d xtc.Dgram) bool {
	segments, rows, cols := p.c.tables.Shape()
	clear(p.raw)
	for it := p.table.Blocks(d); it.Next(); {
		b := it.Block()
		at := slices.Index(p.c.names, b.Names)
		if at < 0 {
			continue
		}
		raw, ok := b.FieldNamed("raw")
		if len(p.c.names) != segments {
			at = 0 // one Names for all panels
		}
		panels, height, width := 1, raw.Shape[0], raw.Shape[1]
		if raw.Rank == 3 {
			panels, height, width = int(raw.Shape[0]), raw.Shape[1], raw.Shape[2]
		}
		if !ok || b.Damage != 0 || int(height) != rows || int(width) != cols || panels < 1 || at+panels > segments {
			return false
		}
		for k := range panels {
			p.raw[at+k] = p.view(at+k, raw.Data[2*rows*cols*k:2*rows*cols*(k+1)])
		}
	}
	return !slices.ContainsFunc(p.raw, func(raw []uint16) bool { return raw == nil })
}

// view gives the bytes of a segment as pixels, in place unless they lie at an odd address.
func (p *pixels) view(segment int, b []byte) []uint16 {
	if uintptr(unsafe.Pointer(&b[0]))%2 == 0 {
		return unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), len(b)/2)
	}
	if p.room[segment] == nil {
		p.room[segment] = make([]uint16, len(b)/2)
	}
	room := p.room[segment]
	for i := range room {
		room[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return room
}
