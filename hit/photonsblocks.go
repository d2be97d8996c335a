package hit

import (
	"math"
	"math/bits"
)

// halfBlock is a block with pixels that have half a photon left, a bit for each pixel, as vectors see it. What follows the
// first three is about the pixels in half, and nothing where there are others.
type halfBlock struct {
	block  uint32
	half   uint32 // have half a photon and no whole one
	others uint32 // have more, or the vectors are no answer for them or their neighbours
	left   uint32 // have more than the left neighbour
	above  uint32 // have more than the upper one
	most   uint32 // no neighbour has more, and with the highest one they have enough for a photon
	low    uint32 // the place of that one in beside, of equal ones the last: its lower bit
	high   uint32 // and its higher one
}

// halfLimits are what vectors compare with: values above belong to them. Pixels with enough for a photon have a sum above
// sure; whether those with the sum unsure have enough depends on how their fractions were rounded.
type halfLimits struct{ half, one, more, sure, unsure int16 }

// setLimits prepares for vectors, if photons are small enough for them, and rows long enough that no pixel is above
// another one of its block.
func (h *photons) setLimits() {
	if h.small = h.one < parts<<14 && h.p.Cols >= blockPixels; !h.small {
		return
	}
	// The lowest value that has so many parts.
	lowest := func(n int64) int64 { return min((n*h.one+parts*parts-1)/(parts*parts), math.MaxInt16) }
	sure := lowest(h.enough)
	h.below = halfLimits{int16(h.limit), int16(lowest(parts) - 1), int16(lowest(parts+parts/2) - 1), int16(sure - 1), -1}
	if sure<<32/h.one == h.enough {
		h.below.unsure = int16(sure)
	}
	h.edges = make([]uint32, h.field.blocks)
	for first := 0; first < h.p.Pixels(); first += h.p.Cols {
		last := first + h.p.Cols - 1
		h.edges[first/blockPixels] |= 1 << (first % blockPixels)
		h.edges[last/blockPixels] |= 1 << (last % blockPixels)
	}
}

// pairs makes those that begin in some blocks.
func (h *photons) pairs(list []halfBlock, r *Result) {
	for i := range list {
		b := &list[i]
		if b.others|b.half&h.edges[b.block] != 0 {
			h.oneByOne(b, r)
			continue
		}
		r.Summary.Pixels += uint32(bits.OnesCount32(b.half))
		maxima := b.most & h.scanBlock(b)
		for ; maxima != 0; maxima &= maxima - 1 {
			k := bits.TrailingZeros32(maxima)
			at := int(b.block)*blockPixels + k
			with := uint(at + h.beside[b.low>>k&1|b.high>>k&1<<1])
			if word := &h.taken[with/64]; *word>>(with%64)&1 == 0 {
				*word |= 1 << (with % 64)
				h.counts[at] = 1
				h.counted++
				continue
			}
			around := h.around(at, h.inParts(h.field.value(at)))
			h.join(&around)
		}
	}
}

// scanBlock does what scan does, and tells where it stopped both in the row and in the column.
func (h *photons) scanBlock(b *halfBlock) uint32 {
	inRow, inCol := b.left, b.above
	if behind := b.half &^ b.above; behind != 0 {
		first := int(b.block)*blockPixels - h.p.Cols
		upper := h.stopped[first/blockPixels:][:2]
		inCol |= behind &^ uint32((uint64(upper[1].inCol)<<32|uint64(upper[0].inCol))>>(first%blockPixels))
	}
	if behind := b.half &^ b.left; behind != 0 {
		before := h.stopped[b.block-1].inRow >> (blockPixels - 1)
		for ; behind != 0; behind &= behind - 1 {
			bit := behind & -behind
			inRow |= bit &^ (inRow<<1 | before)
		}
	}
	h.stopped[b.block] = stops{inRow, inCol}
	return inRow & inCol
}

// oneByOne does a block without vectors.
func (h *photons) oneByOne(b *halfBlock, r *Result) {
	f := h.field
	f.found = f.found[:0]
	for left := b.half | b.others; left != 0; left &= left - 1 {
		f.sift(int(b.block)*blockPixels+bits.TrailingZeros32(left), int32(h.limit), r)
	}
	r.Summary.Pixels += uint32(len(f.found))
	h.begin(h.whole(f.found))
}
