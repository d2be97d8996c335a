package drp

import (
	"context"
	"errors"

	"drp/xtc"
)

// FramesOf reads frames from datagrams that are handed over one by one, as those who watch a run get them. Take comes in the
// place of Next.
func FramesOf(ctx context.Context, o FramesOptions) *Frames {
	if o.Warn == nil {
		o.Warn = func(string) {}
	}
	return &Frames{o: o, ctx: ctx, number: -1, path: "what is watched"}
}

var errNoConfigure = errors.New("there was no Configure that could be read")

// Take takes a datagram; it tells whether that is an event, which e then holds. Pixels lie where the datagram does.
func (f *Frames) Take(d xtc.Dgram, e *Frame) (event bool, err error) {
	if d.Service() != xtc.Configure && f.camera == nil {
		return false, errNoConfigure
	}
	if d.Service() == xtc.Configure {
		f.camera = nil // until one is found
	}
	e.buf = d
	return f.datagram(e)
}

// AskAgain makes it ask for the constants anew at the next event.
func (f *Frames) AskAgain() { f.known = false }

// Table has the Names of the Configure that holds; nil before the first.
func (f *Frames) Table() *xtc.Table { return f.table }
