package drp

import (
	"slices"

	"drp/hit"
	"drp/xtc"
)

// hitsReader reads the hits of a camera from a file.
type hitsReader struct {
	names  *xtc.Names
	config string
	at     []int // the place in frames of each segment that was searched
}

// findHits finds what a Configure says of hits; nil where it says nothing. Where a file went through drp several times, the
// last one counts.
func findHits(t *xtc.Table, c *camera, configure xtc.Dgram) *hitsReader {
	h := &hitsReader{names: latest(t.Find(c.name, hit.Alg)), config: "{}"}
	if h.names == nil {
		return nil
	}
	for i := range c.numbers {
		h.at = append(h.at, i)
	}
	settings := latest(t.Find(c.name, hit.SettingsAlg))
	for it := t.Blocks(configure); it.Next(); {
		b := it.Block()
		if settings == nil || b.Names != settings {
			continue
		}
		if v, ok := b.FieldNamed("config"); ok {
			h.config = string(v.Text())
		}
		if v, ok := b.FieldNamed("segments"); ok && v.Type == xtc.UInt16 {
			h.at = h.at[:0]
			for i := range v.Len() {
				h.at = append(h.at, slices.Index(c.numbers, int(v.UintAt(i))))
			}
		}
	}
	return h
}

func latest(all []*xtc.Names) (last *xtc.Names) {
	for _, n := range all {
		if last == nil || n.Segment >= last.Segment {
			last = n
		}
	}
	return last
}

func (h *hitsReader) is(n *xtc.Names) bool { return h != nil && h.names == n }

// read takes the hits of an event, with the segments of its peaks as they are in frames. Peaks of segments whose pixels are
// not in the file are left out.
func (h *hitsReader) read(b *xtc.Block) (hit.Record, error) {
	r, err := hit.ReadRecord(b)
	if err != nil {
		return r, &xtc.FormatError{Offset: int64(b.Offset), Reason: err.Error()}
	}
	r.Peaks = slices.DeleteFunc(r.Peaks, func(p hit.Peak) bool { return int(p.Segment) >= len(h.at) || h.at[p.Segment] < 0 })
	for i := range r.Peaks {
		r.Peaks[i].Segment = uint16(h.at[r.Peaks[i].Segment])
	}
	return r, nil
}

// fieldPlace is where a number of an event is that some detectors have.
type fieldPlace struct {
	names *xtc.Names
	entry int
}

// findField finds the first scalar field of a name.
func findField(t *xtc.Table, name string) fieldPlace {
	for _, n := range t.All() {
		if i := n.Index(name); i >= 0 && n.Entries[i].Rank == 0 {
			return fieldPlace{n, i}
		}
	}
	return fieldPlace{}
}
