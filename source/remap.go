package source

import (
	"encoding/binary"

	"drp/xtc"
)

// chooseIDs finds, at a Configure, new NamesIds for those of this stream that the streams before it use already.
func (s *stream) chooseIDs(before xtc.Dgram, added []byte) error {
	taken := xtc.NewTable()
	if err := taken.Configure(before); err != nil {
		return err
	}
	s.remap = nil
	return s.chooseWithin(taken, added)
}

func (s *stream) chooseWithin(taken *xtc.Table, payload []byte) error {
	it := xtc.NewIter(payload)
	for it.Next() {
		if it.Header().Damage.Has(xtc.DamageCorrupted) {
			continue
		}
		switch it.Header().Type {
		case xtc.TypeParent:
			if err := s.chooseWithin(taken, it.Payload()); err != nil {
				return err
			}
		case xtc.TypeNames:
			n, err := xtc.ParseNames(it.Bytes())
			if err != nil {
				return err
			}
			id := n.ID
			if taken.Lookup(id) != nil {
				if n.ID, err = freeID(taken, id); err != nil {
					return err
				}
				if s.remap == nil {
					s.remap = map[xtc.NamesID]xtc.NamesID{}
				}
				s.remap[id] = n.ID
			}
			if err := taken.Add(n); err != nil {
				return err
			}
		}
	}
	return it.Err()
}

// freeID keeps the index, which the DAQ gives a meaning, if some node has it free.
func freeID(taken *xtc.Table, id xtc.NamesID) (xtc.NamesID, error) {
	const nodes = 1 << 12
	for step := uint32(1); step < nodes; step++ {
		free := xtc.NewNamesID((id.Node()+step)%nodes, id.Index())
		if taken.Lookup(free) == nil {
			return free, nil
		}
	}
	return taken.FreeID(id.Node())
}

// renumber changes the NamesIds of Names and ShapesData in place. What does not parse is left: it is judged later. So is
// what is in a corrupted container, where nothing means what it seems to.
func renumber(payload []byte, remap map[xtc.NamesID]xtc.NamesID) {
	it := xtc.NewIter(payload)
	for it.Next() {
		h := it.Header()
		if h.Damage.Has(xtc.DamageCorrupted) && h.Type == xtc.TypeParent {
			continue
		}
		switch h.Type {
		case xtc.TypeParent:
			renumber(it.Payload(), remap)
		case xtc.TypeNames, xtc.TypeShapesData:
			if to, ok := remap[h.NamesID()]; ok {
				binary.LittleEndian.PutUint32(it.Bytes(), h.Src&^0xfffff|uint32(to))
			}
		}
	}
}
