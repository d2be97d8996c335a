package fex

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"
)

// TestRecycle: children that have worked enough, or hold too much, are replaced; nothing is lost and nobody has died.
func TestRecycle(t *testing.T) {
	tests := []struct {
		name   string
		change func(cfg *Config)
		grow   int64
	}{
		{"after so many events", func(cfg *Config) { cfg.RecycleAfter = 10 }, 0},
		{"with a spare", func(cfg *Config) { cfg.RecycleAfter, cfg.Spares = 10, 1 }, 0},
		{"by size", func(cfg *Config) { cfg.MaxResident = 100 }, 150},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, _ *stage) { tt.change(cfg) })
			s.transition(configure, 1)
			s.cast[0].locked(func() { s.cast[0].resident = tt.grow })
			for i := range 600 {
				if got := s.status(s.event(0, uint64(100+i))); got != OK {
					t.Fatalf("event %d: status %d", i, got)
				}
				if time.Sleep(5 * time.Millisecond); i > 20 && s.count(&s.planned) > 0 {
					break
				}
			}
			s.until("the replacement", func() bool { return s.planned > 0 })
			if len(s.deaths) > 0 {
				t.Errorf("deaths: %q", s.deaths)
			}
			if got := s.status(s.event(0, 99)); got != OK {
				t.Errorf("after it: status %d", got)
			}
		})
	}
}

// TestRecycleIsExact: no child gets more events than it shall have, however many wait, and workers do not all need another
// child at the same time.
func TestRecycleIsExact(t *testing.T) {
	for _, spares := range []int{0, 1} {
		t.Run(fmt.Sprintf("%d spares", spares), func(t *testing.T) {
			s := newStage(t, 2, func(cfg *Config, _ *stage) { cfg.RecycleAfter, cfg.Spares = 10, spares })
			s.transition(configure, 1)
			for range 3 {
				var tags []uint64
				for i := range 100 {
					tags = append(tags, s.event(i%2, uint64(i)))
				}
				for _, tag := range tags {
					if got := s.status(tag); got != OK {
						t.Fatalf("status %d", got)
					}
				}
			}
			s.until("the replacements", func() bool { return s.planned == 30 })
			counts := map[int]int{}
			for id := range s.cast {
				if n := strings.Count(s.saw(id+1), "event"); n > 0 {
					counts[n]++
				}
			}
			if want := map[int]int{5: 2, 10: 29}; !maps.Equal(counts, want) { // the first of one worker, and its last
				t.Errorf("events of a child, and how many had so many: %v, want %v", counts, want)
			}
		})
	}
}

// TestTooLarge: a child of twice the size allowed is not waited for; one that has only just begun is left alone at less.
func TestTooLarge(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, _ *stage) { cfg.MaxResident = 100 })
	s.transition(configure, 1)
	w := s.group.Workers[0]
	s.cast[0].locked(func() { s.cast[0].resident = 150 })
	w.look()
	if s.count(&s.planned) != 0 || s.cast[0].Gone() {
		t.Error("a child was replaced that has done nothing yet")
	}
	s.cast[0].locked(func() { s.cast[0].resident = 250 })
	s.until("its end", func() bool { return len(s.deaths) == 1 })
	if got := s.status(s.event(0, 99)); got != OK {
		t.Errorf("after it: status %d", got)
	}
}

// TestTooLargeToBegin: where no child can be within the limit, that is said, and nobody is replaced in vain.
func TestTooLargeToBegin(t *testing.T) {
	grows := func(id int, at string) func(*actor, string) role {
		return func(a *actor, said string) role {
			if a.id >= id && said == at {
				a.resident = 150 << 20
			}
			if a.id == 1 && said == "event 7" {
				return dies
			}
			return answers
		}
	}
	limited := func(play func(*actor, string) role) func(*Config, *stage) {
		return func(cfg *Config, s *stage) { cfg.MaxResident, s.play = 100<<20, play }
	}
	const held = "holds 150 MB, more than the 100 MB allowed (--max-rss)"
	t.Run("it starts", func(t *testing.T) {
		s, err := tryStage(t, 2, limited(grows(1, "hello")))
		var size *SizeError
		if !errors.As(err, &size) || !strings.Contains(err.Error(), held) {
			t.Errorf("got %v", err)
		}
		for _, a := range s.cast {
			if !a.Gone() {
				t.Errorf("actor %d lives", a.id)
			}
		}
	})
	t.Run("it is configured", func(t *testing.T) {
		s := newStage(t, 1, limited(grows(1, "transition 2")))
		if a := s.transition(configure, 1)[0]; a.Status != Failed || !strings.Contains(a.Failure.String(), held) {
			t.Errorf("status %d: %v", a.Status, a.Failure)
		}
	})
	t.Run("it is shown the run", func(t *testing.T) {
		s := newStage(t, 1, limited(grows(2, "replay 4")))
		s.transition(configure, 1)
		s.transition(4, 2)
		if got := s.status(s.event(0, 7)); got != Unserved || s.count(&s.gaveUp) != 1 || len(s.cast) != 2 {
			t.Errorf("status %d, gave up %d times, %d children", got, s.gaveUp, len(s.cast))
		}
	})
}

