package plot

import (
	"fmt"
	"image"
	"image/color"
	"math"

	"drp/internal/draw"
)

// Frame is what is drawn of an event.
type Frame struct {
	Title      string
	Pixels     []float32 // (Rows, Cols); NaN is no pixel
	Rows, Cols int
	Low, High  float64 // percentiles of the pixels that are white and black; 0 to 100
	Unit       string
	Spots      []Spot
	Beam       *Beam // nil where it is not known
}

// Spot is circled: its place in the picture, and how large it is.
type Spot struct{ Row, Col, Radius float64 }

// Beam is where the rings have their centre.
type Beam struct {
	Row, Col   float64
	Rings      []float64 // radii in pixels; none is four that are round
	Wavelength float64   // angstrom; 0 is not known, and so is
	Distance   float64   // in pixels
}

// What the picture is made of besides the pixels.
const (
	margin   = 12
	scale    = 10 // of the bar
	numbers  = 72 // beside it
	atLeast  = 512
	atMost   = 4096
	titleRow = draw.TextHeight + 2*margin
)

var (
	circle  = color.RGBA{220, 30, 30, 255}
	ring    = color.RGBA{40, 110, 220, 255}
	nothing = color.RGBA{214, 226, 240, 255}
)

// Draw draws a frame: small ones enlarged, so that circles do not hide what they are around, and large ones reduced, where
// the highest pixel of several is seen.
func Draw(f *Frame) *image.RGBA {
	zoom, shrink := 1, 1
	longer := max(f.Rows, f.Cols)
	if longer < atLeast {
		zoom = min(8, (atLeast+longer-1)/longer)
	}
	for longer/shrink > atMost {
		shrink++
	}
	wide, high := (f.Cols+shrink-1)/shrink*zoom, (f.Rows+shrink-1)/shrink*zoom
	img := image.NewRGBA(image.Rect(0, 0, max(wide+3*margin+scale+numbers, 2*margin+draw.TextWidth(f.Title)), high+titleRow+margin))
	draw.Fill(img, img.Bounds(), draw.Paper)
	draw.Text(img, image.Pt(margin, margin), draw.Ink, f.Title)
	low, high1 := draw.Percentiles(f.Pixels, f.Low, f.High)
	area := image.Rect(margin, titleRow, margin+wide, titleRow+high)
	for y := range high {
		for x := range wide {
			img.SetRGBA(area.Min.X+x, area.Min.Y+y, f.shade(y/zoom*shrink, x/zoom*shrink, shrink, [2]float64{low, high1}))
		}
	}
	f.bar(img, area, low, high1)
	inside := img.SubImage(area).(*image.RGBA) // so that rings end at the rim
	k := float64(zoom) / float64(shrink)
	place := func(row, col float64) draw.Point {
		return draw.Point{X: float64(area.Min.X) + (col+0.5)*k, Y: float64(area.Min.Y) + (row+0.5)*k}
	}
	f.rings(inside, place, k)
	for _, s := range f.Spots {
		p, r := place(s.Row, s.Col), max(4, (s.Radius+1.5)*k)
		draw.Circle(inside, p.X, p.Y, r, circle)
		draw.Circle(inside, p.X, p.Y, r+1, circle)
	}
	return img
}

// shade is the colour of a point, which stands for a square of pixels.
func (f *Frame) shade(row, col, side int, limits [2]float64) color.RGBA {
	highest, some := math.Inf(-1), false
	for y := row; y < min(row+side, f.Rows); y++ {
		for x := col; x < min(col+side, f.Cols); x++ {
			if v := float64(f.Pixels[y*f.Cols+x]); v == v {
				highest, some = max(highest, v), true
			}
		}
	}
	if !some {
		return nothing
	}
	return draw.Grey((highest - limits[0]) / max(limits[1]-limits[0], 1e-12))
}

