package draw_test

import (
	"image"
	"math"
	"testing"

	"drp/internal/draw"
)

func TestShapesStayInsideAndAreWhereTheyShould(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 30))
	draw.Fill(img, image.Rect(-5, -5, 100, 100), draw.Paper)
	draw.Circle(img, 20, 15, 10, draw.Ink)
	draw.Circle(img, 20, 15, 1e12, draw.Ink)
	draw.Line(img, draw.Point{X: -10, Y: 2}, draw.Point{X: 50, Y: 2}, draw.Ink)
	for y := range 30 {
		for x := range 40 {
			r := math.Hypot(float64(x)-19.5, float64(y)-14.5)
			black := img.RGBAAt(x, y) == draw.Ink
			if black && y != 2 && math.Abs(r-10) > 1.5 {
				t.Errorf("(%d, %d) is black, %.1f from the centre", x, y, r)
			}
			if !black && y == 2 {
				t.Errorf("the line has a gap at %d", x)
			}
		}
	}
	if img.RGBAAt(30, 15) != draw.Ink || img.RGBAAt(10, 15) != draw.Ink {
		t.Error("there is no circle")
	}
}

func TestText(t *testing.T) {
	img := image.NewRGBA(image.Rect(0, 0, 40, 12))
	draw.Text(img, image.Pt(0, 0), draw.Ink, "I i")
	for x := range 8 {
		for y := range 12 {
			if img.RGBAAt(x, y) != img.RGBAAt(x+16, y) || img.RGBAAt(x+8, y).A != 0 {
				t.Fatalf("(%d, %d) differs between capital and small, or between them is no gap", x, y)
			}
		}
	}
	if img.RGBAAt(2, 0) != draw.Ink || draw.TextWidth("I i") != 24 {
		t.Error("there is no letter of its size")
	}
}

func TestShade(t *testing.T) {
	if draw.Shade(-3) != draw.Shade(0) || draw.Shade(7) != draw.Shade(1) || draw.Grey(0) != draw.Paper || draw.Grey(2) != draw.Ink {
		t.Error("beyond its ends a scale goes on")
	}
}

func TestPercentiles(t *testing.T) {
	none := float32(math.NaN())
	for _, c := range []struct {
		values    []float32
		low, high float64
		want      [2]float64
	}{
		{[]float32{5, none, 1, 4, none, 2, 3}, 0, 100, [2]float64{1, 5}},
		{[]float32{5, none, 1, 4, none, 2, 3}, 25, 75, [2]float64{2, 4}},
		{[]float32{7}, 1, 99, [2]float64{7, 7}},
		{[]float32{none, none}, 1, 99, [2]float64{0, 1}},
		{nil, 1, 99, [2]float64{0, 1}},
	} {
		if a, b := draw.Percentiles(c.values, c.low, c.high); [2]float64{a, b} != c.want {
			t.Errorf("%g and %g %% of %v: %g and %g, want %v", c.low, c.high, c.values, a, b, c.want)
		}
	}
}
