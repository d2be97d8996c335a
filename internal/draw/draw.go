// Package draw draws the few things that our pictures are made of, in place on images of the standard library: areas, lines,
// circles, words and shades. It owns nothing and keeps nothing.
package draw

import (
	"image"
	"image/color"
	"math"
	"slices"
)

// What pictures are drawn on, and with.
var (
	Paper = color.RGBA{255, 255, 255, 255}
	Ink   = color.RGBA{0, 0, 0, 255}
)

// viridis are colours of Matplotlib's map, which looks even and prints well.
var viridis = []color.RGBA{
	{68, 1, 84, 255}, {72, 40, 120, 255}, {62, 74, 137, 255}, {49, 104, 142, 255}, {38, 130, 142, 255}, {31, 158, 137, 255},
	{53, 183, 121, 255}, {109, 205, 89, 255}, {180, 222, 44, 255}, {253, 231, 37, 255},
}

// Shade is the colour of a number from 0 to 1; those beyond have that of the nearest.
func Shade(x float64) color.RGBA {
	at := min(1, max(0, x)) * float64(len(viridis)-1)
	i := min(int(at), len(viridis)-2)
	f := at - float64(i)
	mix := func(a, b uint8) uint8 { return uint8(float64(a)*(1-f) + float64(b)*f + 0.5) }
	a, b := viridis[i], viridis[i+1]
	return color.RGBA{mix(a.R, b.R), mix(a.G, b.G), mix(a.B, b.B), 255}
}

// Grey is white for 0 and black for 1.
func Grey(x float64) color.RGBA {
	v := uint8(255 - 255*min(1, max(0, x)) + 0.5)
	return color.RGBA{v, v, v, 255}
}

// Percentiles are the values of a picture that are to be the ends of a scale, from 0 to 100, without those that are none; from 0 to 1
// where there are no others.
func Percentiles(values []float32, low, high float64) (a, b float64) {
	good := make([]float32, 0, len(values))
	for _, v := range values {
		if v == v {
			good = append(good, v)
		}
	}
	if len(good) == 0 {
		return 0, 1
	}
	slices.Sort(good)
	at := func(percent float64) float64 { return float64(good[int(percent/100*float64(len(good)-1))]) }
	return at(low), at(high)
}

// Fill paints an area.
func Fill(img *image.RGBA, r image.Rectangle, c color.RGBA) {
	r = r.Intersect(img.Bounds())
	for y := r.Min.Y; y < r.Max.Y; y++ {
		for x := r.Min.X; x < r.Max.X; x++ {
			img.SetRGBA(x, y, c)
		}
	}
}

// Circle draws the rim of a circle, a pixel wide. What lies outside of the image is not drawn.
func Circle(img *image.RGBA, x, y, radius float64, c color.RGBA) {
	steps := max(16, int(min(2*math.Pi*radius*1.5, 1<<18)))
	for i := range steps {
		sin, cos := math.Sincos(2 * math.Pi * float64(i) / float64(steps))
		set(img, x+radius*cos, y+radius*sin, c)
	}
}

// Point is a place in an image, as right and down go.
type Point struct{ X, Y float64 }

// Line draws from one point to another.
func Line(img *image.RGBA, from, to Point, c color.RGBA) {
	steps := max(1, int(min(math.Ceil(max(math.Abs(to.X-from.X), math.Abs(to.Y-from.Y))), 1<<18)))
	for i := range steps + 1 {
		f := float64(i) / float64(steps)
		set(img, from.X+f*(to.X-from.X), from.Y+f*(to.Y-from.Y), c)
	}
}

func set(img *image.RGBA, x, y float64, c color.RGBA) {
	if p := image.Pt(int(math.Floor(x)), int(math.Floor(y))); p.In(img.Bounds()) {
		img.SetRGBA(p.X, p.Y, c)
	}
}
