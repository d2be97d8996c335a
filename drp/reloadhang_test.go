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

// gated is text 2 of a live script, which waits for ever in a run or step that begins while there is a file.
func gated(line string) string {
	indent, _, _ := strings.Cut(line, "for")
	return strings.Replace(liveText(2, "pass"), line+"\n", line+"\n"+indent+
		"    while os.path.exists(sys.argv[1]): time.sleep(0.01)\n", 1)
}

// TestReloadThatHangsLater: a text that was taken, and hangs at a later BeginRun or BeginStep, is ended after the deadline of an event,
// not of a transition, and all workers go back to the text before, which sees the transition. The log tells while it waits.
func TestReloadThatHangsLater(t *testing.T) {
	for _, tt := range []struct{ name, line, source string }{
		{"at a BeginRun", "for run in ds.runs():", "runs=1000,events=40"},
		{"at a BeginStep", "    for step in run.steps():", "steps=1000,events=40"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			gate := filepath.Join(t.TempDir(), "gate")
			first := liveText(1, "pass")
			r := startLive(t, first, func(cfg *drp.Config) {
				cfg.Sources, cfg.Args = []string{smallSim + "," + tt.source}, []string{gate}
				cfg.EventDeadline, cfg.TransitionDeadline, cfg.SoftDeadline = testkit.Deadline(t, 2*time.Second), time.Hour, 500*time.Millisecond
			})
			r.events(20)
			r.write(gated(tt.line))
			if _, err := r.run.Reload(context.Background(), watch.Reload{}); err != nil {
				t.Fatal(err)
			}
			r.inUse(2)
			r.events(20)
			testkit.WriteFile(t, gate, "")
			r.inUse(3)
			r.events(50)
			loaded := r.run.Status().Loaded
			if loaded.SHA256 != sha(first) || !strings.Contains(loaded.Refused, "no answer in time") ||
				loaded.Reloads != (watch.Reloads{Used: 1, FellBack: 1}) {
				t.Errorf("%+v", loaded)
			}
			for _, want := range []string{"no answer from the script yet", "in <module>", "all workers use the one before from here on"} {
				if !strings.Contains(r.log.String(), want) {
					t.Errorf("the log does not say %q:\n%s", want, r.log)
				}
			}
			r.end()
			all := r.recorded()
			if last := all.told[len(all.told)-1]; !slices.Equal(all.texts, []uint64{1, 2, 1}) || !strings.HasSuffix(last, sha(first)+" 3") {
				t.Errorf("the events are of the texts %v, the file tells %v", all.texts, all.told)
			}
			if r.sum.Damaged != 0 || r.sum.Retired != 0 || r.sum.Lost() != 0 || r.err == nil || r.err.Error() != "interrupted" {
				t.Errorf("%v, %+v", r.err, r.sum)
			}
		})
	}
}

// TestReloadThatHangsAtTheBoundary: what the new processes may take where everybody waits is the deadline of an event, and the log
// tells that the run waits, and for what.
func TestReloadThatHangsAtTheBoundary(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Sources, cfg.Args = []string{smallSim + ",events=100000"}, []string{gate}
		cfg.EventDeadline, cfg.TransitionDeadline, cfg.SoftDeadline = testkit.Deadline(t, 2*time.Second), time.Hour, 500*time.Millisecond
	})
	r.events(20)
	r.write(gated("for run in ds.runs():"))
	if _, err := r.run.Reload(context.Background(), watch.Reload{}); err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, gate, "")
	if got, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil || got.State != "taken before the next event" {
		t.Fatalf("%+v, %v", got, err)
	}
	r.until("the refusal", func() bool { return r.run.Status().Loaded.Refused != "" })
	if why := r.run.Status().Loaded.Refused; !strings.Contains(why, "no answer in time") {
		t.Errorf("it is refused with %q", why)
	}
	if log := r.log.String(); !strings.Contains(log, "the run waits for another text of the script") {
		t.Errorf("the log says:\n%s", log)
	}
	r.events(20)
	r.end()
	if all := r.recorded(); !slices.Equal(all.texts, []uint64{1}) || r.sum.Restarts != 0 || r.sum.Damaged != 0 {
		t.Errorf("the events are of the texts %v; %+v", all.texts, r.sum)
	}
}

// TestReloadThatHangsInAReplacement: a process that takes the place of one that died, and hangs where it is shown the run, has no
// longer either.
func TestReloadThatHangsInAReplacement(t *testing.T) {
	gate := filepath.Join(t.TempDir(), "gate")
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Sources, cfg.Args, cfg.Workers = []string{smallSim + ",events=100000"}, []string{gate}, 1
		cfg.EventDeadline, cfg.TransitionDeadline = testkit.Deadline(t, 2*time.Second), time.Hour
	})
	r.events(20)
	r.write(gated("for run in ds.runs():"))
	if _, err := r.run.Reload(context.Background(), watch.Reload{Now: true}); err != nil {
		t.Fatal(err)
	}
	r.inUse(2)
	r.events(20)
	testkit.WriteFile(t, gate, "")
	r.killWorker(syscall.SIGKILL)
	r.inUse(3)
	r.events(20)
	r.end()
	if all := r.recorded(); !slices.Equal(all.texts, []uint64{1, 2, 1}) || r.sum.Retired != 0 {
		t.Errorf("the events are of the texts %v; %+v", all.texts, r.sum)
	}
}
