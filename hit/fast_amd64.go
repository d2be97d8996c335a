package hit

import (
	"math/bits"
	"unsafe"

	"drp/calib/correct"
)

func machine() vectors {
	switch some, wide := correct.Vectors(); {
	case wide:
		return avx512
	case some:
		return avx2
	}
	return noVectors
}

// pass is one over the blocks of a segment. What is the same in all blocks has no step.
type pass struct {
	raw        *uint16
	pedestal   *int16
	codes      *uint16
	spans      *span
	ladder     *int16
	out        *survivor
	blocks     int // all of them whole
	found      int // survivors
	toPedestal int // bytes from a block's pedestals to the next one's
	toCodes    int // the same for codes
	dataMask   uint32
	bias       uint32
	bins       *uint16 // asked for where something is found
}

// limited is a pass in which, if limits are there, each block has its own, in place of spans and ladder.
type limited struct {
	pass
	limits *int16
}

//go:noescape
func passAVX2(p *limited)

//go:noescape
func passAVX512(p *limited)

// passVectors looks through the whole blocks of a part of a segment, and tells how far it came.
func (f *fast) passVectors(v *view, from, to int) (done, found int) {
	to = min(to, len(v.raw)/blockPixels)
	if from >= to {
		return from, 0
	}
	first, out := v.segment*f.t.blocks, f.survivors
	p := limited{pass: pass{spans: &f.t.spans[first+from : first+to][0], ladder: &f.ladder[0], out: &out[:to-from][0], blocks: to - from}}
	if f.blocks != nil {
		p.limits = &f.blocks[first+from : first+to][0]
	}
	p.pixels(v, from, to)
	p.bins = &v.bins[from*blockPixels : to*blockPixels][0]
	if f.t.vectors == avx512 {
		passAVX512(&p)
	} else {
		passAVX2(&p)
	}
	for k := range out[:p.found] {
		out[k].block += uint32(from)
	}
	return to, p.found
}

// pixels says where the pixels of blocks are.
func (p *pass) pixels(v *view, from, to int) {
	from, to = from*blockPixels, to*blockPixels
	if v.adu != nil {
		p.raw, p.pedestal, p.codes, p.dataMask = uint16s(v.adu[from:to]), &v.none.pedestals[0], &v.none.codes[0], 1<<16-1
		return
	}
	p.raw, p.pedestal, p.toPedestal = &v.raw[from:to][0], &v.Pedestal[from:to][0], 2*blockPixels
	p.codes, p.dataMask, p.bias = &v.codes[0], uint32(v.DataMask), uint32(v.Bias)
	if v.Wrap < 0 {
		p.codes, p.toCodes = &v.codes[from:to][0], 2*blockPixels
	}
}

// sweep adds the blocks of a stretch to the sums of bins.
type sweep struct {
	pass
	lows   *int16
	sums   *int64
	stride int // bytes from one part of the sums to the next one
	room   *byte
}

//go:noescape
func sweepAVX512(s *sweep)

// sweepVectors adds blocks, and lists what is not in the windows.
func (v *view) sweepVectors(a *all, spans []span, from, to int, out []survivor) []survivor {
	if from == to {
		return nil
	}
	s := sweep{pass: pass{spans: &spans[from:to][0], ladder: &a.highs[0], out: &out[:to-from][0], blocks: to - from},
		lows: &a.lows[0], sums: &a.packed[0], stride: 8 * a.p.Bins, room: &a.room[0]}
	s.bins = &v.bins[from*blockPixels : to*blockPixels][0]
	s.pixels(v, from, to)
	sweepAVX512(&s)
	for k := range out[:s.found] {
		out[k].block += uint32(from)
	}
	return out[:s.found]
}

// gather takes the values of the sampled pixels of blocks.
type gather struct {
	pass     // blocks are clusters, and steps are all or no bits of the place in bytes
	clusters *survivor
	picks    *uint32
	ends     *uint32
	values   *int16
	room     *byte
}

//go:noescape
func gatherAVX512(from *gather)

// gatherVectors takes the values of whole blocks, and gives their number. flagged is room.
func (s *sample) gatherVectors(v *view, o *orderly, flagged []survivor) (picked int) {
	if o.whole == 0 {
		return 0
	}
	g := gather{clusters: &o.clusters[0], picks: &o.picks[0], ends: &o.ends[0], values: &s.values[0], room: &s.room[0]}
	g.pixels(v, 0, len(v.raw)/blockPixels)
	g.blocks, g.out = o.whole, &flagged[:o.whole][0]
	g.toPedestal, g.toCodes = -g.toPedestal>>63, -g.toCodes>>63
	gatherAVX512(&g)
	// Those with pixels in another range, or too large a value, are done once more.
	for _, f := range flagged[:g.found] {
		s.gather(v, o, int(f.block))
	}
	return o.whole
}

