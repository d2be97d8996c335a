package fex

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// silentAt makes the actors keep silent at one thing.
func silentAt(what string) func(*actor, string) role {
	return func(_ *actor, said string) role {
		if said == what {
			return keepsSilent
		}
		return answers
	}
}

// patient is a stage on which nobody is ended for his silence.
func patient(cfg *Config) {
	cfg.GreetDeadline, cfg.TransitionDeadline, cfg.EventDeadline = time.Hour, time.Hour, time.Hour
}

// hand gives a transition to all workers and does not wait.
func (s *stage) hand(id uint8) (tag uint64) {
	s.t.Helper()
	loan, ok := s.pool.Transitions.TryLoan()
	if !ok {
		s.t.Fatal("no slot for a transition")
	}
	ix := loan.Seal(copy(loan.Bytes(), fmt.Sprint(id)))
	tag = s.sent
	s.sent++
	for _, w := range s.group.Workers {
		w.Transition(ix, 1, id, false, 1, tag)
	}
	return tag
}

// TestFinishEndsWhatHangsAtTheStart: when the run shall end, what should begin it is not waited for long, and nobody tries
// it again.
func TestFinishEndsWhatHangsAtTheStart(t *testing.T) {
	s := newStage(t, 2, func(cfg *Config, s *stage) {
		patient(cfg)
		cfg.FinishTime, s.play = 150*time.Millisecond, silentAt("transition 2")
	})
	tag := s.hand(configure)
	s.until("the script to hang", func() bool { return len(s.seen) == 4 })
	s.group.Finish()
	s.until("the answers", func() bool { return len(s.answers[tag]) == 2 })
	for _, a := range s.answers[tag] {
		if a.Status != Unserved {
			t.Errorf("status %d", a.Status)
		}
	}
	if len(s.cast) != 2 || s.gaveUp > 0 {
		t.Errorf("%d children were started, the worker gave up %d times", len(s.cast), s.gaveUp)
	}
	for _, a := range s.transition(5, 2) {
		if a.Status != Unserved {
			t.Errorf("afterwards: status %d", a.Status)
		}
	}
}

// TestFinishLeavesTheEndItsTime: what a script does when a run ends is not cut short, even if it was asked before.
func TestFinishLeavesTheEndItsTime(t *testing.T) {
	for _, before := range []bool{true, false} {
		t.Run(fmt.Sprint(before), func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, s *stage) {
				patient(cfg)
				cfg.FinishTime, s.play = time.Millisecond, silentAt("transition 5")
			})
			s.transition(configure, 1)
			if !before {
				s.group.Finish()
			}
			tag := s.hand(5)
			s.until("the script to be at it", func() bool { return slices.Contains(s.seen, "1 transition 5") })
			s.group.Finish()
			time.Sleep(5 * watchTick)
			w, a := s.group.Workers[0], s.cast[0]
			w.mu.Lock()
			r := w.queue.at(0).record
			w.mu.Unlock()
			r.bytes = 0
			a.locked(func() { a.answers = r.append(a.answers); a.changed.Broadcast() })
			if got := s.status(tag); got != OK || a.killed > 0 {
				t.Errorf("status %d, killed %d times", got, a.killed)
			}
		})
	}
}

// TestFinishStillReplaces a child that dies for a while, so that what it had in hand is worked on; then nobody does.
func TestFinishStillReplaces(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) {
		cfg.FinishTime, cfg.Retries = 4*time.Second, 0
		s.play = dying("event 7", "event 8")
	})
	s.transition(configure, 1)
	s.group.Finish()
	first := []uint64{s.event(0, 7), s.event(0, 1)}
	if s.status(first[0]) != Crashed || s.status(first[1]) != OK || len(s.cast) != 2 {
		t.Errorf("status %d and %d, %d children", s.status(first[0]), s.status(first[1]), len(s.cast))
	}
	w := s.group.Workers[0]
	over := func() bool { // what the machine kept from us does not count
		w.mu.Lock()
		defer w.mu.Unlock()
		return w.world.Now() > w.ending.at+w.cfg.FinishTime+time.Second
	}
	if !testkit.Within(testkit.Patience, over) {
		t.Fatal("its time does not end")
	}
	then := []uint64{s.event(0, 8), s.event(0, 1)}
	if s.status(then[0]) != Crashed || s.status(then[1]) != Unserved || len(s.cast) != 2 {
		t.Errorf("later: status %d and %d, %d children", s.status(then[0]), s.status(then[1]), len(s.cast))
	}
}

