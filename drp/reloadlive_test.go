package drp_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/watch"
	"drp/xtc"
)

// TestReloadInARun: another text is used by all workers from one step on, or from one event on, and the file says which.
func TestReloadInARun(t *testing.T) {
	tests := []struct {
		name, source string
		now          bool
		state        string
		told         []string // transitions that tell, each once
		kills        bool
		spares       int
	}{
		{"at a step", "steps=1000,events=40", false, "taken at the next step", []string{"BeginRun first 1", "BeginStep second 2"}, false, 0},
		{"at a step, with spares", "steps=1000,events=40", false, "taken at the next step",
			[]string{"BeginRun first 1", "BeginStep second 2"}, false, 2},
		{"at a run", "runs=1000,events=40", false, "taken at the next step", []string{"BeginRun first 1", "BeginRun second 2"}, false, 0},
		{"now, in a long step", "events=100000", true, "taken before the next event",
			[]string{"BeginRun first 1", "Disable first 1", "Enable second 2"}, false, 0},
		{"a worker dies meanwhile", "steps=1000,events=400", false, "taken at the next step",
			[]string{"BeginRun first 1", "BeginStep second 2"}, true, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			first, second := liveText(1, "pass"), liveText(2, "assert len(evt.detectors if hasattr(evt, 'detectors') else 'x')")
			r := startLive(t, first, func(cfg *drp.Config) { cfg.Sources, cfg.Spares = []string{smallSim + "," + tt.source}, tt.spares })
			r.events(50)
			r.write(second)
			got, err := r.run.Reload(context.Background(), watch.Reload{Now: tt.now})
			if err != nil || got.State != tt.state || got.SHA256 != sha(second) || !strings.HasPrefix(got.Tried, "event ") {
				t.Fatalf("%+v, %v; log:\n%s", got, err, r.log)
			}
			if tt.kills {
				r.killWorker(syscall.SIGKILL)
			}
			r.inUse(2)
			r.events(50)
			r.end()
			if r.err.Error() != "interrupted" || r.sum.Damaged != 0 || r.sum.Lost() != 0 || !tt.kills && r.sum.Restarts > 0 { // one killed on its way out has a successor already
				t.Errorf("%v, %+v", r.err, r.sum)
			}
			all := r.recorded()
			if !slices.Equal(all.texts, []uint64{1, 2}) || all.changes[1] != xtc.Enable || len(all.workers[2]) != 2 {
				t.Fatalf("the events are of the texts %v, the change comes behind %v, with the workers %v", all.texts, all.changes, all.workers)
			}
			told := strings.NewReplacer(sha(first), "first", sha(second), "second").Replace(strings.Join(slices.Compact(all.told), "|"))
			told = strings.Replace(told, "|BeginStep second 2|BeginRun", "|BeginRun", 1) // where it was asked for between the two
			if told != strings.Join(tt.told, "|") {
				t.Errorf("the file tells %s, want %s", told, strings.Join(tt.told, "|"))
			}
		})
	}
}

// TestReloadRefused: a text that cannot work is refused with the reason, and nothing changes.
func TestReloadRefused(t *testing.T) {
	tests := []struct {
		name, text string
		want       []string
	}{
		{"no Python", "for:\n", []string{"line 1", "SyntaxError"}},
		{"raises on the event", liveText(2, "raise KeyError('roi')"), []string{"it fails on event ", "KeyError", ":10", "raise KeyError('roi')"}},
		{"raises at the start", strings.Replace(liveText(2, "pass"), "\npass\n", "\nimport no_such_module\n", 1),
			[]string{"it fails at Configure", "No module named 'no_such_module'"}},
		{"dies on the event", liveText(2, "os._exit(3)"), []string{"it fails on event ", "exit status 3"}},
		{"dies at the start", strings.Replace(liveText(2, "pass"), "\npass\n", "\nos._exit(3)\n", 1), []string{"it fails at Configure", "exit status 3"}},
		{"hangs on the event", liveText(2, "time.sleep(1000)"), []string{"it fails on event ", "no answer in time", "at line 10"}},
		{"another field", strings.Replace(liveText(2, "pass"), `"worker": (np.uint32, 0)`, `"worker": (np.uint16, 0)`, 1),
			[]string{"declares epixhr live with the fields", "worker UINT16, which were", "a new Configure takes it"}},
		{"another detector", strings.Replace(liveText(2, "pass"), "TOP", "", 1) + "#", nil},
	}
	tests[len(tests)-1].text = strings.Replace(liveText(2, "pass"), "\npass\n", "\nds.add_detector('other', alg='x', fields={'y': (float, 0)})\n", 1)
	tests[len(tests)-1].want = []string{"it declares other x", "which is new", "a new Configure takes it"}
	first := liveText(1, "pass")
	r := startLive(t, first, func(cfg *drp.Config) { cfg.EventDeadline = testkit.Deadline(t, 2*time.Second) })
	r.events(50)
	for _, tt := range tests {
		r.write(tt.text)
		_, err := r.run.Reload(context.Background(), watch.Reload{})
		if err == nil {
			t.Errorf("%s: it is taken", tt.name)
			continue
		}
		for _, want := range tt.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q does not say %q", tt.name, err, want)
			}
		}
		if s := r.run.Status().Loaded; s.SHA256 != sha(first) || s.Generation != 1 || s.Next != nil || s.Refused != err.Error() {
			t.Errorf("%s: %+v", tt.name, s)
		}
	}
	r.events(100) // two steps
	r.end()
	if r.err != nil && !strings.Contains(r.err.Error(), "interrupted") || r.sum.Damaged != 0 || r.sum.Restarts != 0 {
		t.Errorf("%v, %+v", r.err, r.sum)
	}
	if all := r.recorded(); !slices.Equal(all.texts, []uint64{1}) || len(all.told) != 1 {
		t.Errorf("the events are of the texts %v, the file tells %v", all.texts, all.told)
	}
}

