package correct_test

import (
	"math"
	"testing"

	"drp/calib/correct"
)

// TestPlace looks up each pixel of a picture where Place says that it is.
func TestPlace(t *testing.T) {
	const rows, cols = 8, 12
	for name, text := range map[string]string{
		"slab": "res = 1000\na/min_fs = 0\na/max_fs = 11\na/min_ss = 0\na/max_ss = 7\na/fs = x\na/ss = y\na/corner_x = 3\na/corner_y = 2\n" +
			"b/min_fs = 0\nb/max_fs = 11\nb/min_ss = 8\nb/max_ss = 15\nb/fs = -y\nb/ss = x\nb/corner_x = -30\nb/corner_y = 4\n",
		"stack": "res = 1000\nmin_fs = 0\nmax_fs = 11\nmin_ss = 0\nmax_ss = 7\ndim1 = ss\ndim2 = fs\na/fs = x\na/ss = y\na/dim0 = 0\na/corner_x = 3\na/corner_y = 2\n" +
			"b/dim0 = 1\nb/fs = -y\nb/ss = x\nb/corner_x = -30\nb/corner_y = 4\n",
	} {
		t.Run(name, func(t *testing.T) {
			g, err := correct.ParseGeometry(text)
			if err != nil {
				t.Fatal(err)
			}
			l, err := g.Layout(correct.Segments{Numbers: []int{0, 1}, Rows: rows, Cols: cols})
			if err != nil {
				t.Fatal(err)
			}
			pixels := make([]float32, 2*rows*cols)
			for i := range pixels {
				pixels[i] = float32(i + 1)
			}
			high, wide := l.Shape()
			picture := make([]float32, high*wide)
			l.Image(picture, pixels)
			beamY, beamX := l.Beam()
			for i := range pixels {
				y, x, ok := l.Place(i/(rows*cols), float64(i/cols%rows), float64(i%cols))
				if !ok || picture[int(math.Round(y))*wide+int(math.Round(x))] != pixels[i] {
					t.Fatalf("pixel %d: %g, %g, %v", i, y, x, ok)
				}
				if r := math.Hypot(y-beamY, x-beamX); math.Abs(r-float64(l.Radius()[i])) > 1e-4 {
					t.Fatalf("pixel %d: %g from the beam, not %g", i, r, l.Radius()[i])
				}
			}
			for _, out := range [][3]float64{{0, -1, 0}, {0, 0, 12}, {2, 0, 0}, {-1, 0, 0}} {
				if _, _, ok := l.Place(int(out[0]), out[1], out[2]); ok {
					t.Errorf("%v is on a panel", out)
				}
			}
		})
	}
}

func TestDistance(t *testing.T) {
	const panel = "a/min_fs = 0\na/max_fs = 1\na/min_ss = 0\na/max_ss = 1\na/fs = x\na/ss = y\na/corner_x = 0\na/corner_y = 0\na/res = 1000\n"
	for clen, want := range map[string]float64{"0.095": 0.1, "95.0 mm": 0.1, "0.095 m": 0.1, "95mm": 0.1, "/LCLS/detector_1/EncoderValue": -1, "": -1} {
		g, err := correct.ParseGeometry("coffset = 0.005\nclen = " + clen + "\n" + panel)
		if err != nil {
			t.Fatal(err)
		}
		d, err := g.Distance()
		if (err != nil) != (want < 0) || err == nil && math.Abs(d-want) > 1e-9 {
			t.Errorf("%q: %g, %v", clen, d, err)
		}
	}
}
