package fex

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
)

// dying makes the actors die of an event.
func dying(of ...string) func(*actor, string) role {
	return func(_ *actor, said string) role {
		if slices.Contains(of, said) {
			return dies
		}
		return answers
	}
}

// TestRetries: an event that kills every child is tried so often again, and all deaths come with their last words, however
// late those come.
func TestRetries(t *testing.T) {
	for retries := range 3 {
		t.Run(fmt.Sprint(retries), func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, s *stage) {
				cfg.Retries, s.play, s.delay = retries, dying("event 7"), 100*time.Millisecond
			})
			s.transition(configure, 1)
			tag := s.event(0, 7)
			if got := s.status(tag); got != Crashed {
				t.Fatalf("status %d", got)
			}
			f := s.answers[tag][0].Failure
			if len(f.Deaths) != retries+1 {
				t.Errorf("%d deaths are told, want %d", len(f.Deaths), retries+1)
			}
			for i, d := range f.Deaths {
				if d.PID != 1001+i || d.When.IsZero() || len(d.Output) != 1 || !strings.Contains(d.Reason, fmt.Sprintf("actor %d:", i+1)) {
					t.Errorf("death %d: %+v", i, d)
				}
			}
			if got := s.status(s.event(0, 8)); got != OK {
				t.Errorf("the next event: status %d", got)
			}
		})
	}
}

// TestTransitionSurvivesKills: a run without a transition is none, so it is tried more often than an event.
func TestTransitionSurvivesKills(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) {
		cfg.Retries = 0
		s.play = func(a *actor, said string) role {
			if said == "transition 4" && a.id <= transitionRetries {
				return dies
			}
			return answers
		}
	})
	s.transition(configure, 1)
	if a := s.transition(4, 2); a[0].Status != OK || len(s.deaths) != transitionRetries {
		t.Errorf("status %d after %d deaths", a[0].Status, len(s.deaths))
	}
	if got := s.saw(4); got != "hello, replay 2, transition 4" {
		t.Errorf("the last child was asked %s", got)
	}
}

// TestSpareTakesThePlace of a child that died, at once, and only sees what it has not seen.
func TestSpareTakesThePlace(t *testing.T) {
	tests := []struct {
		name string
		play func(a *actor, said string) role
		want string // what the one in place was asked
		id   int
	}{
		{"fine", dying("event 7"), "hello, replay 2, attach, replay 4, event 7", 2},
		{"the first died while it waited or dies at its promotion", func(a *actor, said string) role {
			if said == "event 7" && a.id == 1 || said == "attach" && a.id == 2 {
				return dies
			}
			return answers
		}, "hello, replay 2, attach, replay 4, event 7", 3},
		{"the script asks which worker it is", func(a *actor, said string) role {
			switch {
			case said == "event 7" && a.id == 1:
				return dies
			case said == "replay 2" && !strings.Contains(strings.Join(a.stage.seen, ","), fmt.Sprintf("%d attach", a.id)):
				return doesNotKnow
			}
			return answers
		}, "hello, replay 2, attach, replay 2, replay 4, event 7", 2},
		{"none comes in its place", func(a *actor, said string) role {
			if said == "event 7" && a.id == 1 || said == "attach" {
				return dies
			}
			return answers
		}, "hello, replay 2, replay 4, event 7", 4},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, s *stage) {
				cfg.Spares, s.play = 2, func(a *actor, said string) role {
					if a.id > 4 {
						return answers
					}
					return tt.play(a, said)
				}
			})
			s.transition(configure, 1)
			s.transition(4, 2)
			s.until("spares", func() bool { return strings.Count(strings.Join(s.seen, ","), "replay 2") == 2 })
			s.warm(2)
			tag := s.event(0, 7)
			s.until("its answer", func() bool { return len(s.answers[tag]) > 0 })
			if got := s.saw(tt.id); got != tt.want {
				t.Errorf("it was asked %s, want %s", got, tt.want)
			}
		})
	}
}

