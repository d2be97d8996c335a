package drp_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	tebscript "drp/teb/script"
	"drp/watch"
	"drp/xtc"
)

// steeredTrigger says with each decision what its parameters were.
const steeredTrigger = `import drp
ts = drp.TriggerSource()
level = ts.param("level", 1, min=0, max=1000, doc="of nothing")
word = ts.param("word", "low", choices=["low", "high"])
low, high = ts.reason("low"), ts.reason("high")
for batch in ts.batches():
    batch.accept = True
    batch.monitor[:] = level.value
    batch.reason[:] = high if word.value == "high" else low
`

// TestATriggerScriptIsSteered: what is set holds for all processes of the script from one batch on, and each decision is recorded
// with the generation that it was made with.
func TestATriggerScriptIsSteered(t *testing.T) {
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Trigger = &drp.Trigger{Deadline: time.Minute, Script: &tebscript.Config{Script: testkit.Script(t, steeredTrigger), Workers: 3}}
		cfg.Settings = map[string]any{"trigger.level": "5"}
	})
	r.events(50)
	if _, err := r.run.Set(map[string]any{"trigger.level": -1, "level": 3}, "me"); err == nil || !strings.Contains(err.Error(), "-1 is less than 0") ||
		!strings.Contains(err.Error(), "did you mean trigger.level?") {
		t.Errorf("what cannot be is not refused: %v", err)
	}
	want := map[uint64][2]any{1: {uint64(5), "low"}}
	set := func(values map[string]any, level uint64, word string) {
		generation, err := r.run.Set(values, "me")
		if err != nil {
			t.Fatal(err)
		}
		want[uint64(generation)] = [2]any{level, word}
		r.until("the change", func() bool { return r.run.Settings().Applied == generation })
		r.events(50)
	}
	set(map[string]any{"trigger.level": 7, "trigger.word": "high"}, 7, "high")
	set(map[string]any{"trigger.level": 9}, 9, "high")
	r.end()
	seen := steeredDecisions(t, r.sum.Files[0])
	last := uint64(0)
	for i, d := range seen {
		if d.level != d.monitor || d.word != d.reason || d.generation != d.settings {
			t.Fatalf("decision %d of generation %d, monitor %d and reason %s is recorded with %d: level %d and word %s", i, d.settings, d.monitor, d.reason,
				d.generation, d.level, d.word)
		}
		if d.settings < last || [2]any{d.monitor, d.reason} != want[d.settings] {
			t.Fatalf("decision %d of generation %d, behind %d, has monitor %d and reason %s; want %v", i, d.settings, last, d.monitor, d.reason, want)
		}
		last = d.settings
	}
	if last != 3 || len(seen) < 150 || seen[0].settings != 1 {
		t.Errorf("%d decisions, the first of generation %d and the last of %d", len(seen), seen[0].settings, last)
	}
}

// TestATriggerScriptIsReloaded with the others, at the next step, or none of them is where one cannot be.
func TestATriggerScriptIsReloaded(t *testing.T) {
	decides := testkit.Script(t, strings.ReplaceAll(steeredTrigger, "level.value", "level.value + 10"))
	r := startLive(t, liveText(1, "pass"), func(cfg *drp.Config) {
		cfg.Trigger = &drp.Trigger{Deadline: time.Minute, Script: &tebscript.Config{Script: decides, Workers: 2}}
	})
	r.events(50)
	r.write(liveText(2, "pass"))
	testkit.WriteFile(t, decides, strings.ReplaceAll(steeredTrigger, "level.value", "level.value // 0"))
	for _, asked := range []watch.Reload{{}, {Check: true}} {
		reload := r.run.Reload
		if asked.Check {
			reload = r.run.TryReload
		}
		if _, err := reload(t.Context(), asked); err == nil || !strings.Contains(err.Error(), "trigger script "+decides+": it ") || !strings.Contains(err.Error(), "ZeroDivisionError") {
			t.Errorf("it is not refused: %v", err)
		}
	}
	r.events(100) // of more than a step
	testkit.WriteFile(t, decides, strings.ReplaceAll(steeredTrigger, "level.value", "level.value + 20"))
	tried, err := r.run.TryReload(t.Context(), watch.Reload{Check: true})
	if err != nil || !strings.Contains(tried.Trigger, ": only tried, tried on the event of pulse ") {
		t.Errorf("%+v, %v", tried, err)
	}
	got, err := r.run.Reload(t.Context(), watch.Reload{})
	if err != nil || !strings.Contains(got.Trigger, ": taken at the next step, tried on the event of pulse ") || got.State != "taken at the next step" {
		t.Errorf("%+v, %v", got, err)
	}
	r.inUse(2)
	r.events(100)
	r.end()
	seen, changed, before := r.recorded().texts, 0, uint64(11)
	for _, d := range r.decisions() {
		if d != before {
			changed++
		}
		before = d
	}
	if fmt.Sprint(seen) != "[1 2]" || changed != 1 || before != 21 {
		t.Errorf("the texts are %v; the trigger changes %d times, to %d", seen, changed, before)
	}
}

// decisions gives the masks of monitors of the events, in order.
func (r *liveRun) decisions() (all []uint64) {
	r.t.Helper()
	for i := 0; i < len(r.sum.Files); i += 2 { // the others are of small data
		for _, d := range steeredDecisions(r.t, r.sum.Files[i]) {
			all = append(all, d.monitor)
		}
	}
	return all
}

// steeredDecision is what was decided about an event, and the parameters that it was recorded with.
type steeredDecision struct {
	monitor, settings, generation, level uint64
	reason, word                         string
}

// steeredDecisions reads what was decided about events.
func steeredDecisions(t *testing.T, path string) (all []steeredDecision) {
	t.Helper()
	table, reasons := xtc.NewTable(), []string{}
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			switch b.Names.DetName + " " + b.Names.Alg {
			case "teb reasons":
				v, _ := b.FieldNamed("reasons")
				reasons = strings.Split(v.String(), "\n")
			case "teb decision":
				if d.Service().IsEvent() {
					all = append(all, steeredDecision{monitor: value(t, b, "monitor"), settings: value(t, b, "settings"), reason: reasons[value(t, b, "reason")]})
				}
			case "settings trigger":
				last := &all[len(all)-1] // it stands behind the decision
				last.generation, last.level, last.word = value(t, b, "generation"), value(t, b, "level"), textOf(t, b, "word")
			}
		}
	}
	return all
}
