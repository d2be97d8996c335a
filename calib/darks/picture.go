package darks

import (
	"fmt"
	"image"
	"image/color"
	"image/png"
	"io"
	"math"
	"slices"

	"drp/calib"
	"drp/internal/draw"
)

const (
	panelSize = 400 // the longer side of a panel, at most
	margin    = 12
	barWidth  = 10
	textRoom  = 56 // beside a panel, for the numbers of its scale
	titleRoom = 20
)

var (
	nothing = color.RGBA{190, 190, 190, 255} // no value
	good    = color.RGBA{225, 232, 240, 255}
	bad     = color.RGBA{200, 30, 30, 255}
)

// picture draws segments in a grid, each shrunk by the same factor.
type picture struct {
	set             *calib.Set
	columns, shrink int
	cellW, cellH    int
	width, height   int // of a panel
	img             *image.RGBA
}

// WritePicture writes a PNG: for each gain range that has pedestals a row of pedestals, noise and bad pixels, each with
// its scale, which goes from the 1st to the 99th percentile of the good pixels. A bad pixel is seen however much is shrunk.
func WritePicture(w io.Writer, s *calib.Set) error {
	p := newPicture(s)
	model := calib.ModelOf(s.Model)
	per := len(s.Serials) * s.SegmentPixels()
	var shown []int
	for g := range model.Ranges {
		if slices.ContainsFunc(s.Pedestals[g*per:(g+1)*per], func(v float32) bool { return v == v }) {
			shown = append(shown, g)
		}
	}
	panelW, panelH := p.width+barWidth+textRoom+2*margin, p.height+titleRoom+margin
	p.img = image.NewRGBA(image.Rect(0, 0, 3*panelW+margin, max(1, len(shown))*panelH+margin))
	draw.Fill(p.img, p.img.Bounds(), draw.Paper)
	for row, g := range shown {
		at := image.Pt(margin, row*panelH+titleRoom)
		name := model.Ranges[g]
		status := s.Status[g*per : (g+1)*per]
		p.panel(at, name+" PEDESTAL, ADU", s.Pedestals[g*per:(g+1)*per], status)
		p.panel(at.Add(image.Pt(panelW, 0)), name+" NOISE, ADU", s.RMS[g*per:(g+1)*per], status)
		p.mask(at.Add(image.Pt(2*panelW, 0)), name, status)
	}
	return png.Encode(w, p.img)
}

func newPicture(s *calib.Set) *picture {
	n := len(s.Serials)
	p := &picture{set: s}
	p.columns = min(n, max(1, int(math.Round(math.Sqrt(float64(n*s.Rows)/float64(s.Cols))))))
	lines := (n + p.columns - 1) / p.columns
	longer := max(p.columns*s.Cols, lines*s.Rows)
	p.shrink = max(1, (longer+panelSize-1)/panelSize)
	p.cellW, p.cellH = (s.Cols+p.shrink-1)/p.shrink, (s.Rows+p.shrink-1)/p.shrink
	p.width, p.height = p.columns*(p.cellW+1), lines*(p.cellH+1)
	return p
}

// each calls paint for every point of a panel with the pixels that it stands for.
func (p *picture) each(at image.Point, paint func(x, y int, pixels []int)) {
	n := p.set.SegmentPixels()
	var pixels []int
	for k := range p.set.Serials {
		x0, y0 := at.X+k%p.columns*(p.cellW+1), at.Y+k/p.columns*(p.cellH+1)
		for y := range p.cellH {
			for x := range p.cellW {
				pixels = pixels[:0]
				for row := y * p.shrink; row < min((y+1)*p.shrink, p.set.Rows); row++ {
					for col := x * p.shrink; col < min((x+1)*p.shrink, p.set.Cols); col++ {
						pixels = append(pixels, k*n+row*p.set.Cols+col)
					}
				}
				paint(x0+x, y0+y, pixels)
			}
		}
	}
}

func (p *picture) panel(at image.Point, title string, values []float32, status []uint16) {
	low, high := percentiles(values, status)
	draw.Text(p.img, at.Add(image.Pt(0, -draw.TextHeight-4)), draw.Ink, title)
	p.each(at, func(x, y int, pixels []int) {
		sum, n := 0.0, 0
		for _, i := range pixels {
			if values[i] == values[i] {
				sum, n = sum+float64(values[i]), n+1
			}
		}
		c := nothing
		if n > 0 {
			c = draw.Shade((sum/float64(n) - low) / max(high-low, 1e-12))
		}
		p.img.SetRGBA(x, y, c)
	})
	bar := image.Rect(at.X+p.width+4, at.Y, at.X+p.width+4+barWidth, at.Y+p.height)
	for y := bar.Min.Y; y < bar.Max.Y; y++ {
		c := draw.Shade(float64(bar.Max.Y-1-y) / float64(max(1, bar.Dy()-1)))
		draw.Fill(p.img, image.Rect(bar.Min.X, y, bar.Max.X, y+1), c)
	}
	draw.Text(p.img, image.Pt(bar.Max.X+3, bar.Min.Y), draw.Ink, fmt.Sprintf("%.5g", high))
	draw.Text(p.img, image.Pt(bar.Max.X+3, max(bar.Min.Y+draw.TextHeight+2, bar.Max.Y-draw.TextHeight)), draw.Ink, fmt.Sprintf("%.5g", low))
}

func (p *picture) mask(at image.Point, name string, status []uint16) {
	count := 0
	for _, v := range status {
		if v != 0 {
			count++
		}
	}
	draw.Text(p.img, at.Add(image.Pt(0, -draw.TextHeight-4)), draw.Ink, fmt.Sprintf("%s BAD: %d OF %d", name, count, len(status)))
	p.each(at, func(x, y int, pixels []int) {
		c := good
		for _, i := range pixels {
			if status[i] != 0 {
				c = bad
			}
		}
		p.img.SetRGBA(x, y, c)
	})
}

// percentiles are the 1st and the 99th of the good values, or of all where none is good.
func percentiles(values []float32, status []uint16) (low, high float64) {
	var of []float32
	for _, onlyGood := range []bool{true, false} {
		for i, v := range values {
			if v == v && (status[i] == 0 || !onlyGood) {
				of = append(of, v)
			}
		}
		if len(of) > 0 {
			break
		}
	}
	if len(of) == 0 {
		return 0, 1
	}
	slices.Sort(of)
	return float64(of[len(of)/100]), float64(of[len(of)-1-len(of)/100])
}
