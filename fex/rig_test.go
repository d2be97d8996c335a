package fex_test

import (
	"context"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"drp/fex"
	"drp/internal/testkit"
	"drp/pebble"
	"drp/xtc"
)

// rig is a group of workers with a test in the place of the dispatcher.
type rig struct {
	t        testing.TB
	pool     *pebble.Pool
	group    *fex.Group
	spawner  *fex.Spawner
	log      *logLines
	camera   testkit.Camera
	sent     int // requests, each with its number as its tag
	fellBack atomic.Int32
	events   int
	next     int // worker
	slots    []pebble.Index

	mu       sync.Mutex // protects what follows
	changed  *sync.Cond
	answers  map[uint64][]fex.Answer // by tag; transitions have one of each worker
	order    [][]uint64              // tags as answered, of each worker
	results  map[uint64]string       // copies of results of events
	restarts []string
	gaveUp   []string
}

// rigOptions choose what a rig runs; the zero value is one fake child that does all right.
type rigOptions struct {
	script   string // text of a Python script; empty is the fake child
	fake     string // what the fake child does wrong
	workers  int
	deadline time.Duration
	slow     time.Duration // deadline of transitions, where it is another
	args     []string
	spares   int
	module   string // another kind of child than a script's, and the folder it is in
	path     string
}

func startRig(t testing.TB, o rigOptions) *rig {
	t.Helper()
	r, err := newRig(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// newRig starts the children. Everything is closed and checked for leaks at the end of the test.
func newRig(t testing.TB, o rigOptions) (*rig, error) {
	t.Helper()
	testkit.NoLeaks(t)
	r := &rig{t: t, answers: map[uint64][]fex.Answer{}, results: map[uint64]string{}, log: &logLines{}}
	r.changed = sync.NewCond(&r.mu)
	cfg := fex.Config{Script: "fake.py", Retries: 1, Args: o.args, Expt: "test", Run: 5, GreetDeadline: time.Hour,
		EventDeadline: time.Hour, TransitionDeadline: time.Hour, Log: slog.New(r.log),
		Answered: r.answered, Restarted: r.restarted, GaveUp: r.gave, FellBack: func(error) { r.fellBack.Add(1) }}
	switch {
	case o.module != "":
		cfg.Python, cfg.PythonPath = testkit.Python(t), o.path+string(os.PathListSeparator)+testkit.PythonPath()
		cfg.Module, cfg.Script = o.module, ""
	case o.script == "":
		cfg.Python = os.Args[0]
		t.Setenv("GORACE", "atexit_sleep_ms=0") // the fake child may carry the race detector, too
		t.Setenv(fakeVariable, "fine")
		if o.fake != "" {
			t.Setenv(fakeVariable, o.fake)
		}
	default:
		cfg.Python, cfg.PythonPath = testkit.Python(t), testkit.PythonPath()
		cfg.Script = testkit.Script(t, o.script)
	}
	cfg.Spares, cfg.Retries = o.spares, 1
	if o.deadline > 0 {
		cfg.EventDeadline, cfg.TransitionDeadline = o.deadline, 4*o.deadline
		if strings.HasPrefix(o.fake, "hello") {
			cfg.GreetDeadline = o.deadline
		}
	}
	if o.slow > 0 {
		cfg.TransitionDeadline = o.slow
	}
	workers := max(1, o.workers)
	r.order = make([][]uint64, workers)
	var err error
	if r.pool, err = pebble.Open(pebble.Sizes{Workers: workers, Slots: 64, EventBytes: 4096, ResultBytes: 8192,
		TransitionBytes: 64 << 10}); err != nil {
		t.Fatal(err)
	}
	if r.spawner, err = fex.NewSpawner(slog.New(slog.DiscardHandler)); err != nil {
		t.Fatal(err)
	}
	cfg.Spawner = r.spawner
	r.group, err = fex.Start(context.Background(), cfg, r.pool)
	t.Cleanup(r.close)
	return r, err
}

func (r *rig) close() {
	if r.group != nil {
		r.group.Close()
	}
	r.spawner.Close()
	if err := r.pool.Close(); err != nil {
		r.t.Error(err)
	}
}

// answered takes answers as drp does: results are copied out and slots released on the worker's goroutine.
func (r *rig) answered(worker int, answers []fex.Answer) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, a := range answers {
		r.answers[a.Tag] = append(r.answers[a.Tag], a)
		r.order[worker] = append(r.order[worker], a.Tag)
		ix := r.slots[a.Tag]
		if ix == (pebble.Index{Slot: transitionSlot}) {
			continue
		}
		if a.Status == fex.OK && a.ResultBytes <= 8192 {
			r.results[a.Tag] = string(r.pool.Results[worker].Event(ix.Slot)[:a.ResultBytes])
		}
		ref, err := r.pool.Events[worker].Ref(ix)
		if err != nil {
			r.t.Errorf("answer to request %d, which was answered before: %v", a.Tag, err)
			continue
		}
		ref.Release()
	}
	r.pool.Freed()
	r.changed.Broadcast()
}

// transitionSlot stands for all slots of transitions, which have no result of their own.
const transitionSlot = 1 << 31

func (r *rig) restarted(_ int, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.restarts = append(r.restarts, cause.Error())
}

func (r *rig) gave(_ int, cause error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.gaveUp = append(r.gaveUp, cause.Error())
}

func (r *rig) tag(ix pebble.Index) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.slots = append(r.slots, ix)
	r.sent++
	return uint64(r.sent - 1)
}

