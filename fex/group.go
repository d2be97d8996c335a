package fex

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"drp/internal/world"
	"drp/pebble"
	"drp/shm"
)

// Config is what the workers of a run have in common.
type Config struct {
	Python     string // the interpreter
	PythonPath string // put before PYTHONPATH; empty when the package drp is installed
	Module     string // what a child is: python -m Module Script Args; empty is drp, which runs the script
	Script     string // empty where the module needs none
	Source     []byte // its text; nil lets the children read it
	Args       []string
	Detector   string // the detector the script is told is its own; empty for the first camera
	Publisher  string // who tells of constants in this run; what others told of before is in recorded files
	Expt       string
	Run        int
	Stream     int    // number of what is declared for all scripts in a stream of the run
	Hits       []Area // of each worker, where what was found in events lies for scripts to see; nil is nowhere
	Settings   *Area  // the board, with an entry for each set of values that events have; nil is none
	Among      int    // workers of the run that the script is told of; 0 is those of this group
	Decided    bool   // it is decided that the events are recorded: the script can neither reject them nor decide by them
	Trial      bool   // the script is told that what it makes is thrown away

	GreetDeadline      time.Duration // for a child to start
	TransitionDeadline time.Duration // for the script to take a transition
	EventDeadline      time.Duration // without any answer while events are in hand

	// From when the end of the run was asked for: how long children that die are still replaced, and what shall begin
	// something that ends anyway may take; 0 is 10 s.
	FinishTime time.Duration

	SoftDeadline time.Duration // the same, after which the script's stack is asked for; 0 is never

	Spares       int   // children that are kept warm
	Retries      int   // of a request after the child that had it died, before it is given up
	HangOnce     bool  // a Configure that a child hangs at is not tried with another
	MaxRestarts  int   // of a worker's child within a minute; 0 is no limit
	Degrade      bool  // go on with fewer workers when there were more, or no child starts any more
	MaxResident  int64 // bytes a child may hold; 0 is no limit
	RecycleAfter int64 // events after which a child is replaced; 0 is never

	World     world.World // nil is the real one
	Start     Starter     // nil starts Python
	Spawner   *Spawner    // of real children
	Log       *slog.Logger
	Answered  func(worker int, answers []Answer) // the slice is reused after the call
	Want      func(worker int, want Want) Wanted // makes what a script asks for; nil refuses
	Restarted func(worker int, cause error)
	Recycled  func(worker int)
	Late      func(answers int)             // that came too late or out of turn, and were not applied
	Retired   func(worker int, cause error) // the run goes on without this worker
	GaveUp    func(worker int, cause error) // and here it cannot
	FellBack  func(cause error)             // no child begins with the text of a Swap: those that are left go on with the one before
}

func (cfg *Config) complete() {
	if cfg.World == nil {
		cfg.World = world.Real()
	}
	if cfg.FinishTime == 0 {
		cfg.FinishTime = finishTime
	}
	if cfg.Module == "" {
		cfg.Module = "drp"
	}
	if cfg.Start == nil {
		cfg.Start = func(log *slog.Logger) (Process, error) { return startChild(cfg, log) }
	}
	if cfg.Recycled == nil {
		cfg.Recycled = func(int) {}
	}
	if cfg.Late == nil {
		cfg.Late = func(int) {}
	}
	if cfg.FellBack == nil {
		cfg.FellBack = func(error) {}
	}
	if cfg.Retired == nil {
		cfg.Retired = func(int, error) {}
	}
}

// Group is the workers of a run.
type Group struct {
	Workers []*Worker
	Python  string // version of the interpreter
	NumPy   string

	cfg         *Config
	world       world.World
	transitions ringHello
	spares      *spares
	stop        world.Flag
	watched     *world.Join
	reports     *world.Join // of deaths

	// mu protects what the spares are, and all below. A worker's mutex may be held when it is taken, never the other way
	// round; nobody waits or starts anything while he holds it.
	mu      sync.Mutex
	serving int // workers that are not retired
	script  script
	before  *script // the one that a Swap took the place of; nil if none, or a Configure came since
	// successors are the children of the latest Swap that are not in their place yet, by worker.
	successors []*spare
	// editions is how many texts there were after the first, and oldest that which a child must run at least.
	editions, oldest int
	patience         time.Duration // how long the text of the latest Swap may take for what begins something
}

// script is a text of the script, and how many there were before it.
type script struct {
	text    []byte
	edition int
}

