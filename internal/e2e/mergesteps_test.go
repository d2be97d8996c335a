package e2e

import (
	"strings"
	"testing"

	"drp/internal/testkit"
)

// scanned is a partition of two halves of one camera, which are moved by a motor.
const scanned = `
partition: scanned
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded}
drp:
  x0: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=7,hz=100,steps=5", monitor: tst/x0}
  x1: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=5,hz=100,steps=5,first=1", monitor: tst/x1}
`

// TestStepsOfSeveralAreWatchedAsOne: a scan is walked through as in a run of one process, also when a process dies in the middle of
// a step and comes back to it, or is missing at the beginning of one.
func TestStepsOfSeveralAreWatchedAsOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, scanned)
	s.up()
	script := testkit.Script(t, `
import sys
import drp

with drp.monitor(*sys.argv[1:], wait=60) as watched:
    for run in watched.runs():
        motor, last = run.Detector("motor1"), 0
        for step in run.steps():
            value, state = motor(step), ""
            print("step", step.number, value, flush=True)
            for evt in step.events():
                assert evt.timestamp > max(last, step.timestamp) and run.step(evt) is step and motor(evt) == value
                last = evt.timestamp
                now = "without " + " ".join(evt.missing) if getattr(evt, "missing", ()) else "all"
                if now != state:
                    state = now
                    print(now, flush=True)
            print("over", step.number, flush=True)
        break
print("done")
`)
	look := func(names ...string) *testkit.Program {
		p := testkit.Prepare(t, nil, testkit.Python(t), append([]string{script}, names...)...)
		p.Cmd.Env = append(p.Cmd.Env, "XDG_RUNTIME_DIR="+s.runDir)
		p.Start()
		return p
	}
	one, both := look("tst/x0"), look("tst/x0", "tst/x1")
	told := func(what string) {
		t.Helper()
		if !testkit.Within(testkit.Patience, func() bool { return strings.HasSuffix(both.Stdout.String(), what) || both.Over() }) || both.Over() {
			t.Fatalf("it does not say %q:\n%s\n%s", what, both.Stdout.String(), both.LastWords())
		}
	}
	s.ctl("state", "enabled")
	told("step 0 0.0\nall\n")
	if !testkit.Within(testkit.Patience, func() bool { return strings.HasPrefix(one.Stdout.String(), "step 0 0.0\n") }) { // it came later, maybe
		t.Fatalf("the other one says %q\n%s", one.Stdout.String(), one.LastWords())
	}
	s.ctl("state", "running")
	told("over 0\n")
	s.ctl("state", "enabled")
	told("step 1 0.25\nall\n")
	s.kill("x1")
	told("all\nwithout tst/x1\n")
	s.up()
	told("without tst/x1\nall\n")
	s.ctl("state", "in-step") // and enabled once more: the step is the same
	s.ctl("state", "enabled")
	s.ctl("state", "running")
	told("all\nover 1\n")
	s.ctl("state", "enabled")
	told("step 2 0.5\nall\n")
	s.kill("x1")
	told("all\nwithout tst/x1\n")
	s.ctl("drop", "x1")
	s.ctl("state", "running")
	told("over 2\n")
	s.ctl("state", "enabled")
	told("step 3 0.75\nwithout tst/x1\n")
	s.up()
	told("without tst/x1\nall\n")
	s.ctl("state", "configured")
	for _, p := range []*testkit.Program{one, both} {
		p.WaitFor(testkit.Patience)
		if !p.Cmd.ProcessState.Success() || !strings.HasSuffix(p.Stdout.String(), "over 3\ndone\n") {
			t.Errorf("%s\n%s", p.Stdout.String(), p.LastWords())
		}
	}
	bare := strings.NewReplacer("all\n", "", "without tst/x1\n", "").Replace
	if got, want := bare(both.Stdout.String()), bare(one.Stdout.String()); got != want {
		t.Errorf("it says\n%s, and of one process\n%s", got, want)
	}
	s.down()
}
