package xtc

import (
	"encoding/binary"
	"strconv"
)

// A TypeID says what an Xtc contains.
type TypeID uint16

const (
	TypeParent TypeID = iota
	TypeShapesData
	TypeShapes
	TypeData
	TypeNames
)

func (t TypeID) String() string {
	names := [...]string{"Parent", "ShapesData", "Shapes", "Data", "Names"}
	if int(t) < len(names) {
		return names[t]
	}
	return "TypeID(" + strconv.Itoa(int(t)) + ")"
}

// A NamesID joins a ShapesData to its Names: 12 bits of node and 8 bits of index.
type NamesID uint32

const (
	namesIDMask = 0xfffff

	// Indices fixed by the DRP; detectors count up from 0.
	IndexChunkInfo = 252
	IndexStepInfo  = 253
	IndexSmallData = 254
	IndexRunInfo   = 255
)

// NewNamesID cuts node to 12 bits and index to 8.
func NewNamesID(node, index uint32) NamesID { return NamesID(node&0xfff<<8 | index&0xff) }

func (id NamesID) Node() uint32  { return uint32(id) >> 8 & 0xfff }
func (id NamesID) Index() uint32 { return uint32(id) & 0xff }

func (id NamesID) String() string { return "0x" + strconv.FormatUint(uint64(id), 16) }

// A Header is the header of an Xtc.
//
//	0     4        6          8        12
//	| src | damage | contains | extent |     contains = version<<12 | type
type Header struct {
	Src     uint32
	Damage  Damage
	Type    TypeID
	Version uint8
	Extent  uint32 // bytes, with this header
}

// ParseHeader reads the first 12 bytes of b.
func ParseHeader(b []byte) Header {
	contains := binary.LittleEndian.Uint16(b[6:])
	return Header{
		Src:     binary.LittleEndian.Uint32(b),
		Damage:  Damage(binary.LittleEndian.Uint16(b[4:])),
		Type:    TypeID(contains & 0xfff),
		Version: uint8(contains >> 12),
		Extent:  binary.LittleEndian.Uint32(b[8:]),
	}
}

// Put writes the 12 bytes.
func (h Header) Put(dst []byte) {
	binary.LittleEndian.PutUint32(dst, h.Src)
	binary.LittleEndian.PutUint16(dst[4:], uint16(h.Damage))
	binary.LittleEndian.PutUint16(dst[6:], uint16(h.Type)&0xfff|uint16(h.Version)<<12)
	binary.LittleEndian.PutUint32(dst[8:], h.Extent)
}

// NamesID is the key in src of a Names or a ShapesData.
func (h Header) NamesID() NamesID { return NamesID(h.Src & namesIDMask) }
