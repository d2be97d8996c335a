package drp

import (
	"context"
	"fmt"

	"drp/calib"
	"drp/internal/world"
)

// prefetch is the constants for the run that a Configure lets expect, on their way.
type prefetch struct {
	run  int
	sets []*calib.Set
	errs []error
	done *world.Join
}

// prefetch begins to fetch the constants for the run that is expected, while the scripts take their Configure.
func (k *calibration) prefetch() { k.fetched = k.start(k.r.runNumber()) }

func (k *calibration) start(run int) *prefetch {
	p := &prefetch{run: run, sets: make([]*calib.Set, len(k.cameras)), errs: make([]error, len(k.cameras)),
		done: world.NewJoin(k.r.world)}
	for i, c := range k.cameras {
		p.done.Go(func() {
			ctx, cancel := k.deadline()
			defer cancel()
			p.sets[i], p.errs[i] = k.from.Fetch(ctx, calib.Query{Detector: c.name, Serials: c.serials, Run: run})
		})
	}
	return p
}

// fetch gives the constants for a run, one set for each camera or why there is none. Each is fetched once.
func (k *calibration) fetch(run int) ([]*calib.Set, []error) {
	p := k.fetched
	k.fetched = nil
	if p == nil || p.run != run {
		p = k.start(run)
	}
	p.done.Wait()
	return p.sets, p.errs
}

// deadline bounds what the store may take, in the time of the world.
func (k *calibration) deadline() (context.Context, func()) {
	ctx, cancel := context.WithCancelCause(k.r.hard)
	late := fmt.Errorf("the store gave no answer within %v", k.r.cfg.Calibration.Deadline)
	stop := k.r.world.After(k.r.cfg.Calibration.Deadline, func() { cancel(late) })
	return ctx, func() { stop(); cancel(nil) }
}
