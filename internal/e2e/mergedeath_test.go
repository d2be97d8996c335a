package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// gated is a partition of two halves of one camera, the second of which goes on with its events while there is a file.
const gated = `
partition: gated
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded, deadline: 90s}
drp:
  x0: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=20", monitor: tst/x0}
  x1: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=20,first=1", monitor: tst/x1, script: FOLDER/gate.py}
`

// TestNothingIsMissedBehindADeath: a process that was killed and is back has a reader in its queue who is still about what it left
// before, and he misses nothing of it. One who was about a single event for all that time knows how much he has missed.
func TestNothingIsMissedBehindADeath(t *testing.T) {
	t.Parallel()
	for _, reader := range []string{"slow", "stopped"} {
		t.Run(reader, func(t *testing.T) {
			t.Parallel()
			s := newSite(t, gated)
			gate, goOn, quick := filepath.Join(s.folder, "gate"), filepath.Join(s.folder, "go on"), filepath.Join(s.folder, "quick")
			testkit.WriteFile(t, gate, "")
			testkit.WriteFile(t, filepath.Join(s.folder, "gate.py"), fmt.Sprintf(`
import os, time
from drp import DataSource

for run in DataSource().runs():
    for evt in run.events():
        while not os.path.exists(%q):
            time.sleep(0.01)
`, gate))
			p := testkit.Prepare(t, nil, testkit.Python(t), testkit.Script(t, `
import os, sys, time
import drp

go_on, quick = sys.argv[1:]
with drp.monitor("tst/x0", "tst/x1", wait=60) as watched:
    last, back = -1, 0
    for evt in watched:
        if last < 0:
            print("all", flush=True)
            while not os.path.exists(go_on):
                time.sleep(0.05)
        if not os.path.exists(quick):
            time.sleep(1)  # what waits shall last for a while
        part = evt.parts.get("tst/x1")
        if part is None:
            continue
        if part.number < last:
            print("back", part.number, part.missed, flush=True)
        if part.number < last or back:
            back += 1
            assert back == 1 or (part.number == last + 1 and part.missed == 0), (back, part.number, part.missed)
            if back == 10:
                break
        else:
            print("left", part.number, flush=True)
        last = part.number
print("over")
`), goOn, quick)
			p.Cmd.Env = append(p.Cmd.Env, "XDG_RUNTIME_DIR="+s.runDir)
			s.up()
			s.ctl("state", "enabled")
			p.Start()
			says(t, p, "all")
			s.more(60, "x0", "x1")
			s.kill("x1")
			if reader == "slow" {
				if err := os.Remove(gate); err != nil {
					t.Fatal(err)
				}
				testkit.WriteFile(t, goOn, "")
			}
			s.up()
			if reader == "slow" {
				s.watchedTimes("x1", 2)
				testkit.WriteFile(t, gate, "")
			}
			left := strings.Count(p.Stdout.String(), "left")
			s.until("x1", "some events on", func(p processStatus) bool { return p.Events >= 20 })
			testkit.WriteFile(t, quick, "")
			testkit.WriteFile(t, goOn, "")
			says(t, p, "over")
			var number, missed int
			_, said, _ := strings.Cut(p.Stdout.String(), "back")
			if _, err := fmt.Sscan(said, &number, &missed); err != nil || missed != number || (number >= 20) != (reader == "stopped") {
				t.Errorf("it said %q: %v", said, err)
			}
			if strings.Count(p.Stdout.String(), "left") == left {
				t.Error("it came when it had read all that was left")
			}
			s.down()
		})
	}
}

// watchedTimes waits until a process, or those of its name before it, have let in so many who watch.
func (s *site) watchedTimes(name string, times int) {
	s.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool {
		n := 0
		logs, _ := filepath.Glob(filepath.Join(s.folder, "log", name+"*.log"))
		for _, log := range logs {
			said, _ := os.ReadFile(log)
			n += strings.Count(string(said), "is watched by process")
		}
		return n == times
	}) {
		s.t.Fatalf("%s: nobody watches", name)
	}
}
