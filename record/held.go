package record

import (
	"slices"

	"drp/xtc"
)

// A held transition is one that is not in the files for certain yet. All transitions are, between being recorded and the
// next Flush that succeeds; when the disk takes nothing they wait here, so that what is recorded later is a legal
// sequence. It is a copy, with what the script added.
type held struct {
	d      xtc.Dgram
	run    int  // that a BeginRun names, or -1
	madeUp bool // so that a chunk can end
}

func newHeld(d xtc.Dgram, added []byte, damage xtc.Damage, run int) held {
	whole := slices.Concat(d[:xtc.DgramHeaderBytes], d.Payload(), added)
	whole.SetSize(len(whole))
	whole.SetDamage(whole.Damage() | damage)
	return held{d: whole, run: run}
}

// A position is where in a run the files are: the transitions that have begun something and hold until their end.
type position struct {
	configure, run, step, enable xtc.Dgram
	over                         bool // the run has ended
}

// apply goes past a transition.
func (p *position) apply(d xtc.Dgram) {
	switch d.Service() {
	case xtc.Configure:
		*p = position{configure: d}
	case xtc.BeginRun:
		*p = position{configure: p.configure, run: d}
	case xtc.BeginStep:
		p.step, p.enable = d, nil
	case xtc.Enable:
		p.enable = d
	case xtc.Disable:
		p.enable = nil
	case xtc.EndStep:
		p.step, p.enable = nil, nil
	case xtc.EndRun:
		*p = position{configure: p.configure, over: true}
	}
}

// again gives the transitions that bring another file to this position. An Enable that named a next chunk names none
// there.
func (p *position) again(chunkInfo *xtc.Names) (all []held) {
	for _, d := range []xtc.Dgram{p.configure, p.run, p.step, p.enable} {
		if d == nil {
			continue
		}
		if d.Service() == xtc.Enable && chunkInfo != nil {
			d = without(d, chunkInfo.ID)
		}
		all = append(all, held{d: d, run: -1})
	}
	return all
}

// without copies a datagram but for the blocks of one NamesID.
func without(d xtc.Dgram, id xtc.NamesID) xtc.Dgram {
	var e edit
	header, parts := e.apply(d, []uint32{uint32(id)}, nil, 0)
	all := slices.Concat(header, slices.Concat(parts...))
	all.SetSize(len(all))
	return all
}

// hold puts a transition behind those that wait. Of SlowUpdates that wait only the latest is kept: they come for as
// long as the disk is full, and each replaces the one before.
func (r *Recorder) hold(h held) {
	if h.d.Service() == xtc.SlowUpdate && r.stalled != nil {
		r.held = slices.DeleteFunc(r.held, func(old held) bool { return old.d.Service() == xtc.SlowUpdate })
	}
	r.held = append(r.held, h)
}

// present is the position behind all that was handed to the writer.
func (r *Recorder) present() position {
	p := r.settled
	for i := range r.held[:r.taken] {
		p.apply(r.held[i].d)
	}
	return p
}

// settle takes over what the writer has brought into the files since it was last asked.
func (r *Recorder) settle() {
	if r.w == nil {
		return
	}
	c := r.w.Written()
	r.inFiles += c.Events - r.seen.Events
	n := int(c.Transitions - r.seen.Transitions)
	r.seen = c
	for i := range r.held[:n] {
		r.settled.apply(r.held[i].d)
	}
	r.held = slices.Delete(r.held, 0, n)
	r.taken -= n
}

// flush brings everything appended into the files. When that fails, the transitions among it wait and the events are
// lost.
func (r *Recorder) flush() error {
	if r.w == nil {
		return nil
	}
	err := r.w.Flush()
	r.settle()
	return err
}
