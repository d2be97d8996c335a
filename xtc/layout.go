package xtc

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"
)

const shapeBytes = 4 * MaxRank

// A layout is a Names compiled for the event path. Data is a run of values without padding, so a position is the sum
// of what comes before: scalars, known in advance, and arrays, known from the shapes of each event. Checking a block
// or finding a field then costs in proportion to the arrays, not to the entries (some detectors have 400 scalars).
type layout struct {
	names  *Names
	arrays []arrayField
	fields []field
	tail   int // bytes of scalars after the last array
}

type arrayField struct {
	rank, size uint8
	str        bool
	gap        int // bytes of scalars between the array before and this one
}

type field struct {
	arrays int // how many lie before it
	scalar int // bytes of scalars before it
}

func newLayout(n *Names) *layout {
	l := &layout{names: n, fields: make([]field, len(n.Entries)), arrays: make([]arrayField, 0, n.NumArrays())}
	gap, scalar := 0, 0
	for i := range n.Entries {
		e := &n.Entries[i]
		l.fields[i] = field{arrays: len(l.arrays), scalar: scalar}
		if e.Rank == 0 {
			gap += e.Type.Bytes()
			scalar += e.Type.Bytes()
			continue
		}
		l.arrays = append(l.arrays, arrayField{uint8(e.Rank), uint8(e.Type.Bytes()), e.Type == CharStr, gap})
		gap = 0
	}
	l.tail = gap
	return l
}

// arrayBytes is the size of array i by its shape; math.MaxUint64 stands for everything that is too large.
func (l *layout) arrayBytes(shapes []byte, i int) uint64 {
	a := &l.arrays[i]
	n := uint64(a.size)
	for dim := range int(a.rank) {
		size := uint64(binary.LittleEndian.Uint32(shapes[i*shapeBytes+4*dim:]))
		if size == 0 {
			return 0
		}
		hi, lo := bits.Mul64(n, size)
		if hi != 0 {
			lo = math.MaxUint64
		}
		n = lo
	}
	return n
}

// check tells what is wrong with the two parts of a ShapesData; used is how much of data the fields take.
func (l *layout) check(shapes, data []byte) (used int, reason layoutFault) {
	if len(shapes) < len(l.arrays)*shapeBytes {
		return 0, shortShapes
	}
	pos := uint64(0)
	for i := range l.arrays {
		pos += uint64(l.arrays[i].gap)
		n := l.arrayBytes(shapes, i)
		if pos > uint64(len(data)) || n > uint64(len(data))-pos {
			return 0, shortData
		}
		if l.arrays[i].str && n > 0 && bytes.IndexByte(data[pos:pos+n], 0) < 0 {
			return 0, endlessString
		}
		pos += n
	}
	used = int(pos) + l.tail
	if used > len(data) {
		return 0, shortData
	}
	return used, layoutFine
}

// A layoutFault is a reason without words: the words need the place, which only the caller knows.
type layoutFault uint8

const (
	layoutFine layoutFault = iota
	shortShapes
	shortData
	endlessString
)

func (f layoutFault) String() string {
	return [...]string{"fine", "Shapes has fewer entries than there are arrays",
		"Data is shorter than the shapes say", "a CHARSTR has no NUL inside its shape"}[f]
}
