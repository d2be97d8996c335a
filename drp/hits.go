package drp

import (
	"fmt"
	"slices"
	"strings"

	"drp/calib/correct"
	"drp/fex"
	"drp/hit"
	"drp/pebble"
	"drp/shm"
	"drp/xtc"
)

// Hits says how hits are found in a run, and what becomes of the events that are none.
type Hits struct {
	hit.Config
	Only    bool // scripts are shown hits only
	DropRaw bool // the raw pixels of events that are none are left out of the record
}

// hits finds the hits among the events, on the goroutines of the workers, before the script's turn. The dispatcher changes
// it, while all workers are idle; they only read it. Without a configuration it does nothing.
type hits struct {
	r      *Run
	cfg    *Hits
	camera *camera // of the Configure that holds
	names  *xtc.Names
	live   *xtc.Names      // of the values that can be changed; nil where none can
	raw    []uint32        // NamesIDs of the camera's raw pixels
	plan   *hit.Plan       // of the run that goes on
	tables *correct.Tables // that it was made with
	rows   carrying
	// searchers are those of the workers: each belongs to the goroutine that makes what its events shall have.
	searchers []*searcher
}

// open makes the memory where scripts see what was found.
func (h *hits) open(sizes pebble.Sizes) error {
	if h.cfg == nil {
		return nil
	}
	for range sizes.Workers {
		s, err := newSearcher(h, sizes.Slots)
		if err != nil {
			return err
		}
		h.searchers = append(h.searchers, s)
	}
	return nil
}

func (h *hits) close() {
	for _, s := range h.searchers {
		_ = s.memory.Close()
	}
}

// areas tells the scripts' processes where they see it.
func (h *hits) areas() (all []fex.Area) {
	for _, s := range h.searchers {
		all = append(all, fex.Area{Segment: s.memory.ID(), Slots: len(s.found), SlotBytes: s.stride})
	}
	return all
}

// checkHits refuses what cannot work before anything is opened.
func (c *Config) checkHits() error {
	switch {
	case c.Hits == nil:
		return nil
	case c.Constants == nil && c.Calibration.Store == nil:
		return failf(Configuration, "hits are found in ADU above the pedestals, so --hits needs the constants of the camera: "+
			"name a store that has them with --calib. Where the pixels are corrected already, put constants with pedestals of 0 "+
			"and gains of 1 there (drp calib put)")
	}
	return fail(Usage, c.Hits.Check())
}

// configure finds the camera in a Configure, and appends the Names and the settings of what will be recorded.
func (h *hits) configure(loan *pebble.Loan, n int) (int, error) {
	if h.cfg == nil {
		return n, nil
	}
	k := &h.r.calibration
	h.camera, h.plan, h.tables = nil, nil, nil
	if xtc.NewTable().Configure(loan.Bytes()[:n]) != nil {
		return n, nil // who comes after says so
	}
	c, err := h.choose(k.cameras)
	if err != nil {
		return n, fail(Configuration, err)
	}
	h.camera, h.names, h.raw = c, c.describe(hit.Alg, hit.Entries(&h.cfg.Config)), nil
	for _, names := range c.names {
		h.raw = append(h.raw, uint32(names.ID))
	}
	settings := c.describe(hit.SettingsAlg, hit.SettingsEntries())
	node := xtc.Dgram(loan.Bytes()[:n]).Src() & 0xfff
	var added []byte
	if err := k.declare(h.names, node, &added); err != nil {
		return n, err
	}
	if err := k.declare(settings, node, &added); err != nil {
		return n, err
	}
	if h.live = nil; len(h.parameters()) > 0 {
		h.live = h.settingsNames()
		if err := k.declare(h.live, node, &added); err != nil {
			return n, err
		}
	}
	if added, err = h.tell(added, settings); err != nil {
		return n, fail(General, err)
	}
	return appendTo(loan, n, added)
}

