package page

import (
	"context"
	"slices"
	"strings"

	"drp/calib"
	"drp/calib/publish"
	"drp/drp"
	"drp/monitor"
	"drp/xtc"
)

// watching reads events out of the datagrams of a monitor.
type watching struct {
	frames    *drp.Frames
	constants *told
	rings     drp.Rings // that go before what events say
	frame     drp.Frame
	scene     *scene
	decision  *xtc.Names // of the trigger; nil without
	reasons   []string   // by number
	note      func(string)
	none      string // why there are no constants, as was said
}

func newWatching(ctx context.Context, constants *told, rings drp.Rings, note func(string)) *watching {
	return &watching{constants: constants, rings: rings, note: note,
		frames: drp.FramesOf(ctx, drp.FramesOptions{First: true, Store: constants, Warn: note})}
}

// transition takes one into account.
func (w *watching) transition(d xtc.Dgram) {
	if d.Service() == xtc.Configure {
		w.constants.forget()
	}
	if _, err := w.frames.Take(d, &w.frame); err != nil && d.Service() == xtc.Configure {
		w.note("no pictures of a camera: " + err.Error())
	}
	t := w.frames.Table()
	if t == nil {
		return
	}
	switch d.Service() {
	case xtc.Configure:
		w.decision, w.reasons = reasonsOf(t, d)
	case xtc.BeginRun, xtc.BeginStep:
		if w.constants.listen(t, d) {
			w.frames.AskAgain()
		}
	}
}

// reasonsOf finds the table of reasons in a Configure.
func reasonsOf(t *xtc.Table, configure xtc.Dgram) (decision *xtc.Names, reasons []string) {
	for _, n := range t.Find("teb", "decision") {
		if decision == nil || n.Segment >= decision.Segment {
			decision = n
		}
	}
	for it := t.Blocks(configure); decision != nil && it.Next(); {
		b := it.Block()
		if v, there := b.FieldNamed("reasons"); there && b.Names.Alg == "reasons" && b.Names.Segment == decision.Segment {
			reasons = strings.Split(string(v.Text()), "\n")
		}
	}
	return decision, reasons
}

// event fills in what an event tells. Its pixels are copied.
func (w *watching) event(e *event, it *monitor.Item) {
	e.tell(it)
	d := it.Dgram
	if d.Damage()&xtc.DamageCorrupted != 0 {
		return
	}
	_, err := w.frames.Take(d, &w.frame)
	t := w.frames.Table()
	if t == nil {
		return
	}
	e.Reason = w.reason(t, d)
	if err == nil {
		e.take(&w.frame)
		w.lacking()
		if slices.ContainsFunc(w.frame.Raw, func(raw []uint16) bool { return raw != nil }) {
			e.scene = w.of(w.frames.Name()+".raw", "ADU raw", [3]int{len(w.frame.Raw), w.frames.Rows, w.frames.Cols}, w.frame.Constants)
			e.copyRaw(&w.frame)
			e.place(&w.frame)
			return
		}
	}
	if name, v, shape := fieldOf(t, d); name != "" {
		e.scene = w.of(name, "", shape, nil)
		e.copyField(v)
	}
}

// lacking says why there are no constants, where there is a store of them.
func (w *watching) lacking() {
	if why := w.frames.NoConstants(); w.frame.Constants == nil && w.constants.from != nil && why != w.none {
		w.none = why
		w.note("pictures are shown as they came: " + why)
	}
}

// reason is that of the trigger, empty without one.
func (w *watching) reason(t *xtc.Table, d xtc.Dgram) string {
	if w.decision == nil {
		return ""
	}
	for it := t.Blocks(d); it.Next(); {
		if b := it.Block(); b.Names == w.decision {
			v, _ := b.FieldNamed("reason")
			if n := v.Uint64(); n < uint64(len(w.reasons)) {
				return w.reasons[n]
			}
		}
	}
	return ""
}

// of gives the scene of such pixels, the same one as long as nothing changes.
func (w *watching) of(source, unit string, shape [3]int, k *drp.FrameConstants) *scene {
	s := w.scene
	if s == nil || s.source != source || s.segments != shape[0] || s.rows != shape[1] || s.cols != shape[2] || s.constants != k {
		w.scene = newScene(source, unit, shape, k)
		w.scene.given = w.rings
		if k != nil { // what is needed of them is in their tables
			k.Set.Pedestals, k.Set.Gains, k.Set.RMS, k.Set.Status = nil, nil, nil, nil
		}
	}
	return w.scene
}

// told gets the constants that a run tells its processes of, which lie in its shared memory. They are copied, and not held.
// Where it tells of none that are there, a store is asked.
type told struct {
	calib.Store // which has no other methods than Get
	publisher   string
	from        calib.Store // nil without one
	latest      map[string]announced
}

// announced is what a transition tells of the constants of a detector.
type announced struct {
	publisher, set string
	segment        int
}

func (k *told) forget() { k.latest = nil }

// listen notes what a transition tells; it tells whether it does.
func (k *told) listen(t *xtc.Table, d xtc.Dgram) (some bool) {
	for it := t.Blocks(d); it.Next(); {
		b := it.Block()
		if b.Names.DetName != "calibration" || b.Names.Alg != "constants" {
			continue
		}
		text := func(name string) string {
			v, _ := b.FieldNamed(name)
			return string(v.Text())
		}
		v, _ := b.FieldNamed("segment")
		if k.latest == nil {
			k.latest = map[string]announced{}
		}
		k.latest[text("detector")], some = announced{text("publisher"), text("set"), int(v.Int64())}, true
	}
	return some
}

// Get implements calib.Store.
func (k *told) Get(ctx context.Context, q calib.Query) (*calib.Set, error) {
	a, some := k.latest[q.Detector]
	if some && a.publisher == k.publisher {
		got, err := publish.Attach(a.segment)
		if err != nil {
			return nil, calib.ErrNone // the run has gone on to others
		}
		set := clone(got.Set)
		return set, got.Close()
	}
	if k.from == nil {
		return nil, calib.ErrNone
	}
	if some && a.set != "" { // those that were used then, rather than those that would be now
		if set, err := k.from.Load(ctx, a.set); err == nil && set.Subset(q.Serials) != nil {
			return set.Subset(q.Serials), nil
		}
	}
	return k.from.Get(ctx, q)
}

// clone copies the arrays of a set out of memory of others.
func clone(s *calib.Set) *calib.Set {
	c := *s
	c.Pedestals, c.Gains = slices.Clone(s.Pedestals), slices.Clone(s.Gains)
	c.RMS, c.Status, c.Mask = nil, slices.Clone(s.Status), slices.Clone(s.Mask)
	return &c
}
