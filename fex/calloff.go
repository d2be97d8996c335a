package fex

import (
	"context"
	"time"

	"drp/internal/world"
)

// callOffTick is how soon it is noticed that something is called off.
const callOffTick = 50 * time.Millisecond

// onEnd does something when a context is over, beside the others of the world, until it is stopped.
func onEnd(ctx context.Context, w world.World, do func()) (stop func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	through := w.NewFlag()
	w.Go(func() {
		for !through.Wait(callOffTick) {
			if ctx.Err() != nil {
				do()
				return
			}
		}
	})
	return through.Set
}
