package karabo

import (
	"fmt"

	"drp/internal/wire"
	"drp/xtc"
)

// single is a number or a text.
type single struct {
	key string
	v   xtc.Value
}

// put writes it as Python's packer writes the same.
func (s *single) put(p *wire.Pack) {
	switch s.v.Type {
	case xtc.CharStr:
		p.Text(readable(string(s.v.Text())))
	case xtc.Float, xtc.Double:
		p.Float(s.v.Float64())
	case xtc.UInt64:
		p.Uint(s.v.Uint64())
	default:
		p.Int(s.v.Int64())
	}
}

// array is numbers, in pieces that follow each other, in C order.
type array struct {
	key    string
	kind   xtc.DataType
	shape  []uint32
	pieces [][]byte
}

// dtypes are NumPy's names.
var dtypes = map[xtc.DataType]string{xtc.UInt8: "uint8", xtc.UInt16: "uint16", xtc.UInt32: "uint32", xtc.UInt64: "uint64",
	xtc.Int8: "int8", xtc.Int16: "int16", xtc.Int32: "int32", xtc.Int64: "int64", xtc.Float: "float32", xtc.Double: "float64",
	xtc.EnumVal: "int32"}

func (a *array) header(source string, p *wire.Pack) []byte {
	p.Map(5)
	p.Text("source")
	p.Text(source)
	p.Text("content")
	p.Text("array")
	p.Text("path")
	p.Text(a.key)
	p.Text("dtype")
	p.Text(dtypes[a.kind])
	p.Text("shape")
	p.List(len(a.shape))
	for _, n := range a.shape {
		p.Uint(uint64(n))
	}
	return p.Take()
}

// arrange appends what becomes of a field: one value over all segments as scripts see it, or, where these differ, one for each.
func (f *field) arrange(values []single, arrays []array) ([]single, []array) {
	if a, ok := f.join(); ok {
		return values, append(arrays, a)
	}
	for i, v := range f.values {
		key := f.key
		if len(f.values) > 1 {
			key = fmt.Sprintf("%s.%d", f.key, f.segments[i])
		}
		if v.Rank == 0 || v.Type == xtc.CharStr {
			values = append(values, single{key, v})
		} else {
			arrays = append(arrays, array{key, v.Type, v.Shape[:v.Rank:v.Rank], [][]byte{v.Data}})
		}
	}
	return values, arrays
}

// join makes one array of the segments, if it can be: images of rank 2 get an axis of segments in front, also where there is but
// one; those of higher rank are joined along their first axis; several numbers, and lists of equal length, get an axis, too.
func (f *field) join() (a array, ok bool) {
	if len(f.values) == 0 {
		return a, false
	}
	first := f.values[0]
	if first.Type == xtc.CharStr || len(f.values) == 1 && (f.plain || first.Rank != 2) {
		return a, false
	}
	fixed, along := first.Shape, uint32(len(f.values))
	if first.Rank >= 3 {
		fixed[0], along = 0, 0
	}
	a = array{key: f.key, kind: first.Type}
	for _, v := range f.values {
		shape := v.Shape
		if first.Rank >= 3 {
			along += shape[0]
			shape[0] = 0
		}
		if v.Type != first.Type || v.Rank != first.Rank || shape != fixed {
			return a, false
		}
		a.pieces = append(a.pieces, v.Data)
	}
	a.shape = []uint32{along}
	if first.Rank >= 3 {
		a.shape = append(a.shape, fixed[1:first.Rank]...)
	} else {
		a.shape = append(a.shape, fixed[:first.Rank]...)
	}
	return a, true
}
