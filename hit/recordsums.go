package hit

import (
	"encoding/binary"
	"fmt"
	"math"

	"drp/xtc"
)

// appendSummaries appends the sums of regions and the radial profile, where the Names have them.
func (r *Record) appendSummaries(b *xtc.Builder, names *xtc.Names) {
	if names.Index(regionArrays[0].Name) >= 0 {
		for field, e := range regionArrays {
			values, size := b.Array(uint32(len(r.Regions))), e.Type.Bytes()
			for i := range r.Regions {
				putWord(values[size*i:], size, r.Regions[i].word(field))
			}
		}
	}
	if names.Index(radialArrays[0].Name) < 0 {
		return
	}
	values := b.Array(uint32(len(r.Radial)))
	for i, v := range r.Radial {
		putWord(values[4*i:], 4, uint64(math.Float32bits(v)))
	}
	values = b.Array(uint32(len(r.RadialCounts)))
	for i, v := range r.RadialCounts {
		putWord(values[4*i:], 4, uint64(v))
	}
}

// word gives the values of a region in the order of the arrays, as bits.
func (s *RegionSums) word(field int) uint64 {
	switch field {
	case 0:
		return math.Float64bits(s.Sum)
	case 1:
		return math.Float64bits(s.SumSquares)
	case 2:
		return uint64(s.Count)
	case 3:
		return uint64(math.Float32bits(s.Max))
	case 4:
		return uint64(math.Float32bits(s.Row))
	}
	return uint64(math.Float32bits(s.Col))
}

func putWord(to []byte, size int, bits uint64) {
	if size == 8 {
		binary.LittleEndian.PutUint64(to, bits)
		return
	}
	binary.LittleEndian.PutUint32(to, uint32(bits))
}

// readSummaries reads them, where the block has them.
func (r *Record) readSummaries(b *xtc.Block) error {
	words := func(e xtc.Name) (all []uint64, err error) {
		v, ok := b.FieldNamed(e.Name)
		if !ok || v.Type != e.Type || v.Rank != 1 {
			return nil, fmt.Errorf("hits: the block %s %s has no field %s as it is recorded here", b.Names.DetName, b.Names.Alg, e.Name)
		}
		for size := e.Type.Bytes(); len(v.Data) >= size; v.Data = v.Data[size:] {
			if size == 8 {
				all = append(all, binary.LittleEndian.Uint64(v.Data))
			} else {
				all = append(all, uint64(binary.LittleEndian.Uint32(v.Data)))
			}
		}
		return all, nil
	}
	if b.Names.Index(regionArrays[0].Name) >= 0 {
		var columns [6][]uint64
		for field, e := range regionArrays {
			column, err := words(e)
			if err != nil {
				return err
			}
			if columns[field] = column; len(column) != len(columns[0]) {
				return fmt.Errorf("hits: the block %s %s has %d regions and %d values of %s", b.Names.DetName, b.Names.Alg,
					len(columns[0]), len(column), e.Name)
			}
		}
		for i := range columns[0] {
			number := func(field int) float32 { return math.Float32frombits(uint32(columns[field][i])) }
			r.Regions = append(r.Regions, RegionSums{Sum: math.Float64frombits(columns[0][i]), SumSquares: math.Float64frombits(columns[1][i]),
				Count: uint32(columns[2][i]), Max: number(3), Row: number(4), Col: number(5)})
		}
	}
	if b.Names.Index(radialArrays[0].Name) < 0 {
		return nil
	}
	means, err := words(radialArrays[0])
	if err != nil {
		return err
	}
	counts, err := words(radialArrays[1])
	if err != nil {
		return err
	}
	for _, v := range means {
		r.Radial = append(r.Radial, math.Float32frombits(uint32(v)))
	}
	for _, v := range counts {
		r.RadialCounts = append(r.RadialCounts, uint32(v))
	}
	return nil
}
