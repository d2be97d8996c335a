package hit

// maxDisc is as many rows and columns as a disc can have.
const maxDisc = 4 * maxRadius

// chord is a row of the disc of the background: from left to right of the middle, both included.
type chord struct{ dy, left, right int }

// chords are those of the disc that the definition describes.
func (p *Plan) chords() (disc []chord) {
	r := p.Config.Peakfinder8.LocalBGRadius
	for dy := -2 * r; dy < 2*r; dy++ {
		c := chord{dy: dy, left: 1}
		for dx := -2 * r; dx < 2*r; dx++ {
			if dx*dx+dy*dy <= 4*r*r {
				c.left, c.right = min(c.left, dx), dx
			}
		}
		disc = append(disc, c)
	}
	return disc
}

// sixteen is a piece of a row, at most sixteen pixels from the one at on; mask has a bit for each that is meant.
type sixteen struct{ at, mask uint32 }

// disc adds the background around a place.
func (f *fast) disc(panel *Panel, t *Thresholds, row, col int) (d Disc) {
	v := &f.views[panel.Segment]
	if f.t.vectors == avx512 && v.values == nil && v.adu == nil && v.Wrap >= 0 {
		f.cut(panel, row, col)
		if f.discVectors(v, t, &d) {
			return d
		}
	}
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

// cut lists the pieces of the disc around a place that are on the panel.
func (f *fast) cut(panel *Panel, row, col int) {
	f.pieces = f.pieces[:0]
	for _, c := range f.t.disc {
		y := row + c.dy
		if y < panel.Row || y >= panel.Row+panel.Rows {
			continue
		}
		from, end := max(col+c.left, panel.Col), min(col+c.right+1, panel.Col+panel.Cols)
		for ; from < end; from += 16 {
			f.pieces = append(f.pieces, sixteen{uint32(y*f.p.Cols + from), 1<<min(16, end-from) - 1})
		}
	}
}
