package hit

import (
	"math"
	"math/bits"

	"drp/calib/correct"
)

// field is a segment of a frame as the finders with constant thresholds see it: a pass over all pixels marks those above
// a limit, and the values of few are asked for one by one.
type field struct {
	p       *Plan
	segment int
	raw     []uint16
	bin     []uint16 // of the segment's pixels
	adu     []int16
	values  []int32 // of calibrated pixels, else nil
	room    *Room
	marks   []uint64 // a bit for each pixel

	switched int // pixels, at the last pass
}

// newField keeps the ADU of a segment at an odd place: ADU16 then leaves them in the cache, where they are read next.
func (p *Plan) newField() *field {
	n := p.Pixels()
	f := &field{p: p, marks: make([]uint64, words(n))}
	if p.Config.Pixels == Calibrated {
		f.room, f.values = p.NewRoom(), make([]int32, n)
		f.adu = f.room.adu
		return f
	}
	f.adu = make([]int16, n+1)[1:]
	return f
}

// words is how many hold a bit for each of n pixels.
func words(n int) int { return (n + 63) / 64 }

// load turns to a segment.
func (f *field) load(frame *Frame, segment int) {
	n := f.p.Pixels()
	f.segment, f.raw, f.bin = segment, frame.Raw[segment], f.p.Bin[segment*n:(segment+1)*n]
	if f.values != nil {
		f.p.Values(f.values, frame, segment, f.room)
		return
	}
	f.p.Camera.Tables.ADU16(f.adu, f.raw, segment)
}

// at is the value of a pixel, used or not: what Plan.Values gives.
func (f *field) at(i int) int32 {
	if f.values != nil {
		return f.values[i]
	}
	switch v := f.adu[i]; v {
	case correct.Bad16:
		return Bad
	case correct.Switched16:
		return whole(f.p.Camera.Tables.FirstRangeADU(f.segment, i, f.raw[i]))
	default:
		return int32(v)
	}
}

// used is the value of a pixel, Bad if it is not used.
func (f *field) used(i int) int32 {
	if f.bin[i] >= Unused {
		return Bad
	}
	return f.at(i)
}

// above marks the used pixels with a value above the limit, and gives their number. It also counts those that are in
// another gain range or saturated.
func (f *field) above(limit int32) (n int) {
	used := f.p.usedBits[f.segment]
	f.switched = 0
	if f.values != nil {
		aboveADU(f.marks, f.adu, correct.Switched16-1)
		for w, set := range f.marks {
			f.switched += bits.OnesCount64(set & used[w])
		}
		return f.aboveValues(max(limit, Bad), used)
	}
	aboveADU(f.marks, f.adu, int16(max(correct.Bad16, min(limit, correct.Switched16-1))))
	for w, set := range f.marks {
		f.marks[w] = set & used[w]
		for set = f.marks[w]; set != 0; set &= set - 1 {
			i := w*64 + bits.TrailingZeros64(set)
			if f.adu[i] != correct.Switched16 {
				continue
			}
			f.switched++
			if f.at(i) <= limit {
				f.marks[w] &^= set & -set
			}
		}
		n += bits.OnesCount64(f.marks[w])
	}
	return n
}

func (f *field) aboveValues(limit int32, used []uint64) (n int) {
	for w := range f.marks {
		var set uint64
		for k, v := range f.values[w*64 : min(w*64+64, len(f.values))] {
			if v > limit {
				set |= 1 << k
			}
		}
		f.marks[w] = set & used[w]
		n += bits.OnesCount64(f.marks[w])
	}
	return n
}

// useBits notes the used pixels of each segment, a bit for each.
func (p *Plan) useBits() {
	n := p.Pixels()
	p.usedBits = make([][]uint64, p.Segments)
	for s := range p.usedBits {
		p.usedBits[s] = make([]uint64, words(n))
		for i, b := range p.Bin[s*n : (s+1)*n] {
			if b < Unused {
				p.usedBits[s][i/64] |= 1 << (i % 64)
			}
		}
	}
}

// atLeast is the lowest value of a pixel that has x, in ADU or the constants' unit.
func (p *Plan) atLeast(x float64) int32 { return clamp(math.Ceil(x / p.step)) }
