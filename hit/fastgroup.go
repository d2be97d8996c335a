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
	f.measure(t, r)
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
			if f.collect(panel, t, i); len(f.pending) == cap(f.pending) {
				f.measure(t, r)
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

// pending is a group whose background is still to be measured. Meanwhile its memory comes nearer.
type pending struct {
	panel    *Panel
	g        Group
	row, col int
}

// collect makes a group of all that belongs to a pixel, and keeps it if it may be a peak.
func (f *fast) collect(panel *Panel, t *Thresholds, seed uint32) {
	c := &f.p.Config.Peakfinder8
	n := f.fill(panel, seed)
	if n < c.MinPixCount || n > c.MaxPixCount {
		return
	}
	v := &f.views[panel.Segment]
	g := Group{Highest: math.MinInt32}
	for _, i := range f.members[:n] {
		g.Add(v.value(int(i)), t.Offset[v.bins[i]], int(i)/f.p.Cols, int(i)%f.p.Cols)
	}
	if row, col, ok := g.First(); ok {
		f.pending = append(f.pending, pending{panel, g, row, col})
		f.cut(panel, row, col)
		f.ask(v)
	}
}

// measure measures the pending groups, and keeps those that are peaks.
func (f *fast) measure(t *Thresholds, r *Result) {
	for k := range f.pending {
		w := &f.pending[k]
		d := f.disc(w.panel, t, w.row, w.col)
		if d.N == 0 {
			d.Mean = t.Mean[f.p.binAt(w.panel, w.row, w.col)]
		}
		var peak Peak
		if f.p.Measure(&peak, w.panel, &w.g, &d) {
			r.add(&peak, f.p.Config.MaxPeaks)
		}
	}
	f.pending = f.pending[:0]
}