// disc16 adds the pieces of a disc.
type disc16 struct {
	raw      *uint16
	pedestal *int16
	bins     *uint16
	below    *int32
	rows     *sixteen
	n        int
	codes    uint32
	dataMask uint32
	bias     int32
	others   uint32 // set where there are other values than pixels less pedestals
	count    int64
	sum      int64
	squares  uint64
	highest  int32
}

//go:noescape
func discAVX512(d *disc16)

// discVectors adds the pieces of a disc, if all its pixels are in the first range.
func (f *fast) discVectors(v *view, t *Thresholds, d *Disc) bool {
	if len(f.pieces) == 0 {
		return true
	}
	a := disc16{raw: &v.raw[0], pedestal: &v.Pedestal[0], bins: &v.bins[0], below: &t.Below[0], rows: &f.pieces[0], n: len(f.pieces),
		codes: uint32(v.Codes[0]), dataMask: uint32(v.DataMask), bias: int32(v.Bias)}
	discAVX512(&a)
	d.Sums, d.Highest = Sums{N: a.count, Sum: a.sum, Low: a.squares}, a.highest
	return a.others == 0
}

//go:noescape
func askFor(raw *uint16, pedestal *int16, bins *uint16, pieces *sixteen, n int)

// ask has the memory of the pieces brought here.
func (f *fast) ask(v *view) {
	if n := len(f.pieces); n > 0 {
		askFor(&v.raw[0], &v.Pedestal[0], &v.bins[0], &f.pieces[0], n)
	}
}

// aligned gives bytes that begin where a multiple of their number does, as the assembly wants it.
func aligned(n int) []byte {
	b := make([]byte, 2*n)
	skip := int(-uintptr(unsafe.Pointer(&b[0])) % uintptr(n))
	return b[skip : skip+n : skip+n]
}

func uint16s(a []int16) *uint16 { return (*uint16)(unsafe.Pointer(&a[0])) }

// clips asks for the sums of groups of bins.
type clips struct {
	values  *int16
	active  *uint16
	lo, hi  *int16
	counts  *int32
	total   *int32
	squares *uint64
	n       int
}

//go:noescape
func clipAVX2(c *clips)

//go:noescape
func clipAVX512(c *clips)

func (s *sample) addVectors(active []uint16) bool {
	if len(active) == 0 {
		return true
	}
	l := &s.lanes
	c := clips{&s.values[0], &active[0], &l.lo[0], &l.hi[0], &l.counts[0], &l.total[0], &l.squares[0], len(active)}
	if s.t.vectors == avx512 {
		clipAVX512(&c)
	} else {
		clipAVX2(&c)
	}
	return true
}

// listing asks for the values of listed pixels.
type listing struct {
	raw      *uint16
	pedestal *int16
	pixels   *uint32
	values   *int32
	flagged  *uint16 // of each block, pixels with other values than these
	n        int     // blocks
	base     uint32
	odd      uint32 // bits of raw pixels that are not their value's
	bias     int32
}

//go:noescape
func listAVX512(l *listing)

// addVectors adds blocks of pixels, and tells how many pixels that are. The last one is not among them.
func (w *ring) addVectors(v *view, pixels []uint32, base uint32) (done int) {
	n := (len(pixels) - 1) / ringBlock
	if w.vectors != avx512 || v.values != nil || v.adu != nil || n < 1 {
		return 0
	}
	first := len(w.near)
	w.near = w.near[:first+n*ringBlock]
	near := w.near[first:]
	flagged := w.flagged[:n]
	listAVX512(&listing{&v.raw[0], &v.Pedestal[0], &pixels[0], &near[0], &flagged[0], n, base, uint32(^v.DataMask), int32(v.Bias)})
	for k, mask := range flagged {
		for ; mask != 0; mask &= mask - 1 {
			at := k*ringBlock + bits.TrailingZeros16(mask)
			near[at] = w.sort(v.value(int(pixels[at] - base)))
		}
	}
	return n * ringBlock
}

// between asks for the sums of values.
type between struct {
	values  *int32
	n       int // blocks, of values that fit into 16 bits
	lo, hi  int32
	count   int64
	sum     int64
	squares uint64
}

//go:noescape
func betweenAVX512(b *between)

// sumVectors adds the values of whole blocks, and tells how many these are.
func (w *ring) sumVectors(within Bounds) (sums Sums, done int) {
	n := len(w.near) / ringBlock
	if w.vectors != avx512 || n == 0 {
		return sums, 0
	}
	b := between{values: &w.near[0], n: n, lo: within.Lo, hi: within.Hi}
	betweenAVX512(&b)
	return Sums{N: b.count, Sum: b.sum, Low: b.squares}, n * ringBlock
}
