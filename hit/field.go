package hit

import (
	"math"
	"math/bits"

	"drp/calib/correct"
)

// field is how the finders whose limits do not depend on the frame see it. A pass over a stretch of pixels lists those
// above a limit, and of others the value is asked for one by one, while they are still in the cache.
type field struct {
	p      *Plan
	views  []view
	blocks int
	used   [][]uint32 // of each segment and block, a bit for each pixel
	spans  []span     // of a stretch: all blocks have the one limit
	limits [1]int16
	room   *Room // of calibrated pixels
	with   vectors

	*view            // the segment at hand
	direct    bool   // raw pixels can be taken as they are where their bits of odd are not set
	odd       uint16 // all but the data
	survivors []survivor
	found     []candidate
}

// candidate is a pixel above the limit.
type candidate struct {
	at    int
	value int32
}

func (p *Plan) newField() *field {
	n := p.Pixels()
	f := &field{p: p, blocks: (n + blockPixels - 1) / blockPixels, with: machine()}
	if p.Config.Pixels == Calibrated {
		f.room = p.NewRoom()
	}
	for s := range p.Segments {
		f.views = append(f.views, p.newView(s))
		used := make([]uint32, f.blocks+2) // what is read across a block's end is there
		for i, b := range p.Bin[s*n : (s+1)*n] {
			if b < Unused {
				used[i/blockPixels] |= 1 << (i % blockPixels)
			}
		}
		f.used = append(f.used, used)
	}
	f.survivors, f.spans = make([]survivor, min(stretch, f.blocks)+1), make([]span, min(stretch, f.blocks))
	return f
}

// newView makes the view of a segment.
func (p *Plan) newView(segment int) view {
	n, tables := p.Pixels(), p.Camera.Tables
	v := view{Pixels: tables.Pixels(segment), segment: segment, bins: p.Bin[segment*n : (segment+1)*n], tables: tables}
	v.codes = v.Codes
	if v.Wrap >= 0 {
		v.codes = make([]uint16, blockPixels)
		for i := range v.codes {
			v.codes[i] = v.Codes[i&v.Wrap]
		}
	}
	switch {
	case p.Config.Pixels == Calibrated:
		v.values = make([]int32, n)
	case tables.CommonMode():
		v.adu = make([]int16, n)
	}
	return v
}

// load turns to a segment of a frame.
func (f *field) load(frame *Frame, segment int) {
	f.view = &f.views[segment]
	f.raw = frame.Raw[segment][:f.p.Pixels()]
	f.direct, f.odd = f.values == nil && f.adu == nil, ^f.DataMask
	switch {
	case f.values != nil:
		f.p.Values(f.values, frame, segment, f.room)
		f.note(f.room.adu)
	case f.adu != nil:
		f.tables.ADU16(f.adu, f.raw, segment)
	}
}

// ifUsed is the value of a pixel, Bad if it is not used.
func (f *field) ifUsed(i int) int32 {
	if f.used[f.segment][i/blockPixels]>>(i%blockPixels)&1 == 0 {
		return Bad
	}
	return f.value(i)
}

// stretch is how many blocks a pass goes over.
const stretch = 512

// stretches is how many a segment has.
func (f *field) stretches() int { return (f.blocks + stretch - 1) / stretch }

// above lists the used pixels of a stretch with a value above most, and counts in r those that are in another gain
// range or saturated.
func (f *field) above(k int, most int64, r *Result) []candidate {
	return f.aboveIn(k*stretch, min((k+1)*stretch, f.blocks), most, r)
}

// aboveIn does so for no more blocks than a stretch has.
func (f *field) aboveIn(from, to int, most int64, r *Result) []candidate {
	limit := int32(max(Bad, min(most, math.MaxInt32)))
	f.found = f.found[:0]
	if f.values != nil {
		if from == 0 {
			r.Summary.Switched += f.switched
		}
		f.aboveValues(from, to, limit)
		return f.found
	}
	f.limits[0] = int16(max(lowest16, min(limit, highest16)))
	used := f.used[f.segment]
	for _, s := range f.survive(from, to) {
		for left := s.mask & used[s.block]; left != 0; left &= left - 1 {
			i := int(s.block)*blockPixels + bits.TrailingZeros32(left)
			// A used pixel has a pedestal, so that without odd bits it is here for its value.
			if d := int32(f.raw[i]) - int32(f.Bias) - int32(f.Pedestal[i]); f.direct && f.raw[i]&f.odd == 0 && d < correct.Switched16 {
				f.found = append(f.found, candidate{i, d})
			} else {
				f.sift(i, limit, r)
			}
		}
	}
	return f.found
}

// survive lists the blocks with pixels above the limit or with range bits.
func (f *field) survive(from, to int) []survivor {
	done, n := f.surviveVectors(from, to)
	for k := done; k < to; k++ {
		if mask := f.mask(k, f.limits[0]); mask != 0 {
			f.survivors[n] = survivor{uint32(k), mask}
			n++
		}
	}
	return f.survivors[:n]
}

// sift lists a pixel if it is above the limit.
func (f *field) sift(i int, limit int32, r *Result) {
	d := f.adu16(i)
	x := int32(d)
	switch d {
	case correct.Bad16:
		return
	case correct.Switched16:
		r.Summary.Switched++
		x = f.value(i)
	}
	if x > limit {
		f.found = append(f.found, candidate{i, x})
	}
}

func (f *field) aboveValues(from, to int, limit int32) {
	for k := from; k < to; k++ {
		first, used := k*blockPixels, f.used[f.segment][k]
		for i, x := range f.values[first:min(first+blockPixels, len(f.values))] {
			if x > limit && used>>i&1 != 0 {
				f.found = append(f.found, candidate{first + i, x})
			}
		}
	}
}

// atLeast is the lowest value of a pixel that has x, in ADU or the constants' unit. It may be one that no pixel has.
func (p *Plan) atLeast(x float64) int64 { return int64(math.Ceil(x / p.step)) }
