package hit

import (
	"math"
	"math/bits"
	"slices"
)

// group makes groups of the pixels that are above their limits, in the order of the definition, and measures them.
func (f *fast) group(t *Thresholds, r *Result) {
	for at := range f.p.Panels {
		f.panel(&f.p.Panels[at], t, r)
	}
	for s, above := range f.above {
		for _, block := range f.lit[f.litOf[s]:f.litOf[s+1]] {
			above[block] = 0
		}
	}
}

// panel finds the peaks of a panel: each pixel that is above its limit and not on the rim begins a group, if it has not
// been taken by one.
func (f *fast) panel(panel *Panel, t *Thresholds, r *Result) {
	above := f.above[panel.Segment]
	cols := uint32(f.p.Cols)
	left, wide := uint32(panel.Col+1), uint32(max(0, panel.Cols-2))
	first, end := (panel.Row+1)*f.p.Cols, (panel.Row+panel.Rows-1)*f.p.Cols
	lit := f.lit[f.litOf[panel.Segment]:f.litOf[panel.Segment+1]]
	from, _ := slices.BinarySearch(lit, uint32(first/blockPixels))
	for _, block := range lit[from:] {
		if int(block)*blockPixels >= end {
			return
		}
		seen := uint32(0) // bits of pixels that cannot begin a group
		for {
			mask := above[block] &^ seen
			if mask == 0 {
				break
			}
			bit := bits.TrailingZeros32(mask)
			seen |= 1 << bit
			i := block*blockPixels + uint32(bit)
			if int(i) < first || int(i) >= end || i%cols-left >= wide {
				continue
			}
			n := f.fill(panel, i)
			var peak Peak
			if f.peak(panel, t, n, &peak) {
				r.add(&peak, f.p.Config.MaxPeaks)
			}
		}
	}
}

// fill collects the group of a pixel, and gives the number of its members, of which the first ones are kept.
func (f *fast) fill(panel *Panel, seed uint32) (n int) {
	above, cols := f.above[panel.Segment], f.p.Cols
	right, low := panel.Col+panel.Cols-1, panel.Row+panel.Rows-1
	above[seed/blockPixels] &^= 1 << (seed % blockPixels)
	f.stack = append(f.stack[:0], seed)
	for len(f.stack) > 0 {
		i := f.stack[len(f.stack)-1]
		f.stack = f.stack[:len(f.stack)-1]
		if n < len(f.members) {
			f.members[n] = i
		}
		n++
		row, col := int(i)/cols, int(i)%cols
		from, to := max(col-1, panel.Col), min(col+1, right)
		three := uint64(1)<<(to-from+1) - 1
		for y := max(row-1, panel.Row); y <= min(row+1, low); y++ {
			at := y*cols + from
			word, shift := at/blockPixels, at%blockPixels
			near := (uint64(above[word]) | uint64(above[word+1])<<blockPixels) & (three << shift)
			if near == 0 {
				continue
			}
			above[word] &^= uint32(near)
			above[word+1] &^= uint32(near >> blockPixels)
			for ; near != 0; near &= near - 1 {
				f.stack = append(f.stack, uint32(word*blockPixels+bits.TrailingZeros64(near)))
			}
		}
	}
	return n
}

// peak measures a group of n pixels, and tells whether it is a peak.
func (f *fast) peak(panel *Panel, t *Thresholds, n int, peak *Peak) bool {
	c := &f.p.Config.Peakfinder8
	if n < c.MinPixCount || n > c.MaxPixCount {
		return false
	}
	v := &f.views[panel.Segment]
	g := Group{Highest: math.MinInt32}
	for _, i := range f.members[:n] {
		g.Add(v.value(int(i)), t.Offset[v.bins[i]], int(i)/f.p.Cols, int(i)%f.p.Cols)
	}
	row, col, ok := g.First()
	if !ok {
		return false
	}
	d := f.disc(panel, t, row, col)
	if d.N == 0 {
		d.Mean = t.Mean[f.p.binAt(panel, row, col)]
	}
	return f.p.Measure(peak, panel, &g, &d)
}

// disc adds the background around a place.
func (f *fast) disc(panel *Panel, t *Thresholds, row, col int) (d Disc) {
	v := &f.views[panel.Segment]
	for _, c := range f.t.disc {
		y := row + c.dy
		if y < panel.Row || y >= panel.Row+panel.Rows {
			continue
		}
		from, to := max(col+c.left, panel.Col), min(col+c.right, panel.Col+panel.Cols-1)
		for i := y*f.p.Cols + from; i <= y*f.p.Cols+to; i++ {
			b := int(v.bins[i])
			if b >= len(t.Below) {
				continue
			}
			if x := v.value(i); x < t.Below[b] && x != Bad {
				d.add(x)
				d.Highest = max(d.Highest, x)
			}
		}
	}
	return d
}
