package bench

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/pebble"
	"drp/xtc"
)

// exchange is the bare hand-off: one worker, its ring and its child, with nothing before and behind. The goroutine that
// takes an answer gives the slot back and hands out the next.
type exchange struct {
	pool    *pebble.Pool
	spawner *fex.Spawner
	group   *fex.Group
	length  int // of the event that lies in every slot
	limit   int // requests under way at once

	target  atomic.Int64 // how many events this round hands out
	sent    int64        // by whoever hands out: the caller first, then the reader
	got     int64
	failed  atomic.Pointer[fex.Failure]
	arrived chan struct{} // a round, or a transition, is complete
}

// openExchange starts a child with a script and brings it to the point where it takes events.
func openExchange(ctx context.Context, python, pythonPath, script string, c camera, slots int) (*exchange, error) {
	dir, err := os.MkdirTemp("", "drp-bench-")
	if err != nil {
		return nil, err
	}
	defer func() { _ = os.RemoveAll(dir) }()
	path := filepath.Join(dir, "script.py")
	if err := os.WriteFile(path, []byte(script), 0o600); err != nil {
		return nil, err
	}
	event, err := c.event()
	if err != nil {
		return nil, err
	}
	const page = 4096
	x := &exchange{length: len(event), arrived: make(chan struct{}, 1)}
	x.pool, err = pebble.Open(pebble.Sizes{Workers: 1, Slots: slots, EventBytes: (len(event) + page - 1) / page * page,
		ResultBytes: 64 << 10, TransitionBytes: 1 << 20})
	if err != nil {
		return nil, err
	}
	x.fillSlots(event)
	if x.spawner, err = fex.NewSpawner(slog.New(slog.DiscardHandler)); err != nil {
		return nil, errors.Join(err, x.pool.Close())
	}
	x.group, err = fex.Start(ctx, fex.Config{Python: python, PythonPath: pythonPath, Script: path, Args: []string{c.dtype},
		Expt: "bench", Run: 1, GreetDeadline: time.Minute, TransitionDeadline: time.Minute, EventDeadline: time.Minute,
		Spawner: x.spawner, Log: slog.New(slog.DiscardHandler), Answered: x.answered,
		Restarted: func(int, error) { x.failed.Store(&fex.Failure{Type: "Crash", Message: "the child died"}) },
		GaveUp:    func(int, error) {}}, x.pool)
	if err == nil {
		err = x.begin(c)
	}
	if err != nil {
		return nil, errors.Join(err, x.close())
	}
	return x, nil
}

// fillSlots puts the event into every slot; from then on only indices move.
func (x *exchange) fillSlots(event []byte) {
	ring := x.pool.Events[0]
	var refs []pebble.Ref
	for range ring.Slots() {
		loan, _ := ring.TryLoan()
		ref, err := ring.Ref(loan.Seal(copy(loan.Bytes(), event)))
		if err != nil {
			panic(err)
		}
		refs = append(refs, ref)
	}
	for i := range refs {
		refs[i].Release()
	}
}

func (x *exchange) begin(c camera) error {
	configure, err := c.configure()
	if err != nil {
		return err
	}
	for _, d := range []xtc.Dgram{configure, header(xtc.BeginRun), header(xtc.BeginStep), header(xtc.Enable)} {
		loan, ok := x.pool.Transitions.TryLoan()
		if !ok {
			return errors.New("bench: no slot for a transition")
		}
		n := copy(loan.Bytes(), d)
		ix := loan.Seal(n)
		x.group.Workers[0].Transition(ix, n, uint8(d.Service()), false, d.Time(), 0)
		<-x.arrived
		ref, err := x.pool.Transitions.Ref(ix)
		if err != nil {
			return err
		}
		ref.Release()
	}
	return x.trouble()
}

func (x *exchange) trouble() error {
	if f := x.failed.Load(); f != nil {
		return fmt.Errorf("bench: the measured script failed: %v\n%s", f, f.Traceback)
	}
	return nil
}

// answered runs on the reader's goroutine.
func (x *exchange) answered(_ int, answers []fex.Answer) {
	ring := x.pool.Events[0]
	events := false
	for i := range answers {
		if answers[i].Status != fex.OK {
			x.failed.Store(answers[i].Failure)
		}
		if answers[i].Tag == 0 {
			x.arrived <- struct{}{}
			continue
		}
		tag := answers[i].Tag - 1
		ref, err := ring.Ref(pebble.Index{Slot: uint32(tag), Generation: uint32(tag >> 32)})
		if err != nil {
			panic(err)
		}
		ref.Release()
		x.got++
		events = true
	}
	if !events {
		return
	}
	for x.sent < x.target.Load() && int(x.sent-x.got) < x.limit {
		x.send()
	}
	if x.got == x.target.Load() {
		x.arrived <- struct{}{}
	}
}

func (x *exchange) send() {
	loan, _ := x.pool.Events[0].TryLoan()
	ix := loan.Seal(x.length)
	x.sent++
	x.group.Workers[0].Event(ix, x.length, 1, 1<<32, (uint64(ix.Generation)<<32|uint64(ix.Slot))+1)
}

// round hands out n events, at most limit at once, and returns the time per event.
func (x *exchange) round(n int64, limit int) (time.Duration, error) {
	x.limit = min(limit, x.pool.Events[0].Slots())
	x.sent, x.got = 0, 0
	x.target.Store(n)
	start := time.Now()
	// The first answer may come while we are still sending: leave all but one to the reader, which fills the ring.
	x.send()
	<-x.arrived
	took := time.Since(start)
	return took / time.Duration(n), x.trouble()
}

func (x *exchange) close() error {
	if x.group != nil {
		x.group.Close()
	}
	x.spawner.Close()
	return x.pool.Close()
}
