package hit

import (
	"encoding/binary"
	"fmt"
	"math"
	"slices"
	"unsafe"

	"drp/xtc"
)

// Record is what is recorded of an event that was searched.
type Record struct {
	Summary
	By Maker
	// Thresholds is the time of the event whose thresholds were used, 0 where the event has its own.
	Thresholds uint64
	Peaks      []Peak // that are kept

	Regions      []RegionSums // as in Result, where they are asked for
	Radial       []float32
	RadialCounts []uint32
}

// Maker is who searched an event.
type Maker uint8

// Who can.
const (
	CPU     Maker = iota
	GPU           // and found the same
	Instead       // the CPU, since the GPU failed
)

// The algs of the blocks: that of each event, and that of the Configure.
const (
	Alg         = "hits"
	SettingsAlg = "hitsconfig"
)

// numbers and arrays are the fields of the block of an event: numbers, and arrays with an entry for each peak.
var (
	numbers = []xtc.Name{{Name: "count", Type: xtc.UInt32}, {Name: "hit", Type: xtc.UInt8}, {Name: "truncated", Type: xtc.UInt8},
		{Name: "by", Type: xtc.UInt8}, {Name: "peaks", Type: xtc.UInt32}, {Name: "pixels", Type: xtc.UInt32},
		{Name: "switched", Type: xtc.UInt32}, {Name: "photons", Type: xtc.UInt32}, {Name: "total", Type: xtc.Float},
		{Name: "max", Type: xtc.Float}, {Name: "background", Type: xtc.Float}, {Name: "thresholds", Type: xtc.UInt64}}
	arrays = []xtc.Name{{Name: "segment", Type: xtc.UInt16}, {Name: "npix", Type: xtc.UInt16}, {Name: "row", Type: xtc.Float},
		{Name: "col", Type: xtc.Float}, {Name: "peaktotal", Type: xtc.Float}, {Name: "peakmax", Type: xtc.Float},
		{Name: "peakbackground", Type: xtc.Float}, {Name: "peaksigma", Type: xtc.Float}, {Name: "peaksnr", Type: xtc.Float}}
)

// regionArrays have an entry for each region, and radialArrays one for each bin.
var (
	regionArrays = []xtc.Name{{Name: "regionsum", Type: xtc.Double}, {Name: "regionsumsquares", Type: xtc.Double},
		{Name: "regioncount", Type: xtc.UInt32}, {Name: "regionmax", Type: xtc.Float}, {Name: "regionrow", Type: xtc.Float},
		{Name: "regioncol", Type: xtc.Float}}
	radialArrays = []xtc.Name{{Name: "radial", Type: xtc.Float}, {Name: "radialcounts", Type: xtc.UInt32}}
)

// Entries are those of the Names of events.
func Entries(c *Config) []xtc.Name {
	all := append([]xtc.Name(nil), numbers...)
	add := func(arrays []xtc.Name) {
		for _, a := range arrays {
			a.Rank = 1
			all = append(all, a)
		}
	}
	add(arrays)
	if len(c.Regions) > 0 {
		add(regionArrays)
	}
	if c.Radial.Every > 0 {
		add(radialArrays)
	}
	return all
}

// SettingsEntries are those of the Names of the Configure.
func SettingsEntries() []xtc.Name {
	return []xtc.Name{{Name: "finder", Type: xtc.CharStr, Rank: 1}, {Name: "config", Type: xtc.CharStr, Rank: 1},
		{Name: "segments", Type: xtc.UInt16, Rank: 1}}
}

// RecordBytes is what the block of an event takes at the most.
func (c *Config) RecordBytes() int {
	return recordHead + int(unsafe.Sizeof(Peak{}))*c.MaxPeaks + int(unsafe.Sizeof(RegionSums{}))*len(c.Regions) + 8*c.Radial.Bins
}

const recordHead = 1024 // headers, shapes and numbers

// AppendTo appends the block of an event. It allocates at most once, and nothing where there is room.
func (r *Record) AppendTo(to []byte, names *xtc.Names) ([]byte, error) {
	size := recordHead + int(unsafe.Sizeof(Peak{}))*len(r.Peaks) + int(unsafe.Sizeof(RegionSums{}))*len(r.Regions) + 8*len(r.Radial)
	var b xtc.Builder
	b.Begin(slices.Grow(to, size), names)
	b.Uint(uint64(r.Count))
	b.Uint(flag(r.Hit))
	b.Uint(flag(r.Truncated))
	b.Uint(uint64(r.By))
	for _, v := range [...]uint32{r.Summary.Peaks, r.Pixels, r.Switched, r.Photons} {
		b.Uint(uint64(v))
	}
	for _, v := range [...]float32{r.Total, r.Max, r.Background} {
		b.Float(float64(v))
	}
	b.Uint(r.Thresholds)
	for field := range arrays {
		values := b.Array(uint32(len(r.Peaks)))
		for i := range r.Peaks {
			if whole := r.Peaks[i].whole(field); whole != nil {
				binary.LittleEndian.PutUint16(values[2*i:], *whole)
			} else {
				binary.LittleEndian.PutUint32(values[4*i:], math.Float32bits(*r.Peaks[i].number(field)))
			}
		}
	}
	r.appendSummaries(&b, names)
	return b.End()
}

func flag(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// whole and number give the values of a peak in the order of the arrays.
func (p *Peak) whole(field int) *uint16 {
	switch field {
	case 0:
		return &p.Segment
	case 1:
		return &p.NPix
	}
	return nil
}

func (p *Peak) number(field int) *float32 {
	return [...]*float32{2: &p.Row, 3: &p.Col, 4: &p.Total, 5: &p.Max, 6: &p.Background, 7: &p.Sigma, 8: &p.SNR}[field]
}

// ReadRecord reads the block of an event, as it was recorded.
func ReadRecord(b *xtc.Block) (r Record, err error) {
	values := make([]xtc.Value, 0, len(numbers)+len(arrays))
	for i, e := range Entries(&Config{}) {
		v, ok := b.FieldNamed(e.Name)
		if !ok || v.Type != e.Type || v.Rank != e.Rank || i > len(numbers) && v.Shape[0] != values[len(numbers)].Shape[0] {
			return r, fmt.Errorf("hits: the block %s %s has no field %s as it is recorded here", b.Names.DetName, b.Names.Alg, e.Name)
		}
		values = append(values, v)
	}
	word := func(i int) uint32 { return binary.LittleEndian.Uint32(values[i].Data) }
	number := func(i int) float32 { return math.Float32frombits(word(i)) }
	r.Summary = Summary{Count: word(0), Hit: values[1].Data[0] != 0, Truncated: values[2].Data[0] != 0, Peaks: word(4), Pixels: word(5),
		Switched: word(6), Photons: word(7), Total: number(8), Max: number(9), Background: number(10)}
	r.By, r.Thresholds = Maker(values[3].Data[0]), binary.LittleEndian.Uint64(values[11].Data)
	r.Peaks = make([]Peak, values[len(numbers)].Shape[0])
	for field := range arrays {
		data := values[len(numbers)+field].Data
		for i := range r.Peaks {
			if whole := r.Peaks[i].whole(field); whole != nil {
				*whole = binary.LittleEndian.Uint16(data[2*i:])
			} else {
				*r.Peaks[i].number(field) = math.Float32frombits(binary.LittleEndian.Uint32(data[4*i:]))
			}
		}
	}
	return r, r.readSummaries(b)
}
