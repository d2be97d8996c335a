package drp_test

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"drp/control"
	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

// orders is run control for a test, which gives an order when the one before is done.
type orders struct {
	out      chan control.Order
	progress drp.Progress
	restored control.Settings

	mu   sync.Mutex
	done map[uint64]error
	wake chan struct{}
	why  string
}

func (o *orders) Orders() <-chan control.Order { return o.out }

func (o *orders) Why() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.why
}

func (o *orders) Settings() (control.Settings, error) { return o.restored, nil }

func (o *orders) Unheard() string { return "" }

func (o *orders) Done(number uint64, trouble error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.done[number] = trouble
	select {
	case o.wake <- struct{}{}:
	default:
	}
}

// give gives an order and waits until it is done.
func (o *orders) give(t *testing.T, order control.Order) error {
	t.Helper()
	o.out <- order
	for {
		select {
		case <-o.wake:
		case <-time.After(testkit.Patience):
			t.Fatalf("%+v is not followed", order)
		}
		o.mu.Lock()
		trouble, done := o.done[order.Number]
		o.mu.Unlock()
		if done {
			return trouble
		}
	}
}

// through waits until the source has no more events.
func (o *orders) through(t *testing.T) uint64 {
	t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return o.progress().Through }) {
		t.Fatal("the source never ends")
	}
	return o.progress().Last
}

// obey begins a run that waits for orders.
func obey(t *testing.T, cfg drp.Config) (*orders, func() (drp.Summary, error)) {
	t.Helper()
	o, _, end := obeying(t, cfg)
	return o, end
}

// obeying gives the run, too.
func obeying(t *testing.T, cfg drp.Config) (*orders, *drp.Run, func() (drp.Summary, error)) {
	t.Helper()
	o := &orders{out: make(chan control.Order), done: map[uint64]error{}, wake: make(chan struct{}, 1)}
	cfg.Control = func(p drp.Progress) (drp.Orders, error) { o.progress = p; return o, nil }
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	var s drp.Summary
	ended := make(chan struct{})
	go func() { defer close(ended); s, err = r.Run(context.Background()) }()
	return o, r, func() (drp.Summary, error) {
		o.mu.Lock()
		o.why = "it is time"
		o.mu.Unlock()
		close(o.out)
		<-ended
		return s, err
	}
}

// TestOrdersOverAFile: a file is replayed for each run that is ordered, under the number of that run, in the name and in it;
// and each transition is in the file when it is said to be done.
func TestOrdersOverAFile(t *testing.T) {
	testkit.NoLeaks(t)
	const events = 30
	file := testkit.File(t, testkit.Camera{Segments: 1, Rows: 4, Cols: 4}.Run(events)...)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Sources, cfg.OutputDir = []string{file}, t.TempDir()
	o, end := obey(t, cfg)
	number, files := uint64(0), []string{}
	order := func(name string, run int, at uint64) {
		t.Helper()
		number++
		if err := o.give(t, control.Order{Number: number, Name: name, Time: at, Run: run}); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for _, run := range []int{42, 45} {
		for _, name := range []string{"configure", "begin-run", "begin-step", "enable"} {
			order(name, run, 1<<40)
		}
		last := o.through(t)
		order("hold", 0, 0)
		order("disable", 0, last+1)
		for _, name := range []string{"end-step", "end-run", "unconfigure"} {
			order(name, 0, 1<<40)
		}
		path := filepath.Join(cfg.OutputDir, fmt.Sprintf("drp-r%04d-s000-c000.xtc2", run))
		if found, _ := filepath.Glob(filepath.Join(cfg.OutputDir, fmt.Sprintf("*-r%04d-s*.xtc2", run))); len(found) != 1 {
			t.Fatalf("%s: %v", path, found)
		} else {
			files = append(files, found[0])
		}
	}
	s, err := end()
	if err != nil || s.Recorded != 2*events {
		t.Errorf("%v, %+v", err, s)
	}
	for i, path := range files {
		table := xtc.NewTable()
		var services []string
		count := 0
		for _, d := range testkit.Dgrams(t, path) {
			if d.Service() == xtc.Configure {
				if err := table.Configure(d); err != nil {
					t.Fatal(err)
				}
			}
			if _, n, ok := xtc.RunInfo(table, d); ok && n != []int{42, 45}[i] {
				t.Errorf("%s is of run %d", path, n)
			}
			if d.Service().IsEvent() {
				count++
			} else if d.Service() != xtc.SlowUpdate {
				services = append(services, d.Service().String())
			}
		}
		want := []string{"Configure", "BeginRun", "BeginStep", "Enable", "Disable", "EndStep", "EndRun", "Unconfigure"}
		if !slices.Equal(services, want) || count != events {
			t.Errorf("%s has %d events, and %v", path, count, services)
		}
	}
}

// TestOrdersThatFail: what a script does at a transition is told with the order, and a run that is let go ends in order.
func TestOrdersThatFail(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `from drp import DataSource
ds = DataSource()
for run in ds.runs():
    for step in run.steps():
        raise RuntimeError("no step")
`))
	cfg.Workers, cfg.OutputDir = 1, t.TempDir()
	o, end := obey(t, cfg)
	var trouble error
	for i, name := range []string{"configure", "begin-run", "begin-step"} {
		trouble = errors.Join(trouble, o.give(t, control.Order{Number: uint64(i + 1), Name: name, Time: uint64(i+1) << 32, Run: 3}))
	}
	if trouble == nil {
		t.Error("nothing is said of the script")
	}
	s, err := end()
	if f := (*drp.Failure)(nil); !errors.As(err, &f) || f.Kind != drp.Script {
		t.Errorf("%v", err)
	}
	if len(s.Files) == 0 {
		t.Fatalf("%+v", s)
	}
	var last xtc.TransitionID
	for _, d := range testkit.Dgrams(t, s.Files[0]) {
		last = d.Service()
	}
	if last != xtc.EndRun {
		t.Errorf("the file ends with %v", last)
	}
}
