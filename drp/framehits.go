package drp

import (
	"fmt"
	"slices"

	"drp/hit"
	"drp/xtc"
)

// RecordedHits is what was found in an event when it was recorded.
type RecordedHits struct {
	hit.Summary
	By         uint8  // 0 CPU, 1 GPU, 2 CPU because the GPU failed
	Thresholds uint64 // time of the event whose thresholds were used, 0 where the event has its own
	Peaks      []hit.Peak
}

// hitsReader reads the hits of a camera from a file.
type hitsReader struct {
	names   *xtc.Names
	entries []int // of names, in the order of hitEntries
	config  string
	at      []int // the place in frames of each segment that was searched
}

// findHits finds what a Configure says of hits; nil where it says nothing. Where a file went through drp several times, the
// last one counts.
func findHits(t *xtc.Table, c *camera, configure xtc.Dgram) *hitsReader {
	names := latest(t.Find(c.name, "hits"))
	if names == nil {
		return nil
	}
	h := &hitsReader{names: names, config: "{}"}
	for _, e := range hitEntries() {
		at := names.Index(e.Name)
		if at < 0 || names.Entries[at].Type != e.Type || names.Entries[at].Rank != e.Rank {
			return nil // of another version
		}
		h.entries = append(h.entries, at)
	}
	for i := range c.numbers {
		h.at = append(h.at, i)
	}
	settings := latest(t.Find(c.name, "hitsconfig"))
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

// read takes the hits of an event.
func (h *hitsReader) read(b *xtc.Block, r *RecordedHits) error {
	var f [21]xtc.Value
	for i, at := range h.entries {
		f[i] = b.Field(at)
	}
	number := func(i int) uint32 { return uint32(f[i].Uint64()) }
	float := func(i int) float32 { return float32(f[i].Float64()) }
	r.Summary = hit.Summary{Count: number(0), Hit: number(1) != 0, Truncated: number(2) != 0, Peaks: number(4), Pixels: number(5),
		Switched: number(6), Photons: number(7), Total: float(8), Max: float(9), Background: float(10)}
	r.By, r.Thresholds, r.Peaks = uint8(number(3)), f[11].Uint64(), r.Peaks[:0]
	peaks := f[12:]
	if slices.ContainsFunc(peaks, func(v xtc.Value) bool { return v.Len() != peaks[0].Len() }) {
		return &xtc.FormatError{Offset: int64(b.Offset), Reason: fmt.Sprintf("the block %s of %s has arrays of different lengths",
			b.Names.Alg, b.Names.DetName)}
	}
	for i := range peaks[0].Len() {
		segment := int(peaks[0].UintAt(i))
		if segment >= len(h.at) || h.at[segment] < 0 {
			continue // of a segment whose pixels are not in the file
		}
		at := func(k int) float32 { return float32(peaks[k].FloatAt(i)) }
		r.Peaks = append(r.Peaks, hit.Peak{Segment: uint16(h.at[segment]), NPix: uint16(peaks[1].UintAt(i)), Row: at(2), Col: at(3),
			Total: at(4), Max: at(5), Background: at(6), Sigma: at(7), SNR: at(8)})
	}
	return nil
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
