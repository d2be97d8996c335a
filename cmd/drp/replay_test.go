package main

import (
	"errors"
	"strings"
	"testing"

	"drp/calib"
	"drp/drp"
)

// TestConstantsOfAReplay: a recording of a simulated camera has that camera's constants, unless others are named, and none
// that are of more segments than it has, whose geometry is another one.
func TestConstantsOfAReplay(t *testing.T) {
	noEnvironment(t)
	four, err := drp.NewSimulated("sim:segments=4")
	if err != nil {
		t.Fatal(err)
	}
	set, err := four.Load(t.Context(), drp.SimulatedID)
	if err != nil {
		t.Fatal(err)
	}
	q := calib.Query{Detector: set.Detector, Serials: set.Serials, Run: 1}
	for _, c := range []struct{ named, recorded, says string }{
		{"", "sim:segments=4", ""}, {"sim:segments=4", "", ""}, {"sim:segments=4", "run.xtc2", ""},
		{"sim:", "sim:segments=4", "give --calib sim:segments=4"}, {"sim:segments=16", "", "16 segments, and lays them out otherwise"},
	} {
		store, err := (&playFlags{store: c.named}).open(c.recorded)
		if err != nil || store == nil {
			t.Fatal(c, store, err)
		}
		if _, err := store.Load(t.Context(), drp.SimulatedID); !errors.Is(err, calib.ErrNone) {
			t.Errorf("%+v: a set is taken by an id that all have: %v", c, err)
		}
		got, err := store.Get(t.Context(), q)
		if c.says == "" && (err != nil || len(got.Serials) != 4) || c.says != "" && (!errors.Is(err, calib.ErrNone) || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%+v: %v", c, err)
		}
	}
	for _, c := range [][2]string{{"none", "sim:segments=4"}, {"", "sim:rows=8"}, {"", "run.xtc2"}, {"", "sim:nonsense"}} {
		if store, err := (&playFlags{store: c[0]}).open(c[1]); err != nil || store != nil {
			t.Errorf("%q: %v, %v", c, store, err)
		}
	}
}
