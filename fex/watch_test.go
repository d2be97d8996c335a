package fex

import (
	"slices"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// TestSoftDeadline asks for the stack once, and ends nothing.
func TestSoftDeadline(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) {
		cfg.SoftDeadline = 150 * time.Millisecond
		s.play = func(_ *actor, said string) role {
			if said == "event 7" {
				return keepsSilent
			}
			return answers
		}
	})
	s.transition(configure, 1)
	tag := s.event(0, 7)
	s.until("the stack", func() bool { return slices.Contains(s.seen, "1 stack") })
	time.Sleep(3 * watchTick) // it stays at one
	a := s.cast[0]
	w := s.group.Workers[0]
	w.mu.Lock()
	r := w.queue.at(0).record
	w.mu.Unlock()
	r.status, r.bytes = 0, 0
	a.locked(func() { a.answers = r.append(a.answers); a.changed.Broadcast() })
	if got := s.status(tag); got != OK || a.killed != 0 || strings.Count(s.saw(1), "stack") != 1 || len(s.deaths) > 0 {
		t.Errorf("status %d, killed %d times, asked %s, deaths %q", got, a.killed, s.saw(1), s.deaths)
	}
}

// TestExcuse: while nobody could make progress, nobody was silent.
func TestExcuse(t *testing.T) {
	tests := []struct {
		name                string
		heard, absent, then time.Duration
		want                time.Duration
	}{
		{"before the absence", 10 * time.Second, 60 * time.Second, 75 * time.Second, 70 * time.Second},
		{"since", 74 * time.Second, 60 * time.Second, 75 * time.Second, 75 * time.Second},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var w Worker
			w.progress.Store(int64(tt.heard))
			w.excuse(tt.absent, tt.then)
			if got := time.Duration(w.progress.Load()); got != tt.want {
				t.Errorf("heard of at %v, want %v", got, tt.want)
			}
		})
	}
}

// TestClose ends everything in whatever phase the workers and spares are, with and without Kill before, and twice.
func TestClose(t *testing.T) {
	silentAt := func(id int, what string) func(a *actor, said string) role {
		return func(a *actor, said string) role {
			switch {
			case a.id == 1 && said == "event 7":
				return dies
			case a.id == id && said == what:
				return keepsSilent
			}
			return answers
		}
	}
	tests := []struct {
		name   string
		spares int
		event  uint64
		play   func(a *actor, said string) role
		until  string
	}{
		{"idle", 0, 0, silentAt(0, ""), "1 transition 2"},
		{"an event in hand", 0, 6, silentAt(1, "event 6"), "1 event 6"},
		{"a replacement greets", 0, 7, silentAt(2, "hello"), "2 hello"},
		{"a replacement is shown the run", 0, 7, silentAt(2, "replay 2"), "2 replay 2"},
		{"a spare greets", 1, 0, silentAt(2, "hello"), "2 hello"},
		{"a spare is shown the run", 1, 0, silentAt(2, "replay 2"), "2 replay 2"},
		{"a spare is promoted", 1, 7, silentAt(2, "attach"), "2 attach"},
		{"spares wait", 2, 0, silentAt(0, ""), "3 replay 2"},
		{"no child starts", 0, 7, func(a *actor, said string) role {
			if a.id > 1 || said == "event 7" {
				return dies
			}
			return answers
		}, "3 hello"},
	}
	for _, tt := range tests {
		for _, kill := range []bool{false, true} {
			t.Run(tt.name+map[bool]string{true: ", killed"}[kill], func(t *testing.T) {
				limit := closeGrace / 2
				if tt.name == "an event in hand" {
					limit = testkit.Patience
				}
				testkit.AtOnce(t, limit, func() time.Duration {
					s := newStage(t, 1, func(cfg *Config, s *stage) { patient(cfg); cfg.Spares, s.play = tt.spares, tt.play })
					s.transition(configure, 1)
					if tt.name == "a spare is promoted" {
						s.warm(1)
					}
					if tt.event != 0 {
						s.event(0, tt.event)
					}
					s.until(tt.until, func() bool { return slices.Contains(s.seen, tt.until) })
					return closing(s, kill)
				})
			})
		}
	}
}

// closing closes a stage, whose actors must all be gone then, and gives the time that it took.
func closing(s *stage, kill bool) time.Duration {
	began := time.Now()
	if kill {
		s.group.Kill()
		s.group.Kill()
	}
	s.group.Close()
	s.group.Close()
	took := time.Since(began)
	for _, a := range s.cast {
		if !a.Gone() {
			s.t.Errorf("actor %d lives", a.id)
		}
	}
	return took
}