// TestReloadAtOtherTimes: what is asked for before there is anything to try, twice, in vain, or too late has its answer.
func TestReloadAtOtherTimes(t *testing.T) {
	first, second := liveText(1, "pass"), liveText(2, "pass")
	r := startLive(t, first, func(cfg *drp.Config) { cfg.Sources = []string{smallSim + ",events=100000"} })
	r.events(50)
	ask := func(now bool, state string) {
		t.Helper()
		if got, err := r.run.Reload(context.Background(), watch.Reload{Now: now}); err != nil || got.State != state {
			t.Errorf("%+v, %v, want %q", got, err, state)
		}
	}
	ask(true, "in use")
	r.write(second)
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() { ask(false, "taken at the next step") })
	}
	both.Wait()
	if n := strings.Count(r.log.String(), "was tried up to"); n != 1 {
		t.Errorf("it was tried %d times", n)
	}
	if next := r.run.Status().Loaded.Next; next == nil || next.SHA256 != sha(second) {
		t.Errorf("the status says %+v", next)
	}
	r.write(first)
	ask(false, "in use")
	if next := r.run.Status().Loaded.Next; next != nil {
		t.Errorf("what was taken back is still to come: %+v", next)
	}
	r.write(second)
	ask(false, "taken at the next step")
	ask(true, "taken before the next event")
	r.inUse(2)
	r.events(50)
	r.end()
	if got, err := r.run.Reload(context.Background(), watch.Reload{}); err == nil || !strings.Contains(err.Error(), "the run has ended") {
		t.Errorf("after the end: %+v, %v", got, err)
	}
	if all := r.recorded(); !slices.Equal(all.texts, []uint64{1, 2}) {
		t.Errorf("the events are of the texts %v", all.texts)
	}
}

// TestReloadBeforeTheFirstEvent: where no event has come yet, a text is tried as far as the run is.
func TestReloadBeforeTheFirstEvent(t *testing.T) {
	dir := t.TempDir()
	held := strings.Replace(liveText(1, "pass"), "for run in ds.runs():", `for run in ds.runs():
    while not os.path.exists(sys.argv[1]): time.sleep(0.01)`, 1)
	gate := filepath.Join(dir, "gate")
	r := startLive(t, held, func(cfg *drp.Config) { cfg.Args = []string{gate} })
	r.until("the Configure", func() bool { return r.run.Status().Transition == "Configure" })
	r.write(liveText(2, "pass"))
	got, err := r.run.Reload(context.Background(), watch.Reload{})
	if err != nil || got.Tried != "Configure" || got.State != "taken at the next step" {
		t.Errorf("%+v, %v", got, err)
	}
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.inUse(2)
	r.events(20)
}

// TestReloadAndConfigure: what waits for a step is not used when a Configure comes, which reads the file itself.
func TestReloadAndConfigure(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate") // the Configure comes when the text waits
	held := liveText(1, "if evt.nanoseconds // 40000 == 500:\n                while not os.path.exists(sys.argv[1]): time.sleep(0.01)")
	r := startLive(t, held, func(cfg *drp.Config) {
		cfg.Sources, cfg.Args = []string{smallSim + ",configs=2,events=600"}, []string{gate}
	})
	r.events(50)
	r.write(liveText(2, "pass"))
	if got, err := r.run.Reload(context.Background(), watch.Reload{}); err != nil || got.State != "taken at the next step" {
		t.Fatalf("%+v, %v", got, err)
	}
	r.write(liveText(3, "pass"))
	testkit.WriteFile(t, gate, "")
	r.inUse(2)
	r.ended.Wait()
	if r.err != nil || r.sum.Recorded != 1200 {
		t.Errorf("%v, %+v", r.err, r.sum)
	}
	if s := r.run.Status().Loaded; s.SHA256 != sha(liveText(3, "pass")) {
		t.Errorf("%+v", s)
	}
}

