package record

import (
	"slices"

	"drp/xtc"
)

// edit takes a datagram apart into the stretches that are kept. Its buffers are reused: what apply returns is valid
// until the next call.
type edit struct {
	header [xtc.DgramHeaderBytes]byte
	parts  [][]byte
	nested []byte // rebuilt Parents
}

// apply gives the header of the edited datagram, whose size the writer sets, and the parts of its payload.
func (e *edit) apply(d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) (xtc.Dgram, [][]byte) {
	copy(e.header[:], d)
	header := xtc.Dgram(e.header[:])
	header.SetDamage(header.Damage() | damage)
	e.parts, e.nested = e.parts[:0], e.nested[:0]
	if len(removed) == 0 {
		e.keep(d.Payload())
	} else {
		e.cut(d.Payload(), removed)
	}
	e.keep(added)
	return header, e.parts
}

func (e *edit) keep(b []byte) {
	if len(b) > 0 {
		e.parts = append(e.parts, b)
	}
}

// cut keeps the stretches between removed blocks. A Parent that holds a removed block is rebuilt, since its extent
// changes; a payload that does not parse was refused before.
func (e *edit) cut(payload []byte, removed []uint32) {
	from := 0
	it := xtc.NewIter(payload)
	for it.Next() {
		h, at := it.Header(), it.Offset()
		switch {
		case h.Type == xtc.TypeShapesData && slices.Contains(removed, uint32(h.NamesID())):
			e.keep(payload[from:at])
		case h.Type == xtc.TypeParent && holds(it.Payload(), removed):
			e.keep(payload[from:at])
			start := len(e.nested)
			e.nested = rebuild(e.nested, it.Bytes(), removed)
			e.keep(e.nested[start:])
		default:
			continue
		}
		from = at + int(h.Extent)
	}
	e.keep(payload[from:])
}

// holds tells whether a removed block is anywhere below.
func holds(payload []byte, removed []uint32) bool {
	it := xtc.NewIter(payload)
	for it.Next() {
		h := it.Header()
		if h.Type == xtc.TypeShapesData && slices.Contains(removed, uint32(h.NamesID())) ||
			h.Type == xtc.TypeParent && holds(it.Payload(), removed) {
			return true
		}
	}
	return false
}

// rebuild appends a Parent without the removed blocks.
func rebuild(dst, parent []byte, removed []uint32) []byte {
	start := len(dst)
	dst = append(dst, parent[:xtc.XtcHeaderBytes]...)
	it := xtc.NewIter(parent[xtc.XtcHeaderBytes:])
	for it.Next() {
		h := it.Header()
		switch {
		case h.Type == xtc.TypeShapesData && slices.Contains(removed, uint32(h.NamesID())):
		case h.Type == xtc.TypeParent:
			dst = rebuild(dst, it.Bytes(), removed)
		default:
			dst = append(dst, it.Bytes()...)
		}
	}
	h := xtc.ParseHeader(dst[start:])
	h.Extent = uint32(len(dst) - start)
	h.Put(dst[start:])
	return dst
}
