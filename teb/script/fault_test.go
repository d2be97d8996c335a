package script_test

import (
	"log/slog"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/teb"
	"drp/teb/script"
)

// odd keeps odd events, and does something else at event 500: what its argument says, once or each time.
const odd = `import os, signal, sys, time
import drp

ts = drp.TriggerSource()
ts.reason("odd")


def trouble(pulse):
    if pulse != 500 or "fine" in sys.argv:
        return
    if "once" in sys.argv:
        try:
            os.mkdir(sys.argv[2])
        except FileExistsError:
            return
    if sys.argv[1] == "die":
        os.kill(os.getpid(), signal.SIGKILL)
    if sys.argv[1] == "hang":
        time.sleep(3600)
    raise RuntimeError("not this one")


if "single" in sys.argv:
    for evt in ts.events():
        trouble(evt.pulse)
        ts.result(evt.pulse % 2 == 1)
for batch in ts.batches():
    for pulse in batch["pulse"]:
        trouble(pulse)
    batch.accept[:] = batch["pulse"] % 2 == 1
`

// TestTrouble: a script that fails, kills or hangs costs the batch it did that in, or less, and nothing else.
func TestTrouble(t *testing.T) {
	const n = 2000
	for _, test := range []struct {
		name     string
		args     []string
		failed   [2]int // how many events have that reason, from and to
		late     bool   // others may have got the default in the meantime
		restarts int
		workers  []int
	}{
		{"raises", []string{"raise", ""}, [2]int{1, 64}, false, 0, []int{1, 3}},
		{"raises one by one", []string{"raise", "", "single"}, [2]int{1, 1}, false, 0, []int{1}},
		{"dies once", []string{"die", "FOLDER", "once"}, [2]int{0, 0}, false, 1, []int{1, 3}},
		{"dies each time", []string{"die", ""}, [2]int{1, 64}, false, 2, []int{3}},
		{"dies one by one", []string{"die", "", "single"}, [2]int{1, 64}, false, 2, []int{1}},
		{"hangs", []string{"hang", ""}, [2]int{0, 0}, true, 1, []int{1, 3}},
		{"hangs one by one", []string{"hang", "", "single"}, [2]int{0, 0}, true, 1, []int{3}},
	} {
		for _, workers := range test.workers {
			t.Run(test.name, func(t *testing.T) {
				args := slices.Clone(test.args)
				if args[1] == "FOLDER" {
					args[1] = t.TempDir() + "/was"
				}
				o := rigOptions{text: odd, args: args, workers: workers, spares: 1, keep: true}
				if test.late {
					o.deadline = testkit.Deadline(t, 2*time.Second) // less, and a script that is only slow on a busy machine hangs, too
				}
				r := startRig(t, o)
				got := r.exchange(n)
				count := r.reasons(got)
				if failed := count["failed"]; failed < test.failed[0] || failed > test.failed[1] {
					t.Errorf("%v", count)
				}
				if (count["default"] > 0) != test.late {
					t.Errorf("%v", count)
				}
				for _, d := range got {
					if name := r.teb.Reasons()[d.Reason].Name; name == "failed" || name == "default" {
						if !d.Persist {
							t.Errorf("%+v", d)
						}
					} else if d.Persist != (d.Pulse%2 == 1) && !d.Prescaled {
						t.Errorf("%+v", d)
					}
				}
				restarted := func() int { return strings.Count(r.log.String(), "is replaced: ") }
				if !testkit.Within(testkit.Patience, func() bool { return restarted() == test.restarts }) {
					t.Errorf("%d restarts, want %d:\n%s", restarted(), test.restarts, r.log)
				}
				r.fine()
				r.check()
			})
		}
	}
}

// fine brings events until none gets the default any more.
func (r *rig) fine() {
	r.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool {
		count := r.reasons(r.exchange(300))
		return count["failed"]+count["default"] == 0
	}) {
		r.t.Errorf("the trigger does not decide any more; log:\n%s", r.log)
	}
}

