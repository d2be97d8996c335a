package drp_test

import (
	"errors"
	"fmt"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// decided is what a file has of a decision.
type decided struct {
	number    int64
	persist   bool
	prescaled bool
	monitor   uint64
	reason    string
	damage    xtc.Damage
	raw       bool
}

// decisions reads those of a file.
func decisions(t testing.TB, path string) (all []decided) {
	t.Helper()
	table := xtc.NewTable()
	var reasons []string
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		var e decided
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			number := func(name string) uint64 {
				v, ok := b.FieldNamed(name)
				if !ok {
					t.Fatalf("%s %s has no field %s", b.Names.DetName, b.Names.Alg, name)
				}
				return v.Uint64()
			}
			switch b.Names.DetName + " " + b.Names.Alg {
			case "teb reasons":
				v, _ := b.FieldNamed("reasons")
				reasons = strings.Split(string(v.Text()), "\n")
			case "teb decision":
				e.number, e.persist, e.prescaled = int64(number("pulse")), number("persist") != 0, number("prescaled") != 0
				e.monitor, e.reason, e.damage = number("monitor"), reasons[number("reason")], xtc.Damage(number("damage"))
				if number("contributions") != 1 {
					t.Errorf("contributions: %#x", number("contributions"))
				}
			case "cam raw":
				e.raw = true
			}
		}
		if d.Service().IsEvent() {
			if e.reason == "" {
				t.Errorf("an event is recorded without a decision, at %d", d.Time())
			}
			all = append(all, e)
		}
	}
	return all
}

// numbering gives the trigger the number of each event, counts them by itself, and keeps no raw pixels.
const numbering = `from drp import DataSource
ds = DataSource()
ds.add_data(alg="count", n=int)
for run in ds.runs():
    for evt in run.events():
        n = (evt.timestamp - 100) // 10
        if n % 10 == 9:
            evt.reject()
            continue
        if n == 14:
            raise ValueError("not this one")
        evt.trigger(n=n, third=n % 3 == 0)
`

func triggered(t testing.TB, script string, rules ...teb.Rule) drp.Config {
	t.Helper()
	cfg := settings(t, script)
	cfg.Sources, cfg.OutputDir = []string{testkit.File(t, spotRun(60)...)}, t.TempDir()
	cfg.Trigger = &drp.Trigger{Rules: rules, Deadline: time.Minute}
	return cfg
}

