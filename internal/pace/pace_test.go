package pace

import (
	"context"
	"testing"
	"testing/synctest"
	"time"
)

// TestPace: a few at once, then one after the other, and a few again after a while; who has gone is not waited for.
func TestPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := Pace{Few: 3, Gap: 10 * time.Millisecond}
		turns := func(want ...int) {
			t.Helper()
			for i, w := range want {
				if got := max(0, time.Until(p.Turn())); got != time.Duration(w)*time.Millisecond {
					t.Errorf("turn %d is in %v, want %v ms", i, got, w)
				}
			}
		}
		turns(0, 0, 0, 0, 10, 20, 30)
		if p.Now() {
			t.Error("one goes at once, before those who wait")
		}
		time.Sleep(45 * time.Millisecond)
		turns(0)
		time.Sleep(time.Hour)
		if !p.Now() {
			t.Error("none goes after an hour")
		}
		turns(0, 0, 0, 10)
		began := time.Now()
		if !p.Wait(t.Context()) || time.Since(began) != 20*time.Millisecond {
			t.Errorf("waited for %v", time.Since(began))
		}
		if at, soon := p.Soon(10 * time.Millisecond); !soon || time.Until(at) != 10*time.Millisecond {
			t.Errorf("soon is in %v", time.Until(at))
		}
		if at, soon := p.Soon(10 * time.Millisecond); soon || time.Until(at) != 20*time.Millisecond || time.Until(p.Turn()) != 20*time.Millisecond {
			t.Error("what was too late is taken all the same")
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if p.Wait(ctx) {
			t.Error("who has gone had his turn")
		}
	})
}