// choose gives the camera that is searched.
func (h *hits) choose(all []*camera) (*camera, error) {
	var names []string
	for _, c := range all {
		names = append(names, c.name)
	}
	wanted := h.cfg.Detector
	if wanted == "" && slices.Contains(names, h.r.cfg.Detector) {
		wanted = h.r.cfg.Detector
	}
	switch {
	case len(all) == 0:
		return nil, fmt.Errorf("hits: no detector of the Configure has raw pixels (a field raw of uint16)")
	case wanted == "" && len(all) > 1:
		return nil, fmt.Errorf("hits: there are several cameras, %s: say which one is searched, as in --hits %s:detector=%s",
			strings.Join(names, ", "), h.cfg.Finder, names[0])
	case wanted == "":
		return all[0], nil
	}
	if i := slices.Index(names, wanted); i >= 0 {
		return all[i], nil
	}
	return nil, fmt.Errorf("hits: no camera has the name %s: there are %s", wanted, strings.Join(names, ", "))
}

// transition makes the plan for what follows, after the constants that hold from here on are there.
func (h *hits) transition(id xtc.TransitionID) error {
	if h.cfg == nil || id != xtc.BeginRun && id != xtc.BeginStep && id != xtc.Enable {
		return nil
	}
	h.rows.end()
	c := h.camera
	switch {
	case id == xtc.Enable || c != nil && c.tables != nil && c.tables == h.tables:
		return nil
	case c == nil:
		return failf(Configuration, "hits: there was no Configure that a camera could be found in")
	case c.set == nil:
		return failf(Configuration, "hits cannot be found without constants of %s, and there are none: %s. Put them into the store "+
			"(drp calib put, drp calib pedestals) or name another one (--calib)", c.name, c.reason)
	case c.noImage != "":
		return failf(Configuration, "hits: the geometry in the constants of %s cannot be used: %s", c.name, c.noImage)
	}
	plan, err := hit.NewPlan(h.cfg.Config, hit.Camera{Tables: c.tables, Unit: c.set.Unit, Geometry: c.geometry, Numbers: c.places})
	if err != nil {
		return fail(Configuration, fmt.Errorf("%s: %w", c.name, err))
	}
	if h.cfg.Center.Given && c.geometry != nil {
		h.r.cfg.Log.Warn("center is ignored: the geometry of the constants says where the beam is")
	}
	h.plan, h.tables = plan, c.tables
	h.r.steering.renewed.Store(true) // the plans of the board were those for other constants
	h.rows.begin(h)
	return nil
}

// found is what was found in an event; nil where nothing was looked for, or could not be.
func (h *hits) found(e *entry) *found {
	if !e.searched {
		return nil
	}
	return &h.searchers[e.worker].found[e.ix.Slot]
}

// dropRaw adds what is left out of the record of an event that is no hit.
func (h *hits) dropRaw(f *found, removed []uint32) []uint32 {
	if f == nil || !h.cfg.DropRaw || f.Hit {
		return removed
	}
	return append(removed, f.raw...)
}

// count enters an event whose pixels are as they came.
func (h *hits) count(e *entry) {
	f, b := h.found(e), &h.r.books
	switch {
	case h.cfg == nil:
		return
	case f == nil:
		b.unsearched.Add(1)
		return
	}
	b.searched.Add(1)
	if f.Hit {
		b.hits.Add(1)
	}
	switch f.By {
	case hit.GPU:
		b.byGPU.Add(1)
	case hit.Instead:
		b.instead.Add(1)
	}
	if f.passed {
		b.passed.Add(1)
	}
}

// newSearcher makes a worker's room: for each slot of its ring the head, and as many peaks as are kept.
func newSearcher(h *hits, slots int) (*searcher, error) {
	s := &searcher{h: h, stride: headBytes + peakBytes*h.cfg.MaxPeaks, found: make([]found, slots)}
	if int64(slots)*int64(s.stride) > shm.MaxBytes-shm.HeaderBytes {
		return nil, failf(Configuration, "hits: %d slots with %d peaks each do not fit in one shared-memory segment: lower max_peaks "+
			"or --slots", slots, h.cfg.MaxPeaks)
	}
	memory, err := shm.Create(slots * s.stride)
	if err == nil {
		s.memory = memory
		err = memory.ForReaders()
	}
	if err != nil {
		return nil, fail(Configuration, fmt.Errorf("no memory for hits: %w", err))
	}
	return s, nil
}
