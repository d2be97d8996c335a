package drp

import (
	"drp/hit"
	"drp/xtc"
)

// carrying gives events their thresholds, where these are carried over: an event whose thresholds are made, and those after
// it, up to so many, are a row. It belongs to the dispatcher, since rows follow the order of the source: what is found does
// not depend on how many workers there are.
type carrying struct {
	h      *hits
	length int // 0 where nothing is carried over
	now    *row
	events int // that the row has
	next   *pixels
}

// row is the thresholds of some events, and the time of the event that they are made from.
type row struct {
	carry *hit.Carry
	time  uint64
}

// begin is for the events from a BeginRun or BeginStep on.
func (r *carrying) begin(h *hits) {
	*r = carrying{h: h}
	if c := &h.cfg.Config; c.Finder == "peakfinder8" && c.Peakfinder8.Statistics == hit.Carried {
		r.length = c.Peakfinder8.Refresh
	}
}

// end lets the next event begin a row.
func (r *carrying) end() { r.now, r.events = nil, 0 }

// of gives the row of the next event. Where it has none, and cannot be searched, a later one begins it.
func (r *carrying) of(d xtc.Dgram, time uint64) *row {
	if r.length == 0 {
		return nil
	}
	if r.now == nil || r.events == r.length {
		if r.next == nil {
			made := newPixels(r.h.camera, r.h.r.calibration.table)
			r.next = &made
		}
		if r.end(); !r.next.of(d) {
			return nil
		}
		r.now = &row{carry: r.h.planOf(r.h.r.steering.present).NewCarry(&hit.Frame{Raw: r.next.raw}), time: time}
		r.next = nil // it is the row's now
	}
	r.events++
	return r.now
}