// TestChildDiesWhileItIsBroughtUp: another is started.
func TestChildDiesWhileItIsBroughtUp(t *testing.T) {
	for _, at := range []string{"hello", "replay 2", "replay 4"} {
		t.Run(at, func(t *testing.T) {
			s := newStage(t, 1, func(_ *Config, s *stage) {
				s.play = func(a *actor, said string) role {
					if a.id == 1 && said == "event 7" || a.id == 2 && said == at {
						return dies
					}
					return answers
				}
			})
			s.transition(configure, 1)
			s.transition(4, 2)
			if got := s.status(s.event(0, 7)); got != OK {
				t.Errorf("status %d", got)
			}
			if got := s.saw(3); got != "hello, replay 2, replay 4, event 7" {
				t.Errorf("the third was asked %s", got)
			}
		})
	}
}

// TestOtherScript: children that run get the text at once, spares too, and a spare that has not got it yet does before it
// takes a place; so no child ever runs another text than the others.
func TestOtherScript(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) { cfg.Spares, s.play = 1, dying("event 7") })
	s.transition(configure, 1)
	s.until("a spare", func() bool { return slices.Contains(s.seen, "2 replay 2") })
	s.transition(3, 2)
	s.group.SetScript([]byte("two"))
	s.transition(configure, 1) // sources that begin again repeat their times
	s.until("the spare to go along", func() bool { return strings.Count(strings.Join(s.seen, ","), "2 replay 2") == 2 })
	if got, want := s.saw(1), "hello, transition 2, transition 3, script two, transition 2"; got != want {
		t.Errorf("the worker's child was asked %s, want %s", got, want)
	}
	if got, want := s.saw(2), "hello, replay 2, script two, replay 2"; got != want {
		t.Errorf("the spare was asked %s, want %s", got, want)
	}
}

// TestSpareOfAnOldScript: at its promotion it gets the text that the run goes by, before it is shown the run.
func TestSpareOfAnOldScript(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) { cfg.Spares, s.play = 1, dying("event 7") })
	s.transition(configure, 1)
	s.until("a spare", func() bool { return slices.Contains(s.seen, "2 replay 2") })
	s.warm(1)
	s.group.mu.Lock()
	s.group.script = script{text: []byte("two"), edition: 1} // the worker has it, the spare was not told yet
	s.group.mu.Unlock()
	s.event(0, 7)
	s.until("the replacement", func() bool { return slices.Contains(s.seen, "2 event 7") })
	if got, want := s.saw(2), "hello, replay 2, script two, attach, replay 2, event 7"; got != want {
		t.Errorf("it was asked %s, want %s", got, want)
	}
}

// TestBreaker: with the policy to degrade the run goes on without the worker, until there is no other; else it ends.
func TestBreaker(t *testing.T) {
	for _, degrade := range []bool{true, false} {
		t.Run(fmt.Sprint(degrade), func(t *testing.T) {
			s := newStage(t, 2, func(cfg *Config, s *stage) {
				cfg.MaxRestarts, cfg.Degrade, cfg.Retries, s.play = 2, degrade, 0, dying("event 7")
			})
			s.transition(configure, 1)
			for range 3 {
				if got := s.status(s.event(0, 7)); got != Crashed {
					t.Errorf("status %d", got)
				}
			}
			s.until("the worker to be out of service", s.group.Workers[0].Retired)
			if got := s.status(s.event(0, 8)); got != Unserved {
				t.Errorf("an event of a worker out of service: status %d", got)
			}
			if !degrade {
				s.until("the end", func() bool { return s.gaveUp == 1 && s.retired == 0 })
				return
			}
			s.until("the news", func() bool { return s.gaveUp == 0 && s.retired == 1 })
			if got := s.status(s.event(1, 8)); got != OK {
				t.Errorf("an event of the other: status %d", got)
			}
			for range 3 {
				s.status(s.event(1, 7))
			}
			s.until("the end", func() bool { return s.gaveUp == 1 && s.retired == 1 })
		})
	}
}
