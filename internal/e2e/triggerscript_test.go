package e2e

import (
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
)

// scriptOfRules decides as triggerRules do.
const scriptOfRules = `import drp
ts = drp.TriggerSource()
many, few, background = ts.reason("many"), ts.reason("few", prescale=5), ts.reason("background")
for batch in ts.batches():
    spots, others = batch.sum("spots"), batch.prescale(9)
    batch.accept = (spots > 0) | others
    batch.monitor = (spots >= 6) * 1 + others * 2
    for which, reason in ((others, background), (spots > 0, few), (spots >= 6, many)):
        batch.reason[which] = reason
`

// inThree runs the segments of a run in three processes, and gives what was recorded; contributions are as of one process.
func inThree(t *testing.T, files []string, script, at string, more ...string) (all [3][]decision) {
	t.Helper()
	var three []*invocation
	for s, file := range files {
		three = append(three, pipeline(t, append([]string{"-s", file, "-w", "1", "-p", script, "-o", t.TempDir(), "--partition", "tst",
			"--teb", at, "--contributor", fmt.Sprint("cam_", s)}, more...)...).start())
	}
	for s, v := range three {
		o := v.finish().wants(t, 0)
		if t.Failed() {
			continue // there may be nothing to look at
		}
		for _, d := range decisionsOf(t, o.dataFiles(t)[0]) {
			if d.contributions != 7 {
				t.Errorf("process %d: %+v", s, d)
			}
			d.contributions = 1
			all[s] = append(all[s], d)
		}
		if b := o.balanced(t); b.Recorded != len(all[s]) {
			t.Errorf("%d are recorded: %+v", len(all[s]), b)
		}
	}
	return all
}

// TestTriggerProcessesAreKilled: their events are decided by those that take their places, in order and no other way.
func TestTriggerProcessesAreKilled(t *testing.T) {
	t.Parallel()
	const events = 3000
	all, script := triggerCamera.Run(events), testkit.Script(t, countsSpots)
	var parts []string
	for s := range 3 {
		parts = append(parts, testkit.File(t, segmentOf(all, s)...))
	}
	one := pipeline(t, "-s", testkit.File(t, all...), "-w", "2", "-p", script, "-o", t.TempDir(), "--trigger", rulesFile(t, triggerRules)).
		run().wants(t, 0)
	want := decisionsOf(t, one.dataFiles(t)[0])
	const processes = 3 // one stands by
	server, at := builderBy(t, "tcp://127.0.0.1:0", "-t", deciderFile(t, "script.yaml", triggerScript), "--trigger-workers", "2", "--trigger-deadline", "90s",
		"--contributors", "cam_0,cam_1,cam_2")
	over := make(chan int)
	stop := make(chan struct{})
	go func() {
		rng := rand.New(rand.NewPCG(uint64(os.Getpid()), 1))
		killed := 0
		for {
			select {
			case <-stop:
				over <- killed
				return
			case <-time.After(time.Duration(50+rng.IntN(300)) * time.Millisecond):
			}
			pids := slices.DeleteFunc(testkit.Children(server.PID()), func(pid int) bool { return !testkit.RunsScript(pid) })
			if len(pids) == processes && syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL) == nil {
				killed++
			}
		}
	}()
	recorded := inThree(t, parts, script, at, "--rate", "1000", "--trigger-deadline", "90s")
	close(stop)
	killed := <-over
	for s, got := range recorded {
		if !slices.Equal(got, want) {
			failed := slices.ContainsFunc(got, func(d decision) bool { return d.reason == "failed" })
			t.Errorf("process %d of three recorded %d, want %d; a batch met two deaths: %v", s, len(got), len(want), failed)
		}
	}
	if killed == 0 {
		t.Error("no process was killed")
	}
	ended(t, server, "events "+strconv.Itoa(events)+": ", "3 let in")
}
