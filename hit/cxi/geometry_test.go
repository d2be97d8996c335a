package cxi_test

import (
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib/correct"
	"drp/hit/cxi"
	"drp/internal/testkit"
)

// TestTextOfRealGeometries makes files that say the same of places.
func TestTextOfRealGeometries(t *testing.T) {
	files, err := filepath.Glob(filepath.Join(testkit.Data(t, "geom"), "*.geom"))
	if err != nil || len(files) < 4 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			same(t, string(text), 512)
		})
	}
}

// same compares what a geometry file says with what one says that is made of it.
func same(t *testing.T, text string, rows int) string {
	t.Helper()
	old, err := correct.ParseGeometry(text)
	if err != nil {
		t.Fatal(err)
	}
	g := cxi.Geometry{Rows: rows, Mask: true, Energy: true, Distance: 0.1, PerEV: 1e-3}
	made, err := g.Text(text)
	if err != nil {
		t.Fatal(err)
	}
	again, err := correct.ParseGeometry(made)
	if err != nil {
		t.Fatalf("%v in\n%s", err, made)
	}
	if len(again.Panels) != len(old.Panels) {
		t.Fatalf("%d panels, not %d", len(again.Panels), len(old.Panels))
	}
	for i, p := range again.Panels {
		want := old.Panels[i]
		shift := max(0, want.Index) * rows
		want.MinSS, want.MaxSS, want.Index, want.CLen, want.COffset = want.MinSS+shift, want.MaxSS+shift, -1, "0.1", 0
		if p != want {
			t.Errorf("panel %+v, want %+v", p, want)
		}
	}
	for key, n := range map[string]int{"data": 1, "peak_list": 1, "clen": 1, "photon_energy": 1, "mask": 1, "mask_good": 1, "mask_bad": 1,
		"adu_per_eV": 1, "adu_per_photon": 0, "mask_file": 0, "coffset": 0} {
		found := 0
		for line := range strings.Lines(made) {
			name, _, ok := strings.Cut(line, "=")
			if name = strings.TrimSpace(name); ok && (name == key || strings.HasSuffix(name, "/"+key)) {
				found++
			}
		}
		if found != n {
			t.Errorf("%s is said %d times, not %d", key, found, n)
		}
	}
	return made
}

const stack = `; two modules, and a beam stop
photon_energy = /header/energy eV
clen = /header/clen
res = 1000
adu_per_photon = 3
data = /data/%/pixels
mask = /data/mask
mask_good = 1
dim0 = %
dim2 = ss
dim3 = fs
min_fs = 0
max_fs = 9
min_ss = 0
max_ss = 7
rigid_group_d = m0,m1
bad_edge/min_fs = 0
bad_edge/max_fs = 1
bad_edge/min_ss = 2
bad_edge/max_ss = 3
bad_one/min_fs = 5
bad_one/max_fs = 5
bad_one/min_ss = 5
bad_one/max_ss = 6
bad_one/panel = m1
bad_stop/min_x = -2
bad_stop/max_x = 2
bad_stop/min_y = -2
bad_stop/max_y = 2
m0/dim1 = 3
m0/fs = x
m0/ss = y
m0/corner_x = 0
m0/corner_y = 0
m1/dim1 = 1
m1/fs = -y
m1/ss = x
m1/corner_x = -40
m1/corner_y = 0
`

// TestTextOfAStack: what is bad in a stack of segments is bad in the frame, and nothing else is.
func TestTextOfAStack(t *testing.T) {
	made := same(t, stack, 8)
	for _, want := range []string{"; two modules", "rigid_group_d = m0,m1", "m0/min_ss = 24\n", "m1/max_ss = 15\n"} {
		if !strings.Contains(made, want) {
			t.Errorf("%q is missing in\n%s", want, made)
		}
	}
	s := correct.Segments{Numbers: []int{0, 1, 2, 3}, Rows: 8, Cols: 10}
	var masks [2][]uint8
	var radii [2][]float32
	for i, text := range []string{stack, made} {
		g, err := correct.ParseGeometry(text)
		if err != nil {
			t.Fatal(err)
		}
		l, err := g.Layout(s)
		if err != nil {
			t.Fatal(err)
		}
		masks[i], radii[i] = l.Mask(), l.Radius()
	}
	bad := 0
	for i := range masks[0] {
		if masks[0][i] != masks[1][i] || math.Abs(float64(radii[0][i]-radii[1][i])) > 1e-6 {
			t.Fatalf("pixel %d: mask %d and %d, radius %g and %g", i, masks[0][i], masks[1][i], radii[0][i], radii[1][i])
		}
		if masks[0][i] == 0 && radii[0][i] >= 0 {
			bad++
		}
	}
	if bad < 9 {
		t.Errorf("%d bad pixels", bad)
	}
}

// TestTextKeeps leaves alone what it is not told.
func TestTextKeeps(t *testing.T) {
	made, err := (&cxi.Geometry{Rows: 8}).Text(stack)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"photon_energy = /header/energy eV\n", "clen = /header/clen\n", "adu_per_photon = 3\n"} {
		if !strings.Contains(made, want) {
			t.Errorf("%q is missing", want)
		}
	}
	if strings.Contains(made, "mask") {
		t.Error(made)
	}
	if _, err := (&cxi.Geometry{Rows: 8}).Text("res = what"); err == nil {
		t.Error("nonsense is rewritten")
	}
}
