package xtc

import (
	"encoding/binary"
	"slices"
)

const smallEventBytes = DgramHeaderBytes + 3*XtcHeaderBytes + 16

// A smallIndex makes the small-data form of datagrams: of each event only where it is.
//
//	0       24           36       48     60       68     76
//	| Dgram | ShapesData | Shapes | Data | offset | size |
type smallIndex struct {
	ready bool
	dgram [smallEventBytes]byte
}

// smallNames describes an entry of the small data.
func smallNames(id NamesID) *Names {
	return &Names{ID: id, DetType: "offset", DetName: "smdinfo", Alg: "offsetAlg",
		Entries: []Name{{Name: "intOffset", Type: UInt64}, {Name: "intDgramSize", Type: UInt64}}}
}

// configure appends the Names of the small data to a Configure and prepares the template for events. The id is the one
// the DRP uses, unless the Configure has it.
func (x *smallIndex) configure(d []byte) ([]byte, error) {
	t := NewTable()
	if err := t.Configure(d); err != nil {
		return d, err
	}
	src := Dgram(d).Src()
	id := NewNamesID(src, IndexSmallData)
	if t.Lookup(id) != nil {
		var err error
		if id, err = t.FreeID(src); err != nil {
			return d, err
		}
	}
	n := smallNames(id)
	d, err := n.AppendTo(d)
	if err != nil {
		return d, err
	}
	if len(d) > MaxExtent {
		return d, formatErrorf(0, "the Configure is too large for small data")
	}
	Dgram(d).SetSize(len(d))
	x.ready = true
	return d, x.prepare(n)
}

func (x *smallIndex) prepare(n *Names) error {
	PutDgramHeader(x.dgram[:], 0, 0, 0, 0, smallEventBytes-DgramHeaderBytes)
	var b Builder
	b.Begin(x.dgram[:DgramHeaderBytes], n)
	b.Uint(0)
	b.Uint(0)
	_, err := b.End()
	return err
}

// event gives the small data of the event that begins at offset of the big file; the next call overwrites it. Damage is
// kept, unlike in the original, because an analysis wants to choose events without reading them; not Corrupted, which
// would hide the offset.
func (x *smallIndex) event(d Dgram, offset int64) []byte {
	e := Dgram(x.dgram[:])
	e.SetTime(d.Time())
	e.SetEnv(d.Env())
	e.SetDamage(d.Damage() &^ DamageCorrupted)
	values := e[smallEventBytes-16:]
	binary.LittleEndian.PutUint64(values, uint64(offset))
	binary.LittleEndian.PutUint64(values[8:], uint64(d.Size()))
	return e
}

// form gives the small data of any datagram: of an event and of an EndRun only the header is looked at. It is valid until
// the next call.
func (x *smallIndex) form(d Dgram, offset int64) ([]byte, error) {
	switch s := d.Service(); {
	case s.IsEvent() && !x.ready:
		return nil, formatErrorf(0, "%v before any Configure", s)
	case s.IsEvent():
		return x.event(d, offset), nil
	case s == Configure:
		return x.configure(slices.Clone(d))
	case s == EndRun:
		head := slices.Clone(d[:DgramHeaderBytes])
		head.SetSize(DgramHeaderBytes)
		return head, nil
	}
	return d, nil
}
