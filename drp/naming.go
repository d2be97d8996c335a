package drp

import (
	"drp/record"
	"drp/xtc"
)

// exptName is what a recording is named after: as the user says, or else as the source; so are the stream and the run.
func (r *Run) exptName() string {
	switch {
	case r.cfg.Expt != "":
		return r.cfg.Expt
	case exptPattern.MatchString(r.info.Expt):
		return r.info.Expt
	}
	return "drp"
}

func (r *Run) stream() int {
	if r.cfg.Stream >= 0 {
		return r.cfg.Stream
	}
	return r.info.Stream
}

// Stream is the number of the stream that is recorded.
func (r *Run) Stream() int { return r.stream() }

// freeSegment is that of what drp tells of itself in a stream: its number, so that streams which are read together differ, as
// psana demands; or one more than there was in the source.
func (r *Run) freeSegment(t *xtc.Table, detector, alg string) uint32 {
	segment := uint32(max(0, r.stream()))
	for _, old := range t.Find(detector, alg) {
		segment = max(segment, old.Segment+1)
	}
	return segment
}

func (r *Run) runNumber() int {
	if r.cfg.Run > 0 {
		return r.cfg.Run
	}
	if r.info.Run > record.MaxRun {
		return 1
	}
	return max(1, r.info.Run)
}
