package fex

import (
	"fmt"
	"testing"
	"time"

	"drp/internal/world"
)

// TestUnrest: the first replacement comes at once, then the pauses double up to a bound; any work makes them forgotten.
func TestUnrest(t *testing.T) {
	w, u := world.Real(), unrest{}
	for i, milliseconds := range []int{0, 0, 100, 200, 400, 800, 1600, 3200, 6400, 10000, 10000} {
		most := time.Duration(milliseconds) * time.Millisecond
		for range 20 {
			if got := u.pause(w); got < most/2 || got > most {
				t.Errorf("after %d deaths: a pause of %v, want %v to %v", i, got, most/2, most)
			}
		}
		u.died(0, 0)
	}
	if u.worked(); u.pause(w) != 0 {
		t.Error("not forgotten after some work")
	}
	if u.died(0, 0); u.pause(w) != 0 {
		t.Error("the first death after some work costs a pause")
	}
	var old unrest
	for i := range 10 {
		if old.died(time.Duration(i)*30*time.Second, 2) {
			t.Errorf("death %d: those of more than a minute ago are counted", i)
		}
	}
}

// TestBreakerIsReached: no pause keeps a child that dies again and again, after some work or of one event after the other,
// from the limit on its replacements.
func TestBreakerIsReached(t *testing.T) {
	for _, every := range []int{1, 12} {
		t.Run(fmt.Sprintf("every %d events", every), func(t *testing.T) {
			s := newStage(t, 1, func(cfg *Config, s *stage) {
				cfg.MaxRestarts = 60
				s.play = func(_ *actor, said string) role {
					var n int
					if _, err := fmt.Sscanf(said, "event %d", &n); err == nil && n%every == 0 {
						return dies
					}
					return answers
				}
			})
			s.transition(configure, 1)
			for i := range 61 * every {
				if s.status(s.event(0, uint64(i))) == Unserved {
					break
				}
			}
			s.until("the end", func() bool { return s.gaveUp == 1 })
		})
	}
}
