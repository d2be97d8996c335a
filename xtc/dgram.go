package xtc

import (
	"encoding/binary"
	"fmt"
)

const (
	// DgramHeaderBytes is the size of a datagram without payload.
	DgramHeaderBytes = 24
	// XtcHeaderBytes is the size of an Xtc without payload.
	XtcHeaderBytes = 12
	// MaxRank is the room a shape has.
	MaxRank = 5
	// MaxExtent is the largest extent in use: the C++ payload size is an int.
	MaxExtent = 1<<31 - 1

	extentOffset = DgramHeaderBytes - 4
	envKeepRaw   = 1 << 22
)

// A Dgram is one whole datagram in memory, header and payload, so that len(d) == d.Size(); or only its 24-byte header,
// where a function says so. Accessors need the 24 bytes to be there; Check tells whether they make sense.
//
//	0        8     12    16       18         20       24
//	| time   | env | src | damage | contains | extent | payload ...
type Dgram []byte

// Time is the timestamp, seconds<<32 | nanoseconds in most files: an opaque key for the rest of them.
func (d Dgram) Time() uint64 { return binary.LittleEndian.Uint64(d) }

// Env holds readout groups, the extra bits of events and the transition id.
func (d Dgram) Env() uint32 { return binary.LittleEndian.Uint32(d[8:]) }

// Service is the transition id; values from NumTransitions on are possible in bad data.
func (d Dgram) Service() TransitionID { return TransitionID(d[11] & 0xf) }

// Src is the value of the node that wrote the datagram.
func (d Dgram) Src() uint32 { return binary.LittleEndian.Uint32(d[12:]) }

// Damage is the damage of the whole datagram.
func (d Dgram) Damage() Damage { return Damage(binary.LittleEndian.Uint16(d[16:])) }

// Extent counts the Xtc header and the payload.
func (d Dgram) Extent() uint32 { return binary.LittleEndian.Uint32(d[extentOffset:]) }

// Size is the number of bytes of the whole datagram as its header says, which is all there is to know in the
// header-only form.
func (d Dgram) Size() int { return DgramHeaderBytes - XtcHeaderBytes + int(d.Extent()) }

// Payload is what follows the header, as far as it is there.
func (d Dgram) Payload() []byte {
	end := min(len(d), d.Size())
	return d[DgramHeaderBytes:max(end, DgramHeaderBytes)]
}

// KeepRaw tells that the timing system asked for the raw data of this event to be kept.
func (d Dgram) KeepRaw() bool { return d.Env()&envKeepRaw != 0 && d.Service().IsEvent() }

func (d Dgram) SetTime(time uint64)  { binary.LittleEndian.PutUint64(d, time) }
func (d Dgram) SetEnv(env uint32)    { binary.LittleEndian.PutUint32(d[8:], env) }
func (d Dgram) SetSrc(src uint32)    { binary.LittleEndian.PutUint32(d[12:], src) }
func (d Dgram) SetDamage(dmg Damage) { binary.LittleEndian.PutUint16(d[16:], uint16(dmg)) }

// SetSize sets the extent for a datagram of that many bytes in all.
func (d Dgram) SetSize(size int) {
	binary.LittleEndian.PutUint32(d[extentOffset:], uint32(size-DgramHeaderBytes+XtcHeaderBytes))
}

// PutDgramHeader writes the 24 bytes of the header of a datagram with that many bytes of payload.
func PutDgramHeader(dst []byte, time uint64, env uint32, src uint32, dmg Damage, payloadBytes int) {
	d := Dgram(dst[:DgramHeaderBytes])
	d.SetTime(time)
	d.SetEnv(env)
	Header{Src: src, Damage: dmg, Type: TypeParent, Extent: uint32(payloadBytes + XtcHeaderBytes)}.Put(d[12:])
}

// EnvOf makes the env of a datagram from its transition id and readout groups.
func EnvOf(service TransitionID, groups uint16) uint32 { return uint32(service)<<24 | uint32(groups) }

// Check tells whether the header can be one of a datagram at all. It looks at no more than the 24 bytes, so it fits
// both forms; the error is a *FormatError.
func (d Dgram) Check() error {
	if reason := d.implausible(); reason != "" {
		return &FormatError{Reason: reason}
	}
	return nil
}

func (d Dgram) implausible() string {
	if len(d) < DgramHeaderBytes {
		return fmt.Sprintf("%d bytes are too few for the header of a datagram (%d)", len(d), DgramHeaderBytes)
	}
	h := ParseHeader(d[12:])
	switch {
	case h.Extent < XtcHeaderBytes:
		return fmt.Sprintf("extent %d is smaller than the Xtc header (%d)", h.Extent, XtcHeaderBytes)
	case h.Extent > MaxExtent:
		return fmt.Sprintf("extent %d exceeds 31 bits", h.Extent)
	case h.Type != TypeParent:
		return fmt.Sprintf("a datagram is of type Parent, and this is %v", h.Type)
	case d.Service() >= NumTransitions:
		return fmt.Sprintf("transition id %d is not known", d.Service())
	case d.Env()>>28 > 2:
		return fmt.Sprintf("env 0x%08x has a type of datagram that is not known", d.Env())
	}
	return ""
}

// checkWhole is Check for a datagram that must be complete in memory.
func (d Dgram) checkWhole() error {
	if err := d.Check(); err != nil {
		return err
	}
	if len(d) != d.Size() {
		return formatErrorf(extentOffset, "the header announces %d bytes, %d are there", d.Size(), len(d))
	}
	return nil
}
