package e2e

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// watcher is a Python program that watches a run.
func watcher(t *testing.T, v *invocation, body string, args ...string) *testkit.Program {
	t.Helper()
	p := testkit.Prepare(t, nil, testkit.Python(t), append([]string{testkit.Script(t, `
import json, os, sys, time
import numpy as np
import drp
`+body)}, args...)...)
	for i, e := range p.Cmd.Env {
		if strings.HasPrefix(e, "XDG_RUNTIME_DIR=") {
			p.Cmd.Env[i] = "XDG_RUNTIME_DIR=" + v.RunDir
		}
	}
	p.Start()
	return p
}

// ends waits for its end, and gives its last line.
func ends(t *testing.T, p *testkit.Program) string {
	t.Helper()
	p.WaitFor(testkit.Patience)
	if !p.Cmd.ProcessState.Success() {
		t.Fatalf("the one who watches failed:\n%s\n%s", p.Stdout.String(), p.LastWords())
	}
	lines := strings.Split(strings.TrimSpace(p.Stdout.String()), "\n")
	return lines[len(lines)-1]
}

// watchable is a run of events that is slow enough for all of them to be seen.
func watchable(t *testing.T, script string, args ...string) *invocation {
	t.Helper()
	return pipeline(t, append([]string{"-s", smallSim + ",events=1000000", "-w", "2", "--rate", "600", "-p", testkit.Script(t, script), "--monitor", "tst/cam"},
		args...)...)
}

// TestMonitor: who watches from the beginning sees each event with its raw data, read-only and where drp has put it, and
// with what the script has added, as the file has it; rejected events, too.
func TestMonitor(t *testing.T) {
	t.Parallel()
	gate := filepath.Join(t.TempDir(), "gate")
	waits := fmt.Sprintf("while n == 100 and not os.path.exists(%q): time.sleep(0.01)\n", gate)
	v := watchable(t, looping(number, waits+addNumber+"\nif n % 5 == 0:\n    evt.reject()"), "-o", t.TempDir(), "--events", "900", "--deadline", "90s")
	p := watcher(t, v, `
feed_missed, seen, rejected, runs = 0, {}, 0, 0
mon = drp.monitor("tst/cam", restarts=False)
for run in mon.runs():
    runs += 1
    open(sys.argv[2], "w").close()
    det = run.Detector(sys.argv[1])
    for evt in run.events():
        raw = det.raw.raw(evt)
        assert raw.shape == (1, 8, 8) and raw.dtype == np.uint16 and not raw.flags.writeable
        whole = np.frombuffer(mon._feed.connection.memory, np.uint8)
        assert np.shares_memory(raw, whole) and np.shares_memory(np.frombuffer(evt.dgram, np.uint8), whole)
        n = evt.nanoseconds // 40000
        assert evt.number == n and det.number.n(evt) == n and len(det.number.a(evt)) == n and evt.intact
        feed_missed += evt.missed
        rejected += evt.rejected
        seen[evt.timestamp] = n
        try:
            evt.reject()
            raise SystemExit("something could be added")
        except RuntimeError as error:
            assert "only watched" in str(error), error
try:
    raw[0, 0, 0] = 1
    raise SystemExit("it could be written")
except ValueError:
    pass
assert mon.state == "ended" and mon.missed == feed_missed and mon.got == len(seen), mon
print(json.dumps({"seen": len(seen), "missed": mon.missed, "first": min(seen.values()), "last": max(seen.values()), "runs": runs, "rejected": rejected}))
`, "epixhr", gate)
	o := v.run().wants(t, 0, "tst/cam is watched by process")
	var got struct{ Seen, Missed, First, Last, Runs, Rejected int }
	if err := json.Unmarshal([]byte(ends(t, p)), &got); err != nil {
		t.Fatal(err)
	}
	recorded := 0
	for _, e := range events(t, o.dataFiles(t)[0]) {
		if e.n >= got.First {
			recorded++
		}
	}
	if got.Last != 899 || got.Runs != 1 || got.Seen+got.Missed != 900-got.First || got.First > 300 || recorded != got.Seen+got.Missed-got.Rejected {
		t.Errorf("%+v, %d recorded since", got, recorded)
	}
}

