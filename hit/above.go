package hit

import (
	"encoding/binary"
	"unsafe"
)

// lanes is a one for each of the four pixels of a word.
const lanes = 0x0001_0001_0001_0001

// aboveADU sets the bits of the pixels above a limit, and clears those of the others.
func aboveADU(marks []uint64, adu []int16, limit int16) {
	whole := len(adu) / 64
	if whole > 0 {
		aboveWords(marks[:whole], adu[:whole*64], limit)
	}
	if whole == len(marks) {
		return
	}
	marks[whole] = 0
	for k, v := range adu[whole*64:] {
		if v > limit {
			marks[whole] |= 1 << k
		}
	}
}

// aboveGo does it four at a time. With their highest bit turned, pixels are compared as numbers without a sign: a
// difference that does not borrow says that the rest of a pixel is not below the rest of the least.
func aboveGo(marks []uint64, adu []int16, limit int16) {
	least := uint64(uint16(limit+1)^0x8000) * lanes
	rest, high := least&^(lanes<<15), least&(lanes<<15)
	data := unsafe.Slice((*byte)(unsafe.Pointer(&adu[0])), 2*len(adu))
	for w := range marks {
		block := data[w*128 : w*128+128]
		var set uint64
		for k := 0; k < 128; k += 8 {
			x := binary.LittleEndian.Uint64(block[k:]) ^ lanes<<15
			notBelow := (x | lanes<<15) - rest
			// Where the least has its highest bit, a pixel needs it too; elsewhere it is enough.
			if above := (x&notBelow | (x|notBelow)&^high) & (lanes << 15); above != 0 {
				set |= above >> 15 * 0x0001_0002_0004_0008 >> 48 & 15 << (k / 2)
			}
		}
		marks[w] = set
	}
}