// TestKilled: processes that are killed at random moments are replaced, and no decision is another.
func TestKilled(t *testing.T) {
	const n = 20000
	want := decidedInGo(t, n)
	for _, workers := range []int{1, 3} {
		t.Run(strconv.Itoa(workers), func(t *testing.T) { kill(t, workers, want) })
	}
}

func kill(t *testing.T, workers int, want []teb.Decision) {
	t.Helper()
	n := len(want)
	r := startRig(t, rigOptions{text: batched, workers: workers, spares: 1, batch: 20})
	rng := rand.New(rand.NewPCG(7, 7))
	stop, stopped := make(chan struct{}), make(chan int)
	var left atomic.Int32 // kills until the next exchange: a worker whose children never live to see an event is given up
	go func() {
		killed := 0
		for {
			select {
			case <-stop:
				stopped <- killed
				return
			case <-time.After(time.Duration(100+rng.IntN(400)) * time.Millisecond):
			}
			if pids := r.children(); len(pids) == workers+1 && left.Add(-1) >= 0 && syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL) == nil {
				killed++
			}
		}
	}()
	var got []teb.Decision
	for len(got) < n {
		left.Store(2)
		got = append(got, r.exchange(n/20)...)
		time.Sleep(100 * time.Millisecond)
	}
	close(stop)
	if killed := <-stopped; killed == 0 {
		t.Error("nothing was killed")
	}
	// A batch that met two deaths has none, and says so.
	failed := 0
	for i, d := range got {
		if r.teb.Reasons()[d.Reason].Name == "failed" {
			failed++
		} else if d != want[i] && failed == 0 { // prescaling counts what was decided
			t.Fatalf("%+v, want %+v", d, want[i])
		}
	}
	if failed > n/10 {
		t.Errorf("%d events have no decision", failed)
	}
	r.fine()
	r.check()
}

