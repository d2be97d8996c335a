package plot_test

import (
	"image/color"
	"math"
	"testing"

	"drp/hit/plot"
)

var red, blue = color.RGBA{220, 30, 30, 255}, color.RGBA{40, 110, 220, 255}

// TestDraw looks for the circle of a spot, for rings where they should be, and for what is no pixel.
func TestDraw(t *testing.T) {
	f := &plot.Frame{Title: "cam event 0", Pixels: make([]float32, 600*800), Rows: 600, Cols: 800, Low: 1, High: 99.9,
		Spots: []plot.Spot{{Row: 100, Col: 700, Radius: 2.5}}, Beam: &plot.Beam{Row: 299.5, Col: 399.5, Rings: []float64{200}}}
	for i := range f.Pixels {
		f.Pixels[i] = float32(i % 100)
	}
	for i := range 800 {
		f.Pixels[50*800+i] = float32(math.NaN())
	}
	img := plot.Draw(f)
	var offX, offY int // of the pixels in the picture: the circle's middle tells
	n, sumX, sumY := 0, 0, 0
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			if img.RGBAAt(x, y) == red {
				n, sumX, sumY = n+1, sumX+x, sumY+y
			}
		}
	}
	if n < 20 || n > 80 {
		t.Fatalf("%d red points", n)
	}
	offX, offY = int(math.Round(float64(sumX)/float64(n)))-700, int(math.Round(float64(sumY)/float64(n)))-100
	if img.RGBAAt(offX+400+200, offY+300) != blue || img.RGBAAt(offX+400, offY+300-200) != blue || img.RGBAAt(offX+400+100, offY+300-100) == blue {
		t.Error("the ring is not where it should be")
	}
	if img.RGBAAt(offX+5, offY+50) == img.RGBAAt(offX+5, offY+51) || img.RGBAAt(offX+0, offY+51).R < 250 || img.RGBAAt(offX+99, offY+51).R > 5 {
		t.Errorf("shades: %v %v %v", img.RGBAAt(offX+5, offY+50), img.RGBAAt(offX, offY+51), img.RGBAAt(offX+99, offY+51))
	}
}

// TestDrawOddSizes draws what is small, large, empty, and without a pixel.
func TestDrawOddSizes(t *testing.T) {
	for _, size := range [][2]int{{1, 1}, {3, 5}, {1, 9000}, {5000, 2}} {
		n := size[0] * size[1]
		f := &plot.Frame{Pixels: make([]float32, n), Rows: size[0], Cols: size[1], High: 100, Beam: &plot.Beam{Row: -1e9, Col: 1e9},
			Spots: []plot.Spot{{Row: -50, Col: 1e6, Radius: 3}}}
		if img := plot.Draw(f); img.Bounds().Dx() > 4096+300 || img.Bounds().Dy() > 4096+300 {
			t.Errorf("%v: %v", size, img.Bounds())
		}
		for i := range f.Pixels {
			f.Pixels[i] = float32(math.NaN())
		}
		plot.Draw(f)
	}
}

// The resolution of CrystFEL's textbook case: 9.5 keV, 0.1 m, 110 um, at 500 pixels.
func TestResolution(t *testing.T) {
	b := plot.Beam{Wavelength: 12398.42 / 9500, Distance: 0.1 / 110e-6}
	theta := math.Atan(500*110e-6/0.1) / 2
	if want := b.Wavelength / 2 / math.Sin(theta); math.Abs(b.Resolution(500)-want) > 1e-9 || math.Abs(want-2.58) > 0.05 {
		t.Errorf("%g, want %g", b.Resolution(500), want)
	}
	if (&plot.Beam{Wavelength: 1}).Resolution(5) != 0 || b.Resolution(0) != 0 {
		t.Error("a resolution out of nothing")
	}
}

func TestDrawChart(t *testing.T) {
	c := &plot.Chart{Title: "x", Across: "min_snr", Ticks: []string{"5", "6", "7"}, Lines: []string{"a", "b"},
		Rows: []plot.ChartRow{{Name: "rate", Values: [][]float64{{0, 50, 100}, {math.NaN(), math.Inf(1), 20}}}, {Name: "none", Values: [][]float64{{0, 0, 0}, nil}}}}
	img := plot.DrawChart(c)
	colours := map[color.RGBA]bool{}
	for y := range img.Bounds().Dy() {
		for x := range img.Bounds().Dx() {
			colours[img.RGBAAt(x, y)] = true
		}
	}
	if len(colours) < 4 {
		t.Errorf("%d colours", len(colours))
	}
	plot.DrawChart(&plot.Chart{})
}
