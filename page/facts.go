package page

import (
	"bytes"
	"slices"

	"drp/hit"
	"drp/monitor"
	"drp/xtc"
)

// facts finds what is recorded of an event, for those who watch only some.
type facts struct {
	table          *xtc.Table
	hits, decision *xtc.Names // nil where nothing is recorded of it
}

// configure takes the names of a Configure. One that cannot be read tells of nothing.
func (f *facts) configure(d xtc.Dgram) {
	*f = facts{table: xtc.NewTable()}
	if f.table.Configure(d) != nil {
		f.table = nil
		return
	}
	for _, n := range f.table.All() {
		switch {
		case n.Alg == hit.Alg && (f.hits == nil || n.Segment >= f.hits.Segment):
			f.hits = n
		case n.DetName == "teb" && n.Alg == "decision" && (f.decision == nil || n.Segment >= f.decision.Segment):
			f.decision = n
		}
	}
}

// of gives the facts of an event. Who was rejected was not recorded, so nobody is.
func (f *facts) of(d xtc.Dgram) (known monitor.Facts) {
	if f.hits == nil && f.decision == nil || d.Damage()&xtc.DamageCorrupted != 0 {
		return known
	}
	for it := f.table.Blocks(d); it.Next(); {
		b := it.Block()
		number := func(name string) uint64 {
			v, _ := b.FieldNamed(name)
			return v.Uint64()
		}
		switch b.Names {
		case f.hits:
			if number("hit") != 0 {
				known.Flags |= monitor.Hit
			}
		case f.decision:
			known.Bits = uint32(number("monitor"))
			if number("persist") == 0 && number("prescaled") == 0 {
				known.Flags |= monitor.Vetoed
			}
		}
	}
	return known
}

// holding is the transitions that hold where a replay is, and those that were published last of each kind.
type holding struct{ here, there []xtc.Dgram }

// ranks say which transitions end with which: those that rank higher.
var ranks = map[xtc.TransitionID]int{xtc.Configure: 1, xtc.Unconfigure: 1, xtc.BeginRun: 2, xtc.EndRun: 2, xtc.BeginStep: 3,
	xtc.EndStep: 3, xtc.Enable: 4, xtc.Disable: 4}

func applied(all []xtc.Dgram, d xtc.Dgram) []xtc.Dgram {
	rank := ranks[d.Service()]
	if rank == 0 {
		return all
	}
	all = slices.DeleteFunc(all, func(old xtc.Dgram) bool { return ranks[old.Service()] >= rank })
	if d.Service()%2 == 0 { // a begin, not an end
		all = append(all, slices.Clone(d))
	}
	return all
}

// note takes a transition into account that was passed.
func (h *holding) note(d xtc.Dgram) { h.here = applied(h.here, d) }

// publish takes one into account that was published.
func (h *holding) publish(d xtc.Dgram) { h.there = applied(h.there, d) }

// news gives what holds here and was not published, from the first that differs on.
func (h *holding) news() []xtc.Dgram {
	for i, d := range h.here {
		if i >= len(h.there) || !bytes.Equal(d, h.there[i]) {
			return h.here[i:]
		}
	}
	return nil
}
