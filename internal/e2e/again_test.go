package e2e

import (
	"encoding/json"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// TestReplaysAreNoRuns: who shows a recorded run of a partition again, twice, stands in nobody's way who steers the one that goes
// on: alone, by its partition, with a new text of the script. Replays have their own process ids, and say what they are.
func TestReplaysAreNoRuns(t *testing.T) {
	t.Parallel()
	script := testkit.Script(t, looping(`threshold = ds.param("threshold", 50, max=100)`, "1"))
	recorded := pipeline(t, "-s", smallSim+",events=50", "-w", "1", "--partition", "tst", "-p", script, "-o", t.TempDir()).run().wants(t, 0)
	live := pipeline(t, "-s", smallSim+",events=0", "--rate", "500", "-w", "1", "--partition", "tst", "-p", script).start()
	live.enabled()
	var replays []*invocation
	for _, name := range []string{"tst/one", "tst/other"} {
		v := prepare(t, nil, "replay", recorded.dataFile(t), "--calib", "none", "--loop", "--monitor", name)
		v.Cmd.Env = append(v.Cmd.Env, "XDG_RUNTIME_DIR="+live.RunDir)
		v.RunDir = live.RunDir
		replays = append(replays, v.start())
		v.Says("the replay can be watched as " + name)
	}
	first := strconv.Itoa(replays[0].PID())
	live.beside("set", "threshold=60").wants(t, 0)
	live.beside("set", "--partition", "tst", "threshold=61").wants(t, 0)
	testkit.WriteFile(t, script, looping(`threshold = ds.param("threshold", 50, max=100)`, "2"))
	live.beside("reload", "--now", "--wait").wants(t, 0)
	testkit.WriteFile(t, script, looping(`threshold = ds.param("threshold", 50, max=100)`, "3"))
	live.beside("reload", "--now", "--wait", "--partition", "tst").wants(t, 0)
	live.beside("set", "--pid", first, "threshold=62").wants(t, 3, "this is a replay")
	live.beside("reload", "--pid", first).wants(t, 5, "it is replayed")

	var all []struct {
		status
		Replay bool
	}
	o := live.beside("status", "--json").wants(t, 0)
	if err := json.Unmarshal([]byte(o.stdout), &all); err != nil || len(all) != 3 {
		t.Fatalf("%v: %s", err, o.stdout)
	}
	for _, s := range all {
		if s.Replay != (s.PID != live.PID()) || s.Replay && s.PID != replays[0].PID() && s.PID != replays[1].PID() || s.Partition != "tst" || s.Script != "script.py" {
			t.Errorf("%+v", s)
		}
	}
	if o := live.beside("status"); strings.Count(o.stdout, ": replay of ") != 2 || strings.Contains(o.stdout, "differs between") {
		t.Errorf("status shows\n%s", o.stdout)
	}
	if o := live.beside("top", "--count", "1"); strings.Count(o.stdout, "  replay  ") != 2 || strings.Count(o.stdout, "  enabled  ") != 1 {
		t.Errorf("top shows\n%s", o.stdout)
	}
	if o := live.beside("status", "--partition", "tst"); strings.Contains(o.stdout, "replay of ") {
		t.Errorf("the partition has\n%s", o.stdout)
	}
	live.Signal(syscall.SIGINT)
	live.WaitFor(testkit.Patience)
	replays[0].beside("set", "threshold=63").wants(t, 1, "no run of this user", "--pid "+first+", which is a replay: script.py on ")
	for _, v := range replays {
		v.Signal(syscall.SIGINT)
		v.WaitFor(testkit.Patience)
	}
	live.finish().wants(t, 130)
	for _, v := range replays {
		v.finish().wants(t, 0)
	}
}
