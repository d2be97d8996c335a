package drp_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/teb"
	tebscript "drp/teb/script"
	"drp/xtc"
)

// scripted lets a script decide about the events of numbering, or of another script.
func scripted(t testing.TB, script, decides string, workers int, args ...string) drp.Config {
	t.Helper()
	cfg := triggered(t, script)
	cfg.Trigger = &drp.Trigger{Deadline: time.Minute, Script: &tebscript.Config{Script: decides, Args: args, Workers: workers}}
	return cfg
}

// TestTriggerByScript: what rules decide a script decides as well, in one process or several.
func TestTriggerByScript(t *testing.T) {
	script := testkit.Script(t, strings.Replace(numbering, "ds.add_data(alg=\"count\", n=int)\n", "", 1))
	recorded := func(t *testing.T, cfg drp.Config) []decided {
		cfg.Trigger.Prescale[0] = 15
		s, err := run(t, cfg)
		if err != nil || s.Defaulted != 0 {
			t.Fatalf("%v, %+v", err, s)
		}
		return decisions(t, s.Files[0])
	}
	var want []decided
	t.Run("rules", func(t *testing.T) {
		testkit.NoLeaks(t)
		want = recorded(t, triggered(t, script, teb.Rule{Name: "third", When: "any(c.third, # > 0) and sum(c.n) >= 20", Persist: true, Monitor: 5},
			teb.Rule{Name: "broken", When: "cam_0.damage > 0", Persist: true}))
	})
	for _, workers := range []int{1, 4} {
		t.Run(fmt.Sprint(workers), func(t *testing.T) {
			testkit.NoLeaks(t)
			got := recorded(t, scripted(t, script, testkit.Script(t, `import drp
ts = drp.TriggerSource()
third, broken = ts.reason("third"), ts.reason("broken")
for batch in ts.batches():
    cam = batch["cam_0"]
    is_third = (cam["third"] > 0) & (cam["n"] >= 20)
    batch.accept = is_third | (cam["damage"] > 0)
    batch.monitor[is_third] = 5
    batch.reason[cam["damage"] > 0] = broken
    batch.reason[is_third] = third
`), workers))
			if len(want) == 0 || !slices.Equal(got, want) {
				t.Errorf("recorded: %+v\nwant: %+v", got, want)
			}
		})
	}
}

// TestTriggerScriptOfHits runs the script that comes with drp: the hits that it names are those with enough photons.
func TestTriggerScriptOfHits(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := hitSettings(t, bundled("passthrough.py"), "finder=photons,photons.adu_per_photon=100", spotRun(60))
	cfg.Trigger = &drp.Trigger{Deadline: time.Minute, Script: &tebscript.Config{Script: bundled("trigger.py"), Args: []string{"20", "10"}, Workers: 2}}
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	events := recordedEvents(t, s.Files[0])
	count := map[string]int{}
	for i, d := range decisions(t, s.Files[0]) {
		enough := events[i].hits != nil && events[i].hits.Photons >= 20
		if count[d.reason]++; enough != (d.reason == "hit") || d.monitor != map[string]uint64{"hit": 1, "background": 2}[d.reason] {
			t.Errorf("%+v of %+v", d, events[i].hits)
		}
	}
	if count["hit"] == 0 || count["background"] == 0 || s.Vetoed == 0 || count["hit"]+count["background"] != int(s.Recorded) {
		t.Errorf("%v, %+v", count, s)
	}
}

// TestTriggerScriptThatIsRefused ends the run at Configure, with what there is.
func TestTriggerScriptThatIsRefused(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := scripted(t, testkit.Script(t, strings.Replace(numbering, "ds.add_data(alg=\"count\", n=int)\n", "", 1)), bundled("trigger.py"), 1, "20")
	r, err := drp.New(t.Context(), cfg)
	if err == nil {
		_, err = r.Run(t.Context())
	}
	var f *drp.Failure
	if !errors.As(err, &f) || f.Kind != drp.Configuration ||
		!strings.Contains(err.Error(), "no contributor has a field photons; there are: cam_0.present, cam_0.damage, cam_0.n, cam_0.third") {
		t.Error(err)
	}
	cfg = scripted(t, bundled("passthrough.py"), bundled("trigger.py"), 65)
	if _, err = drp.New(t.Context(), cfg); !errors.As(err, &f) || f.Kind != drp.Usage {
		t.Error(err)
	}
}

// TestTriggerScriptReadAnew: at a Configure the script is another one, with other reasons; when a run begins it may be one
// with the same reasons.
func TestTriggerScriptReadAnew(t *testing.T) {
	for _, configured := range []bool{true, false} {
		t.Run(fmt.Sprint(configured), func(t *testing.T) { readAnew(t, configured) })
	}
}

func readAnew(t *testing.T, configured bool) {
	t.Helper()
	testkit.NoLeaks(t)
	decides := filepath.Join(t.TempDir(), "trigger.py")
	text := func(reason string, monitor int) string {
		return fmt.Sprintf("import drp\nts = drp.TriggerSource()\nts.reason(%q)\nfor batch in ts.batches():\n    batch.accept, batch.monitor = True, %d\n",
			reason, monitor)
	}
	testkit.WriteFile(t, decides, text("first", 1))
	later := "first"
	first, second := spotRun(20), spotRun(30)
	if configured {
		later = "second"
	} else {
		first = slices.DeleteFunc(first, func(d xtc.Dgram) bool { return d.Service() == xtc.Unconfigure })
		second = slices.DeleteFunc(second, func(d xtc.Dgram) bool { return d.Service() == xtc.Configure })
	}
	script := testkit.Script(t, fmt.Sprintf(`from drp import DataSource
ds = DataSource()
for run in ds.runs():
    for evt in run.events():
        pass
    with open(%q, "w") as out:
        out.write(%q)
`, decides, text(later, 2)))
	for _, d := range second {
		d.SetTime(d.Time() + 2000000)
	}
	cfg := scripted(t, script, decides, 2)
	cfg.Workers, cfg.Sources = 1, []string{testkit.File(t, append(first, second...)...)}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 50 {
		t.Fatalf("%v, %+v", err, s)
	}
	seen := map[string]int{}
	for _, path := range s.Files {
		if !strings.HasSuffix(path, ".smd.xtc2") {
			for _, d := range decisions(t, path) {
				seen[fmt.Sprint(d.reason, " ", d.monitor)]++
			}
		}
	}
	if seen["first 1"] != 20 || seen[later+" 2"] != 30 {
		t.Errorf("%v", seen)
	}
}