// Start starts one child per ring of the pool and waits until all are ready. The script is not run before Configure.
func Start(ctx context.Context, cfg Config, pool *pebble.Pool) (*Group, error) {
	cfg.complete()
	w := cfg.World
	g := &Group{cfg: &cfg, world: w, transitions: describeRing(pool.Transitions, shm.HeaderBytes), stop: w.NewFlag(),
		watched: world.NewJoin(w), reports: world.NewJoin(w), serving: len(pool.Events), script: script{text: cfg.Source}}
	g.spares = &spares{g: g, wanted: cfg.Spares, wake: w.NewFlag(), gone: w.NewFlag()}
	children := make([]Process, len(pool.Events))
	errs := make([]error, len(pool.Events))
	greetings := make([]greeting, len(pool.Events))
	for i := range pool.Events {
		g.Workers = append(g.Workers, g.newWorker(i, pool))
	}
	starting := world.NewJoin(w)
	for i, worker := range g.Workers {
		starting.Go(func() {
			if children[i], errs[i] = cfg.Start(worker.log); errs[i] == nil {
				defer onEnd(ctx, w, children[i].Kill)()
				first := g.hello(worker.place, g.presentScript())
				greetings[i], errs[i] = greet(w, children[i], first, cfg.GreetDeadline)
			}
			if errs[i] == nil {
				errs[i] = cfg.tooLarge(children[i], "has only just started")
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
	for i, worker := range g.Workers {
		worker.child = children[i]
		w.Go(func() { worker.run(children[i]) })
	}
	g.watched.Go(g.watch)
	w.Go(g.spares.run)
	return g, nil
}

// hello is what a child is told first; without a place it is a spare.
func (g *Group) hello(p *place, now script) hello {
	h := hello{Version: protocolVersion, Workers: max(g.cfg.Among, len(g.Workers)), Transitions: g.transitions, Publisher: g.cfg.Publisher, Expt: g.cfg.Expt,
		Run: g.cfg.Run, Stream: g.cfg.Stream, Detector: g.cfg.Detector, Source: now.text, Decided: g.cfg.Decided,
		Trial: g.cfg.Trial, place: p}
	if g.cfg.Settings != nil {
		h.Settings = g.cfg.Settings.describe()
	}
	return h
}

func (g *Group) presentScript() script {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.script
}

// SetScript gives all children another text of the script, which they run from the next Configure on. Nothing may be
// under way: neither requests nor a run, so that no replacement is shown a past that belongs to another text.
func (g *Group) SetScript(text []byte) {
	g.mu.Lock()
	g.editions++
	g.script, g.before = script{text: text, edition: g.editions}, nil
	g.mu.Unlock()
	for _, w := range g.Workers {
		w.mu.Lock()
		if p := w.child; p != nil {
			// A child with nothing in hand reads at once what the pipe cannot hold. One that does not is ended, since
			// everybody would wait for it here; its replacement knows the text.
			stop := g.world.After(scriptTime, p.Kill)
			w.bringUpToDate(p)
			stop()
		}
		w.mu.Unlock()
	}
}

// scriptTime is what an idle child gets to read the text of the script.
const scriptTime = 5 * time.Second

// sendScript tells a child the text of the script.
func sendScript(p Process, text []byte) error {
	r := record{kind: kindScript, bytes: uint32(len(text))}
	return p.Write(append(r.append(nil), text...))
}

// retire takes a worker out of service, if others remain.
func (g *Group) retire() bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.serving--
	return g.serving > 0
}

func abandon(children []Process) {
	for _, p := range children {
		if p != nil {
			end(p)
		}
	}
}

func (g *Group) newWorker(id int, pool *pebble.Pool) *Worker {
	ring, results := pool.Events[id], pool.Results[id]
	return &Worker{
		id:          id,
		cfg:         g.cfg,
		world:       g.world,
		group:       g,
		log:         g.cfg.Log.With(slog.Int("worker", id)),
		place:       g.cfg.placeOf(id, ring, results),
		transitions: pool.Transitions,
		results:     results,
		queue:       newQueue(ring.Slots() + pool.Transitions.Slots()),
		wake:        g.world.NewFlag(),
		noted:       g.world.NewFlag(),
		stopped:     g.world.NewFlag(),
		// The first children end one after the other, since all would look for a spare at once otherwise.
		wear: wear{quota: (g.cfg.RecycleAfter*int64(id+1) + int64(len(pool.Events)) - 1) / int64(len(pool.Events))},
	}
}

// Close ends all children and returns when they are gone. It may be called in any phase, after Kill, and once more after
// it has returned.
func (g *Group) Close() {
	g.stop.Set()
	g.watched.Wait()
	closing := world.NewJoin(g.world)
	for _, w := range g.Workers {
		closing.Go(w.Close)
	}
	g.spares.close()
	closing.Wait()
	g.reports.Wait()
	g.mu.Lock()
	left := g.successors
	g.successors = nil
	g.mu.Unlock()
	endAll(left)
}

// Kill ends all children at once, for an abandoned run; Close must follow.
func (g *Group) Kill() {
	for _, w := range g.Workers {
		w.mu.Lock()
		w.closed = true
		for _, p := range []Process{w.child, w.starting} {
			if p != nil {
				p.Kill()
			}
		}
		w.mu.Unlock()
		w.wake.Set()
	}
	g.spares.kill()
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, c := range g.successors {
		if c != nil {
			c.p.Kill()
		}
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
	return w.child.PID()
}

// String describes the group in a line.
func (g *Group) String() string {
	return fmt.Sprintf("%d workers, Python %s, NumPy %s", len(g.Workers), g.Python, g.NumPy)
}
