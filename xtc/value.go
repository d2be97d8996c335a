package xtc

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"math"
	"strconv"
)

// A Value is one field of one block, in place: little-endian, C order, not aligned.
type Value struct {
	Type  DataType
	Rank  int
	Shape [MaxRank]uint32 // zero beyond Rank
	Data  []byte
}

// Len is the number of elements, 1 for a scalar.
func (v Value) Len() int {
	if size := v.Type.Bytes(); size > 0 {
		return len(v.Data) / size
	}
	return 0
}

// bits are those of element i, zero-extended.
func (v Value) bits(i int) uint64 {
	switch size := v.Type.Bytes(); size {
	case 1:
		return uint64(v.Data[i])
	case 2:
		return uint64(binary.LittleEndian.Uint16(v.Data[2*i:]))
	case 4:
		return uint64(binary.LittleEndian.Uint32(v.Data[4*i:]))
	default:
		return binary.LittleEndian.Uint64(v.Data[8*i:])
	}
}

// IntAt is element i as an integer: signed types are sign-extended, floating point is cut.
func (v Value) IntAt(i int) int64 {
	b := v.bits(i)
	switch v.Type {
	case Int8:
		return int64(int8(b))
	case Int16:
		return int64(int16(b))
	case Int32, EnumVal, EnumDict:
		return int64(int32(b))
	case Float, Double:
		return int64(v.FloatAt(i))
	}
	return int64(b)
}

// UintAt is element i as an unsigned integer.
func (v Value) UintAt(i int) uint64 { return uint64(v.IntAt(i)) }

// FloatAt is element i as a floating-point number.
func (v Value) FloatAt(i int) float64 {
	switch b := v.bits(i); v.Type {
	case Float:
		return float64(math.Float32frombits(uint32(b)))
	case Double:
		return math.Float64frombits(b)
	case UInt64:
		return float64(b)
	}
	return float64(v.IntAt(i))
}

// Uint64 is the first element; an empty array gives 0, as do Int64 and Float64.
func (v Value) Uint64() uint64 { return uint64(v.Int64()) }

// Int64 is the first element.
func (v Value) Int64() int64 {
	if v.Len() == 0 {
		return 0
	}
	return v.IntAt(0)
}

// Float64 is the first element.
func (v Value) Float64() float64 {
	if v.Len() == 0 {
		return 0
	}
	return v.FloatAt(0)
}

// Text is a CHARSTR up to its NUL, in place. What follows the NUL may be garbage.
func (v Value) Text() []byte {
	text, _, _ := bytes.Cut(v.Data, []byte{0})
	return text
}

// String is the text of a CHARSTR and the first element of anything else.
func (v Value) String() string {
	if v.Type == CharStr {
		return string(v.Text())
	}
	if v.Len() == 0 {
		return ""
	}
	return v.format(0)
}

func (v Value) format(i int) string {
	switch v.Type {
	case Float:
		return strconv.FormatFloat(v.FloatAt(i), 'g', -1, 32)
	case Double:
		return strconv.FormatFloat(v.FloatAt(i), 'g', -1, 64)
	case UInt64:
		return strconv.FormatUint(v.bits(i), 10)
	}
	return strconv.FormatInt(v.IntAt(i), 10)
}

// element is one of a kind that JSON can carry without loss: it has no NaN and no infinity.
func (v Value) element(i int) any {
	switch v.Type {
	case Float, Double:
		if f := v.FloatAt(i); math.IsNaN(f) || math.IsInf(f, 0) {
			return v.format(i)
		}
	}
	return json.Number(v.format(i))
}

// extremes finds the least and the greatest element; NaN is neither unless there is nothing else.
func (v Value) extremes() (lo, hi int) {
	less := func(i, j int) bool { return v.IntAt(i) < v.IntAt(j) }
	switch v.Type {
	case Float, Double:
		less = func(i, j int) bool { return v.FloatAt(i) < v.FloatAt(j) || math.IsNaN(v.FloatAt(j)) }
	case UInt64:
		less = func(i, j int) bool { return v.UintAt(i) < v.UintAt(j) }
	}
	greater := func(i, j int) bool { return less(j, i) }
	if v.Type == Float || v.Type == Double {
		greater = func(i, j int) bool { return v.FloatAt(i) > v.FloatAt(j) || math.IsNaN(v.FloatAt(j)) }
	}
	for i := range v.Len() {
		if less(i, lo) {
			lo = i
		}
		if greater(i, hi) {
			hi = i
		}
	}
	return lo, hi
}
