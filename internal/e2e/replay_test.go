package e2e

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// replayed is a line of drp teb replay -v --json: an event, or in the end all of them.
type replayed struct {
	Pulse    uint64
	Now, Was struct {
		Persist, Prescaled bool
		Monitor            uint64
		Reason             string
	}
	Events, Kept, Same, Read         int
	Lacking, Incomplete, Disagreeing int
	KeptThen                         int `json:"kept_then"`
	Reasons                          []replayedReason
}

type replayedReason struct {
	Reason       string
	Events, Kept int
	Then         int `json:"events_then"`
	KeptThen     int `json:"kept_then"`
}

// replays runs drp teb replay, and gives its report; lines are what is kept now, as golden has it.
func replays(t *testing.T, by []string, files ...string) (all replayed, lines []string) {
	t.Helper()
	o := prepare(t, nil, slices.Concat([]string{"teb", "replay", "--python", testkit.Python(t), "-v", "--json"}, by, files)...).run().wants(t, 0)
	list := strings.Split(strings.TrimSpace(o.stdout), "\n")
	for i, line := range list {
		var r replayed
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if i == len(list)-1 {
			return r, lines
		}
		bit := map[bool]int{true: 1}
		if r.Now.Persist || r.Now.Prescaled {
			lines = append(lines, fmt.Sprintf("%d %s %d %d %d", r.Pulse, r.Now.Reason, bit[r.Now.Persist], bit[r.Now.Prescaled], r.Now.Monitor))
		}
	}
	return all, lines
}

// TestReplay: a run of which everything is recorded can be decided again, by the same trigger with the same outcome and by
// others; the files of three processes like that of one.
func TestReplay(t *testing.T) {
	t.Parallel()
	script := testkit.Script(t, countsSpots)
	for _, d := range deciders {
		t.Run(d.name, func(t *testing.T) {
			t.Parallel()
			path := deciderFile(t, d.file, d.text)
			by := append([]string{"-t", path}, d.flags...)
			one := pipeline(t, slices.Concat([]string{"-s", testkit.File(t, triggerCamera.Run(goldenEvents)...), "-w", "2", "-p", script, "-o",
				t.TempDir(), "--trigger-keep-all", "--chunk-bytes", "500KB", "--trigger", path}, d.flags)...).run().wants(t, 0)
			if b := one.balanced(t); b.Recorded != goldenEvents || b.Unwanted != goldenEvents-len(golden(t)) || b.Vetoed != 0 {
				t.Errorf("%+v", b)
			}
			if n := len(one.dataFiles(t)); n < 3 {
				t.Errorf("%d chunks", n)
			}
			checkReplay(t, by, 1, one.dataFiles(t)...)
			checkReplay(t, by, 1, one.dataFiles(t)[0]) // the others are found

			var files []string
			for s, o := range threeProcesses(t, by, script, "--trigger-keep-all") {
				all := decisionsOf(t, o.dataFile(t))
				checkGolden(t, fmt.Sprintf("process %d of three", s), goldenLines(t, all, 7))
				if len(all) != goldenEvents {
					t.Errorf("process %d: %d events", s, len(all))
				}
				files = append(files, o.dataFile(t))
			}
			slices.Reverse(files)
			checkReplay(t, by, 3, files...)
			otherRules(t, files)
		})
	}
}

// checkReplay has the golden run decided again by who decided it.
func checkReplay(t *testing.T, by []string, contributors int, files ...string) {
	t.Helper()
	all, lines := replays(t, by, files...)
	checkGolden(t, fmt.Sprintf("replay of %d files", len(files)), lines)
	if all.Events != goldenEvents || all.Same != goldenEvents || all.Kept != len(golden(t)) || all.Kept != all.KeptThen ||
		all.Read != contributors*goldenEvents || all.Lacking+all.Incomplete+all.Disagreeing != 0 {
		t.Errorf("%+v", all)
	}
}

