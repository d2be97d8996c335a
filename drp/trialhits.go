package drp

import (
	"context"
	"fmt"
	"slices"

	"drp/calib"
	"drp/hit"
	"drp/xtc"
)

// SearchEvent looks for hits in an event, with the constants that a store has for its run, and gives the Configure and the
// event as a run that looks for hits would record them. The event comes after the transitions that hold, of which the first
// is the Configure. An event that lacks pixels of the camera has no block, as in a run; found is nil then.
func SearchEvent(ctx context.Context, state []xtc.Dgram, event xtc.Dgram, store calib.Store, c hit.Config) (
	configure, searched xtc.Dgram, found *hit.Record, err error,
) {
	table := xtc.NewTable()
	if err := table.Configure(state[0]); err != nil {
		return nil, nil, nil, err
	}
	h := &hits{cfg: &Hits{Config: c}, r: &Run{}}
	if h.camera, err = h.choose(camerasOf(table, state[0])); err != nil {
		return nil, nil, nil, fail(Configuration, err)
	}
	if len(table.Find(h.camera.name, hit.Alg)) > 0 {
		return nil, nil, nil, failf(Usage, "the file has hits of %s already: leave --hits out, and the script sees these", h.camera.name)
	}
	set, err := store.Get(ctx, calib.Query{Detector: h.camera.name, Serials: h.camera.serials, Run: runOf(table, state)})
	if err == nil {
		h.camera.ready, err = h.camera.suits(set)
	}
	if err != nil {
		return nil, nil, nil, fail(Configuration, fmt.Errorf("hits cannot be found without constants of %s: %w", h.camera.name, err))
	}
	if found, err = h.camera.search(table, event, c); err != nil {
		return nil, nil, nil, fail(Configuration, fmt.Errorf("%s: %w", h.camera.name, err))
	}
	names, settings := h.camera.describe(hit.Alg, hit.Entries(&c)), h.camera.describe(hit.SettingsAlg, hit.SettingsEntries())
	k, node := &calibration{r: h.r, table: table}, state[0].Src()&0xfff
	var added, block []byte
	for _, n := range []*xtc.Names{names, settings} {
		if err := k.declare(n, node, &added); err != nil {
			return nil, nil, nil, fail(Configuration, err)
		}
	}
	if added, err = h.tell(added, settings); err == nil && found != nil {
		block, err = found.AppendTo(nil, names)
	}
	return longer(state[0], added), longer(event, block), found, fail(General, err)
}

// search looks for hits of the camera in an event; nil where pixels are missing.
func (c *camera) search(table *xtc.Table, event xtc.Dgram, config hit.Config) (*hit.Record, error) {
	plan, err := hit.NewPlan(config, hit.Camera{Tables: c.tables, Unit: c.set.Unit, Geometry: c.geometry, Numbers: c.places})
	if err != nil {
		return nil, err
	}
	pixels := newPixels(c, table)
	if !pixels.of(event) {
		return nil, nil
	}
	frame, result := hit.Frame{Raw: pixels.raw}, hit.Result{}
	if config.Finder == "peakfinder8" && config.Peakfinder8.Statistics == hit.Carried {
		frame.Carried = plan.NewCarry(&hit.Frame{Raw: pixels.raw})
	}
	plan.NewFinder().Find(&frame, &result)
	return &hit.Record{Summary: result.Summary, By: result.By, Peaks: result.Peaks, Regions: result.Regions, Radial: result.Radial,
		RadialCounts: result.RadialCounts}, nil
}

// runOf is the number of the run that goes on.
func runOf(table *xtc.Table, state []xtc.Dgram) (run int) {
	for _, d := range state {
		if _, n, ok := xtc.RunInfo(table, d); ok && d.Service() == xtc.BeginRun {
			run = n
		}
	}
	return run
}

// longer is a datagram with more behind it.
func longer(d xtc.Dgram, more []byte) xtc.Dgram {
	d = append(slices.Clone(d), more...)
	d.SetSize(len(d))
	return d
}
