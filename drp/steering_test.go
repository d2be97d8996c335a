package drp_test

import (
	"regexp"
	"strconv"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

var fromEvent = regexp.MustCompile(`generation 2: level 5 -> 7 \(the test\), from event (\d+) on`)

// TestTheLogCountsEventsAsTheFile: the event from which on a setting holds has the same number in both, the first being 0.
func TestTheLogCountsEventsAsTheFile(t *testing.T) {
	script := strings.Replace(liveText(1, "pass"), "\npass\n", "\nlevel = ds.param(\"level\", 5)\n", 1)
	script = strings.Replace(script, "out.text = ", "out.text = 100 * level.value + ", 1)
	r := startLive(t, script, func(cfg *drp.Config) { cfg.Sources = []string{smallSim + ",events=100000"} })
	r.events(20)
	if _, err := r.run.Set(map[string]any{"level": 7}, "the test"); err != nil {
		t.Fatal(err)
	}
	r.until("the change", func() bool { return r.run.Settings().Applied == 2 })
	r.events(20)
	r.end()
	said := fromEvent.FindStringSubmatch(r.log.String())
	if said == nil {
		t.Fatalf("the log does not say it:\n%s", r.log)
	}
	if want := firstWith(t, r.sum.Files[0], 701); said[1] != strconv.Itoa(want) {
		t.Errorf("the log says event %s, and the file has it from event %d on", said[1], want)
	}
}

// firstWith gives the index of the first recorded event in which the script has said something; -1 is none.
func firstWith(t *testing.T, path string, text uint64) int {
	t.Helper()
	table, at := xtc.NewTable(), 0
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		for it := table.Blocks(d); it.Next(); {
			if b := it.Block(); b.Names.Alg == "live" && value(t, b, "text") == text {
				return at
			}
		}
		at++
	}
	return -1
}
