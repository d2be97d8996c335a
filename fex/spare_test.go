package fex

import (
	"slices"
	"testing"

	"drp/internal/testkit"
)

// warm waits until so many spares wait.
func (s *stage) warm(n int) {
	s.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return WarmSpares(s.group) == n }) {
		s.t.Fatalf("%d spares wait, want %d", WarmSpares(s.group), n)
	}
}

// TestSpareThatDoesNotAnswer when it is told its place is not waited for as long as a script may take at a transition.
func TestSpareThatDoesNotAnswer(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) {
		patient(cfg)
		cfg.Spares = 1
		s.play = func(a *actor, said string) role {
			switch {
			case a.id == 1 && said == "event 7":
				return dies
			case said == "attach":
				return keepsSilent
			}
			return answers
		}
	})
	s.transition(configure, 1)
	s.warm(1)
	if got := s.status(s.event(0, 7)); got != OK || s.cast[1].killed == 0 {
		t.Errorf("status %d, the spare was killed %d times", got, s.cast[1].killed)
	}
}

// TestStoppedSpare is not chosen while another child can be had, and is replaced when it stays so.
func TestStoppedSpare(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) { patient(cfg); cfg.Spares, s.play = 2, dying("event 7") })
	s.transition(configure, 1)
	s.warm(2)
	s.cast[1].locked(func() { s.cast[1].stopped = true })
	if got := s.status(s.event(0, 7)); got != Crashed {
		t.Errorf("status %d", got)
	}
	if got := s.saw(2); got != "hello, replay 2" {
		t.Errorf("the one that is stopped was asked %s", got)
	}
	s.until("its end", func() bool { return s.cast[1].Gone() })
	s.warm(2)
}

// TestSpareThatIsStoppedForAMoment stays.
func TestSpareThatIsStoppedForAMoment(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, _ *stage) { cfg.Spares = 1 })
	s.transition(configure, 1)
	s.warm(1)
	stop := func(is bool) { s.cast[1].locked(func() { s.cast[1].stopped = is }) }
	for range 2 {
		stop(true)
		s.group.spares.look()
		stop(false)
		s.group.spares.look()
	}
	if s.cast[1].Gone() || slices.Contains(s.seen, "3 hello") {
		t.Error("it was sent away")
	}
}
