package fex

import "encoding/binary"

// recordBytes is the size of a record in both directions.
const recordBytes = 32

// The kinds of record.
const (
	kindHello      = 1
	kindReplay     = 2
	kindTransition = 3
	kindEvent      = 4
	kindAttach     = 5
	kindScript     = 6
	kindWant       = 7
)

// The flags of a request.
const (
	flagSolo    = 1 << 0 // answer at once: the child before died of it, or with it
	flagImplied = 1 << 1 // a transition the source did not send
	partsShift  = 2      // from here on: how many parts were prepared for an event
)

// record is one record of the child protocol; see docs/formats.md.
type record struct {
	kind, status uint8
	count        uint16
	slot         uint32
	generation   uint32
	bytes        uint32
	layout       uint32
	transition   uint32
	time         uint64
}

func (r *record) append(dst []byte) []byte {
	dst = append(dst, r.kind, r.status)
	dst = binary.LittleEndian.AppendUint16(dst, r.count)
	dst = binary.LittleEndian.AppendUint32(dst, r.slot)
	dst = binary.LittleEndian.AppendUint32(dst, r.generation)
	dst = binary.LittleEndian.AppendUint32(dst, r.bytes)
	dst = binary.LittleEndian.AppendUint32(dst, r.layout)
	dst = binary.LittleEndian.AppendUint32(dst, r.transition)
	return binary.LittleEndian.AppendUint64(dst, r.time)
}

func (r *record) parse(b []byte) {
	_ = b[recordBytes-1]
	r.kind, r.status = b[0], b[1]
	r.count = binary.LittleEndian.Uint16(b[2:])
	r.slot = binary.LittleEndian.Uint32(b[4:])
	r.generation = binary.LittleEndian.Uint32(b[8:])
	r.bytes = binary.LittleEndian.Uint32(b[12:])
	r.layout = binary.LittleEndian.Uint32(b[16:])
	r.transition = binary.LittleEndian.Uint32(b[20:])
	r.time = binary.LittleEndian.Uint64(b[24:])
}