// TestOutOfService: where processes die too often the others go on, and without any all events get the default at once.
func TestOutOfService(t *testing.T) {
	r := startRig(t, rigOptions{text: strings.Replace(odd, "pulse != 500", "pulse % 100 != 50", 1), args: []string{"die", ""}, workers: 2, restarts: 3})
	count := r.reasons(r.exchange(100))
	if count["odd"] == 0 {
		t.Errorf("%v", count)
	}
	r.exchange(1000)
	r.says("no process of the trigger script is left: all events get the default")
	began := time.Now()
	if count := r.reasons(r.exchange(1000)); count["failed"] < 990 { // those that the prescaler keeps have that reason, too
		t.Errorf("%v", count)
	}
	if took := time.Since(began); took > testkit.Patience {
		t.Errorf("it took %v", took)
	}
	// A run that begins gets others.
	if err := os.WriteFile(r.path, []byte(strings.Replace(odd, `"fine" in`, `"die" in`, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if count := r.reasons(r.begin(1000)); count["failed"] > 0 || count["odd"] < 400 {
		t.Errorf("%v; log:\n%s", count, r.log)
	}
	r.check()
}

// TestReload: when a run begins the script is read anew, for the events behind that and no other.
func TestReload(t *testing.T) {
	text := func(every int) string {
		return strings.Replace(`import drp
ts = drp.TriggerSource()
hit = ts.reason("hit")
for batch in ts.batches():
    batch.accept[:] = batch["pulse"] % EVERY == 0
`, "EVERY", string(rune('0'+every)), 1)
	}
	for _, workers := range []int{1, 3} {
		t.Run(strconv.Itoa(workers), func(t *testing.T) { reload(t, workers, text) })
	}
}

func reload(t *testing.T, workers int, text func(every int) string) {
	t.Helper()
	const n = 500
	r := startRig(t, rigOptions{text: text(2), workers: workers, spares: 1})
	every := 2
	for _, step := range []struct {
		text, says string
		every      int
	}{
		{text(3), ": it is read anew", 3},
		{text(3), "", 3},
		{"for", "cannot be taken, the one before decides: File", 3},
		{"raise ValueError('no')\n", "ValueError: no", 3},
		{strings.Replace(text(5), "hit", "other", 2), "it declares the reasons [{other 0 }], and [{hit 0 }] are recorded until the next Configure", 3},
		{"import drp\nts = drp.TriggerSource()\nts.reason('hit')\nfor b in ts.batches(): b.sum('nothing')\n", "no contributor has a field nothing", 3},
		{text(7), ": it is read anew", 7},
	} {
		before := r.exchange(n)
		if err := os.WriteFile(r.path, []byte(step.text), 0o600); err != nil {
			t.Fatal(err)
		}
		between := r.exchange(n) // the edit does not count yet
		after := r.begin(n)
		for _, d := range append(before, between...) {
			if d.Persist != (d.Pulse%uint64(every) == 0) {
				t.Errorf("before %q: %+v", step.text, d)
			}
		}
		every = step.every
		for _, d := range after {
			if d.Persist != (d.Pulse%uint64(every) == 0) {
				t.Errorf("after %q: %+v", step.text, d)
			}
		}
		if !strings.Contains(r.log.String(), step.says) {
			t.Errorf("the log does not say %q:\n%s", step.says, r.log)
		}
	}
	pids := r.children()
	if len(pids) < workers {
		t.Fatalf("%d children", len(pids))
	}
	for _, pid := range pids { // a replacement runs the text of now
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			t.Error(err)
		}
	}
	for _, d := range r.exchange(n) {
		if d.Persist != (d.Pulse%7 == 0) {
			t.Errorf("%+v", d)
		}
	}
	r.check()
}

// TestClosedWhileItBegins: a script that hangs before the first event holds nobody up who does not want it any more.
func TestClosedWhileItBegins(t *testing.T) {
	testkit.NoLeaks(t)
	begun := filepath.Join(t.TempDir(), "begun")
	path := testkit.Script(t, "import os, sys, time\nos.mkdir(sys.argv[1])\ntime.sleep(3600)\n")
	logic := script.New(script.Config{Python: testkit.Python(t), PythonPath: testkit.PythonPath(), Script: path, Args: []string{begun}, Workers: 2})
	r := &rig{t: t, log: &testkit.Buffer{}}
	failed := make(chan error, 1)
	go func() { failed <- r.start(rigOptions{}, logic) }()
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(begun); return err == nil }) {
		t.Fatal("the script does not begin")
	}
	teb.CloseLogic(logic)
	if err := <-failed; err == nil || !strings.Contains(err.Error(), "the trigger is closed") {
		t.Error(err)
	}
}

// TestHangsAtTheStart: a script that hangs before the first event is tried once, since another process would only take as long.
func TestHangsAtTheStart(t *testing.T) {
	testkit.NoLeaks(t)
	begun := filepath.Join(t.TempDir(), "begun")
	path := testkit.Script(t, "import sys, time\nopen(sys.argv[1], 'a').write('x')\ntime.sleep(3600)\n")
	r := &rig{t: t, log: &testkit.Buffer{}}
	logic := script.New(script.Config{Python: testkit.Python(t), PythonPath: testkit.PythonPath(), Script: path, Args: []string{begun},
		Workers: 1, Configure: testkit.Deadline(t, time.Second), Log: slog.New(slog.NewTextHandler(r.log, nil))})
	defer teb.CloseLogic(logic)
	if err := r.start(rigOptions{}, logic); err == nil || !strings.Contains(err.Error(), "gave no answer in time") {
		t.Error(err)
	}
	if times, err := os.ReadFile(begun); err != nil || string(times) != "x" {
		t.Errorf("it was begun %d times, %v", len(times), err)
	}
}
