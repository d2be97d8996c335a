package drp

import (
	"sync"

	"drp/internal/world"
)

// turn lets one after the other do something. Who waits does so in the world of the run.
type turn struct {
	mu      sync.Mutex // protects all below
	taken   bool
	waiting []world.Flag
}

// take waits until nobody else has it, or over gives a reason to give up.
func (t *turn) take(w world.World, over func() error) error {
	for {
		if err := over(); err != nil {
			return err
		}
		t.mu.Lock()
		if !t.taken {
			t.taken = true
			t.mu.Unlock()
			return nil
		}
		f := w.NewFlag()
		t.waiting = append(t.waiting, f)
		t.mu.Unlock()
		f.Wait(waitTick)
	}
}

func (t *turn) leave() {
	t.mu.Lock()
	t.taken = false
	for _, f := range t.waiting {
		f.Set()
	}
	t.waiting = nil
	t.mu.Unlock()
}
