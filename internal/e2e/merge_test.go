package e2e

import (
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// merged is a partition of two halves of one camera, and another camera, each of which can be watched.
const merged = `
partition: merged
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded}
drp:
  x0: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=100", monitor: tst/x0}
  x1: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=100,first=1", monitor: tst/x1}
  y0: {source: "sim:segments=2,rows=8,cols=8,bank=2,slow=50,hz=100,name=other", monitor: tst/y0}
`

// TestSeveralAreWatchedAsOne: what three processes have of an event is one event; when one is killed, or stopped, the others' parts
// go on coming and say what is missing, and it takes part again when it is back.
func TestSeveralAreWatchedAsOne(t *testing.T) {
	t.Parallel()
	s := newSite(t, merged)
	s.up()
	s.ctl("state", "enabled")
	names := []string{"tst/x0", "tst/x1", "tst/y0"}
	p := testkit.Prepare(t, nil, testkit.Python(t), append([]string{testkit.Script(t, `
import sys
import numpy as np
import drp

names = sys.argv[1:]
state, runs = "", 0
with drp.monitor("tst/x*", "tst/y0", wait=60) as watched:
    for run in watched.runs():
        runs += 1
        det, other = run.Detector("epixhr"), run.Detector("other")
        last = 0
        for evt in run.events():
            assert evt.timestamp > last and list(evt.missing) == [n for n in names if n not in evt.parts]
            last = evt.timestamp
            there = [n for n in names[:2] if n in evt.parts]
            raw = det.raw.raw(evt)
            assert raw is None if not there else raw.shape == (len(there), 8, 8) and raw.dtype == np.uint16, raw
            for k, name in enumerate(there):
                part = evt.parts[name]
                assert part.timestamp == last and part.intact
                assert np.array_equal(raw[k], drp._detector.find(part._feed.config, "epixhr").raw.raw(part)[0])
            if names[2] in evt.parts:
                pixels = other.raw.raw(evt)
                assert pixels.shape == (2, 8, 8) and np.shares_memory(pixels, np.frombuffer(evt.parts[names[2]].dgram, np.uint8))
            now = "all" if evt.complete else "without " + " ".join(evt.missing)
            if now != state:
                state = now
                print(state, flush=True)
        break
    assert all(s.missed + s.got > 0 for s in watched.sources.values())
    print("over", runs, watched.sources["tst/x1"].state, watched.state)
`)}, names...)...)
	p.Cmd.Env = append(p.Cmd.Env, "XDG_RUNTIME_DIR="+s.runDir)
	p.Start()
	says(t, p, "all")
	line := s.do(0, "monitor", "tst/x0", "tst/x1", "tst/y0", "--complete", "--events", "20", "--json")
	if strings.Count(line.stdout, `"event":`) != 20 || strings.Count(line.stdout, `"time_hex":"0x`) != strings.Count(line.stdout, `"time":`) || strings.Count(line.stdout, `"transition":"BeginRun"`) != 1 || strings.Contains(line.stdout, "missing") {
		t.Errorf("drp monitor says:\n%s", line.stdout)
	}
	s.kill("x1")
	says(t, p, "without tst/x1\n")
	s.up()
	again := func(times int) {
		t.Helper()
		if !testkit.Within(testkit.Patience, func() bool { return strings.Count(p.Stdout.String(), "all\n") >= times || p.Over() }) || p.Over() {
			t.Fatalf("they do not come together:\n%s\n%s", p.Stdout.String(), p.LastWords())
		}
	}
	again(2)
	pid := s.pid("y0")
	testkit.Stop(t, pid)
	says(t, p, "without tst/y0\n")
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	again(3)
	s.ctl("state", "configured")
	says(t, p, "over 1 ended ended")
	s.down()
	p.WaitFor(testkit.Patience)
	if !p.Cmd.ProcessState.Success() {
		t.Error(p.LastWords())
	}
}

// TestMonitorTellsOfADeath, which is no end of the run.
func TestMonitorTellsOfADeath(t *testing.T) {
	t.Parallel()
	v := watchable(t, looping("pass", "pass")).start()
	look := prepare(t, nil, "monitor", "tst/cam", "--wait", "90s", "--json")
	look.Cmd.Env = append(look.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	look.start()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(look.Stdout.String(), `"event":`) || look.Over() }) {
		t.Fatalf("nothing is seen:\n%s", look.LastWords())
	}
	v.Signal(syscall.SIGKILL)
	<-v.Done
	look.finish().wants(t, 1, "the connection is lost: drp has died")
	testkit.Within(testkit.Patience, func() bool { return len(testkit.Marked(v.Mark)) == 0 })
}
