package hit

import (
	"cmp"
	"slices"
)

// draw chooses the sample: of each bin as many pixels as a sample has, or all. Pixels are taken where many can be taken
// from a block of neighbours, since that is what reading them costs. But they are never neighbours in the same bin, if
// the bin has others: a peak would count as often as it has pixels there, and raise the bin's threshold.
//
// Blocks come in an order by chance, those with few bins earlier, in inverse proportion to their number, so that pixels
// come from all directions alike. Each block gives one pixel to each of its bins that still wants some; then again, where
// bins are so small that they want more.
func (p *Plan) draw() {
	d := drawing{p: p, visited: make([]int, p.Bins), wanted: make([]int, p.Bins), taken: make([]bool, len(p.Bin))}
	each := perRing
	if !p.rings() {
		each = perPanel
	}
	for _, b := range p.Bin {
		if b < Unused && d.wanted[b] < each {
			d.wanted[b]++
		}
	}
	p.SampleAt = make([]uint32, p.Bins+1)
	for b, n := range d.wanted {
		p.SampleAt[b+1] = p.SampleAt[b] + uint32(n)
	}
	p.Sample = make([]uint32, p.SampleAt[p.Bins])
	for blocks := d.shuffle(); len(blocks) > 0; {
		left := blocks[:0]
		for _, b := range blocks {
			if d.visit(&b) {
				left = append(left, b)
			}
		}
		blocks = left
	}
	for b := range p.Bins {
		slices.Sort(p.Sample[p.SampleAt[b]:p.SampleAt[b+1]])
	}
}

// drawing is a sample as it grows.
type drawing struct {
	p       *Plan
	wanted  []int // pixels of each bin that are still to be taken
	taken   []bool
	visited []int // the last visit to a block in which the bin was met
	visits  int
}

type drawn struct {
	key       uint64
	first, to int // pixels
}

// shuffle puts the blocks in their order.
func (d *drawing) shuffle() (blocks []drawn) {
	p, n := d.p, d.p.Pixels()
	for s := range p.Segments {
		for first := s * n; first < (s+1)*n; first += blockPixels {
			b := drawn{first: first, to: min(first+blockPixels, (s+1)*n)}
			d.visits++
			bins := uint64(0)
			for _, bin := range p.Bin[b.first:b.to] {
				if bin < Unused && d.visited[bin] != d.visits {
					d.visited[bin] = d.visits
					bins++
				}
			}
			if b.key = mix(uint64(len(blocks))) >> 32 * bins; bins > 0 {
				blocks = append(blocks, b)
			}
		}
	}
	slices.SortFunc(blocks, func(a, b drawn) int { return cmp.Or(cmp.Compare(a.key, b.key), cmp.Compare(a.first, b.first)) })
	return blocks
}

// visit takes a pixel for each bin of a block, and tells whether bins may want more of it.
func (d *drawing) visit(b *drawn) (more bool) {
	p, n := d.p, b.to-b.first
	d.visits++
	start := int(mix(uint64(b.first)+uint64(d.visits)<<32) % uint64(n))
	for k := range n {
		i := b.first + (start+k)%n
		bin := p.Bin[i]
		if bin >= Unused || d.taken[i] || d.wanted[bin] == 0 {
			continue
		}
		if d.visited[bin] == d.visits {
			more = true
			continue
		}
		d.visited[bin] = d.visits
		d.taken[i] = true
		d.wanted[bin]--
		p.Sample[int(p.SampleAt[bin+1])-1-d.wanted[bin]] = uint32(i)
	}
	return more
}

func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