// TestDeathOfSizeIsNobodysFault: an event is not put aside since we ended the child that had it in hand; one that makes all
// of them grow ends as failed.
func TestDeathOfSizeIsNobodysFault(t *testing.T) {
	for _, large := range []int{2, 9} { // children that grow
		t.Run(fmt.Sprint(large), func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, s *stage) {
				cfg.MaxResident, cfg.Retries = 100, 2
				s.play = func(a *actor, said string) role {
					if said == "event 7" && a.id <= large {
						a.resident = 250
						return keepsSilent
					}
					return answers
				}
			})
			s.transition(configure, 1)
			tag := s.event(0, 7)
			got, a := s.status(tag), s.answers[tag][0]
			switch {
			case large == 2 && got != OK:
				t.Errorf("status %d: %v", got, a.Failure)
			case large == 9 && (got != Failed || a.Failure.Type != "MemoryError" || len(a.Failure.Deaths) > 0):
				t.Errorf("status %d: %+v", got, a.Failure)
			}
			s.until("the deaths", func() bool { return len(s.deaths) == min(large, 3) })
		})
	}
}

// TestWornOut: a child that has worked and lacks something, or fails at everything, is replaced; an event that only waited
// behind is worked on by the next, and one that is at fault fails with any child.
func TestWornOut(t *testing.T) {
	failing := func(exhausted bool, from uint64) func(*actor, string) role {
		return func(a *actor, said string) role {
			var n uint64
			if _, err := fmt.Sscanf(said, "event %d", &n); err == nil && n >= from && a.id == 1 {
				a.exhausted = exhausted
				return fails
			}
			return answers
		}
	}
	tests := []struct {
		name     string
		play     func(*actor, string) role
		events   int
		failed   int // of the first child
		replaced int
	}{
		{"no descriptor is free", failing(true, 20), 25, 1, 1},
		{"none was from the start on", failing(true, 0), 25, 25, 0},
		{"failures in a row", failing(false, 20), 20 + failuresInARow + 5, failuresInARow, 1},
		{"too few", failing(false, 20), 20 + failuresInARow - 1, failuresInARow - 1, 0},
		{"failures from the start on", failing(false, 0), failuresInARow + 5, failuresInARow + 5, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, 1, func(_ *Config, s *stage) { s.play = tt.play })
			s.transition(configure, 1)
			failed := 0
			for i := range tt.events {
				if s.status(s.event(0, uint64(i))) == Failed {
					failed++
				}
			}
			if failed != tt.failed || s.count(&s.planned) != tt.replaced || len(s.deaths) > 0 {
				t.Errorf("%d failed, %d replaced, deaths %q", failed, s.planned, s.deaths)
			}
		})
	}
}

// TestWornOutWithMoreInHand: what the child had in hand behind the event that failed is worked on by the next one.
func TestWornOutWithMoreInHand(t *testing.T) {
	s := newStage(t, 1, func(_ *Config, s *stage) {
		s.play = func(a *actor, said string) role {
			switch {
			case a.id > 1 || !strings.HasPrefix(said, "event") || said == "event 1":
				return answers
			case said == "event 2":
				a.exhausted = true
				return fails
			}
			return keepsSilent
		}
	})
	s.transition(configure, 1)
	s.status(s.event(0, 1))
	s.cast[0].locked(func() { s.cast[0].mute = true }) // so that all are in hand before the answer is read
	held := []uint64{s.event(0, 2), s.event(0, 3), s.event(0, 4)}
	s.cast[0].locked(func() { s.cast[0].mute = false; s.cast[0].changed.Broadcast() })
	var got []Status
	for _, tag := range held {
		got = append(got, s.status(tag))
	}
	if !slices.Equal(got, []Status{Failed, OK, OK}) || len(s.deaths) > 0 || s.count(&s.planned) != 1 {
		t.Errorf("got %v, deaths %q, %d replaced", got, s.deaths, s.planned)
	}
}
