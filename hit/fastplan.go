package hit

import (
	"math"
	"math/bits"

	"drp/calib/correct"
)

// blockPixels is how many pixels, one after the other in a segment, are first compared with one limit: the least of a
// range of bins which has those of the block.
const blockPixels = 32

// fastPlan is what the fast finder needs to know besides; it is made once for all goroutines.
type fastPlan struct {
	vectors vectors
	blocks  int    // of a segment; the last one may have fewer pixels
	spans   []span // of all blocks
	ladder  ladder
	views   []correct.Pixels
	codes   [][]uint16 // of a segment, for blocks: those of all pixels, or of one block that stands for all
	sample  []orderly  // of each segment
	disc    []chord
	counts  []uint32 // pixels of each bin that are used
	// stretches are ends of runs of blocks in which vectors can add without overflow, of each segment.
	stretches [][]int
}

// span gives the least limit of a block: the lesser of two steps of the ladder.
type span struct{ low, high uint16 }

// ladder has, for each bin, the least limit of it and those after it, 1, 2, 4 ... in all; the first step is for blocks
// without any pixel that is used. Limits are those of 2^shift bins, where there would be too many steps.
type ladder struct {
	bins, levels, shift int
}

// orderly is the sample of a segment as it lies in the frame: clusters are blocks with a bit for each sampled pixel, and
// picks say of each of these where it goes in the sample, which cluster of its chunk it is of, and which pixel:
//
//	bits 31…10 place in the sample | 9…5 cluster | 4…0 pixel
type orderly struct {
	clusters []survivor
	first    []uint32 // of each cluster in picks, and the end
	picks    []uint32
	ends     []uint32 // of chunks of clusters, in picks
	whole    int      // clusters that are of whole blocks
}

// chunkClusters is how many clusters are gathered at a time.
const chunkClusters = 32

func (p *Plan) newFastPlan() *fastPlan {
	n := p.Pixels()
	t := &fastPlan{blocks: (n + blockPixels - 1) / blockPixels, disc: p.chords(), vectors: machine()}
	for s := range p.Segments {
		view := p.Camera.Tables.Pixels(s)
		t.views = append(t.views, view)
		codes := view.Codes
		if view.Wrap >= 0 {
			codes = make([]uint16, blockPixels)
			for i := range codes {
				codes[i] = view.Codes[i&view.Wrap]
			}
		}
		t.codes = append(t.codes, codes)
	}
	t.climb(p)
	if p.rings() {
		t.order(p)
	}
	t.count(p)
	return t
}

// climb finds the range of bins of each block.
func (t *fastPlan) climb(p *Plan) {
	n := p.Pixels()
	lows, highs := make([]uint16, p.Segments*t.blocks), make([]uint16, p.Segments*t.blocks)
	widest := 0
	for k := range lows {
		s, first := k/t.blocks, k%t.blocks*blockPixels
		lows[k] = Unused
		for _, b := range p.Bin[s*n+first : s*n+min(first+blockPixels, n)] {
			if b < Unused {
				lows[k], highs[k] = min(lows[k], b), max(highs[k], b)
			}
		}
		if lows[k] < Unused {
			widest = max(widest, int(highs[k]-lows[k]))
		}
	}
	l := &t.ladder
	for l.shift = 0; ; l.shift++ {
		l.bins, l.levels = (p.Bins-1)>>l.shift+1, bits.Len(uint(widest>>l.shift+1))
		if 1+l.bins*l.levels <= math.MaxUint16 {
			break
		}
	}
	t.spans = correct.OnHugePages(make([]span, len(lows)))
	for k := range lows {
		if lows[k] == Unused {
			continue
		}
		low, high := int(lows[k])>>l.shift, int(highs[k])>>l.shift
		level := bits.Len(uint(high-low+1)) - 1
		at := 1 + level*l.bins
		t.spans[k] = span{uint16(at + low), uint16(at + high + 1 - 1<<level)}
	}
}

// room is as many limits as the ladder has.
func (l *ladder) room() []int16 { return make([]int16, 1+l.bins*l.levels) }