// wait waits until a number of requests, from the first on, are answered by as many workers as were asked.
func (r *rig) wait(tags ...uint64) {
	r.t.Helper()
	var gone bool
	late := time.AfterFunc(testkit.Patience, func() {
		r.mu.Lock()
		defer r.mu.Unlock()
		gone = true
		r.changed.Broadcast()
	})
	defer late.Stop()
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, tag := range tags {
		want := 1
		if r.slots[tag].Slot == transitionSlot {
			want = len(r.group.Workers)
		}
		for len(r.answers[tag]) < want {
			if gone {
				r.t.Fatalf("no answer to request %d of %d; log:\n%s", tag, r.sent, r.log)
			}
			r.changed.Wait()
		}
	}
}

func (r *rig) waitAll() {
	r.t.Helper()
	var all []uint64
	for tag := range r.sent {
		all = append(all, uint64(tag))
	}
	r.wait(all...)
}

// transition hands a transition to all workers, waits, and gives their answers.
func (r *rig) transition(d xtc.Dgram) []fex.Answer {
	r.t.Helper()
	loan, ok := r.pool.Transitions.TryLoan()
	if !ok {
		r.t.Fatal("no slot for a transition")
	}
	n := copy(loan.Bytes(), d)
	ix := loan.Seal(n)
	tag := r.tag(pebble.Index{Slot: transitionSlot})
	for _, w := range r.group.Workers {
		w.Transition(ix, n, uint8(d.Service()), false, d.Time(), tag)
	}
	r.wait(tag)
	ref, err := r.pool.Transitions.Ref(ix)
	if err != nil {
		r.t.Fatal(err)
	}
	ref.Release()
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[tag]
}

// begin goes up to Enable; all must be well.
func (r *rig) begin() {
	r.t.Helper()
	for _, d := range []xtc.Dgram{r.camera.Configure(1), r.camera.BeginRun(2, 5), testkit.Plain(xtc.BeginStep, 3),
		testkit.Plain(xtc.Enable, 4)} {
		for _, a := range r.transition(d) {
			if a.Status != fex.OK {
				r.t.Fatalf("%v: %v", d.Service(), a.Failure)
			}
		}
	}
}

// end closes the run and gives what the scripts say at EndRun.
func (r *rig) end() (endRun []fex.Answer) {
	r.t.Helper()
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun, xtc.Unconfigure} {
		answers := r.transition(testkit.Plain(s, uint64(1<<40+i)))
		if s == xtc.EndRun {
			endRun = answers
		}
	}
	return endRun
}

// event hands the next event to the next worker that has a slot, waiting for one; its number is also its time.
func (r *rig) event() (tag uint64) {
	r.t.Helper()
	for deadline := time.Now().Add(testkit.Patience); time.Now().Before(deadline); {
		for range r.group.Workers {
			i := r.next
			r.next = (r.next + 1) % len(r.group.Workers)
			ring := r.pool.Events[i]
			loan, ok := ring.TryLoan()
			if !ok {
				continue
			}
			d := r.camera.Event(uint64(r.events), r.events)
			r.events++
			n := copy(loan.Bytes(), d)
			ix := loan.Seal(n)
			tag := r.tag(ix)
			r.group.Workers[i].Event(ix, n, 1, d.Time(), tag)
			return tag
		}
		r.pool.Wait(100 * time.Millisecond)
	}
	r.t.Fatalf("no slot came free; log:\n%s", r.log)
	return 0
}

// burst hands on n events and gives their tags.
func (r *rig) burst(n int) []uint64 {
	r.t.Helper()
	var tags []uint64
	for range n {
		tags = append(tags, r.event())
	}
	return tags
}

// check fails the test unless every request has exactly one answer of each worker asked, and each worker answered its
// requests in order (crashed ones aside, which are answered when they are given up).
func (r *rig) check() {
	r.t.Helper()
	r.mu.Lock()
	defer r.mu.Unlock()
	for tag := range uint64(r.sent) {
		want := 1
		if r.slots[tag].Slot == transitionSlot {
			want = len(r.group.Workers)
		}
		if got := len(r.answers[tag]); got != want {
			r.t.Errorf("request %d has %d answers, want %d", tag, got, want)
		}
	}
	for worker, tags := range r.order {
		for i := 1; i < len(tags); i++ {
			if tags[i] <= tags[i-1] {
				r.t.Errorf("worker %d answered %d after %d", worker, tags[i], tags[i-1])
			}
		}
	}
	for i, w := range r.group.Workers {
		if w.Load() != 0 {
			r.t.Errorf("worker %d has a load of %d when all is answered", i, w.Load())
		}
	}
}

// status gives how an event ended.
func (r *rig) status(tag uint64) fex.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[tag][0].Status
}

func (r *rig) failure(tag uint64) *fex.Failure {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.answers[tag][0].Failure
}

// children are the processes of the workers, dead ones that are not reaped yet included.
func (r *rig) children() []int {
	return slices.DeleteFunc(testkit.Children(os.Getpid()), func(pid int) bool { return pid == fex.GuardPID(r.spawner) })
}

func (r *rig) restartCount() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return len(r.restarts)
}

// logLines is a log that can be read while it is written.
type logLines struct {
	mu   sync.Mutex // protects text
	text strings.Builder
}

func (l *logLines) Enabled(context.Context, slog.Level) bool { return true }
func (l *logLines) WithAttrs([]slog.Attr) slog.Handler       { return l }
func (l *logLines) WithGroup(string) slog.Handler            { return l }

func (l *logLines) Handle(_ context.Context, r slog.Record) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text.WriteString(r.Message + "\n")
	return nil
}

func (l *logLines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}
