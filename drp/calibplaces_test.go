package drp_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/store"
	"drp/drp"
	"drp/internal/testkit"
)

// threePanels is a geometry of three segments in a stack, each 5 pixels above the one before.
func threePanels() string {
	var b strings.Builder
	b.WriteString("res = 1000\nmin_fs = 0\nmax_fs = 5\nmin_ss = 0\nmax_ss = 3\nfs = +x\nss = +y\ncorner_x = 0\n")
	for i := range 3 {
		fmt.Fprintf(&b, "p%[1]d/dim0 = %[2]d\np%[1]d/dim1 = ss\np%[1]d/dim2 = fs\np%[1]d/corner_y = %[3]d\n", i, 4+2*i, 5*i)
	}
	return b.String()
}

// wholeSet is of three segments, of which the camera's are the last and the second.
func wholeSet() *calib.Set {
	s := camSet(calib.Query{Serials: []string{"other", "serial1-1", "serial1-0"}}, 5)
	s.Geometry = threePanels()
	return s
}

// TestSegmentsLieWhereTheirSerialsDo: in the picture of a part of a detector, segments are at the places that their serials
// have in the whole set, whatever numbers the data give them.
func TestSegmentsLieWhereTheirSerialsDo(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `import numpy as np
from drp import DataSource
for run in DataSource().runs():
    det = run.Detector("cam")
    for evt in run.events():
        image, pixels = det.raw.image(evt)[::-1], det.raw.calib(evt)
        assert image.shape == (9, 6), image.shape
        assert np.array_equal(image[:4], pixels[1]) and np.array_equal(image[5:], pixels[0]), (image, pixels)
`))
	cfg.Sources, cfg.OutputDir, cfg.Workers = []string{testkit.File(t, testkit.Camera{}.Run(20)...)}, t.TempDir(), 1
	cfg.Constants = &fakeConstants{set: func(q calib.Query) (*calib.Set, error) { return wholeSet().Subset(q.Serials), nil }}
	if s, err := run(t, cfg); err != nil || s.Recorded != 20 || s.Damaged != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
}

// TestDistancesOfAPart: so are the distances from the beam that hits go by, also of a part that went through a store.
func TestDistancesOfAPart(t *testing.T) {
	for _, s := range []*calib.Set{wholeSet(), wholeSet().Subset([]string{"serial1-0", "serial1-1"})} {
		st, err := store.Create(t.TempDir())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = st.Close() })
		if _, err := st.Put(context.Background(), s); err != nil {
			t.Fatal(err)
		}
		f, err := drp.OpenFrames(context.Background(), testkit.File(t, testkit.Camera{}.Run(1)...), drp.FramesOptions{Store: st})
		if err != nil {
			t.Fatal(err)
		}
		seen := 0
		err = f.Each(&drp.EachFrame{Workers: 1, Done: func(e *drp.Frame) error {
			seen++
			k := e.Constants
			if k == nil || !slices.Equal(k.Camera.Numbers, []int{8, 6}) {
				t.Fatalf("%v: the constants %+v", s.Serials, k)
			}
			if r := k.Layout.Radius(); r[0] < 10 || r[0] > 11 || r[24] < 5 || r[24] > 6 {
				t.Errorf("%v: the segments begin %g and %g pixels from the beam", s.Serials, r[0], r[24])
			}
			return nil
		}})
		if err != nil || seen != 1 {
			t.Errorf("%v, %d events", err, seen)
		}
		_ = f.Close()
	}
}
