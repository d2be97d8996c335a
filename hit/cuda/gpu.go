package cuda

import (
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"
	"unsafe"

	"drp/hit"
	"drp/internal/world"
)

// Options choose a GPU. A number that is zero has its default.
type Options struct {
	Driver   Driver
	Lanes    int           // batches under way at a time; 3
	Batch    int           // frames of one at most; 16
	Deadline time.Duration // that a batch waits for more frames while others are under way; 1 ms
	Watchdog time.Duration // after which the device has not answered; 5 s
	Limits   Limits
	World    world.World // nil is the machine's own
	Log      *slog.Logger
}

// GPU is a device and its lanes.
type GPU struct {
	o    Options
	name string
	wake world.Flag // of the owner: there is something to do
	over world.Flag // the owner has ended

	// The owner's alone.
	lanes     []*lane
	filling   *lane
	busySince time.Duration // batches are under way, and were not counted
	residents map[*hit.Plan]*resident
	known     map[*byte]bool // host memory of ours that is registered

	mu       sync.Mutex // protects what follows
	queue    []*request
	tasks    []*task
	pending  []*request // that nobody has answered, in order: a simulation wakes those who wait in the same one
	lost     error
	closing  bool
	staged   bool     // it was said that some memory could not be registered
	memory   [][]byte // that was registered
	staging  [][]byte // copies of frames, not in use
	books    Books
	turns    uint64              // of the cross-check
	refusals map[*hit.Plan]error // what Unsupported said
}

// Books count frames.
type Books struct {
	GPU      uint64 `json:"gpu"`      // searched by the device
	Batches  uint64 `json:"batches"`  // that they made
	Staged   uint64 `json:"staged"`   // of them, copied by the CPU before
	Overflow uint64 `json:"overflow"` // searched by the CPU, since a list of the device was too short
	Other    uint64 `json:"other"`    // and since it is nothing for a GPU
	Instead  uint64 `json:"instead"`  // and since it failed
	Checked  uint64 `json:"checked"`  // searched by both

	Busy time.Duration `json:"busy_ns"` // during which batches were under way
}

// Trouble with a device, beside what its driver says.
var (
	ErrHung    = errors.New("the GPU does not answer")
	ErrWrong   = errors.New("the GPU found something else than the CPU")
	errClosing = errors.New("the GPU is closed")
)

// Open takes a device. It waits for it no longer than the watchdog.
func Open(o Options) (*GPU, error) {
	setDefaults(&o)
	g := &GPU{o: o, wake: o.World.NewFlag(), over: o.World.NewFlag(), residents: map[*hit.Plan]*resident{}, known: map[*byte]bool{},
		refusals: map[*hit.Plan]error{}}
	for i := range o.Lanes {
		g.lanes = append(g.lanes, &lane{stream: i})
	}
	opened := &task{done: o.World.NewFlag()}
	o.World.Go(func() { g.own(opened) })
	if !opened.done.Wait(max(o.Watchdog, slowestOpen)) {
		g.lose(ErrHung)
		return nil, fmt.Errorf("cuda: open the GPU: %w", ErrHung)
	}
	if opened.err != nil {
		return nil, fmt.Errorf("cuda: open the GPU: %w", opened.err)
	}
	return g, nil
}

// slowestOpen is what taking a device may take: the driver compiles the kernels.
const slowestOpen = 60 * time.Second

func setDefaults(o *Options) {
	if o.Lanes == 0 {
		o.Lanes = 3
	}
	if o.Batch == 0 {
		o.Batch = 16
	}
	if o.Deadline == 0 {
		o.Deadline = time.Millisecond
	}
	if o.Watchdog == 0 {
		o.Watchdog = 5 * time.Second
	}
	if o.Limits == (Limits{}) {
		o.Limits = defaultLimits
	}
	if o.World == nil {
		o.World = world.Real()
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
}

// Name is that of the device.
func (g *GPU) Name() string { return g.name }

// Lost tells why the device was given up, nil if it was not.
func (g *GPU) Lost() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.lost
}

// Books are the counts so far.
func (g *GPU) Books() Books {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.books
}

func (g *GPU) count(n *uint64) {
	g.mu.Lock()
	*n++
	g.mu.Unlock()
}

// lose gives the device up. All who wait for it go on without.
func (g *GPU) lose(why error) {
	g.mu.Lock()
	first := g.lost == nil
	if first {
		g.lost = why
	}
	for _, r := range g.pending {
		r.err = g.lost
		r.done.Set()
	}
	for _, t := range g.tasks {
		t.err = g.lost
		t.done.Set()
	}
	g.queue, g.tasks, g.pending = nil, nil, nil
	g.mu.Unlock()
	if first && !errors.Is(why, errClosing) {
		g.o.Log.Error("the GPU is given up: from the next event on hits are found by the CPU, and the record says so",
			"gpu", g.name, "reason", why)
	}
	g.wake.Set()
}

// Register lets the device read memory where frames will lie, until Unregister or Close. Where that fails, frames are copied
// before.
func (g *GPU) Register(b []byte) {
	err := g.do(func(d Driver) error { return d.Register(b) })
	if err != nil {
		g.unregistered(err)
		return
	}
	g.mu.Lock()
	g.memory = append(g.memory, b)
	g.mu.Unlock()
}

func (g *GPU) unregistered(err error) {
	g.mu.Lock()
	first := !g.staged
	g.staged = true
	g.mu.Unlock()
	if first {
		g.o.Log.Warn("the GPU cannot read some memory directly: frames are copied before, which is slower", "reason", err)
	}
}

// registered tells whether the device can read memory directly.
func (g *GPU) registered(at unsafe.Pointer, bytes int) bool {
	for _, b := range g.memory {
		from := uintptr(unsafe.Pointer(&b[0]))
		if uintptr(at) >= from && uintptr(at)+uintptr(bytes) <= from+uintptr(len(b)) {
			return true
		}
	}
	return false
}

// task is something else that the owner does.
type task struct {
	work func(d Driver) error
	err  error
	done world.Flag
}

// do lets the owner do something, and waits for it.
func (g *GPU) do(work func(d Driver) error) error {
	t := &task{work: work, done: g.o.World.NewFlag()}
	g.mu.Lock()
	lost := g.lost
	if lost == nil {
		g.tasks = append(g.tasks, t)
	}
	g.mu.Unlock()
	if lost != nil {
		return lost
	}
	g.wake.Set()
	if !t.done.Wait(max(g.o.Watchdog, slowestOpen)) {
		g.lose(ErrHung)
		return ErrHung
	}
	return t.err
}

// Close gives the device back. A device that does not answer is left to the end of the process.
func (g *GPU) Close() error {
	g.mu.Lock()
	g.closing = true
	hung := errors.Is(g.lost, ErrHung)
	g.mu.Unlock()
	g.wake.Set()
	if hung { // the log said so, and nobody waits again
		return nil
	}
	if !g.over.Wait(g.o.Watchdog) {
		g.lose(ErrHung)
		return ErrHung
	}
	g.over.Set() // for another Close
	return nil
}
