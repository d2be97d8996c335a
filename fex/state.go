package fex

import "bytes"

// state keeps copies of the transitions that a replacement child must see to be where its predecessor was.
type state struct {
	kept []keptTransition // in the order they came
}

type keptTransition struct {
	id    uint8
	time  uint64
	dgram []byte
	made  []byte // blocks that the script made of a Configure
	// A text of the script failed at it, and would again.
	failed bool
	by     []byte
}

// same tells whether two are one transition. Sources that begin again repeat times, so the time does not say it all.
func (k *keptTransition) same(other *keptTransition) bool {
	return k != nil && other != nil && k.id == other.id && k.time == other.time && bytes.Equal(k.dgram, other.dgram)
}

const (
	configure = 2
	enable    = 8
)

// opens maps each transition that is kept to the one that ends its effect. The numbers are those of XTC2.
var opens = map[uint8]uint8{
	2:  3, // Configure, Unconfigure
	4:  5, // BeginRun, EndRun
	6:  7, // BeginStep, EndStep
	8:  9, // Enable, Disable
	10: 5, // SlowUpdate: the latest, until EndRun
}

// apply notes a transition; it gives what it keeps of it, nil if that is nothing.
func (s *state) apply(id uint8, time uint64, dgram []byte) *keptTransition {
	s.forget(id)
	if _, keep := opens[id]; !keep {
		return nil
	}
	s.kept = append(s.kept, keptTransition{id: id, time: time, dgram: append([]byte(nil), dgram...)})
	return &s.kept[len(s.kept)-1]
}

// forget drops what a transition ends or takes the place of.
func (s *state) forget(id uint8) {
	kept := s.kept[:0]
	for _, k := range s.kept {
		if opens[k.id] != id && k.id != id && id != 3 && id != 2 {
			kept = append(kept, k)
		}
	}
	s.kept = kept
}

// failed notes a transition that a text of the script failed at. What it should have ended is over all the same. What it should
// have begun was not, and a replacement would only fail at it again; but a child of another text may be able to.
func (s *state) failed(id uint8, time uint64, dgram, text []byte) {
	switch _, begins := opens[id]; {
	case !begins:
		s.forget(id)
	case dgram != nil && (id == beginRun || id == beginStep || id == enable):
		k := s.apply(id, time, dgram)
		k.failed, k.by = true, text
	}
}

// hides tells whether a transition is not shown to children of a text.
func (k *keptTransition) hides(text []byte) bool { return k.failed && bytes.Equal(k.by, text) }
