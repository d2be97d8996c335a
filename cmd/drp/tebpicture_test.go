package main

import (
	"strings"
	"testing"
	"time"

	"drp/watch"
)

// TestAPictureOfABuilder has what it decides and who contributes, and a row among those of runs.
func TestAPictureOfABuilder(t *testing.T) {
	var h watch.Histogram
	h.Add(3 * time.Millisecond)
	before := watch.Status{PID: 8, Seconds: 1, Trigger: &watch.Trigger{},
		Builder: &watch.Builder{Events: 100, Contributors: []watch.Contributor{{Name: "cam_0", Rows: 50}, {Name: "cam_1"}}}}
	now := watch.Status{PID: 8, Host: "node", Partition: "tst", State: "running", Seconds: 3,
		Trigger: &watch.Trigger{Waiting: 4, Latency: h.Latency(), Decisions: []watch.Decision{{Reason: "hit", Count: 90}}},
		Builder: &watch.Builder{Rules: "rules.yaml", Events: 300, Kept: 90, Defaulted: 2, Transitions: 7, InWindow: 5, Complete: 280, TimedOut: 11, Absent: 12,
			Skipped: 13, Let: 3, Refused: 14, Unfit: 15,
			Contributors: []watch.Contributor{{Name: "cam_0", Present: true, Rows: 250, Late: 16, Missing: 17}, {Name: "cam_1"}}}}
	picture := strings.Join(pictureOf(&before, &now), "\n")
	for _, want := range []string{"drp teb 8 on node of partition tst: running for 3s\nrules.yaml\n",
		"events 300: 100/s, kept 90, not decided in time 2; transitions 7; waiting for contributions 5\n",
		"complete 280, without a contribution that came too late 11, of somebody gone 12, of somebody who skipped it 13\n",
		"connections let in 3, refused 14, unfit 15\n", "trigger: waiting 4, decided within 4.1ms 4.1ms; hit 90\n"} {
		if !strings.Contains(picture, want) {
			t.Errorf("%q is not in\n%s", want, picture)
		}
	}
	for name, want := range map[string]string{"cam_0": "yes 100 250 16 17", "cam_1": "no 0 0 0 0"} {
		if !strings.Contains(strings.Join(strings.Fields(picture), " "), name+" "+want) {
			t.Errorf("%s %s is not in\n%s", name, want, picture)
		}
	}
	lines := severalTable(map[int]*watch.Status{8: &before}, []seen{{status: &now}})
	if got := strings.Join(strings.Fields(lines[1]), " "); got != "8 tst running 300 100 9 4.1ms drp teb, rules.yaml; kept 90, late 16, not in time 2" {
		t.Errorf("%s", got)
	}
	if at := strings.Index(lines[0], "  script"); strings.Index(lines[1], "4.1ms")+len("4.1ms") != at+len("  script 99 %") {
		t.Errorf("the columns are not below their names:\n%s\n%s", lines[0], lines[1])
	}
}
