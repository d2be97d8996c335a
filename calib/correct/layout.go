package correct

import (
	"fmt"
	"math"
	"slices"
)

// Layout is where the pixels of some segments are, as a geometry says.
type Layout struct {
	rows, cols int     // of the picture
	index      []int32 // the pixel at each place of the picture, -1 where there is none
	radius     []float32
	mask       []uint8

	left, top float64 // of the middle of the first pixel of the picture, from the beam
	placed    []placedPanel
}

// Segments are those that a process has, and their size.
type Segments struct {
	Numbers    []int // in the detector, in the order of the pixels
	Rows, Cols int
}

// maxPicture is how many more places a picture may have than pixels: gaps are small, mistakes are not.
const maxPicture = 64

// Layout finds the places of pixels. The geometry's data are either a stack with one array for each segment, or segments
// below each other (row = number*rows + ss). A pixel that is on no panel is nowhere: it is not in the picture, and bad.
func (g *Geometry) Layout(s Segments) (*Layout, error) {
	n := len(s.Numbers) * s.Rows * s.Cols
	if s.Rows < 1 || s.Cols < 1 || n < 1 || n > math.MaxInt32 {
		return nil, fmt.Errorf("geometry: %d segments of %d x %d pixels", len(s.Numbers), s.Rows, s.Cols)
	}
	p := placer{s: s, x: make([]float64, n), y: make([]float64, n), unit: g.Panels[0].Resolution}
	l := &Layout{radius: make([]float32, n), mask: make([]uint8, n)}
	for i := range l.radius {
		l.radius[i] = -1
	}
	for i := range g.Panels {
		if err := p.place(g, &g.Panels[i], l); err != nil {
			return nil, fmt.Errorf("geometry: panel %s: %w", g.Panels[i].Name, err)
		}
	}
	if p.placed == 0 {
		return nil, fmt.Errorf("geometry: no panel has a pixel of the segments %v", s.Numbers)
	}
	return l, l.draw(&p, n)
}

// placer finds the places, in pixels of the first panel.
type placer struct {
	s      Segments
	x, y   []float64
	unit   float64
	placed int
}

func (p *placer) place(g *Geometry, panel *Panel, l *Layout) error {
	if panel.MaxFS >= p.s.Cols {
		return fmt.Errorf("fs goes to %d, and a segment has %d columns", panel.MaxFS, p.s.Cols)
	}
	scale := p.unit / panel.Resolution
	l.placed = append(l.placed, placedPanel{panel: panel, rows: p.s.Rows, numbers: p.s.Numbers, scale: scale})
	for ss := panel.MinSS; ss <= panel.MaxSS; ss++ {
		number, row := panel.Index, ss
		if number < 0 {
			number, row = ss/p.s.Rows, ss%p.s.Rows
		}
		if row >= p.s.Rows {
			return fmt.Errorf("ss goes to %d, and a segment has %d rows", panel.MaxSS, p.s.Rows)
		}
		held := slices.Index(p.s.Numbers, number)
		if held < 0 {
			continue
		}
		start := (held*p.s.Rows + row) * p.s.Cols
		for fs := panel.MinFS; fs <= panel.MaxFS; fs++ {
			a, b := float64(fs-panel.MinFS)+0.5, float64(ss-panel.MinSS)+0.5 // middle of the pixel
			x := panel.CornerX + a*panel.FS[0] + b*panel.SS[0]
			y := panel.CornerY + a*panel.FS[1] + b*panel.SS[1]
			i := start + fs
			if l.radius[i] >= 0 {
				return fmt.Errorf("the pixel at fs %d and ss %d is on another one too", fs, ss)
			}
			p.x[i], p.y[i] = x*scale, y*scale
			l.radius[i], l.mask[i] = float32(math.Hypot(p.x[i], p.y[i])), 1
			if g.bad(panel.Name, fs, ss, x, y) {
				l.mask[i] = 0
			}
			p.placed++
		}
	}
	return nil
}

// bad tells whether a pixel is in a bad region. Limits of the data belong to it, as those of panels do.
func (g *Geometry) bad(panel string, fs, ss int, x, y float64) bool {
	for i := range g.Bad {
		b := &g.Bad[i]
		u, v := float64(fs), float64(ss)
		if b.Lab {
			u, v = x, y
		}
		if (b.Panel == "" || b.Panel == panel) && u >= b.Min1 && u <= b.Max1 && v >= b.Min2 && v <= b.Max2 {
			return true
		}
	}
	return false
}

// draw makes the picture: x to the right and y upwards, as CrystFEL shows it. Where two pixels fall on one place, the
// later one is seen.
func (l *Layout) draw(p *placer, n int) error {
	left, top, right, bottom := math.Inf(1), math.Inf(-1), math.Inf(-1), math.Inf(1)
	for i, r := range l.radius {
		if r >= 0 {
			left, right = min(left, p.x[i]), max(right, p.x[i])
			bottom, top = min(bottom, p.y[i]), max(top, p.y[i])
		}
	}
	wide, high := math.Round(right-left)+1, math.Round(top-bottom)+1
	if !(wide*high <= maxPicture*float64(n)) || wide*high > math.MaxInt32 {
		return fmt.Errorf("geometry: the picture of %d pixels would have %.0f x %.0f", n, high, wide)
	}
	l.rows, l.cols, l.left, l.top = int(high), int(wide), left, top
	l.index = make([]int32, l.rows*l.cols)
	for i := range l.index {
		l.index[i] = -1
	}
	for i, r := range l.radius {
		if r >= 0 {
			l.index[int(math.Round(top-p.y[i]))*l.cols+int(math.Round(p.x[i]-left))] = int32(i)
		}
	}
	return nil
}

// Shape is the number of rows and columns of the picture.
func (l *Layout) Shape() (rows, cols int) { return l.rows, l.cols }

// Image assembles pixels, (segments, rows, cols), to a picture of Shape: each place shows the pixel nearest to it, or 0.
func (l *Layout) Image(dst, pixels []float32) {
	dst = dst[:len(l.index)]
	for i, at := range l.index {
		if at < 0 {
			dst[i] = 0
			continue
		}
		dst[i] = pixels[at]
	}
}

// Radius is how far each pixel is away from the beam, in pixels, (segments, rows, cols); -1 where a pixel is nowhere. It
// belongs to the layout.
func (l *Layout) Radius() []float32 { return l.radius }

// Mask is 0 where a pixel is in a bad region or nowhere, else 1, (segments, rows, cols). It belongs to the layout.
func (l *Layout) Mask() []uint8 { return l.mask }

// Places is the pixel at each place of the picture, -1 where there is none, (rows, cols). It belongs to the layout.
func (l *Layout) Places() []int32 { return l.index }
