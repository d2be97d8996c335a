package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// goldenEvents are those of the run whose decisions are in testdata.
const goldenEvents = 200

// deciders decide alike: what is recorded of the golden run does not depend on which of them is asked, nor on who asks.
var deciders = []struct {
	name, file, text string
	flags            []string
}{
	{"rules", "rules.yaml", triggerRules, patience},
	{"script", "script.yaml", triggerScript, patience},
	{"script in four", "script.yaml", triggerScript, append([]string{"--trigger-workers", "4"}, patience...)},
}

// patience is longer than any machine is busy with something else.
var patience = []string{"--trigger-deadline", "90s"}

// triggerScript has scriptOfRules decide as triggerRules do.
const triggerScript = "script: decides.py\nprescale: {0: 11}\nprescale_seed: 3\n"

// deciderFile writes what one of them goes by.
func deciderFile(t *testing.T, name, text string) string {
	t.Helper()
	folder := t.TempDir()
	testkit.WriteFile(t, filepath.Join(folder, "decides.py"), scriptOfRules)
	testkit.WriteFile(t, filepath.Join(folder, name), text)
	return filepath.Join(folder, name)
}

// dataFile is the only chunk that was recorded.
func (o outcome) dataFile(t *testing.T) string {
	t.Helper()
	all := o.dataFiles(t)
	if len(all) != 1 {
		t.Fatalf("there are the files %q", all)
	}
	return all[0]
}

// golden is what is recorded of the golden run: pulse ID, reason, whether it is kept for that and whether by the prescaler, and
// monitors.
func golden(t *testing.T) (lines []string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "golden.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "#") {
			lines = append(lines, strings.TrimSpace(line))
		}
	}
	return lines
}

// goldenLines are decisions as golden has them; those that are not kept are left out.
func goldenLines(t *testing.T, all []decision, contributions uint64) (lines []string) {
	t.Helper()
	for _, d := range all {
		if d.contributions != contributions || d.damage != 0 {
			t.Errorf("%+v", d)
		}
		if d.persist+d.prescaled > 0 {
			lines = append(lines, fmt.Sprintf("%d %s %d %d %d", d.pulse, d.reason, d.persist, d.prescaled, d.monitor))
		}
	}
	return lines
}

