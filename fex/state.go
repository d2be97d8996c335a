package fex

// state keeps copies of the transitions that a replacement child must see to be where its predecessor was.
type state struct {
	kept []keptTransition // in the order they came
}

type keptTransition struct {
	id    uint8
	time  uint64
	dgram []byte
}

const configure = 2

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
	_, keep := opens[id]
	kept := s.kept[:0]
	for _, k := range s.kept {
		if opens[k.id] != id && k.id != id && id != 3 && id != 2 {
			kept = append(kept, k)
		}
	}
	s.kept = kept
	if !keep {
		return nil
	}
	s.kept = append(s.kept, keptTransition{id: id, time: time, dgram: append([]byte(nil), dgram...)})
	return &s.kept[len(s.kept)-1]
}
