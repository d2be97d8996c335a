package correct_test

import (
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/calib/correct"
	"drp/internal/testkit"
)

func geometry(t testing.TB, name string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(testkit.Data(t, "geom"), name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func numbers(first, n int) (all []int) {
	for i := range n {
		all = append(all, first+i)
	}
	return all
}

func TestGeometryFilesOfOthers(t *testing.T) {
	for _, c := range []struct {
		file                 string
		panels, bad          int
		segments, rows, cols int
		pixels               int // on panels
	}{
		{"om_epix10k2M.geom", 64, 0, 16, 352, 384, 16 * 352 * 384},
		{"om_jungfrau4M.geom", 64, 0, 8, 185, 1552, 64 * 185 * 194},
		{"crystfel_cspad-cxiformat.geom", 64, 0, 8, 185, 1552, 64 * 185 * 194},
		{"crystfel_jf-swissfel-16M.geom", 32, 4, 32, 514, 1030, 32 * 514 * 1030},
		{"crystfel_simple.geom", 2, 0, 2, 512, 1024, 2 * 512 * 1024},
	} {
		t.Run(c.file, func(t *testing.T) {
			t.Parallel()
			g, err := correct.ParseGeometry(geometry(t, c.file))
			if err != nil {
				t.Fatal(err)
			}
			if len(g.Panels) != c.panels || len(g.Bad) != c.bad {
				t.Errorf("%d panels and %d bad regions, not %d and %d", len(g.Panels), len(g.Bad), c.panels, c.bad)
			}
			first, segments, pixels := 0, c.segments, c.pixels
			if racing && segments == 32 { // 17 megapixels take long then: those with bad regions only
				first, segments, pixels = 11, 6, c.pixels/32*6
			}
			l, err := g.Layout(correct.Segments{Numbers: numbers(first, segments), Rows: c.rows, Cols: c.cols})
			if err != nil {
				t.Fatal(err)
			}
			placed := 0
			for _, r := range l.Radius() {
				if r >= 0 {
					placed++
				}
			}
			if placed != pixels {
				t.Errorf("%d pixels are on panels, not %d", placed, pixels)
			}
			if bad := slices.Contains(l.Mask(), 0); bad != (c.bad > 0 || placed < len(l.Mask())) {
				t.Errorf("bad pixels: %v", bad)
			}
			assemblesAll(t, l, len(l.Mask()))
		})
	}
}

// assemblesAll checks that nearly every pixel is seen, at its distance from the beam: two may share a place where a panel
// is turned.
func assemblesAll(t *testing.T, l *correct.Layout, n int) {
	t.Helper()
	rows, cols := l.Shape()
	picture, pixels := make([]float32, rows*cols), make([]float32, n)
	for i := range pixels {
		pixels[i] = float32(i + 1)
	}
	l.Image(picture, pixels)
	radius := l.Radius()
	seen, onPanels := 0, 0
	for _, r := range radius {
		if r >= 0 {
			onPanels++
		}
	}
	for _, v := range picture {
		if v > 0 {
			seen++
		}
	}
	if seen > onPanels || seen < onPanels*97/100 {
		t.Errorf("%d of %d pixels are in the picture", seen, onPanels)
	}
}

// The simplest file has two panels above each other, with 20 pixels between them and the beam in the middle.
func TestLayoutOfTheSimplestFile(t *testing.T) {
	g, err := correct.ParseGeometry(geometry(t, "crystfel_simple.geom"))
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Layout(correct.Segments{Numbers: []int{0, 1}, Rows: 512, Cols: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if rows, cols := l.Shape(); rows != 1044 || cols != 1024 {
		t.Errorf("a picture of %d x %d", rows, cols)
	}
	pixels, picture := make([]float32, 2*512*1024), make([]float32, 1044*1024)
	pixels[0], pixels[512*1024+5] = 7, 8 // first row of the lower panel, and of the upper one
	l.Image(picture, pixels)
	if picture[1043*1024] != 7 || picture[511*1024+5] != 8 || picture[520*1024] != 0 {
		t.Error("pixels are in other places")
	}
	if r, want := l.Radius()[512*1024+512], math.Hypot(0.5, 10.5); math.Abs(float64(r)-want) > 1e-6 {
		t.Errorf("a pixel is %g away from the beam, not %g", r, want)
	}
	upper, err := g.Layout(correct.Segments{Numbers: []int{1}, Rows: 512, Cols: 1024})
	if err != nil {
		t.Fatal(err)
	}
	if rows, _ := upper.Shape(); rows != 512 || !slices.Equal(upper.Radius(), l.Radius()[512*1024:]) {
		t.Errorf("the upper panel alone has %d rows", rows)
	}
}

const stacked = `
; a stack of two, the second turned by 180 degrees
res = 10000
clen = /LCLS/detector_1/EncoderValue
coffset = /LCLS/offset
dim0 = %
dim2 = ss
dim3 = fs
detector_shift_x = 0.2 mm
rigid_group_all = a,b
a/dim1 = 1
a/min_fs = 0
a/max_fs = 3.0
a/min_ss = 0
a/max_ss = 1
a/fs = x
a/ss = + y
a/corner_x = 1
a/corner_y = 1
min_fs = 0 ; for panels that come later
max_fs = 3
min_ss = 0
max_ss = 1
b/dim1 = 0
b/fs = -1.0x + 0.0y
b/ss = -y
b/corner_x = -1
b/corner_y = -1
bad_spot/min_fs = 1
bad_spot/max_fs = 2
bad_spot/min_ss = 0
bad_spot/max_ss = 0
bad_spot/panel = b
badlab/min_x = 6.0 ; shifted by two pixels
badlab/max_x = 7.0
badlab/min_y = 2.0
badlab/max_y = 9.0
`

func TestStackedGeometry(t *testing.T) {
	g, err := correct.ParseGeometry(stacked)
	if err != nil {
		t.Fatal(err)
	}
	l, err := g.Layout(correct.Segments{Numbers: []int{0, 1}, Rows: 2, Cols: 4})
	if err != nil {
		t.Fatal(err)
	}
	if want := []uint8{1, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 0}; !slices.Equal(l.Mask(), want) {
		t.Errorf("mask %v, not %v", l.Mask(), want)
	}
	pixels := make([]float32, 16)
	for i := range pixels {
		pixels[i] = float32(i + 1)
	}
	rows, cols := l.Shape()
	picture := make([]float32, rows*cols)
	l.Image(picture, pixels)
	want := []float32{0, 0, 0, 0, 0, 0, 13, 14, 15, 16, 0, 0, 0, 0, 0, 0, 9, 10, 11, 12, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 4, 3, 2, 1, 0, 0, 0, 0, 0, 0, 8, 7, 6, 5, 0, 0, 0, 0, 0, 0}
	if rows != 6 || cols != 10 || !slices.Equal(picture, want) {
		t.Errorf("%d x %d: %v", rows, cols, picture)
	}
}

func TestGeometryRefused(t *testing.T) {
	good := "res = 1\np/min_fs = 0\np/max_fs = 3\np/min_ss = 0\np/max_ss = 3\np/fs = x\np/ss = y\np/corner_x = 0\np/corner_y = 0\n"
	for _, c := range []struct{ name, text, want string }{
		{"empty", "; nothing\n", "no panel"},
		{"no value", good + "p/fs\n", "line 10"},
		{"no number", good + "p/corner_x = here\n", "no number"},
		{"not finite", good + "p/corner_x = NaN\n", "no number"},
		{"half a pixel", good + "p/max_fs = 3.5\n", "no whole number"},
		{"huge", good + "p/max_fs = 1e9\n", "no whole number"},
		{"no direction", good + "p/fs = 1.0\n", "no x, y or z"},
		{"parallel", good + "p/ss = 2x\n", "same way"},
		{"no pixels", good + "p/max_ss = 0\np/min_ss = 2\n", "no pixel"},
		{"no resolution", strings.Replace(good, "res = 1", "", 1), "res is not given"},
		{"zero resolution", strings.Replace(good, "res = 1", "res = 0", 1), "not above 0"},
		{"turned", good + "p/dim0 = fs\np/dim1 = ss\n", "fs before ss"},
		{"bad region of nobody", good + "bad1/panel = q\n", "there is not"},
		{"unit", good + "detector_shift_x = 3 inches\n", "neither m nor mm"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if _, err := correct.ParseGeometry(c.text); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
	for _, c := range []struct {
		name, text, want string
		s                correct.Segments
	}{
		{"too many columns", good, "3 columns", correct.Segments{Numbers: []int{0}, Rows: 4, Cols: 3}},
		{"too many rows", good + "p/dim0 = 0\n", "3 rows", correct.Segments{Numbers: []int{0}, Rows: 3, Cols: 4}},
		{"of another segment", good, "no panel", correct.Segments{Numbers: []int{3}, Rows: 4, Cols: 4}},
		{"on two panels", good + "q/min_fs = 3\nq/max_fs = 3\nq/min_ss = 3\nq/max_ss = 3\nq/fs = x\nq/ss = y\nq/corner_x = 9\n" +
			"q/corner_y = 9\n", "another one", correct.Segments{Numbers: []int{0}, Rows: 4, Cols: 4}},
		{"far apart", good + "p/fs = 1000x\n", "picture", correct.Segments{Numbers: []int{0}, Rows: 4, Cols: 4}},
		{"nothing", good, "0 segments", correct.Segments{Rows: 4, Cols: 4}},
	} {
		t.Run(c.name, func(t *testing.T) {
			g, err := correct.ParseGeometry(c.text)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := g.Layout(c.s); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// Whatever the text, a geometry that is taken can be laid out or is refused, with bounded memory.
func FuzzGeometry(f *testing.F) {
	f.Add(stacked)
	f.Add("res = 1\np/min_fs = 0\np/max_fs = 3\np/min_ss = 0\np/max_ss = 3\np/fs = x\np/ss = y\np/corner_x = 0\np/corner_y = 0\n")
	f.Fuzz(func(t *testing.T, text string) {
		g, err := correct.ParseGeometry(text)
		if err != nil {
			return
		}
		for _, s := range []correct.Segments{{Numbers: []int{0, 1}, Rows: 2, Cols: 4}, {Numbers: []int{3}, Rows: 16, Cols: 16}} {
			l, err := g.Layout(s)
			if err != nil {
				continue
			}
			rows, cols := l.Shape()
			if len(l.Radius()) != len(s.Numbers)*s.Rows*s.Cols || rows*cols > 64*len(l.Radius()) {
				t.Fatalf("%d distances, a picture of %d x %d", len(l.Radius()), rows, cols)
			}
			l.Image(make([]float32, rows*cols), l.Radius())
		}
	})
}

// TestEnergyOfAGeometry: the photon energy is read where the file says it, in each of its units.
func TestEnergyOfAGeometry(t *testing.T) {
	const panel = "\na/min_fs = 0\na/max_fs = 3\na/min_ss = 0\na/max_ss = 3\na/corner_x = 0\na/corner_y = 0\na/fs = +x\na/ss = +y\na/res = 1000\n"
	for line, want := range map[string]float64{"photon_energy = 9500": 9500, "photon_energy = 9.5 keV": 9500, "photon_energy = 0.0095 MeV": 9500,
		"photon_energy = 9500 eV ; about": 9500, "wavelength = 1.239842 A": 10000, "wavelength = 1.239842e-10 m": 10000,
		"photon_energy = /LCLS/photon_energy_eV": 0, "photon_energy = -3": 0, "photon_energy = 9 bananas": 0, "photon_energy_bandwidth = 5": 0, "": 0} {
		g, err := correct.ParseGeometry(line + panel)
		if err != nil || math.Abs(g.Energy-want) > 1e-6*want {
			t.Errorf("%q: %v, %v", line, g, err)
		}
	}
}
