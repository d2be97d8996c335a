package correct

// placedPanel is a panel of a layout.
type placedPanel struct {
	panel   *Panel
	numbers []int // of the segments
	rows    int   // of a segment
	scale   float64
}

// Place is where a point of a segment, counted as the pixels are, lies in the picture: 0 is the middle of the first pixel.
// ok is false where no panel is.
func (l *Layout) Place(segment int, row, col float64) (y, x float64, ok bool) {
	for i := range l.placed {
		p := &l.placed[i]
		if segment < 0 || segment >= len(p.numbers) {
			break
		}
		ss, fs := row, col // in the data of the geometry
		if p.panel.Index < 0 {
			ss += float64(p.numbers[segment] * p.rows)
		} else if p.panel.Index != p.numbers[segment] {
			continue
		}
		ss, fs = ss-float64(p.panel.MinSS)+0.5, fs-float64(p.panel.MinFS)+0.5
		if ss < 0 || fs < 0 || ss > float64(p.panel.MaxSS-p.panel.MinSS+1) || fs > float64(p.panel.MaxFS-p.panel.MinFS+1) {
			continue
		}
		x = (p.panel.CornerX + fs*p.panel.FS[0] + ss*p.panel.SS[0]) * p.scale
		y = (p.panel.CornerY + fs*p.panel.FS[1] + ss*p.panel.SS[1]) * p.scale
		return l.top - y, x - l.left, true
	}
	return 0, 0, false
}

// Beam is where the beam meets the picture, also where it does so beside it.
func (l *Layout) Beam() (y, x float64) { return l.top, -l.left }
