package drp

import (
	"encoding/binary"
	"math"

	"drp/hit"
	"drp/xtc"
)

// What is recorded of hits; docs/formats.md has it, too.

// describe makes the Names of a block of the camera. Streams that are read together differ in their segments.
func (h *hits) describe(c *camera, alg string, entries []xtc.Name) *xtc.Names {
	return &xtc.Names{DetName: c.name, DetType: c.detType, DetID: c.names[0].DetID, Alg: alg, Version: xtc.Version{Major: 1},
		Segment: c.names[0].Segment, Entries: entries}
}

// hitEntries are the fields of the block that each event gets: numbers, and an array entry for each peak that is kept.
func hitEntries() (all []xtc.Name) {
	for _, e := range []struct {
		name string
		kind xtc.DataType
		rank int
	}{
		{"count", xtc.UInt32, 0}, {"hit", xtc.UInt8, 0}, {"truncated", xtc.UInt8, 0}, {"by", xtc.UInt8, 0}, {"peaks", xtc.UInt32, 0},
		{"pixels", xtc.UInt32, 0}, {"switched", xtc.UInt32, 0}, {"photons", xtc.UInt32, 0}, {"total", xtc.Float, 0},
		{"max", xtc.Float, 0}, {"background", xtc.Float, 0}, {"thresholds", xtc.UInt64, 0},
		{"segment", xtc.UInt16, 1}, {"npix", xtc.UInt16, 1}, {"row", xtc.Float, 1}, {"col", xtc.Float, 1}, {"peaktotal", xtc.Float, 1},
		{"peakmax", xtc.Float, 1}, {"peakbackground", xtc.Float, 1}, {"peaksigma", xtc.Float, 1}, {"peaksnr", xtc.Float, 1},
	} {
		all = append(all, xtc.Name{Name: e.name, Type: e.kind, Rank: e.rank})
	}
	return all
}

// settingsEntries are the fields of the block that the Configure gets.
func settingsEntries() []xtc.Name {
	return []xtc.Name{{Name: "finder", Type: xtc.CharStr, Rank: 1}, {Name: "config", Type: xtc.CharStr, Rank: 1},
		{Name: "segments", Type: xtc.UInt16, Rank: 1}}
}

// tell appends the settings.
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

// encode appends the block of an event.
func (h *hits) encode(to []byte, f *found, peaks []hit.Peak) []byte {
	var b xtc.Builder
	b.Begin(to, h.names)
	b.Uint(uint64(f.Count))
	b.Uint(uint64(bit(f.Hit)))
	b.Uint(uint64(bit(f.Truncated)))
	b.Uint(0)
	for _, v := range [...]uint32{f.Peaks, f.Pixels, f.Switched, f.Photons} {
		b.Uint(uint64(v))
	}
	for _, v := range [...]float32{f.Total, f.Max, f.Background} {
		b.Float(float64(v))
	}
	b.Uint(f.Thresholds)
	n := uint32(len(peaks))
	segment, npix := b.Array(n), []byte(nil)
	for i := range peaks {
		binary.LittleEndian.PutUint16(segment[2*i:], peaks[i].Segment)
	}
	npix = b.Array(n)
	for i := range peaks {
		binary.LittleEndian.PutUint16(npix[2*i:], peaks[i].NPix)
	}
	for field := range 7 {
		values := b.Array(n)
		for i := range peaks {
			binary.LittleEndian.PutUint32(values[4*i:], math.Float32bits(numberOf(&peaks[i], field)))
		}
	}
	block, err := b.End()
	if err != nil {
		panic(err) // the names are our own
	}
	return block
}

// numberOf gives the values of a peak in the order of the record.
func numberOf(p *hit.Peak, field int) float32 {
	return [...]float32{p.Row, p.Col, p.Total, p.Max, p.Background, p.Sigma, p.SNR}[field]
}
