package drp_test

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/watch"
)

// TestReloadThatCannotBegin: a text that works once, in the trial, and in no other process, is refused with the reason, and the
// run lives on with the one it has. So is one that fails only when the new processes are shown the run.
func TestReloadThatCannotBegin(t *testing.T) {
	starts := func(upTo string) string { // tells whether it is a later start; they take turns
		return "import fcntl; count = open(sys.argv[1] + 's', 'a'); fcntl.flock(count, fcntl.LOCK_EX); count.write('x'); count.flush(); " +
			"late = count.tell() > " + upTo + "; count.close()"
	}
	top := func(line string) string { return strings.Replace(liveText(2, "pass"), "\npass\n", "\n"+line+"\n", 1) }
	inRun := func(first, line string) string {
		return strings.Replace(top(first), "    for step in", "    "+line+"\n    for step in", 1)
	}
	for _, tt := range []struct {
		name, text string
		later      bool // it is known at the boundary
		want       string
	}{
		{"raises at its second start", top(`open(sys.argv[1], "x")`), false, "FileExistsError"},
		{"hangs at its second start", top(starts("1") + "\nif late: time.sleep(1000)"), false, "no answer in time"},
		{"raises when a run holds", inRun(starts("1"), "assert not late, 'too late'"), true, "too late"},
		{"hangs when a run holds", inRun(starts("1"), "if late: time.sleep(1000)"), true, "no answer in time"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
				cfg.Args = []string{filepath.Join(t.TempDir(), "started")}
				if strings.Contains(tt.text, "sleep(1000)") {
					cfg.TransitionDeadline = testkit.Deadline(t, 2*time.Second)
				}
			})
			r.events(50)
			r.write(tt.text)
			_, err := r.run.Reload(context.Background(), watch.Reload{})
			if (err == nil) != tt.later {
				t.Fatalf("%v; log:\n%s", err, r.log)
			}
			var loaded watch.Loaded
			r.until("the refusal", func() bool { loaded = r.run.Status().Loaded; return loaded.Refused != "" })
			for _, part := range []string{"the trial went well, but a worker's new process cannot begin", tt.want} {
				if !strings.Contains(loaded.Refused, part) {
					t.Errorf("%q does not say %q", loaded.Refused, part)
				}
			}
			if loaded.Generation != 1 || loaded.Next != nil || loaded.Reloads != (watch.Reloads{Refused: 1}) {
				t.Errorf("%+v", loaded)
			}
			r.events(100)
			r.write(liveText(3, "pass"))
			if _, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil {
				t.Errorf("a good text after it: %v", err)
			}
			r.inUse(2)
			r.events(20)
			r.end()
			if all := r.recorded(); !slices.Equal(all.texts, []uint64{1, 3}) || r.sum.Restarts != 0 || r.sum.Retired != 0 || r.sum.Damaged != 0 {
				t.Errorf("the events are of the texts %v; %+v", all.texts, r.sum)
			}
		})
	}
}

// TestReloadFallsBack: where no process starts any more with a text that is used, the last worker goes back to the one before,
// and the file tells from where on.
func TestReloadFallsBack(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	first, second := liveText(1, "pass"), strings.Replace(liveText(2, "pass"), "\npass\n", "\nif os.path.exists(sys.argv[1]): os._exit(3)\n", 1)
	r := startLive(t, first, func(cfg *drp.Config) {
		cfg.Sources, cfg.Workers, cfg.Args, cfg.Retries = []string{smallSim + ",events=100000"}, 1, []string{gate}, 2
	})
	r.events(20)
	r.write(second)
	if _, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil {
		t.Fatal(err)
	}
	r.inUse(2)
	r.events(20)
	testkit.WriteFile(t, gate, "")
	r.killWorker(syscall.SIGKILL)
	r.inUse(3)
	r.events(20)
	loaded := r.run.Status().Loaded
	if loaded.SHA256 != sha(first) || !strings.Contains(loaded.Refused, "no process could begin") ||
		loaded.Reloads != (watch.Reloads{Used: 1, FellBack: 1}) {
		t.Errorf("%+v", loaded)
	}
	r.end()
	all := r.recorded()
	last := all.told[len(all.told)-1]
	if !slices.Equal(all.texts, []uint64{1, 2, 1}) || last != "Enable "+sha(first)+" 3" || r.sum.Retired != 0 {
		t.Errorf("the events are of the texts %v, the file tells %v; %+v", all.texts, all.told, r.sum)
	}
}

// TestReloadAfterATextThatCouldNotBegin: the next text is shown the run, and the step, that the one before failed at, and so is who takes
// the place of one of its processes.
func TestReloadAfterATextThatCouldNotBegin(t *testing.T) {
	const run, step = "    for step in", "        for evt in"
	inRun := strings.Replace(liveText(2, "pass"), run, "    assert run.runnum is not None\n"+run, 1)
	for _, tt := range []struct{ name, first string }{
		{"raises at BeginRun", strings.Replace(liveText(1, "pass"), run, "    raise ValueError\n"+run, 1)},
		{"raises at BeginStep", strings.Replace(liveText(1, "pass"), step, "        raise ValueError\n"+step, 1)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			r := startLive(t, tt.first, func(cfg *drp.Config) { cfg.Sources = []string{smallSim + ",events=100000"} })
			r.events(20)
			r.write(inRun)
			if _, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil {
				t.Fatal(err)
			}
			r.inUse(2)
			r.events(20)
			r.killWorker(syscall.SIGKILL)
			r.until("another process", func() bool { return r.run.Snapshot().Restarts > 0 })
			damaged := r.run.Snapshot().Damaged
			r.events(20)
			r.end()
			if all := r.recorded(); !slices.Equal(all.texts, []uint64{2}) || r.sum.Damaged != damaged {
				t.Errorf("the events are of the texts %v; %+v, log:\n%s", all.texts, r.sum, r.log)
			}
		})
	}
}