// otherRules lets others decide about what three processes have recorded, and about what two of them have.
func otherRules(t *testing.T, files []string) {
	t.Helper()
	others := rulesFile(t, `rules: [{name: some, when: "sum(c.spots) >= 5 and cam_2.present", persist: true, monitor: 2}]`)
	some, most := 0, 0
	for n := range goldenEvents {
		if triggerCamera.Spots(n) >= 5 {
			some++
		}
		without := 0 // segment 0
		for k := range triggerCamera.Spots(n) {
			if segment, _, _ := triggerCamera.Spot(n, k); segment != 0 {
				without++
			}
		}
		if without >= 6 {
			most++
		}
	}
	all, _ := replays(t, []string{"-t", others}, files...)
	if at := slices.IndexFunc(all.Reasons, func(r replayedReason) bool { return r.Reason == "some" }); at < 0 ||
		all.Reasons[at] != (replayedReason{Reason: "some", Events: some, Kept: some}) || all.Kept != some || all.Same >= goldenEvents {
		t.Errorf("%d events have so many spots: %+v", some, all)
	}
	o := prepare(t, nil, "teb", "replay", "-t", rulesFile(t, `rules: [{name: most, when: "sum(c.spots) >= 6", persist: true}]`), files[0], files[1]).
		run().wants(t, 0, "contributor cam_0 of the partition has none of the files")
	share := fmt.Sprintf("%.3g %%", 100*float64(most)/goldenEvents)
	for _, said := range []string{fmt.Sprintf("events 200 of cam_1, cam_2: %d (%s) kept, and 89 (44.5 %%) in the run", most, share),
		"reason events kept share in the run kept in it", fmt.Sprintf(" most %d %d %s 0 0 ", most, most, share), " many 0 0 0 % 60 60 ",
		fmt.Sprintf(" all 200 %d %s 200 89 readout group", most, share)} {
		if !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), said) {
			t.Errorf("%q is not printed:\n%s", said, o.stdout)
		}
	}
}

// TestReplayOfWhatWasKept: without the others it is said that they are missing.
func TestReplayOfWhatWasKept(t *testing.T) {
	t.Parallel()
	rules := rulesFile(t, triggerRules)
	o := pipeline(t, "-s", testkit.File(t, triggerCamera.Run(goldenEvents)...), "-w", "1", "-p", testkit.Script(t, countsSpots), "-o", t.TempDir(),
		"--trigger", rules, patience[0], patience[1]).run().wants(t, 0)
	file := o.dataFile(t)
	replay := func(args ...string) *invocation {
		return prepare(t, nil, append([]string{"teb", "replay"}, args...)...)
	}
	r := replay("-t", rules, "-v", "--changed", file).run().wants(t, 0)
	if !strings.Contains(r.stdout, "the files have only events that the run kept; --trigger-keep-all") || strings.Contains(r.stdout, "(many)  keep") {
		t.Error(r.stdout)
	}
	replay(file).run().wants(t, 2, "no rules: give a file or a script with -t")
	replay("-t", rules).run().wants(t, 2, "name recorded files")
	replay("-t", rules, "--changed", file).run().wants(t, 2, "--changed is about the list that -v prints")
	replay("-t", filepath.Join(testkit.Root(), "scripts", "trigger_expr.yaml"), file).run().
		wants(t, 3, "unknown field peaks", "there are: prescale(n)", "cam_0.spots (f64)")
	replay("-t", rules, testkit.File(t, triggerCamera.Run(3)...)).run().wants(t, 4, "it has no contributions: record it with --trigger")
	replay("-t", rules, file, file).run().wants(t, 4, "both are of contributor cam_0: name one of them")
	pipeline(t, "-p", testkit.Script(t, countsSpots), "--trigger-keep-all").run().wants(t, 2, "are for --trigger or --teb")
}

// TestRulesThatCome: the rules that come with drp keep the hits of a simulated camera, and some of the background.
func TestRulesThatCome(t *testing.T) {
	t.Parallel()
	const events = 300
	scripts := filepath.Join(testkit.Root(), "scripts")
	rules := filepath.Join(scripts, "trigger_expr.yaml")
	o := pipeline(t, "-s", "sim:segments=1,hits=0.2", "--events", fmt.Sprint(events), "-w", "2", "-p", filepath.Join(scripts, "passthrough.py"),
		"--hits", "peakfinder8", "--trigger", rules, "--trigger-keep-all", "-o", t.TempDir(), patience[0], patience[1]).run().wants(t, 0)
	file := o.dataFile(t)
	seen := map[string]int{}
	table, reasons := xtc.NewTable(), []string(nil)
	for _, d := range testkit.Dgrams(t, file) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		peaks, contributed, reason := uint64(0), uint64(0), ""
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			number := func(name string) uint64 { v, _ := b.FieldNamed(name); return v.Uint64() }
			switch b.Names.Alg {
			case "reasons":
				v, _ := b.FieldNamed("reasons")
				reasons = strings.Split(v.String(), "\n")
			case "decision":
				reason = reasons[number("reason")]
			case "contribution":
				contributed = number("peaks")
			case "hits":
				peaks = number("peaks")
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		seen[reason]++
		if peaks != contributed || peaks >= 15 != (reason == "hit") {
			t.Errorf("%d peaks were found, %d contributed, and the reason is %s", peaks, contributed, reason)
		}
	}
	if seen["hit"] < events/8 || seen["hit"] > events/3 || seen["background"] < 1 || seen["background"] > events/100 ||
		seen["hit"]+seen["background"]+seen["crowded"]+seen["rejected"] != events {
		t.Errorf("%v", seen)
	}
	if all, _ := replays(t, []string{"-t", rules}, file); all.Same != events {
		t.Errorf("%+v", all)
	}
}