// bar is the scale of the shades.
func (f *Frame) bar(img *image.RGBA, area image.Rectangle, low, high float64) {
	at := image.Rect(area.Max.X+margin, area.Min.Y, area.Max.X+margin+scale, area.Max.Y)
	for y := at.Min.Y; y < at.Max.Y; y++ {
		draw.Fill(img, image.Rect(at.Min.X, y, at.Max.X, y+1), draw.Grey(float64(at.Max.Y-1-y)/float64(max(1, at.Dy()-1))))
	}
	draw.Text(img, image.Pt(at.Max.X+3, at.Min.Y), draw.Ink, fmt.Sprintf("%.4g", high))
	draw.Text(img, image.Pt(at.Max.X+3, at.Min.Y+draw.TextHeight+4), draw.Ink, f.Unit)
	draw.Text(img, image.Pt(at.Max.X+3, at.Max.Y-draw.TextHeight), draw.Ink, fmt.Sprintf("%.4g", low))
}

// rings draws circles around the beam, with their radii and, where that is known, their resolution.
func (f *Frame) rings(img *image.RGBA, place func(row, col float64) draw.Point, k float64) {
	b := f.Beam
	if b == nil {
		return
	}
	radii := b.Rings
	if len(radii) == 0 {
		radii = roundRadii(f.farthest())
	}
	centre := place(b.Row, b.Col)
	for _, r := range radii {
		draw.Circle(img, centre.X, centre.Y, r*k, ring)
		text := fmt.Sprintf("%.4g px", r)
		if d := b.Resolution(r); d > 0 {
			text += fmt.Sprintf(" %.3g A", d)
		}
		f.label(img, centre, r*k, text)
	}
	for _, d := range [][2]float64{{6, 0}, {0, 6}} {
		draw.Line(img, draw.Point{X: centre.X - d[0], Y: centre.Y - d[1]}, draw.Point{X: centre.X + d[0], Y: centre.Y + d[1]}, ring)
	}
}

// label writes at a ring where there is room for it: below, above, to the right or to the left of the beam.
func (f *Frame) label(img *image.RGBA, centre draw.Point, r float64, text string) {
	w, bounds := float64(draw.TextWidth(text)), img.Bounds()
	for _, at := range []draw.Point{{X: centre.X - w/2, Y: centre.Y + r + 3}, {X: centre.X - w/2, Y: centre.Y - r - draw.TextHeight - 3},
		{X: centre.X + r + 3, Y: centre.Y}, {X: centre.X - r - 3 - w, Y: centre.Y}} {
		p := image.Pt(int(at.X), int(at.Y))
		if image.Rect(p.X, p.Y, p.X+int(w), p.Y+draw.TextHeight).In(bounds) {
			draw.Text(img, p, ring, text)
			return
		}
	}
}

// Resolution is that of a radius in angstrom; 0 where it is not known.
func (b *Beam) Resolution(radius float64) float64 {
	if b.Wavelength <= 0 || b.Distance <= 0 || radius <= 0 {
		return 0
	}
	return b.Wavelength / (2 * math.Sin(math.Atan2(radius, b.Distance)/2))
}

// farthest is the largest distance of a corner from the beam.
func (f *Frame) farthest() float64 {
	y := max(math.Abs(f.Beam.Row), math.Abs(float64(f.Rows)-f.Beam.Row))
	x := max(math.Abs(f.Beam.Col), math.Abs(float64(f.Cols)-f.Beam.Col))
	return math.Hypot(y, x)
}

// roundRadii are three to six round numbers up to the largest.
func roundRadii(largest float64) (all []float64) {
	if !(largest > 1) || math.IsInf(largest, 0) {
		return nil
	}
	step := math.Pow(10, math.Floor(math.Log10(largest/3)))
	for _, k := range []float64{5, 2.5, 2, 1} {
		if largest >= 3*k*step {
			step *= k
			break
		}
	}
	for r := step; r < largest; r += step {
		all = append(all, r)
	}
	return all
}