// TestMonitorSurvives: who watches is told that drp was killed, finds the next one, and the end of that.
func TestMonitorSurvives(t *testing.T) {
	t.Parallel()
	first := watchable(t, looping("pass", "pass"))
	p := watcher(t, first, `
mon = drp.monitor("tst/cam", wait=90)
states = []
for run in mon.runs():
    det = run.Detector("epixhr")
    n = 0
    for evt in run.events():
        assert det.raw.raw(evt).shape == (1, 8, 8)
        n += 1
        if n == 50:
            print("fifty", flush=True)
    states.append(mon.state)
    assert n >= 50, n
    if mon.state != "lost":
        break
print(" ".join(states))
`)
	first.start()
	fifty := func(times int) func() bool {
		return func() bool { return strings.Count(p.Stdout.String(), "fifty") >= times || p.Over() }
	}
	if !testkit.Within(testkit.Patience, fifty(1)) {
		t.Fatalf("nothing is seen:\n%s", p.LastWords())
	}
	first.Signal(syscall.SIGKILL)
	<-first.Done
	second := watchable(t, looping("pass", "pass"))
	second.Cmd.Env = append(second.Cmd.Env, "XDG_RUNTIME_DIR="+first.RunDir) // the last counts
	second.start()
	if !testkit.Within(testkit.Patience, fifty(2)) {
		t.Fatalf("nothing more is seen:\n%s", p.LastWords())
	}
	second.Signal(syscall.SIGINT)
	second.finish().wants(t, 130)
	if got := ends(t, p); got != "lost ended" {
		t.Errorf("%q", got)
	}
	testkit.Within(testkit.Patience, func() bool { return len(testkit.Marked(first.Mark)) == 0 })
}

