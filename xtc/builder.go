package xtc

import (
	"encoding/binary"
	"errors"
	"fmt"
	"math"
)

// A Builder appends one ShapesData to a buffer: Begin, one call per entry in the order of the Names, End. The first
// mistake sticks and comes out of End. Nothing is allocated while the buffer has room; with a buffer of fixed length,
// len(result) > cap(buffer) is what tells that it had not.
//
//	var b xtc.Builder
//	b.Begin(slot[:0], names)
//	b.Float(41)
//	copy(b.Array(2, 512, 1024), pixels)
//	slot, err := b.End()
type Builder struct {
	names *Names
	buf   []byte
	start int // of the ShapesData in buf
	data  int // of Data in buf
	shape int // where the next shape goes
	entry int
	err   error
}

// Begin starts a ShapesData in the order Shapes, Data behind buf.
func (b *Builder) Begin(buf []byte, n *Names) {
	*b = Builder{names: n, buf: buf, start: len(buf)}
	b.header(uint32(n.ID), TypeShapesData)
	b.header(0, TypeShapes)
	b.shape = len(b.buf)
	b.zeros(n.NumArrays() * shapeBytes)
	b.data = len(b.buf)
	b.header(0, TypeData)
}

func (b *Builder) header(src uint32, t TypeID) {
	at := len(b.buf)
	b.zeros(XtcHeaderBytes)
	Header{Src: src, Type: t}.Put(b.buf[at:])
}

func (b *Builder) zeros(n int) []byte {
	at := len(b.buf)
	if cap(b.buf)-at < n {
		b.buf = append(b.buf, make([]byte, n)...)
		return b.buf[at:]
	}
	b.buf = b.buf[:at+n]
	clear(b.buf[at:])
	return b.buf[at:]
}

// next gives the entry to be filled, or nil once something went wrong.
func (b *Builder) next(array bool) *Name {
	if b.err != nil {
		return nil
	}
	if b.entry >= len(b.names.Entries) {
		b.err = fmt.Errorf("more values than the %d entries", len(b.names.Entries))
		return nil
	}
	e := &b.names.Entries[b.entry]
	if (e.Rank > 0) != array {
		b.err = fmt.Errorf("entry %q has rank %d", e.Name, e.Rank)
		return nil
	}
	b.entry++
	return e
}

func (b *Builder) scalar(v uint64, f float64) {
	e := b.next(false)
	if e == nil {
		return
	}
	switch e.Type {
	case Float:
		v = uint64(math.Float32bits(float32(f)))
	case Double:
		v = math.Float64bits(f)
	}
	var raw [8]byte
	binary.LittleEndian.PutUint64(raw[:], v)
	b.buf = append(b.buf, raw[:e.Type.Bytes()]...)
}

// Int fills a scalar of any type; bits beyond its size are cut.
func (b *Builder) Int(v int64) { b.scalar(uint64(v), float64(v)) }

// Uint fills a scalar of any type; bits beyond its size are cut.
func (b *Builder) Uint(v uint64) { b.scalar(v, float64(v)) }

// Float fills a scalar of any type; an integer gets the whole part.
func (b *Builder) Float(v float64) { b.scalar(uint64(int64(v)), v) }

// Array sets the shape of an array and gives its bytes, zeroed, to be filled in place before the next call.
func (b *Builder) Array(shape ...uint32) []byte {
	e := b.next(true)
	if e == nil {
		return nil
	}
	if len(shape) != e.Rank {
		b.err = fmt.Errorf("entry %q has rank %d and gets %d dimensions", e.Name, e.Rank, len(shape))
		return nil
	}
	size := uint64(e.Type.Bytes())
	for i, dim := range shape {
		binary.LittleEndian.PutUint32(b.buf[b.shape+4*i:], dim)
		if size *= uint64(dim); size > MaxExtent {
			b.err = fmt.Errorf("entry %q is too large", e.Name)
			return nil
		}
	}
	b.shape += shapeBytes
	return b.zeros(int(size))
}

// Text fills a CHARSTR: NUL-terminated and padded to a multiple of 4.
func (b *Builder) Text(s string) {
	if b.err == nil && b.entry < len(b.names.Entries) && b.names.Entries[b.entry].Type != CharStr {
		b.err = fmt.Errorf("entry %q is no CHARSTR", b.names.Entries[b.entry].Name)
		return
	}
	copy(b.Array(uint32(len(s)/4*4+4)), s)
}

// End completes the headers and returns the buffer. On an error it returns the buffer as Begin got it.
func (b *Builder) End() ([]byte, error) {
	switch {
	case b.err != nil:
	case b.entry < len(b.names.Entries):
		b.err = fmt.Errorf("entry %q was not set", b.names.Entries[b.entry].Name)
	case len(b.buf)-b.start > MaxExtent:
		b.err = errors.New("the ShapesData is too large")
	}
	if b.err != nil {
		return b.buf[:b.start], fmt.Errorf("xtc: build %s %s: %w", b.names.DetName, b.names.Alg, b.err)
	}
	shapes := b.start + XtcHeaderBytes
	putExtent(b.buf[b.start:], len(b.buf)-b.start)
	putExtent(b.buf[shapes:], b.data-shapes)
	putExtent(b.buf[b.data:], len(b.buf)-b.data)
	return b.buf, nil
}

func putExtent(xtc []byte, n int) { binary.LittleEndian.PutUint32(xtc[8:], uint32(n)) }