// TestReloadOfWhatIsMade: the trial has corrected pixels and hits as the run has them, and both scripts are tried, the second
// on what the first one adds.
func TestReloadOfWhatIsMade(t *testing.T) {
	const first = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="live", fields={"text": (np.uint32, 0), "worker": (np.uint32, 0), "sum": (float, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        if evt.hits is None or len(evt.hits) != evt.hit["count"]: raise RuntimeError("the event was not searched")
        if TEXT == 3: raise RuntimeError(f"{len(evt.hits)} peaks, {det.raw.calib(evt).shape}")
        out.text, out.worker, out.sum = TEXT, 0, det.raw.calib(evt).sum()
        evt.add(out)
`
	const second = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="second", fields={"text": (np.uint32, 0)})
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        if TEXT == 3: raise RuntimeError(f"text {det.live.text(evt)}, {det.raw.calib(evt).shape}")
        out.text = TEXT
        evt.add(out)
`
	texts := func(script string, text int) string { return strings.ReplaceAll(script, "TEXT", fmt.Sprint(text)) }
	post := testkit.Script(t, texts(second, 1))
	r := startLive(t, texts(first, 1), func(cfg *drp.Config) {
		dgrams := []xtc.Dgram{spots.Configure(1), spots.BeginRun(2, 5), testkit.Plain(xtc.BeginStep, 3), testkit.Plain(xtc.Enable, 4)}
		for i := range 3000 { // far more than are needed until it is let go
			dgrams = append(dgrams, spotEvent(uint64(100+i), i))
		}
		with := hitSettings(t, cfg.Script, "at_least=3", dgrams)
		with.OutputDir, with.Log, with.EventDeadline, with.TransitionDeadline = cfg.OutputDir, cfg.Log, cfg.EventDeadline, cfg.TransitionDeadline
		with.Rate.PerSecond, with.Post = 25, &drp.Post{Script: post}
		*cfg = with
	})
	r.events(20)
	refused := func(want ...string) {
		t.Helper()
		_, err := r.run.Reload(context.Background(), watch.Reload{Now: true})
		for _, part := range want {
			if err == nil || !strings.Contains(err.Error(), part) {
				t.Errorf("%v does not say %q", err, part)
			}
		}
	}
	r.write(texts(first, 3))
	refused("it fails on event", " peaks, (2, 24, 40)")
	r.write(texts(first, 1))
	testkit.WriteFile(t, post, texts(second, 3))
	refused("it fails on event", "text 1, (2, 24, 40)")
	testkit.WriteFile(t, post, texts(second, 2))
	r.write(texts(first, 2))
	got, err := r.run.Reload(context.Background(), watch.Reload{Now: true})
	if err != nil || got.SHA256 != sha(texts(first, 2)) || got.PostSHA256 != sha(texts(second, 2)) {
		t.Fatalf("%+v, %v", got, err)
	}
	r.inUse(2)
	r.events(20)
	r.end()
	if r.sum.Damaged != 0 || r.sum.PostFailed != 0 {
		t.Errorf("%+v", r.sum)
	}
	if all := r.recorded(); !slices.Equal(all.texts, []uint64{1, 2}) || !slices.Equal(all.second, []uint64{1, 2}) || len(all.told) != 3 {
		t.Errorf("the events are of the texts %v and %v, the file tells %v", all.texts, all.second, all.told)
	}
}

// TestReloadOfParameters: a text that declares the same parameters goes on with the values that hold, in the trial as well.
func TestReloadOfParameters(t *testing.T) {
	script := func(text int, parameter, check string) string {
		of := strings.Replace(liveText(text, check), "\npass\n", "\nlevel = ds.param("+parameter+")\n", 1)
		return strings.Replace(of, "out.text = ", "out.text = 100 * level.value + ", 1)
	}
	const parameter = `"level", 5, min=0, max=50, doc="of something"`
	r := startLive(t, script(1, parameter, "pass"), func(cfg *drp.Config) { cfg.Sources = []string{smallSim + ",events=100000"} })
	r.events(20)
	if _, err := r.run.Set(map[string]any{"level": 7}, "the test"); err != nil {
		t.Fatal(err)
	}
	r.events(200)
	for other, want := range map[string]string{`"level", 5.0, min=0, max=50, doc="of something"`: "it declares settings script with the fields",
		`"level", 5, min=0, max=60, doc="of something"`: "parameters with other defaults, bounds or words"} {
		r.write(script(2, other, "pass"))
		if _, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v does not say %q", err, want)
		}
	}
	r.write(script(2, parameter, "assert level.value == 7, level.value"))
	if got, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil || got.State != "taken before the next event" {
		t.Fatalf("%+v, %v", got, err)
	}
	r.inUse(2)
	r.events(50)
	r.end()
	if all := r.recorded(); r.sum.Damaged != 0 || !slices.Equal(all.texts, []uint64{501, 701, 702}) {
		t.Errorf("%+v; the events are of the texts %v", r.sum, all.texts)
	}
}
