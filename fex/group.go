package fex

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"drp/pebble"
	"drp/shm"
)

// Config is what the workers of a run have in common.
type Config struct {
	Python     string // the interpreter
	PythonPath string // put before PYTHONPATH; empty when the package drp is installed
	Script     string
	Args       []string
	Detector   string // the detector the script is told is its own; empty for the first camera
	Expt       string
	Run        int

	GreetDeadline      time.Duration // for a child to start
	TransitionDeadline time.Duration // for the script to take a transition
	EventDeadline      time.Duration // without any answer while events are in hand

	Spawner   *Spawner
	Log       *slog.Logger
	Answered  func(worker int, answers []Answer) // the slice is reused after the call
	Restarted func(worker int, cause error)
	GaveUp    func(worker int, cause error)
}

// Group is the workers of a run.
type Group struct {
	Workers []*Worker
	Python  string // version of the interpreter
	NumPy   string
	stop    chan struct{}
	watched sync.WaitGroup
}

// Start starts one child per ring of the pool and waits until all are ready. The script is not read before Configure.
func Start(ctx context.Context, cfg Config, pool *pebble.Pool) (*Group, error) {
	g := &Group{stop: make(chan struct{})}
	children := make([]*child, len(pool.Events))
	errs := make([]error, len(pool.Events))
	greetings := make([]greeting, len(pool.Events))
	var starting sync.WaitGroup
	for i := range pool.Events {
		w := newWorker(&cfg, i, pool)
		g.Workers = append(g.Workers, w)
		starting.Go(func() {
			if children[i], errs[i] = startChild(&cfg, w.log); errs[i] == nil {
				defer context.AfterFunc(ctx, children[i].kill)()
				greetings[i], errs[i] = children[i].greet(&w.hello, cfg.GreetDeadline)
			}
		})
	}
	starting.Wait()
	if err := ctx.Err(); err != nil {
		errs = append(errs, err)
	}
	for _, err := range errs {
		if err != nil {
			abandon(children)
			return nil, err
		}
	}
	g.Python, g.NumPy = greetings[0].Python, greetings[0].NumPy
	for i, w := range g.Workers {
		w.child = children[i]
		go w.run(children[i])
	}
	g.watched.Go(g.watch)
	return g, nil
}

func abandon(children []*child) {
	for _, c := range children {
		if c != nil {
			c.kill()
			c.bury()
		}
	}
}

func newWorker(cfg *Config, id int, pool *pebble.Pool) *Worker {
	ring, results := pool.Events[id], pool.Results[id]
	result := ringHello{ID: results.SegmentID(), Offset: shm.HeaderBytes, Slots: ring.Slots(),
		SlotBytes: results.SlotBytes(), TransitionOffset: shm.HeaderBytes + results.TransitionOffset(),
		TransitionBytes: results.TransitionBytes()}
	return &Worker{
		id:  id,
		cfg: cfg,
		log: cfg.Log.With(slog.Int("worker", id)),
		hello: hello{Version: protocolVersion, Worker: id, Workers: len(pool.Events), Expt: cfg.Expt, Run: cfg.Run,
			Detector:    cfg.Detector,
			Transitions: describeRing(pool.Transitions, shm.HeaderBytes),
			Raw:         describeRing(ring, shm.HeaderBytes), Result: result},
		transitions: pool.Transitions,
		results:     results,
		queue:       newQueue(ring.Slots() + pool.Transitions.Slots()),
		wake:        make(chan struct{}, 1),
		stopped:     make(chan struct{}),
	}
}

// watch looks for silent children.
func (g *Group) watch() {
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case now := <-tick.C:
			for _, w := range g.Workers {
				w.enforceDeadline(now)
			}
		case <-g.stop:
			return
		}
	}
}

// Close ends all children and returns when they are gone.
func (g *Group) Close() {
	close(g.stop)
	g.watched.Wait()
	var closing sync.WaitGroup
	for _, w := range g.Workers {
		closing.Go(w.Close)
	}
	closing.Wait()
}

// Kill ends all children at once, for an abandoned run; Close must follow.
func (g *Group) Kill() {
	for _, w := range g.Workers {
		w.mu.Lock()
		w.closed = true
		for _, c := range []*child{w.child, w.starting} {
			if c != nil {
				c.kill()
			}
		}
		w.mu.Unlock()
	}
}

// PID is the process id of a worker's present child, 0 while it has none.
func (g *Group) PID(worker int) int {
	w := g.Workers[worker]
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.child == nil {
		return 0
	}
	return w.child.cmd.Process.Pid
}

// String describes the group in a line.
func (g *Group) String() string {
	return fmt.Sprintf("%d workers, Python %s, NumPy %s", len(g.Workers), g.Python, g.NumPy)
}
