package source

import "drp/xtc"

// A simulated camera that is ordered about has the clock of the one who orders: event n comes n+1 periods after the
// Configure, whoever makes it and since whenever. So cameras of one partition agree on the times and numbers of events.

// beat is the time of an event, in nanoseconds.
func (s *Sim) beat(event uint64) uint64 { return s.epoch + uint64(float64(event+1)*1e9/s.p.Hertz) }

// firstAfter is the first event later than a time in nanoseconds.
func (s *Sim) firstAfter(ns uint64) uint64 {
	event := uint64(0)
	if ns > s.epoch {
		event = uint64(float64(ns-s.epoch) * s.p.Hertz / 1e9)
	}
	for event > 0 && s.beat(event-1) > ns {
		event--
	}
	for s.beat(event) <= ns {
		event++
	}
	return event
}

// follow makes Next announce the transition that is ordered.
func (s *Sim) follow(o Order) {
	s.ordered, s.slow = true, false
	s.phase, s.at = o.Service, o.Time
	switch o.Service {
	case xtc.Configure:
		s.epoch, s.total = nanoseconds(o.Time), 0
	case xtc.BeginRun:
		s.runNo = o.Run
	case xtc.BeginStep:
		s.step = o.Step
		s.p.Steps = max(s.p.Steps, o.Step+1)
	case xtc.Enable:
		s.event, s.total = 0, s.firstAfter(max(nanoseconds(o.Time), nanoseconds(max(o.From, 1))-1))
	}
}

// goOn goes to what comes after a datagram: events after an Enable, and nothing after other transitions.
func (s *Sim) goOn() {
	switch s.phase {
	case xtc.L1Accept:
		s.total++
		s.event++
		s.slow = s.p.Slow > 0 && s.total%uint64(s.p.Slow) == 0
		if s.event == s.p.Events {
			s.phase, s.slow = simOver, false
		}
	case xtc.Enable:
		s.phase = xtc.L1Accept
	default:
		s.phase = simOver
	}
}