// TestTrigger: what is kept is what the rules want, and the record says why.
func TestTrigger(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := triggered(t, testkit.Script(t, strings.Replace(numbering, "ds.add_data(alg=\"count\", n=int)\n", "", 1)),
		teb.Rule{Name: "third", When: "any(c.third, # > 0) and sum(c.n) >= 20", Persist: true, Monitor: 5},
		teb.Rule{Name: "broken", When: "cam_0.damage > 0", Persist: true})
	cfg.Trigger.Prescale[0] = 15
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	var want []string
	rejected := int64(0)
	all := decisions(t, s.Files[0])
	prescaled := map[int64]bool{}
	for _, d := range all {
		prescaled[(d.number-100)/10] = d.prescaled
		if !d.raw {
			t.Errorf("%+v has no raw pixels, and the script left them", d)
		}
	}
	for n := range int64(60) {
		switch {
		case n%10 == 9 && !prescaled[n]:
			rejected++
		case n == 14:
			want = append(want, "14 broken")
		case n%3 == 0 && n >= 20 && n%10 != 9:
			want = append(want, fmt.Sprint(n, " third"))
		case prescaled[n]:
			want = append(want, fmt.Sprint(n, " prescale"))
		}
	}
	var got []string
	for _, d := range all {
		got = append(got, fmt.Sprint((d.number-100)/10, " ", d.reason))
		if d.reason == "third" && (d.monitor != 5 || !d.persist) || d.reason == "broken" && d.damage != xtc.DamageUserDefined {
			t.Errorf("%+v", d)
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("recorded: %v\nwant: %v", got, want)
	}
	if s.Recorded != int64(len(want)) || s.Rejected != rejected || s.Vetoed != 60-rejected-s.Recorded || s.Defaulted != 0 {
		t.Errorf("%+v", s)
	}
	if n := len(prescaled); n == 0 {
		t.Error("nothing was recorded")
	}
}

// TestTriggerOfHits: what hit finding knows is what rules can name, as the script that comes with drp does.
func TestTriggerOfHits(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := hitSettings(t, bundled("passthrough.py"), "statistics=full", spotRun(60))
	cfg.Trigger = &drp.Trigger{Rules: []teb.Rule{
		{Name: "hit", When: "any(c.hit, #) and cam_0.hit and sum(c.count) == cam_0.count and max(c.max) > 0 and sum(c.peaks) > 0", Persist: true},
		{Name: "sums", When: "sum(c.pixels) > 0 and sum(c.total) > 0 and sum(c.photons) >= 0"}}, Deadline: time.Minute}
	s, err := run(t, cfg)
	if err != nil || s.Hits == 0 || s.Recorded != s.Hits || s.Vetoed != 60-s.Hits {
		t.Fatalf("%v, %+v", err, s)
	}
	for _, e := range recordedEvents(t, s.Files[0]) {
		if e.hits == nil || !e.hits.Hit {
			t.Errorf("%+v is recorded", e.hits)
		}
	}
	for _, d := range decisions(t, s.Files[0]) {
		if d.reason != "hit" {
			t.Errorf("%+v", d)
		}
	}
}

// TestTriggerThatHangs: events get the default after the deadline, and the run goes on.
func TestTriggerThatHangs(t *testing.T) {
	for _, veto := range []bool{false, true} {
		testkit.NoLeaks(t)
		cfg := triggered(t, bundled("passthrough.py"))
		let := make(chan struct{})
		cfg.Trigger = &drp.Trigger{Veto: veto, Deadline: 20 * time.Millisecond, Logic: func() teb.Logic {
			return &teb.Func{Reasons: []teb.Reason{{Name: "late"}}, Do: func(*teb.Batch) { <-let }}
		}}
		r, err := drp.New(t.Context(), cfg)
		if err != nil {
			t.Fatal(err)
		}
		go func() {
			defer close(let)
			testkit.Within(testkit.Patience, func() bool { return r.Snapshot().Defaulted == 60 })
		}()
		s, err := r.Run(t.Context())
		if err != nil || s.Defaulted != 60 || !veto && s.Recorded != 60 || veto && s.Vetoed != 60 {
			t.Fatalf("%v, %+v", err, s)
		}
		if !strings.Contains(s.Text(), "were not decided in time, and got the default") {
			t.Error(s.Text())
		}
		for _, d := range decisions(t, s.Files[0]) {
			if d.reason != "default" {
				t.Errorf("%+v", d)
			}
		}
	}
}

func TestTriggerThatIsRefused(t *testing.T) {
	for _, test := range []struct {
		name, script, want string
		rules              []teb.Rule
		kind               drp.Kind
	}{
		{"unknown name", "", "there are: prescale(n), pulse, time, groups, damage, contributions, cam_0.present, cam_0.damage",
			[]teb.Rule{{Name: "x", When: "sum(c.npeaks) > 1"}}, drp.Configuration},
		{"not true or false", "", "rule x", []teb.Rule{{Name: "x", When: "pulse"}}, drp.Configuration},
		{"no rules", "", "--trigger", nil, drp.Usage},
	} {
		t.Run(test.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := triggered(t, bundled("passthrough.py"), test.rules...)
			r, err := drp.New(t.Context(), cfg)
			if err == nil {
				_, err = r.Run(t.Context())
			}
			var f *drp.Failure
			if !errors.As(err, &f) || f.Kind != test.kind || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// TestTriggeredPathAllocatesNothing as it does without a trigger.
func TestTriggeredPathAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("the checked build makes messages it then does not need; the other build is measured")
	}
	testkit.NoLeaks(t)
	mallocs := func(events int64) uint64 {
		cfg := settings(t, testkit.Script(t, `from drp import DataSource
ds = DataSource()
for run in ds.runs():
    for evt in run.events():
        evt.trigger(n=1)
`))
		cfg.Events, cfg.OutputDir = events, t.TempDir()
		cfg.Trigger = &drp.Trigger{Rules: []teb.Rule{{Name: "hit", When: "sum(c.n) > 0", Persist: true}}}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		if s, err := run(t, cfg); err != nil || s.Recorded != events {
			t.Fatalf("%v, %+v", err, s)
		}
		runtime.ReadMemStats(&after)
		return after.Mallocs - before.Mallocs
	}
	const few, many = 4000, 24000
	base := mallocs(few)
	if per := (float64(mallocs(many)) - float64(base)) / (many - few); per >= 0.01 {
		t.Errorf("%.3f allocations per event", per)
	}
}

// TestTriggerConfiguredAgain: after a Configure the trigger decides by what is contributed then.
func TestTriggerConfiguredAgain(t *testing.T) {
	testkit.NoLeaks(t)
	begun := filepath.Join(t.TempDir(), "begun")
	cfg := triggered(t, testkit.Script(t, fmt.Sprintf(`import os
from drp import DataSource
ds = DataSource()
again = os.path.exists(%[1]q)
ds.add_trigger(**({"n": float, "m": float} if again else {"n": float}))
for run in ds.runs():
    for evt in run.events():
        evt.trigger(**({"n": 1, "m": 2} if again else {"n": 2}))
    open(%[1]q, "w").close()
`, begun)), teb.Rule{Name: "two", When: "sum(c.n) == 2 and pulse % 20 == 0", Persist: true}, teb.Rule{Name: "one", When: "sum(c.n) == 1", Persist: true})
	first := spotRun(20)
	second := spotRun(30)
	for _, d := range second {
		d.SetTime(d.Time() + 2000000)
	}
	cfg.Workers, cfg.Sources = 1, []string{testkit.File(t, append(first, second...)...)}
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 10+30 || s.Vetoed != 10 {
		t.Fatalf("%v, %+v", err, s)
	}
	seen := map[string]int{}
	for _, path := range s.Files {
		if !strings.HasSuffix(path, ".smd.xtc2") {
			for _, d := range decisions(t, path) {
				seen[d.reason]++
			}
		}
	}
	if seen["two"] != 10 || seen["one"] != 30 {
		t.Errorf("%v", seen)
	}
}
