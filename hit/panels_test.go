package hit_test

import (
	"slices"
	"testing"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
)

// A panel of a geometry may go over several segments: there it is one in each.
func TestPanelOverSeveralSegments(t *testing.T) {
	geometry, err := correct.ParseGeometry("res = 1000\np/min_fs = 1\np/max_fs = 5\np/min_ss = 3\np/max_ss = 17\np/fs = +x\np/ss = +y\n" +
		"p/corner_x = -3\np/corner_y = -9\n")
	if err != nil {
		t.Fatal(err)
	}
	set := &calib.Set{Detector: "d", Model: "other", Serials: []string{"c", "a"}, Unit: calib.ADU, Rows: 8, Cols: 6}
	for range 2 * 48 {
		set.Pedestals, set.Gains = append(set.Pedestals, 0), append(set.Gains, 1)
	}
	tables, err := correct.NewTables(set, nil)
	if err != nil {
		t.Fatal(err)
	}
	c := hit.Default()
	c.Finder = "peakfinder8"
	plan, err := hit.NewPlan(c, hit.Camera{Tables: tables, Unit: calib.ADU, Geometry: geometry, Numbers: []int{2, 0}})
	if err != nil {
		t.Fatal(err)
	}
	want := []hit.Panel{{Segment: 0, Row: 0, Col: 1, Rows: 2, Cols: 5}, {Segment: 1, Row: 3, Col: 1, Rows: 5, Cols: 5}}
	if !slices.Equal(plan.Panels, want) {
		t.Errorf("%+v, not %+v", plan.Panels, want)
	}
	plan.NewFinder().Find(&hit.Frame{Raw: [][]uint16{make([]uint16, 48), make([]uint16, 48)}}, new(hit.Result))
}
