package xtc

import "bytes"

// A Pattern recognises datagrams of one layout by their headers alone: the bytes of every Xtc header and shape lie at
// the same offsets with the same values. What it matches has the structure that was checked when it was learnt, so
// neither table nor walk is needed; what it does not match may still have that structure (unused shape slots may hold
// garbage). It never matches where validity depends on values, as with strings, which must end in a NUL.
type Pattern struct {
	size    int
	regions []patternRegion
}

type patternRegion struct {
	offset int
	bytes  []byte
}

// Learn makes p the pattern of a datagram that Structure found good, or one that matches nothing if there can be none.
func (p *Pattern) Learn(t *Table, d Dgram) {
	*p = Pattern{size: len(d)}
	known := DgramHeaderBytes - XtcHeaderBytes // up to here regions cover the headers; time and env are free
	for it := t.Blocks(d); it.Next(); {
		b := it.Block()
		for i := range b.Names.Entries {
			if b.Names.Entries[i].Type == CharStr {
				*p = Pattern{}
				return
			}
		}
		data := b.Extent - len(b.Data) // without what is behind the data
		if b.Extent < 2*XtcHeaderBytes || !bytes.Equal(d[b.Offset+data:b.Offset+b.Extent], b.Data) {
			*p = Pattern{} // data first, or stray bytes: left to Structure
			return
		}
		p.add(d, known, b.Offset+data)
		known = b.Offset + b.Extent
	}
	p.add(d, known, len(d))
}

func (p *Pattern) add(d Dgram, from, to int) {
	if to > from {
		p.regions = append(p.regions, patternRegion{offset: from, bytes: bytes.Clone(d[from:to])})
	}
}

// Matches tells whether a datagram has the layout that was learnt.
func (p *Pattern) Matches(d Dgram) bool {
	if len(d) != p.size || len(p.regions) == 0 || d.Size() != len(d) || d.Damage().Has(DamageCorrupted) {
		return false
	}
	for i := range p.regions {
		r := &p.regions[i]
		if !bytes.Equal(d[r.offset:r.offset+len(r.bytes)], r.bytes) {
			return false
		}
	}
	return true
}
