package drp_test

import (
	"errors"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"drp/control"
	"drp/drp"
	"drp/internal/memdisk"
	"drp/internal/testkit"
	"drp/teb"
)

// driven gives a run its orders one after the other.
func driven(t *testing.T, o *orders) (order func(name string, run int, at uint64) error) {
	number := uint64(0)
	return func(name string, run int, at uint64) error {
		t.Helper()
		number++
		return o.give(t, control.Order{Number: number, Name: name, Time: at, Run: run})
	}
}

// up brings a run to where events come, until its source has no more.
func up(t *testing.T, o *orders, order func(string, int, uint64) error) uint64 {
	t.Helper()
	for _, name := range []string{"configure", "begin-run", "begin-step", "enable"} {
		if err := order(name, 5, 1<<40); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
	}
	return o.through(t)
}

// tells waits until run control is told of trouble.
func tells(t *testing.T, o *orders, kind, want string) {
	t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(o.progress().Troubles[kind], want) }) {
		t.Errorf("no %q of kind %s in %q", want, kind, o.progress().Troubles)
	}
}

// TestTroublesOfEvents: run control is told of events of which a script, the second one or the trigger makes nothing, and of what
// is better in the next run no more.
func TestTroublesOfEvents(t *testing.T) {
	const fails = "    raise ValueError('no')\n"
	events := "from drp import DataSource\nds = DataSource()\nfor run in ds.runs():\n  for step in run.steps():\n    for evt in step.events():\n      "
	for _, tt := range []struct {
		name, script, post, decides, rule string
		kind, want                        string
	}{
		{name: "script", script: events + "raise ValueError('no')\n", kind: "script", want: "the script failed on 30 of the last 30 events: "},
		{name: "its last words", script: events + "raise ValueError('no')\n", kind: "script", want: "ValueError: no"},
		{name: "rule", rule: "pulse % 0 == 1", kind: "trigger", want: "the trigger failed on 30 of 30 events of this run"},
		{name: "trigger script", decides: "import drp\nts = drp.TriggerSource()\nfor b in ts.batches():\n" + fails, kind: "trigger", want: "the trigger failed on "},
		{name: "second script", post: events + "raise ValueError('no')\n", kind: "post", want: "the second script failed on 30 of 30 events"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			script := bundled("passthrough.py")
			if tt.script != "" {
				script = testkit.Script(t, tt.script)
			}
			cfg := triggered(t, script, teb.Rule{Name: "broken", When: tt.rule, Persist: true})
			if tt.rule == "" {
				cfg.Trigger = nil
			}
			if tt.decides != "" {
				cfg = scripted(t, script, testkit.Script(t, tt.decides), 1)
			}
			if tt.post != "" {
				cfg.Post = &drp.Post{Script: testkit.Script(t, tt.post)}
			}
			cfg.Workers = 1
			o, end := obey(t, cfg)
			order := driven(t, o)
			last := up(t, o, order)
			tells(t, o, tt.kind, tt.want)
			err := errors.Join(order("hold", 0, 0), order("disable", 0, last+1), order("end-step", 0, 1<<41), order("end-run", 0, 1<<41),
				order("begin-run", 6, 1<<42))
			if r := o.progress(); err != nil || r.Troubles[tt.kind] != "" || r.Lost != 0 {
				t.Errorf("%v, and the next run tells %+v", err, r)
			}
			_, _ = end()
		})
	}
}

// TestTheDiskIsFull: run control is told that nothing is recorded and how much was lost; what begins then fails, until there is
// room again.
func TestTheDiskIsFull(t *testing.T) {
	testkit.NoLeaks(t)
	var full atomic.Bool
	disk := memdisk.New()
	disk.Fault = func(op memdisk.Op, _ string, n int) (int, error) {
		if full.Load() && op == memdisk.Write {
			return 0, syscall.ENOSPC
		}
		return n, nil
	}
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Sources, cfg.OutputDir, cfg.Disk = []string{testkit.File(t, testkit.Camera{Segments: 1, Rows: 4, Cols: 4}.Run(30)...)}, "out", disk
	o, end := obey(t, cfg)
	order := driven(t, o)
	undone := func(err error) bool {
		return errors.As(err, new(*control.UndoneError)) && errors.Is(err, syscall.ENOSPC)
	}
	err := errors.Join(order("configure", 0, 1<<40), order("begin-run", 5, 1<<40), order("begin-step", 0, 1<<40))
	full.Store(true)
	if err != nil || !undone(order("enable", 0, 1<<40)) {
		t.Errorf("%v, and Enable does not fail", err)
	}
	last := o.through(t)
	tells(t, o, "recording", "recording has stopped: ")
	tells(t, o, "recording", "no space left on device")
	tells(t, o, "loss", "30 of 30 events of this run could not be recorded")
	if r := o.progress(); r.Lost != 30 {
		t.Errorf("%+v", r)
	}
	err = errors.Join(order("hold", 0, 0), order("disable", 0, last+1), order("end-step", 0, 1<<41), order("end-run", 0, 1<<41))
	if err != nil || !undone(order("begin-run", 6, 1<<42)) {
		t.Errorf("%v, and BeginRun does not fail", err)
	}
	full.Store(false)
	if s, err := end(); s.Failed != 30 {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestTroubleWithTheTextOfATrigger: run control is told for as long as an old text decides.
func TestTroubleWithTheTextOfATrigger(t *testing.T) {
	testkit.NoLeaks(t)
	decides := testkit.Script(t, "import drp\nts = drp.TriggerSource()\nfor b in ts.batches():\n    b.accept = True\n")
	cfg := scripted(t, bundled("passthrough.py"), decides, 1)
	cfg.Workers = 1
	o, end := obey(t, cfg)
	order := driven(t, o)
	last := up(t, o, order)
	good, err := os.ReadFile(decides)
	err = errors.Join(err, order("hold", 0, 0), order("disable", 0, last+1), order("end-step", 0, 1<<41), order("end-run", 0, 1<<41))
	testkit.WriteFile(t, decides, "for")
	if err = errors.Join(err, order("begin-run", 6, 1<<42)); err != nil {
		t.Fatal(err)
	}
	tells(t, o, "trigger-script", "cannot be taken, the one before decides: ")
	testkit.WriteFile(t, decides, string(good))
	if err = errors.Join(order("end-run", 0, 1<<43), order("begin-run", 7, 1<<43+1<<42)); err != nil {
		t.Fatal(err)
	}
	if !testkit.Within(testkit.Patience, func() bool { return len(o.progress().Troubles) == 0 }) {
		t.Errorf("%q", o.progress().Troubles)
	}
	_, _ = end()
}
