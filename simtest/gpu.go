package simtest

import (
	"math/rand/v2"
	"time"

	"drp/drp"
	"drp/hit"
	"drp/hit/cuda"
	"drp/hit/cuda/stub"
	"drp/pebble"
)

// gpuPlan is a GPU, whose kernels the CPU runs, and what goes wrong with it.
type gpuPlan struct {
	there    bool
	faults   stub.Faults
	lanes    int
	batch    int
	watchdog time.Duration
}

// drawGPU lets some of the seeds that look for hits do so on a GPU; half of these have trouble with it.
func (p *plan) drawGPU(rng *rand.Rand) {
	if !p.searches || rng.IntN(2) == 0 {
		return
	}
	g := &p.gpu
	*g = gpuPlan{there: true, lanes: 1 + rng.IntN(3), batch: 1 + rng.IntN(5), watchdog: time.Duration(50+rng.IntN(500)) * time.Millisecond}
	g.faults = stub.Faults{ScatterBy: rng.Uint64(), Latency: time.Duration(rng.IntN(3000)) * time.Microsecond, Unpinned: rng.IntN(3) == 0}
	moment := 1 + rng.IntN(300)
	switch rng.IntN(10) {
	case 0:
		g.faults.Absent = true
	case 1:
		g.faults.Memory = 1 + rng.IntN(100_000)
	case 2:
		g.faults.LostAt = moment
	case 3:
		g.faults.WrongAt, p.hits.CrossCheck = moment, 1
	case 4:
		g.faults.HangAt, g.faults.HangFor = moment, 20*g.watchdog
	case 5:
		g.faults.StuckAt = moment
	}
}

func (g *gpuPlan) troubled() bool {
	f := &g.faults
	return f.Absent || f.Memory+f.LostAt+f.WrongAt+f.HangAt+f.StuckAt > 0
}

// openGPU lets the run find hits on the plan's GPU. What it gives closes that.
func (l *lab) openGPU(cfg *drp.Config) (end func()) {
	p := &l.plan.gpu
	if !p.there {
		return func() {}
	}
	g, err := cuda.Open(cuda.Options{World: l.world, Log: cfg.Log, Lanes: p.lanes, Batch: p.batch, Watchdog: p.watchdog,
		Limits: cuda.Limits{Candidates: 256, Groups: 256, Peaks: 256}, Driver: &stub.Driver{World: l.world, Faults: p.faults}})
	if err != nil {
		l.trace("there is no GPU: %v", err)
		return func() {}
	}
	cfg.Finder = g.Finder
	know := cfg.Memory
	cfg.Memory = func(pool *pebble.Pool) {
		know(pool)
		for _, ring := range pool.Events {
			g.Register(ring.Bytes())
		}
	}
	return func() { l.trace("the GPU ends: %v, %+v", g.Close(), g.Books()) }
}

// judgeMaker looks whether it is said rightly who searched an event.
func (l *lab) judgeMaker(n int64, by hit.Maker) {
	g := &l.plan.gpu
	switch {
	case !g.there || g.faults.Absent:
		if by != hit.CPU {
			l.problem("event %d was searched by %d, and there is no GPU", n, by)
		}
	case by == hit.CPU || by == hit.Instead && !g.troubled():
		l.problem("event %d was searched by %d, and there is a GPU", n, by)
	}
}
