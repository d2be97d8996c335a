package simtest

import (
	"bytes"

	"drp/pebble"
	"drp/xtc"
)

// flipLater changes a bit of an event soon, unless its outcome has been decided by then: from there on the pipeline has
// its own word for it. Of each event a single bit changes.
func (l *lab) flipLater(e *event, n int64, ring *pebble.Ring, ix pebble.Index) {
	l.world.After(l.soon(l.plan.service), func() {
		ref, err := ring.Ref(ix)
		if err != nil || e.flipped {
			return
		}
		d := ref.Bytes()[:xtc.DgramHeaderBytes+len(e.payload)] // what was added behind it is compared with nothing
		bit := int(l.world.Chance(int64(8 * len(d))))
		l.trace("bit %d of event %d changes in memory", bit, n)
		e.searched = bytes.Clone(e.payload)
		d[bit/8] ^= 1 << (bit % 8)
		e.flipped = true
		if at := bit/8 - xtc.DgramHeaderBytes; at >= 0 {
			e.payload[at] ^= 1 << (bit % 8)
		}
	})
}
