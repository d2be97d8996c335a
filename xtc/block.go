package xtc

import "encoding/binary"

// A Block is one ShapesData, checked against its Names.
type Block struct {
	ID             NamesID
	Names          *Names
	Offset, Extent int // of the ShapesData in the datagram
	Shapes, Data   []byte
	Damage         Damage

	layout *layout
	used   int // bytes of Data that the fields take
	second int // where in the ShapesData its second child begins, 0 if it has but one
}

// Shape is that of entry i, zero beyond its rank. (The bytes there are garbage in real files.)
func (b *Block) Shape(i int) [MaxRank]uint32 {
	var shape [MaxRank]uint32
	if rank := b.Names.Entries[i].Rank; rank > 0 {
		at := b.layout.fields[i].arrays * shapeBytes
		for dim := range rank {
			shape[dim] = binary.LittleEndian.Uint32(b.Shapes[at+4*dim:])
		}
	}
	return shape
}

// Field is the value of entry i.
func (b *Block) Field(i int) Value {
	e, f := &b.Names.Entries[i], b.layout.fields[i]
	start := f.scalar
	for a := range f.arrays {
		start += int(b.layout.arrayBytes(b.Shapes, a))
	}
	size := e.Type.Bytes()
	if e.Rank > 0 {
		size = int(b.layout.arrayBytes(b.Shapes, f.arrays))
	}
	return Value{Type: e.Type, Rank: e.Rank, Shape: b.Shape(i), Data: b.Data[start : start+size : start+size]}
}

// FieldNamed finds a field by walking the entries.
func (b *Block) FieldNamed(name string) (Value, bool) {
	if i := b.Names.Index(name); i >= 0 {
		return b.Field(i), true
	}
	return Value{}, false
}

// Stray counts the bytes of Shapes and Data that no entry explains. Some old files have them.
func (b *Block) Stray() int {
	return len(b.Shapes) - len(b.layout.arrays)*shapeBytes + len(b.Data) - b.used
}

// parse fills the block from the ShapesData at offset of a datagram.
func (b *Block) parse(t *Table, xtc []byte, offset int) error {
	h := ParseHeader(xtc)
	l := t.layouts[h.NamesID()]
	if l == nil {
		return formatErrorf(offset, "ShapesData refers to NamesID %v, which the Configure does not define",
			h.NamesID())
	}
	parts, err := splitShapesData(xtc, offset)
	if err != nil {
		return err
	}
	used, fault := l.check(parts.shapes, parts.data)
	if fault != layoutFine {
		return formatErrorf(offset, "ShapesData %v (%s %s): %v", h.NamesID(), l.names.DetName, l.names.Alg, fault)
	}
	*b = Block{ID: h.NamesID(), Names: l.names, Offset: offset, Extent: len(xtc), Shapes: parts.shapes,
		Data: parts.data, Damage: h.Damage, layout: l, used: used, second: parts.second}
	return nil
}

// shapesDataParts are the payloads of the two children.
type shapesDataParts struct {
	shapes, data []byte
	second       int
}

// splitShapesData finds the children in either order. Shapes may be missing, Data may not.
func splitShapesData(xtc []byte, offset int) (parts shapesDataParts, err error) {
	hasShapes, hasData := false, false
	it := NewIter(xtc[XtcHeaderBytes:])
	for it.Next() {
		if it.Offset() > 0 {
			parts.second = XtcHeaderBytes + it.Offset()
		}
		switch t := it.Header().Type; {
		case t == TypeShapes && !hasShapes:
			parts.shapes, hasShapes = it.Payload(), true
		case t == TypeData && !hasData:
			parts.data, hasData = it.Payload(), true
		default:
			return parts, formatErrorf(offset+XtcHeaderBytes+it.Offset(), "unexpected %v in a ShapesData", t)
		}
	}
	if it.Err() != nil {
		return parts, Locate(it.Err(), "", 0, int64(offset+XtcHeaderBytes))
	}
	if !hasData {
		return parts, formatErrorf(offset, "ShapesData without Data")
	}
	return parts, nil
}

// Blocks goes over all ShapesData of a datagram in file order, also those inside nested Parents. What is marked
// Corrupted is passed over.
//
//	for it := t.Blocks(d); it.Next(); { b := it.Block() ... }
type Blocks struct {
	t     *Table
	w     walker
	block Block
	err   error
}

// Next goes to the next ShapesData.
func (it *Blocks) Next() bool {
	if it.err != nil {
		return false
	}
	for it.w.Next() {
		if it.w.header.Type != TypeShapesData || it.w.header.Damage.Has(DamageCorrupted) {
			continue
		}
		it.err = it.block.parse(it.t, it.w.bytes(), it.w.off)
		return it.err == nil
	}
	it.err = it.w.err
	return false
}

// Block is the ShapesData Next went to; the next Next overwrites it.
func (it *Blocks) Block() *Block { return &it.block }

// Err is a *FormatError if the walk met something wrong.
func (it *Blocks) Err() error { return it.err }
