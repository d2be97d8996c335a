package source

import (
	"fmt"

	"drp/xtc"
)

// repeats tells what a loop goes over again and again: in it the run neither ends nor begins again.
func repeats(service xtc.TransitionID) bool { return service.IsEvent() || service == xtc.SlowUpdate }

// span is the range of some times, in nanoseconds.
type span struct {
	first, last uint64
	count       int
}

func (s *span) add(ns uint64) {
	if s.count == 0 {
		s.first, s.last = ns, ns
	}
	s.first, s.last = min(s.first, ns), max(s.last, ns)
	s.count++
}

// loopStreams makes the streams repeat themselves. All take the time of the longest, so that what belongs together in
// the first pass does so in every other; a pass follows the one before at the mean distance of two datagrams.
func loopStreams(streams []*stream) error {
	var all span
	period := uint64(0)
	for _, s := range streams {
		if len(s.survey.configured) > 1 {
			return fmt.Errorf("source: %s is configured %d times: only a single Configure can be looped over",
				s.survey.files[0], len(s.survey.configured))
		}
		r := s.survey.repeated
		if s.survey.events == 0 {
			continue // it is delivered once
		}
		all.add(r.first)
		all.add(r.last)
		if p := (r.last - r.first) / uint64(max(1, r.count-1)); period == 0 || p < period {
			period = p
		}
	}
	for _, s := range streams {
		s.loop = all.count > 0 // without any event the end comes once
		s.lap = all.last - all.first + max(1, period)
	}
	return nil
}