func checkGolden(t *testing.T, who string, got []string) {
	t.Helper()
	if want := golden(t); !slices.Equal(got, want) {
		t.Errorf("%s:\n%s\nwant:\n%s", who, strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestGolden: the golden lines are what the spots of the golden run make right.
func TestGolden(t *testing.T) {
	var all []decision
	for _, line := range golden(t) {
		var d decision
		if _, err := fmt.Sscan(line, &d.pulse, &d.reason, &d.persist, &d.prescaled, &d.monitor); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		all = append(all, d)
	}
	checkAgainstTruth(t, all, goldenEvents)
}

// TestGoldenTrigger: one process or three, with the trigger inside or alone, the same events are recorded for the same
// reasons.
func TestGoldenTrigger(t *testing.T) {
	t.Parallel()
	script := testkit.Script(t, countsSpots)
	for _, d := range deciders {
		path := deciderFile(t, d.file, d.text)
		by := append([]string{"-t", path}, d.flags...)
		t.Run(d.name+" in one process", func(t *testing.T) {
			t.Parallel()
			o := pipeline(t, append([]string{"-s", testkit.File(t, triggerCamera.Run(goldenEvents)...), "-w", "2", "-p", script, "-o", t.TempDir(),
				"--trigger", path}, d.flags...)...).run().wants(t, 0)
			got := decisionsOf(t, o.dataFile(t))
			checkGolden(t, "one process", goldenLines(t, got, 1))
			if b := o.balanced(t); b.Vetoed != goldenEvents-len(got) || b.Recorded != len(got) {
				t.Errorf("%+v", b)
			}
			readOffline(t, o.dataFile(t), 0, "cam_0")
		})
		t.Run(d.name+" beside one process", func(t *testing.T) {
			t.Parallel()
			server, at := builderBy(t, "ipc://"+filepath.Join(socketFolder(t), "teb"), slices.Concat(by, []string{"--wait", "1m", "--contributors", "cam_0"})...)
			o := pipeline(t, "-s", testkit.File(t, triggerCamera.Run(goldenEvents)...), "-w", "2", "-p", script, "-o", t.TempDir(),
				"--partition", "tst", "--teb", at, patience[0], patience[1]).run().wants(t, 0)
			got := goldenLines(t, decisionsOf(t, o.dataFile(t)), 1)
			checkGolden(t, "beside one process", got)
			ended(t, server, fmt.Sprintf("events %d: %d kept, 0 by default", goldenEvents, len(got)), "1 let in")
		})
		t.Run(d.name+" beside three processes", func(t *testing.T) {
			t.Parallel()
			names := map[string]int{}
			for s, o := range threeProcesses(t, by, script) {
				ownSegments(t, o.dataFile(t), names)
				checkGolden(t, fmt.Sprintf("process %d of three", s), goldenLines(t, decisionsOf(t, o.dataFile(t)), 7))
				readOffline(t, o.dataFile(t), s, "cam_0", "cam_1", "cam_2")
			}
		})
	}
}

// threeProcesses reads the golden run in three, and lets one trigger decide.
func threeProcesses(t *testing.T, by []string, script string, flags ...string) (all []outcome) {
	t.Helper()
	run := triggerCamera.Run(goldenEvents)
	server, at := builderBy(t, "tcp://127.0.0.1:0", slices.Concat(by, []string{"--wait", "1m", "--contributors", "cam_0,cam_1,cam_2"})...)
	var three []*invocation
	for s := range 3 {
		three = append(three, pipeline(t, append([]string{"-s", testkit.File(t, segmentOf(run, s)...), "-w", strconv.Itoa(1 + s), "-p", script, "-o",
			t.TempDir(), "--partition", "tst", "--teb", at, "--contributor", fmt.Sprint("cam_", s), "--stream", strconv.Itoa(s), patience[0], patience[1]}, flags...)...).start())
	}
	for _, v := range three {
		all = append(all, v.finish().wants(t, 0))
	}
	ended(t, server, fmt.Sprintf("events %d: %d kept, 0 by default", goldenEvents, len(golden(t))), "3 let in")
	return all
}

// ownSegments finds what psana refuses: two streams with the same segment of the same algorithm.
func ownSegments(t *testing.T, path string, seen map[string]int) {
	t.Helper()
	table, err := xtc.ReadConfigure(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range table.All() {
		name := fmt.Sprint(n.DetName, " ", n.Alg, " ", n.Segment)
		if seen[name]++; seen[name] > 1 && n.DetName != "runinfo" && n.DetName != "smdinfo" && n.DetName != "chunkinfo" {
			t.Errorf("two streams have %s", name)
		}
	}
	for _, own := range []string{"teb decision", "teb contribution", "teb reasons", "trigger input", "drp books"} {
		if names := table.Find(strings.Fields(own)[0], strings.Fields(own)[1]); len(names) != 1 {
			t.Errorf("%s has %d Names of %s", path, len(names), own)
		}
	}
}

// readOffline lets a script read what a contributor has recorded of the golden run.
func readOffline(t *testing.T, path string, contributor int, names ...string) {
	t.Helper()
	offline(t, path, fmt.Sprintf(`
import sys
from drp import DataSource
for run in DataSource().runs():
    det, n = run.Detector("teb"), 0
    known = det.config()
    reasons = known.reasons.split("\n")
    assert reasons[5:] == ["many", "few", "background"] and list(known.prescale) == [0, 0, 0, 0, 0, 0, 5, 0], known
    assert known.contributors == %q, known
    assert known.schema == "drp-contribution 1\ncontributor cam_%d\nspots f64\n", known
    for evt in run.events():
        n += 1
        assert det.decision.persist(evt) or det.decision.prescaled(evt)
        assert det.decision.pulse(evt) == evt.timestamp
        assert det.decision.contributions(evt) == %d
        reason = reasons[det.decision.reason(evt)]
        spots = det.contribution.spots(evt)
        assert spots == int(spots) and det.contribution.damage(evt) == 0
        assert reason in ("many", "few") if spots else reason in ("many", "few", "background", "prescale"), (reason, spots)
    assert n == int(sys.argv[1]), n
`, strings.Join(names, "\n"), contributor, 1<<len(names)-1), len(golden(t)))
}