// What a pixel less its pedestal is compared with. None is above the highest but those without a number, which are at
// Switched16.
const lowest16, highest16 = math.MinInt16, correct.Switched16 - 1

// fill makes the ladder of a frame's limits.
func (l *ladder) fill(dst []int16, limits []int32) {
	dst[0] = highest16
	below := dst[1 : 1+l.bins]
	if l.shift == 0 {
		for b := range below {
			below[b] = int16(max(lowest16, min(limits[b], highest16)))
		}
	} else {
		for b := range below {
			below[b] = highest16
		}
		for b, limit := range limits {
			below[b>>l.shift] = min(below[b>>l.shift], int16(max(lowest16, min(limit, highest16))))
		}
	}
	for level := 1; level < l.levels; level++ {
		next, half := dst[1+level*l.bins:][:l.bins], 1<<(level-1)
		for b := range l.bins - half {
			next[b] = min(below[b], below[b+half])
		}
		copy(next[l.bins-half:], below[l.bins-half:]) // of ranges beyond the end, for which nobody asks
		below = next
	}
}

// leasts gives the least limits of all blocks.
func (t *fastPlan) leasts(ladder []int16) []int16 {
	blocks := make([]int16, len(t.spans))
	for k, s := range t.spans {
		blocks[k] = min(ladder[s.low], ladder[s.high])
	}
	return blocks
}

// order sorts the sample as it lies in the frame.
func (t *fastPlan) order(p *Plan) {
	sampled := make([]bool, len(p.Bin))
	for _, i := range p.Sample {
		sampled[i] = true
	}
	held := make([]int, p.Bins)
	n := p.Pixels()
	for s := range p.Segments {
		var o orderly
		for i, bin := range p.Bin[s*n : (s+1)*n] {
			if !sampled[s*n+i] {
				continue
			}
			block := uint32(i / blockPixels)
			if last := len(o.clusters) - 1; last < 0 || o.clusters[last].block != block {
				o.clusters = append(o.clusters, survivor{block: block})
				o.first = append(o.first, uint32(len(o.picks)))
			}
			last := len(o.clusters) - 1
			o.clusters[last].mask |= 1 << (i % blockPixels)
			o.picks = append(o.picks, uint32(placed(int(bin), held[bin])*chunkClusters*blockPixels+last%chunkClusters*blockPixels+i%blockPixels))
			held[bin]++
		}
		o.first = append(o.first, uint32(len(o.picks)))
		o.whole = len(o.clusters)
		if o.whole > 0 && int(o.clusters[o.whole-1].block) == n/blockPixels {
			o.whole-- // the last block has fewer pixels
		}
		for chunk := 0; chunk < o.whole; chunk += chunkClusters {
			o.ends = append(o.ends, o.first[min(chunk+chunkClusters, o.whole)])
		}
		t.sample = append(t.sample, o)
	}
}

// count counts the pixels of the bins, and cuts segments where a sum of vectors has as many as it can hold.
func (t *fastPlan) count(p *Plan) {
	t.counts = make([]uint32, p.Bins)
	for _, b := range p.Bin {
		if b < Unused {
			t.counts[b]++
		}
	}
	n := p.Pixels()
	held := make([]int, lanes*p.Bins)
	for s := range p.Segments {
		clear(held)
		var ends []int
		bins, whole := p.Bin[s*n:(s+1)*n], n/blockPixels
		for k := range whole {
			for i, b := range bins[k*blockPixels : (k+1)*blockPixels] {
				if b < Unused {
					held[i%lanes*p.Bins+int(b)]++
				}
			}
			for i, b := range bins[k*blockPixels : (k+1)*blockPixels] {
				if b < Unused && held[i%lanes*p.Bins+int(b)] > mostPacked-blockPixels/lanes {
					ends = append(ends, k+1)
					clear(held)
					break
				}
			}
		}
		if len(ends) == 0 || ends[len(ends)-1] < whole {
			ends = append(ends, whole)
		}
		t.stretches = append(t.stretches, ends)
	}
}
