package drp

import (
	"encoding/binary"

	"drp/hit"
	"drp/xtc"
)

// describe makes the Names of a block of the camera that is searched. Streams that are read together differ in their
// segments.
func (c *camera) describe(alg string, entries []xtc.Name) *xtc.Names {
	return &xtc.Names{DetName: c.name, DetType: c.detType, DetID: c.names[0].DetID, Alg: alg, Version: xtc.Version{Major: 1},
		Segment: c.names[0].Segment, Entries: entries}
}

// tell appends the settings, which the Configure gets.
func (h *hits) tell(to []byte, names *xtc.Names) ([]byte, error) {
	var b xtc.Builder
	b.Begin(to, names)
	b.Text(h.cfg.Finder)
	b.Text(h.cfg.JSON())
	numbers := b.Array(uint32(len(h.camera.numbers)))
	for i, n := range h.camera.numbers {
		binary.LittleEndian.PutUint16(numbers[2*i:], uint16(n))
	}
	return b.End()
}

// head stands before the peaks of an event in the memory that scripts read; python/src/drp/_hits.py knows it, too.
type head struct {
	count                            uint32
	hit, truncated                   bool
	by                               hit.Maker
	searched                         bool
	peaks, pixels, switched, photons uint32
	total, max, background           float32
	kept                             uint32
	thresholds                       uint64
	_                                [16]byte
}

func headOf(r *hit.Record) head {
	return head{count: r.Count, hit: r.Hit, truncated: r.Truncated, by: r.By, searched: true, peaks: r.Summary.Peaks, pixels: r.Pixels,
		switched: r.Switched, photons: r.Photons, total: r.Total, max: r.Max, background: r.Background, kept: uint32(len(r.Peaks)),
		thresholds: r.Thresholds}
}
