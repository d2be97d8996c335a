package hit

import (
	"slices"

	"drp/calib/correct"
)

// beneath knows the values that pixels would have which the mask of the constants leaves out. No common mode is taken off
// them.
type beneath struct {
	p    *Plan
	at   []uint32 // pixels of a frame
	view view     // of these alone
	one  [1]float32
}

// newBeneath is nil where nobody asks, or nothing is masked.
func (p *Plan) newBeneath() *beneath {
	tables, at := p.Camera.Tables.Beneath()
	if tables == nil || p.Config.Droplets.Masked != Values {
		return nil
	}
	return &beneath{p: p, at: at, view: view{Pixels: tables.Pixels(0), tables: tables, raw: make([]uint16, len(at))}}
}

// value is that of a pixel of a frame, by its place in all segments; Bad where there is none, with or without a mask.
func (b *beneath) value(pixel int, raw uint16) int32 {
	k, found := slices.BinarySearch(b.at, uint32(pixel))
	if !found {
		return Bad
	}
	b.view.raw[k] = raw
	if b.p.Config.Pixels != Calibrated || b.view.adu16(k) == correct.Bad16 {
		return b.view.value(k)
	}
	b.view.tables.Few(b.one[:], b.view.raw[k:k+1], 0, k)
	return whole(float64(b.one[0]) / b.p.step)
}
