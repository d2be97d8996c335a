package publish

import (
	"errors"
	"fmt"
	"reflect"
	"testing"
	"time"

	"drp/internal/world"
)

// TestAcknowledgements in a simulated world, in many orders.
func TestAcknowledgements(t *testing.T) {
	for seed := range uint64(200) {
		w := world.NewSimulated(seed, 10_000)
		err := w.Run(func() {
			var names []string
			for i := range 64 {
				names = append(names, fmt.Sprintf("worker %02d", i))
			}
			a := NewAcknowledgements(w, names...)
			later := func(limit time.Duration, f func()) { w.After(time.Duration(w.Chance(int64(limit))), f) }
			for _, n := range names {
				later(time.Second, func() { a.Held(n, 5) })
			}
			if err := a.Wait(5, time.Second); err != nil {
				t.Error(err)
			}
			if w.Now() > time.Second {
				t.Errorf("it took until %v", w.Now())
			}

			// One never says so, one holds another generation, one was started anew, and one has left.
			began := w.Now()
			a.Join("worker 07")
			a.Leave("worker 08")
			a.Held("worker 08", 5)
			for _, n := range names[10:] {
				later(time.Second, func() { a.Held(n, 6) })
			}
			later(time.Second, func() { a.Held("worker 07", 5) })
			err := a.Wait(6, 2*time.Second)
			missing := (*MissingError)(nil)
			if !errors.As(err, &missing) || missing.Generation != 6 || !reflect.DeepEqual(missing.Workers,
				append(append([]string{}, names[:8]...), names[9])) {
				t.Errorf("%v", err)
			}
			if took := w.Now() - began; took != 2*time.Second {
				t.Errorf("it took %v", took)
			}
			for _, n := range names[:10] {
				later(time.Second, func() { a.Held(n, 6) })
			}
			if err := a.Wait(6, time.Second); err != nil {
				t.Error(err)
			}
		})
		if err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
	}
}

func TestMissingIsSaid(t *testing.T) {
	err := NewAcknowledgements(world.Real(), "worker 2", "worker 11").Wait(7, 0)
	if want := "calib: after 0s generation 7 of the constants is missing in worker 11, worker 2"; err.Error() != want {
		t.Errorf("%q", err)
	}
}
