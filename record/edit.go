package record

import (
	"slices"

	"drp/xtc"
)

// edit takes a datagram apart into the stretches that are kept. Its buffers are reused: what apply returns is valid
// until the next call, but for the stretches of the datagram itself. (The writer copies parts as small as the others.)
type edit struct {
	header  [xtc.DgramHeaderBytes]byte
	parts   [][]byte
	parents []byte // headers of Parents that lost something
}

// apply gives the header of the edited datagram, whose size the writer sets, and the parts of its payload. A corrupted
// datagram keeps all it has: what looks like a block in it may be none.
func (e *edit) apply(d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) (xtc.Dgram, [][]byte) {
	copy(e.header[:], d)
	header := xtc.Dgram(e.header[:])
	header.SetDamage(header.Damage() | damage)
	e.parts, e.parents = e.parts[:0], e.parents[:0]
	if len(removed) == 0 || d.Damage().Has(xtc.DamageCorrupted) {
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

// cut keeps the stretches between removed blocks. A Parent that holds one gets another header, since its extent
// changes. A payload that does not parse was refused before.
func (e *edit) cut(payload []byte, removed []uint32) {
	from := 0
	it := xtc.NewIter(payload)
	for it.Next() {
		h, at := it.Header(), it.Offset()
		less := lost(&it, removed)
		if less == 0 {
			continue
		}
		e.keep(payload[from:at])
		if from = at + int(h.Extent); less == int(h.Extent) {
			continue
		}
		h.Extent -= uint32(less)
		start := len(e.parents)
		e.parents = append(e.parents, it.Bytes()[:xtc.XtcHeaderBytes]...)
		h.Put(e.parents[start:])
		e.keep(e.parents[start:])
		e.cut(it.Payload(), removed)
	}
	e.keep(payload[from:])
}

// lost tells how many bytes of the Xtc that an iterator went to are removed: all of a block, some or none of a Parent,
// and none of one that is corrupted, where nobody looks.
func lost(it *xtc.Iter, removed []uint32) (bytes int) {
	switch h := it.Header(); {
	case h.Type == xtc.TypeShapesData && slices.Contains(removed, uint32(h.NamesID())):
		return int(h.Extent)
	case h.Type == xtc.TypeParent && !h.Damage.Has(xtc.DamageCorrupted):
		inner := xtc.NewIter(it.Payload())
		for inner.Next() {
			bytes += lost(&inner, removed)
		}
	}
	return bytes
}
