package cuda

import (
	"fmt"
	"time"

	"drp/hit"
)

// CopyRate measures how many frames per second go to the device when nothing else is done: in batches, all lanes at once,
// from memory that was registered.
func (g *GPU) CopyRate(p *hit.Plan, frames [][]byte, atLeast time.Duration) (float64, error) {
	next := 0
	return g.measure(p, atLeast, func(d Driver, l *lane, of *resident) error {
		for k := range g.o.Batch {
			if err := d.CopyIn(l.stream, of.rooms[l.stream].raw+Memory(k*of.stride), frames[next%len(frames)]); err != nil {
				return err
			}
			next++
		}
		return nil
	})
}

// SearchRate measures how many frames per second are searched that are on the device already. Those are the frames that
// CopyRate left there.
func (g *GPU) SearchRate(p *hit.Plan, atLeast time.Duration) (float64, error) {
	return g.measure(p, atLeast, func(d Driver, l *lane, of *resident) error {
		m := of.rooms[l.stream]
		for _, s := range steps(p, false) {
			s.Frames = g.o.Batch
			if err := d.Launch(l.stream, s.kernel, s.Grid, m.params); err != nil {
				return err
			}
		}
		return d.CopyOut(l.stream, m.back, m.out)
	})
}

// measure does something with a batch on every lane in turn, again and again. Nobody else may use the device.
func (g *GPU) measure(p *hit.Plan, atLeast time.Duration, work func(Driver, *lane, *resident) error) (rate float64, err error) {
	err = g.do(func(d Driver) error {
		of, err := g.residentOf(p)
		if err != nil {
			return err
		}
		began, batches := g.o.World.Now(), 0
		for batches == 0 || g.o.World.Now()-began < atLeast {
			for _, l := range g.lanes {
				if err := g.settle(l); err != nil {
					return err
				}
				if err := work(d, l, of); err != nil {
					return err
				}
				batches++
			}
		}
		for _, l := range g.lanes {
			if err := g.settle(l); err != nil {
				return err
			}
		}
		rate = float64(batches*g.o.Batch) / (g.o.World.Now() - began).Seconds()
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("cuda: measure: %w", err)
	}
	return rate, nil
}

// settle waits until nothing is under way on a lane, without rest: it is for measurements.
func (g *GPU) settle(l *lane) error {
	for began := g.o.World.Now(); ; {
		done, err := g.o.Driver.Done(l.stream)
		if done || err != nil {
			return err
		}
		if g.o.World.Now()-began > g.o.Watchdog {
			return ErrHung
		}
	}
}