// TestMonitorVerb prints each event or counts it as missed.
// TestMonitorSeesTheSecondScript: what --post adds comes with each event, and EndRun with the books; drp monitor tells of events
// on which it fails.
func TestMonitorSeesTheSecondScript(t *testing.T) {
	t.Parallel()
	second := testkit.Script(t, looping(number, addNumber+"\nif n % 50 == 7:\n    raise ValueError('no')"))
	v := watchable(t, looping("pass", "if n % 5 == 0:\n    evt.reject()"), "--post", second, "--events", "900", "-o", t.TempDir())
	p := watcher(t, v, `
seen, failed, rejected = 0, 0, 0
mon = drp.monitor("tst/cam", restarts=False)
for run in mon.runs():
    det = run.Detector(sys.argv[1])
    assert run.books is None
    for evt in run.events():
        n = evt.nanoseconds // 40000
        seen, rejected = seen + 1, rejected + evt.rejected
        failed += evt.damage != 0
        expected = None if evt.rejected or n % 50 == 7 else n
        assert det.number.n(evt) == expected and evt.number == n, (n, expected, det.number.n(evt))
        assert bool(evt.damage) == (not evt.rejected and n % 50 == 7), (n, evt.damage)
print(json.dumps({"seen": seen, "rejected": rejected, "failed": failed, "received": run.books["received"], "recorded": run.books["recorded"]}))
`, "epixhr")
	v.start()
	look := prepare(t, nil, "monitor", "tst/cam", "--wait", "30s", "--json")
	look.Cmd.Env = append(look.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	look.start()
	v.finish().wants(t, 0)
	var got struct{ Seen, Rejected, Failed, Received, Recorded int }
	if err := json.Unmarshal([]byte(ends(t, p)), &got); err != nil {
		t.Fatal(err)
	}
	if got.Received != 900 || got.Recorded != 720 || got.Seen == 0 || got.Rejected == 0 || got.Failed == 0 {
		t.Errorf("%+v", got)
	}
	if o := look.finish().wants(t, 0); !strings.Contains(o.stdout, `"damage":`) || !strings.Contains(o.stdout, `"rejected":true`) ||
		!strings.Contains(o.stdout, `"received":900,"recorded":720`) {
		t.Errorf("it says\n%.2000s", o.stdout)
	}
}

func TestMonitorVerb(t *testing.T) {
	t.Parallel()
	v := watchable(t, looping("pass", "pass")).start()
	look := prepare(t, nil, "monitor", "tst/cam", "--wait", "90s", "--json", "--every", "3")
	look.Cmd.Env = append(look.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	look.start()
	status := prepare(t, nil, "status", "--json")
	status.Cmd.Env = append(status.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	if shown := fmt.Sprintf(`"pid": %d`, look.PID()); !testkit.Within(testkit.Patience, func() bool { return look.Stdout.String() != "" }) ||
		!strings.Contains(status.run().wants(t, 0).stdout, shown) {
		t.Errorf("the status has no consumer with %s", shown)
	}
	if !testkit.Within(testkit.Patience, func() bool { return strings.Count(look.Stdout.String(), `"event":`) > 300 || look.Over() }) {
		t.Fatalf("no more is seen:\n%s", look.LastWords())
	}
	v.Signal(syscall.SIGINT)
	v.finish().wants(t, 130, "monitor: 1 consumers")
	o := look.finish().wants(t, 0)
	first, last, lines, missed := -1, -1, 0, 0
	for line := range strings.Lines(o.stdout) {
		var l struct {
			Event, Missed int
			Transition    string
			Time          uint64
			Hex           string `json:"time_hex"`
		}
		l.Event = -1
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			t.Fatalf("%q: %v", line, err)
		}
		if l.Hex != fmt.Sprintf("0x%016x", l.Time) {
			t.Errorf("%d is written %q", l.Time, l.Hex)
		}
		if l.Transition != "" {
			continue
		}
		if first < 0 {
			first = l.Event
		}
		last, lines, missed = l.Event, lines+1, missed+l.Missed
	}
	if lines == 0 || last-first != 3*(lines+missed-1) || last < 900 {
		t.Errorf("%d lines from %d to %d, %d missed", lines, first, last, missed)
	}
	bad := prepare(t, nil, "monitor", "tst/cam")
	bad.run().wants(t, 1, "nobody publishes tst/cam: start drp with --monitor tst/cam")
	prepare(t, nil, "monitor", "a/b/c").run().wants(t, 2, "give PARTITION/DETECTOR")
}

// TestMonitorChooses: hits, bits of the trigger, and newest, each by a process of its own, beside one that is stopped.
func TestMonitorChooses(t *testing.T) {
	t.Parallel()
	const events = 700
	rules := filepath.Join(t.TempDir(), "rules.yaml")
	testkit.WriteFile(t, rules, triggerRules)
	gate := t.TempDir()
	waits := fmt.Sprintf("import os, time\n        while len(os.listdir(%q)) < 3: time.sleep(0.01)\n        evt.trigger(", gate)
	v := pipeline(t, "-s", testkit.File(t, triggerCamera.Run(events)...), "--rate", "300", "-w", "2", "--deadline", "90s", "--trigger-deadline", "90s",
		"-p", testkit.Script(t, strings.Replace(countsSpots, "evt.trigger(", waits, 1)), "-o", t.TempDir(), "--trigger", rules, "--monitor", "tst/cam")
	const body = `
mon = drp.monitor("tst/cam", restarts=False, **json.loads(sys.argv[1]))
det, first, numbers = mon.Detector("teb"), None, []
open(sys.argv[2] + "/" + str(os.getpid()), "w").close()
for evt in mon:
    numbers.append(evt.number)
    if len(numbers) == 1:
        print("there", flush=True)
    reasons = det.config().reasons.split("\n")
    assert reasons[det.decision.reason(evt)] in ("many", "few", "background", "prescale", "rejected"), reasons
    assert det.decision.monitor(evt) == evt.bits and evt.vetoed == (not (det.decision.persist(evt) or det.decision.prescaled(evt)))
    if len(sys.argv) > 3:
        time.sleep(0.05)
print(json.dumps({"numbers": numbers, "missed": mon.missed}))
`
	many := watcher(t, v, body, `{"bits": 1}`, gate)
	newest := watcher(t, v, body, `{"newest": true}`, gate, "slow")
	stopped := watcher(t, v, body, `{}`, gate)
	v.start()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(stopped.Stdout.String(), "there") || v.Over() }) {
		t.Fatal(v.LastWords())
	}
	stopped.Signal(syscall.SIGSTOP)
	v.WaitFor(testkit.Patience)
	stopped.Signal(syscall.SIGCONT)
	v.finish().wants(t, 0).balanced(t)
	type seen struct {
		Numbers []int
		Missed  int
	}
	var all [2]seen
	for i, p := range []*testkit.Program{many, newest} {
		if err := json.Unmarshal([]byte(ends(t, p)), &all[i]); err != nil {
			t.Fatal(err)
		}
		if n := len(all[i].Numbers); n < 10 {
			t.Fatalf("%d events are seen", n)
		}
	}
	ends(t, stopped)
	want := 0
	for n := all[0].Numbers[0]; n < events; n++ {
		if triggerCamera.Spots(n) >= 6 {
			want++
		}
	}
	for _, n := range all[0].Numbers {
		if triggerCamera.Spots(n) < 6 {
			t.Errorf("event %d has no bit", n)
		}
	}
	if got := all[0]; len(got.Numbers)+got.Missed != want {
		t.Errorf("%d events with the bit and %d missed, want %d", len(got.Numbers), got.Missed, want)
	}
	if got := all[1]; got.Missed == 0 || got.Numbers[len(got.Numbers)-1]-got.Numbers[0]+1 != len(got.Numbers)+got.Missed {
		t.Errorf("%d of the newest, %d missed", len(got.Numbers), got.Missed)
	}
}

