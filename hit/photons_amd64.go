package hit

// halves asks for the blocks of a segment that have pixels with half a photon. blocks is how many are looked through, and
// then how many of the list.
type halves struct {
	pass
	used   *uint32
	counts *uint16
	whole  int // photons of those that have one and less than half of another
	list   *halfBlock
	cols   int // bytes from a row to the next one
	below  halfLimits
}

//go:noescape
func halvesAVX512(p *halves)

//go:noescape
func besideAVX512(p *halves)

// listVectors writes the map of whole blocks and lists those with something left. It tells how far it came.
func (h *photons) listVectors(from, to int, r *Result) (done int, list []halfBlock) {
	f := h.field
	to = min(to, len(f.raw)/blockPixels)
	if f.with != avx512 || f.values != nil || !h.small || from >= to {
		return from, nil
	}
	p := halves{used: &f.used[f.segment][from:to][0], counts: &h.counts[from*blockPixels : to*blockPixels][0],
		list: &h.list[:to-from+1][0], cols: 2 * h.p.Cols, below: h.below}
	p.blocks = to - from
	p.pixels(f.view, from, to)
	halvesAVX512(&p)
	h.counted += uint64(p.whole)
	r.Summary.Pixels += uint32(p.whole)
	list = h.list[:p.found]
	for i := range list {
		list[i].block += uint32(from)
	}
	// Where a block has no row above or below, its pixels are looked at one by one.
	inside := list
	for len(inside) > 0 && int(inside[0].block)*blockPixels < h.p.Cols {
		inside[0].others |= inside[0].half
		inside = inside[1:]
	}
	for n := len(inside); n > 0 && (int(inside[n-1].block)+1)*blockPixels+h.p.Cols > len(f.raw); n-- {
		inside[n-1].others |= inside[n-1].half
		inside = inside[:n-1]
	}
	if len(inside) > 0 {
		p.pixels(f.view, 0, len(f.raw)/blockPixels)
		p.toPedestal, p.toCodes = -p.toPedestal>>63, -p.toCodes>>63
		p.used, p.list, p.blocks = &f.used[f.segment][0], &inside[0], len(inside)
		besideAVX512(&p)
	}
	return to, list
}
