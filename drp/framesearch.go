package drp

import (
	"fmt"

	"drp/hit"
)

// FrameSearch gives frames that are read from a file what a search for hits needs, in the order of the file. It belongs to
// the goroutine that reads; each goroutine that searches has a FrameFinder.
type FrameSearch struct {
	config    hit.Config
	constants *FrameConstants
	plan      *hit.Plan
	row       *hit.Carry
	time      uint64 // of the first event of the row
	events    int    // of the row
}

// NewFrameSearch begins a search.
func NewFrameSearch(c hit.Config) *FrameSearch { return &FrameSearch{config: c} }

// Assign readies a frame. The frame keeps its pixels until FrameFinder.Find has returned.
func (s *FrameSearch) Assign(e *Frame) (err error) {
	e.plan, e.carry, e.carried = nil, nil, 0
	if e.Constants == nil || !e.Complete() {
		return nil
	}
	if e.Constants != s.constants {
		if s.plan, err = hit.NewPlan(s.config, e.Constants.Camera); err != nil {
			return fail(Configuration, fmt.Errorf("%s: %w", e.Constants.Set.Detector, err))
		}
		s.constants, s.row = e.Constants, nil
	}
	e.plan = s.plan
	if c := &s.config; c.Finder == "peakfinder8" && c.Peakfinder8.Statistics == hit.Carried {
		if s.row == nil || s.events == c.Peakfinder8.Refresh {
			s.row, s.time, s.events = s.plan.NewCarry(&hit.Frame{Raw: e.Raw}), e.Time, 0
		}
		e.carry, e.carried = s.row, s.time
		s.events++
	}
	return nil
}

// FrameFinder looks for hits in frames. It belongs to one goroutine.
type FrameFinder struct {
	plan   *hit.Plan
	finder hit.Finder
	result hit.Result
}

// Find looks for hits in a frame that was assigned; what was recorded with it is replaced. One that cannot be searched,
// since it lacks pixels, has none.
func (f *FrameFinder) Find(e *Frame) {
	e.Recorded = e.plan != nil
	if e.plan == nil {
		return
	}
	if f.plan != e.plan {
		f.plan, f.finder = e.plan, e.plan.NewFinder()
	}
	f.finder.Find(&hit.Frame{Raw: e.Raw, Carried: e.carry, Number: uint64(e.Number)}, &f.result)
	e.Hits.Summary, e.Hits.By, e.Hits.Thresholds = f.result.Summary, f.result.By, e.carried
	e.Hits.Peaks = append(e.Hits.Peaks[:0], f.result.Peaks...)
}
