package drp

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"drp/calib"
	"drp/calib/correct"
	"drp/hit"
	"drp/xtc"
)

// FrameConstants are those of a camera in a part of a run. Nobody changes them.
type FrameConstants struct {
	Camera hit.Camera
	Set    *calib.Set
	Layout *correct.Layout // nil without a geometry
}

// choose finds the camera in the names.
func (f *Frames) choose(configure xtc.Dgram) error {
	all := camerasOf(f.table, configure)
	var names []string
	var chosen *camera
	for _, c := range all {
		names = append(names, c.name)
		if c.name == f.o.Detector || f.o.Detector == "" {
			chosen = c
		}
	}
	switch {
	case len(all) == 0:
		return fmt.Errorf("%s: it has no camera: no detector whose raw is an array of UINT16", f.path)
	case f.o.Detector == "" && f.o.First:
		chosen = all[max(0, slices.IndexFunc(all, func(c *camera) bool { return len(f.table.Find(c.name, hit.Alg)) > 0 }))]
	case f.o.Detector == "" && len(all) > 1:
		return fmt.Errorf("%s: it has the cameras %s: name one with --detector", f.path, strings.Join(names, ", "))
	case chosen == nil:
		return fmt.Errorf("%s: it has no camera %s, but %s", f.path, f.o.Detector, strings.Join(names, ", "))
	}
	f.camera = chosen
	f.hits = findHits(f.table, chosen, configure)
	f.rings = findRings(f.table)
	f.pulse, f.energy = findField(f.table, "pulseId"), findField(f.table, "ebeamPhotonEnergy")
	return nil
}

// ask gets the constants that hold now.
func (f *Frames) ask() error {
	if f.known {
		return nil
	}
	f.known, f.constants, f.none = true, nil, "no store of constants is named, and there is none in its usual place"
	if f.o.Store == nil {
		return nil
	}
	c := f.camera
	set, err := f.o.Store.Get(f.ctx, calib.Query{Detector: c.name, Serials: c.serials, Run: f.run})
	if errors.Is(err, calib.ErrNone) {
		f.none = err.Error()
		return nil
	}
	if err != nil {
		return fail(Configuration, err)
	}
	got, err := c.suits(set)
	if err != nil {
		return fail(Configuration, err)
	}
	if got.noImage != "" {
		f.o.Warn(fmt.Sprintf("the geometry of %s does not fit its pixels: %s", c.name, got.noImage))
	}
	f.constants = &FrameConstants{Set: got.set, Layout: got.layout,
		Camera: hit.Camera{Tables: got.tables, Unit: set.Unit, Geometry: got.geometry, Numbers: got.places}}
	f.Rows, f.Cols = set.Rows, set.Cols
	return nil
}