// TestFinishDoesNotTryAgainWhatHung, since that takes as long again.
func TestFinishDoesNotTryAgainWhatHung(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) {
		patient(cfg)
		cfg.EventDeadline, cfg.Retries = 2*watchTick, 2
		s.play = func(_ *actor, said string) role {
			if strings.HasPrefix(said, "event") {
				return keepsSilent
			}
			return answers
		}
	})
	s.transition(configure, 1)
	s.group.Finish()
	tags := []uint64{s.event(0, 7), s.event(0, 1)}
	for _, tag := range tags {
		if got := s.status(tag); got != Unserved {
			t.Errorf("status %d", got)
		}
	}
	s.until("the death", func() bool { return len(s.deaths) == 1 && len(s.cast) == 1 })
}

// TestRefuse: nothing more is tried than what the child has in hand, the rest has its outcome at once and in order, and the
// end of the run is shown to who is left.
func TestRefuse(t *testing.T) {
	s := newStage(t, 1, func(cfg *Config, s *stage) {
		patient(cfg)
		s.play = func(_ *actor, said string) role {
			if strings.HasPrefix(said, "event") {
				return keepsSilent // the test answers
			}
			return answers
		}
	})
	s.transition(configure, 1)
	var tags []uint64
	for i := range 60 {
		tags = append(tags, s.event(0, uint64(40+i)))
	}
	end := s.hand(5)
	s.until("an event in hand", func() bool { return slices.Contains(s.seen, "1 event 40") })
	s.group.Refuse()
	w, a := s.group.Workers[0], s.cast[0]
	var said []byte
	w.mu.Lock()
	inHand := w.queue.written
	for i := range inHand {
		answer := w.queue.at(i).record
		answer.bytes = 0
		said = answer.append(said)
	}
	w.mu.Unlock()
	if inHand == 0 || inHand == 60 {
		t.Fatalf("%d events in hand", inHand)
	}
	a.locked(func() { a.answers = append(a.answers, said...); a.changed.Broadcast() })
	for i, tag := range tags {
		want := Unserved
		if i < inHand {
			want = OK
		}
		if got := s.status(tag); got != want {
			t.Errorf("event %d: status %d, want %d", i, got, want)
		}
	}
	if got := s.status(end); got != OK || len(s.cast) != 1 || s.retired+s.gaveUp > 0 {
		t.Errorf("the end: status %d, %d children", got, len(s.cast))
	}
	if said := s.saw(1); strings.Count(said, "event") != inHand || !strings.HasSuffix(said, "transition 5") {
		t.Errorf("it was asked %s", said)
	}
}

// TestRefuseWithoutAChild: whoever is being replaced is out of service at once, in whatever phase that is.
func TestRefuseWithoutAChild(t *testing.T) {
	tests := []struct {
		name  string
		play  func(a *actor, said string) role
		until string
	}{
		{"it pauses", func(a *actor, said string) role {
			if said == "event 7" || a.id > 1 && a.id < 5 && said == "replay 2" {
				return dies
			}
			return answers
		}, "4 replay 2"},
		{"it hangs as it is brought up", func(a *actor, said string) role {
			switch {
			case said == "event 7":
				return dies
			case a.id > 1 && said == "replay 2":
				return keepsSilent
			}
			return answers
		}, "2 replay 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, s *stage) { patient(cfg); s.play = tt.play })
			s.transition(configure, 1)
			tags := []uint64{s.event(0, 7), s.event(0, 1)}
			s.until(tt.until, func() bool { return slices.Contains(s.seen, tt.until) })
			children := 0
			s.note(func() { children = len(s.cast) })
			s.group.Refuse()
			for _, tag := range tags {
				if got := s.status(tag); got != Unserved {
					t.Errorf("status %d", got)
				}
			}
			s.note(func() {
				if len(s.cast) > children || s.gaveUp > 0 {
					t.Errorf("%d children after %d, gave up %d times", len(s.cast), children, s.gaveUp)
				}
			})
		})
	}
}
