package page

import (
	"context"
	"math"
	"slices"

	"drp/calib"
	"drp/drp"
	"drp/monitor"
)

// Viewer makes pictures of what its user watches, for who has no browser: the same that a Page shows. It belongs to one
// goroutine, and keeps one event.
type Viewer struct {
	watching *watching
	painter  painter
	event    event
}

// Picture is one of an event, in memory of its own.
type Picture struct {
	Source, Unit string // as in "epixhr.raw" and "keV"
	High, Wide   int    // of the full picture
	Bin          int    // each place is the mean of Bin x Bin of its pixels
	Rows, Cols   int
	Values       []float32 // (Rows, Cols); NaN where there is no good pixel
	Peaks        []Point   // in the full picture
	Centre       *Point    // of the beam; nil where it is not known
	Energy       float64   // of the photons, eV; not above 0 where it is not known
	Distance     float64   // of the detector in pixels; 0 where it is not known
}

// Point is a place in a picture, in pixels.
type Point struct{ X, Y float64 }

// Seen is what is known of an event without its picture.
type Seen struct {
	Number int64
	Time   uint64 // as in the datagram
	Hit    *bool  // nil where nobody has looked
	Peaks  int
	Flags  []string // hit, rejected, vetoed, damaged
	Reason string   // of the trigger
}

// NewViewer makes one for what a run publishes. The store is asked where the run tells of no constants; it may be nil. Until
// the context ends, note is told what cannot be shown.
func NewViewer(ctx context.Context, publisher string, store calib.Store, rings drp.Rings, note func(string)) *Viewer {
	return &Viewer{watching: newWatching(ctx, &told{publisher: publisher, from: store}, rings, note)}
}

// Take takes a transition or an event, whose pixels it copies.
func (v *Viewer) Take(it *monitor.Item) {
	if it.Dgram.Service().IsEvent() {
		v.watching.event(&v.event, it)
	} else {
		v.watching.transition(it.Dgram)
	}
}

// Seen tells of the last event.
func (v *Viewer) Seen() Seen {
	e := &v.event
	return Seen{Number: e.Number, Time: e.time, Hit: e.Hit, Peaks: e.Peaks, Flags: slices.Clone(e.Flags), Reason: e.Reason}
}

// Shape is that of the full picture of the last event; nothing where that has no picture.
func (v *Viewer) Shape() (high, wide int) {
	if v.event.scene == nil {
		return 0, 0
	}
	return v.event.scene.high, v.event.scene.wide
}

// Picture makes that of the last event, reduced by bin, of which it is at most the size of the picture; nil where there is none.
func (v *Viewer) Picture(bin int) *Picture {
	e := &v.event
	if e.scene == nil {
		return nil
	}
	s := e.scene
	plan := s.plan(min(bin, max(s.high, s.wide)))
	p := &Picture{Source: s.source, Unit: s.unit, High: s.high, Wide: s.wide, Bin: plan.bin, Rows: plan.high, Cols: plan.wide,
		Values: make([]float32, plan.places()), Energy: s.photons(&v.watching.frame), Distance: s.far(&v.watching.frame)}
	v.painter.means(p.Values, e, plan)
	for i := range e.peaks {
		p.Peaks = append(p.Peaks, Point{float64(e.peaks[i].x), float64(e.peaks[i].y)})
	}
	if x, y, known := s.centre(); known {
		p.Centre = &Point{x, y}
	}
	if math.IsNaN(p.Energy) {
		p.Energy = 0
	}
	return p
}
