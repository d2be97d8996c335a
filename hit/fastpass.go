package hit

import (
	"math/bits"

	"drp/calib/correct"
)

// survivor is a block with pixels that may be above their limits.
type survivor struct{ block, mask uint32 }

// chunk is how many blocks are looked through before their survivors are looked at: so few that pixels and pedestals are
// still near.
const chunk = 2048

// survivorsOf lists the blocks of a part of a segment with pixels that are above the least limit of the block, or have
// range bits set. No pixel that is above its own limit is missing.
func (f *fast) survivorsOf(v *view, from, to int, limits []int32) []survivor {
	first := v.segment * f.t.blocks
	done, found := from, 0
	if v.values == nil && f.t.vectors != noVectors {
		done, found = f.passVectors(v, from, to)
	}
	for k := done; k < to; k++ {
		var mask uint32
		if v.values != nil {
			mask = v.calibrated(k, limits)
		} else {
			mask = v.mask(k, f.least(first+k))
		}
		if mask != 0 {
			f.survivors[found] = survivor{uint32(k), mask}
			found++
		}
	}
	return f.survivors[:found]
}

// least is the least limit of a block, of those of all segments.
func (f *fast) least(block int) int16 {
	if f.blocks != nil {
		return f.blocks[block]
	}
	s := f.t.spans[block]
	return min(f.ladder[s.low], f.ladder[s.high])
}

// mask tells which pixels of a block survive.
func (v *view) mask(block int, limit int16) (mask uint32) {
	first := block * blockPixels
	if v.adu != nil {
		for i, d := range v.adu[first:min(first+blockPixels, len(v.adu))] {
			if d > limit {
				mask |= 1 << i
			}
		}
		return mask
	}
	raw := v.raw[first:min(first+blockPixels, len(v.raw))]
	pedestal := v.Pedestal[first:][:len(raw)]
	for i, r := range raw {
		if int32(r&v.DataMask)-int32(v.Bias)-int32(pedestal[i]) > int32(limit) || r&v.Codes[(first+i)&v.Wrap] != 0 {
			mask |= 1 << i
		}
	}
	return mask
}

// calibrated tells which pixels of a block are above their limits.
func (v *view) calibrated(block int, limits []int32) (mask uint32) {
	first := block * blockPixels
	values := v.values[first:min(first+blockPixels, len(v.values))]
	bins := v.bins[first:][:len(values)]
	for i, x := range values {
		if b := int(bins[i]); b < len(limits) && x > limits[b] {
			mask |= 1 << i
		}
	}
	return mask
}

// light finds all pixels that are above their least limits, and lists those that are not above the greatest.
func (f *fast) light(least, most []int32, r *Result) {
	f.lit, f.doubtful = f.lit[:0], f.doubtful[:0]
	for s := range f.views {
		v := &f.views[s]
		f.litOf[s] = len(f.lit)
		r.Summary.Switched += v.switched
		for from := 0; from < f.t.blocks; from += chunk {
			for _, found := range f.survivorsOf(v, from, min(from+chunk, f.t.blocks), least) {
				if v.values == nil {
					found.mask = f.sift(v, found, least, most, r)
				} else {
					f.doubt(v, found, most)
				}
				if found.mask != 0 {
					r.Summary.Pixels += uint32(bits.OnesCount32(found.mask))
					f.above[s][found.block] = found.mask
					f.lit = append(f.lit, found.block)
				}
			}
		}
	}
	f.litOf[len(f.views)] = len(f.lit)
}

// doubt lists the calibrated pixels that are not above the greatest limit.
func (f *fast) doubt(v *view, found survivor, most []int32) {
	for left := found.mask; left != 0; left &= left - 1 {
		i := found.block*blockPixels + uint32(bits.TrailingZeros32(left))
		if x := v.values[i]; x <= most[v.bins[i]] {
			f.doubtful = append(f.doubtful, doubtful{v.segment, i, x})
		}
	}
}

// sift leaves the pixels that are above their own least limits, lists those that are not above the greatest, and counts
// those that switched.
func (f *fast) sift(v *view, found survivor, least, most []int32, r *Result) (mask uint32) {
	for left := found.mask; left != 0; left &= left - 1 {
		bit := bits.TrailingZeros32(left)
		i := int(found.block)*blockPixels + bit
		b := int(v.bins[i])
		if b >= len(least) {
			continue // not used
		}
		x, d := int32(0), v.adu16(i)
		switch d {
		case correct.Bad16:
			continue
		case correct.Switched16:
			r.Summary.Switched++
			x = v.value(i)
		default:
			x = int32(d)
		}
		if x > least[b] {
			mask |= 1 << bit
			if x <= most[b] {
				f.doubtful = append(f.doubtful, doubtful{v.segment, uint32(i), x})
			}
		}
	}
	return mask
}