// TestMonitorScript runs the example.
func TestMonitorScript(t *testing.T) {
	t.Parallel()
	v := watchable(t, looping("pass", "pass"))
	p := testkit.Prepare(t, nil, testkit.Python(t), filepath.Join(testkit.Root(), "scripts", "monitor.py"), "tst/cam", "20")
	p.Cmd.Env = append(p.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	v.start()
	p.Start()
	if last := strings.Fields(ends(t, p)); len(last) != 5 || len(strings.Split(strings.TrimSpace(p.Stdout.String()), "\n")) != 21 {
		t.Errorf("%s", p.Stdout.String())
	}
	v.Signal(syscall.SIGINT)
	v.finish().wants(t, 130, "monitor: 1 consumers")
}

// TestMonitorIsRefused, in words that help.
func TestMonitorIsRefused(t *testing.T) {
	t.Parallel()
	v := watchable(t, looping("pass", "pass")).start()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(v.Stderr.String(), "2 workers") || v.Over() }) {
		t.Fatal(v.LastWords())
	}
	other := watchable(t, looping("pass", "pass"))
	other.Cmd.Env = append(other.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	other.Start()
	other.WaitFor(testkit.Patience)
	if code := other.Cmd.ProcessState.ExitCode(); code != 3 || !strings.Contains(other.Stderr.String(), fmt.Sprint("process ", v.PID())) {
		t.Errorf("a second run of the same name: %d, %s", code, other.LastWords())
	}
	v.Signal(syscall.SIGINT)
	v.finish()
	watchable(t, looping("pass", "pass"), "--monitor", "a b").run().wants(t, 2, "give PARTITION/DETECTOR")
	watchable(t, looping("pass", "pass"), "--monitor-slots", "-1").run().wants(t, 2, "slots for monitors")
	out, err := exec.Command(testkit.Python(t), "-c", "import sys; sys.path.insert(0, sys.argv[1]); import drp; next(iter(drp.monitor('tst/none', wait=0.2)))",
		testkit.PythonPath()).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "start drp with --monitor tst/none") {
		t.Errorf("%s", out)
	}
}
