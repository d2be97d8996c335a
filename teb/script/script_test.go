package script_test

import (
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
	"drp/teb/script"
)

// batched decides in batches, and single one by one: the same.
const (
	batched = `import numpy as np
import drp
ts = drp.TriggerSource()
assert ts.contributors == ("epix_0", "epix_1"), ts.contributors
many = ts.reason("many")
some = ts.reason("some", prescale=4)
background = ts.reason("background")
for batch in ts.batches():
    e = batch.events
    assert len(batch) == len(e) == len(batch.accept)
    assert (e["epix_1"]["present"] | (e["epix_1"]["photons"] == 0)).all()
    photons = batch.sum("photons")
    assert (photons == batch.values("photons").sum(axis=1)).all()
    assert (e["epix_0"]["rings"][:, 2] == -e["epix_0"]["photons"].astype(int)).all()
    energy = batch.sum("energy")
    assert (energy * 2 == photons).all()
    batch.reason[batch.prescale(20)] = background
    batch.accept = batch.prescale(20)
    batch.reason[photons >= 5] = some
    batch.reason[photons >= 12] = many
    batch.accept[photons >= 5] = True
    batch.monitor = np.where(e["epix_0"]["hit"], 2, 0) | (e["contributions"] == 2)
    batch.monitor[e["damage"] > 0] |= 8
`
	single = `import drp
ts = drp.TriggerSource()
ts.reason("many")
some = ts.reason("some", prescale=4)
ts.reason("background")
for evt in ts.events():
    photons = evt.sum("photons")
    assert photons == sum(evt.values("photons")) == evt.epix_0.photons + evt["epix_1"]["photons"]
    assert evt.epix_1.present or evt.epix_1.photons == 0
    monitor = (2 if evt.epix_0.hit else 0) | (evt.contributions == 2) | (8 if evt.damage else 0)
    if photons >= 12:
        ts.result(True, monitor=monitor, reason="many")
    elif photons >= 5:
        ts.result(True, monitor, some)
    elif evt.prescale(20):
        ts.result(True, monitor, "background")
    else:
        ts.result(False, monitor)
`
)

// sameInGo is what these scripts decide, as a Logic of Go.
func sameInGo(s []*teb.Schema) teb.Logic {
	reasons := []teb.Reason{{Name: "many"}, {Name: "some", Prescale: 4}, {Name: "background"}}
	return &teb.Func{Reasons: reasons, Do: func(b *teb.Batch) {
		for i := range b.Len() {
			photons := int64(0)
			v := &b.Verdicts[i]
			for k := range s {
				if row := b.Row(i, k); row != nil {
					photons += s[k].Fields()[0].Int(row, 0)
				}
			}
			switch {
			case photons >= 12:
				v.Reason = teb.ReasonLogic
			case photons >= 5:
				v.Reason = teb.ReasonLogic + 1
			case b.Prescale(i, 20):
				v.Reason = teb.ReasonLogic + 2
			}
			v.Persist = v.Reason != 0
			if row := b.Row(i, 0); s[0].Fields()[3].Int(row, 0) != 0 {
				v.Monitor = 2
			}
			if b.Contributions(i) == 3 {
				v.Monitor |= 1
			}
			if b.Head(i).Damage != 0 {
				v.Monitor |= 8
			}
		}
	}}
}

// TestSameDecisions: the decisions are the same, in batches and one by one, with one process and with four, and as Go takes
// them; in their order, with their prescaling.
func TestSameDecisions(t *testing.T) {
	const n = 5000
	want := decidedInGo(t, n)
	for _, test := range []struct {
		name, text string
		workers    int
	}{{"batched", batched, 1}, {"batched by four", batched, 4}, {"one by one", single, 1}, {"one by one by four", single, 4}} {
		t.Run(test.name, func(t *testing.T) {
			r := startRig(t, rigOptions{text: test.text, workers: test.workers, batch: 100})
			got := r.exchange(n)
			if !slices.Equal(got, want) {
				for i := range got {
					if got[i] != want[i] {
						t.Fatalf("%+v\nwant %+v; log:\n%s", got[i], want[i], r.log)
					}
				}
			}
			if count := r.reasons(got); len(count) != 5 {
				t.Errorf("%v", count)
			}
			if len(r.children()) != test.workers {
				t.Errorf("%d children", len(r.children()))
			}
			if text := r.log.String(); strings.Contains(text, "level=WARN") || strings.Contains(text, "level=ERROR") {
				t.Error(text)
			}
			r.check()
		})
	}
}

func decidedInGo(t *testing.T, n int) []teb.Decision {
	t.Helper()
	r := &rig{t: t, log: &testkit.Buffer{}}
	if err := r.start(rigOptions{}, []teb.Logic{sameInGo(schemas(t))}); err != nil {
		t.Fatal(err)
	}
	got := r.exchange(n)
	r.check()
	return got
}

// TestState: with one process a script sees all events in order, and may remember; when the trigger is closed its loop ends.
func TestState(t *testing.T) {
	r := startRig(t, rigOptions{batch: 30, args: []string{"3"}, text: `import sys, drp
every = int(sys.argv[1])
ts = drp.TriggerSource()
seen = []
for evt in ts.events():
    seen.append(evt.pulse)
    ts.result(len(seen) % every == 0)
assert seen == list(range(1, len(seen) + 1)), seen
print("saw", len(seen))
`})
	for i, d := range r.exchange(1000) {
		if d.Persist != (i%3 == 2) || d.Persist != (r.teb.Reasons()[d.Reason].Name == "trigger") {
			t.Errorf("%d: %+v", i, d)
		}
	}
	r.check()
	r.teb.Close()
	r.says("saw 1000")
}

// TestRefused: what is wrong with a script is known at Configure, where it stands and with what there is.
func TestRefused(t *testing.T) {
	const there = "there are: epix_0.present, epix_0.damage, epix_0.photons, epix_0.energy, epix_0.rings, epix_0.hit, " +
		"epix_1.present, epix_1.damage, epix_1.photons, epix_1.energy"
	const loop = "import drp\nts = drp.TriggerSource()\nfor batch in ts.batches():\n    "
	const each = "import drp\nts = drp.TriggerSource()\nfor evt in ts.events():\n    "
	for i, test := range []struct{ name, text, want string }{
		{"different reasons", "import os, drp\nts = drp.TriggerSource()\nts.reason(f'of_{os.getpid()}')\nfor batch in ts.batches(): pass\n", "declare different reasons"},
		{"a sum of nothing", loop + `batch.sum("peaks")`, "script.py:4: FieldError: no contributor has a field peaks; " + there},
		{"a column of NumPy", loop + `batch.events["epix_1"]["peaks"] > 3`, "script.py:4: FieldError: no contributor has a field peaks; " + there},
		{"a contributor", loop + `batch["epix_2"]`, "FieldError: no contributor has a field epix_2; " + there},
		{"an array", loop + `batch.values("rings")`, `FieldError: rings of epix_0 is an array: use batch.events["epix_0"]["rings"]`},
		{"a field of an event", each + "evt.epix_1.hit", "FieldError: contributor epix_1 has no field hit; " + there},
		{"a contributor of an event", each + "evt.epix_2.photons", "FieldError: there is no epix_2; there are: pulse, time, groups, damage, contributions, epix_0.present"},
		{"a reason", each + `ts.result(True, reason="hit")`, "script.py:4: FieldError: no reason 'hit' is declared, there are: trigger"},
		{"a name of Python", loop + "phtons = photons", "NameError: name 'photons' is not defined"},
		{"a name twice", "import drp\nts = drp.TriggerSource()\nts.reason('a')\nts.reason('a')\n", "script.py:4: ValueError: there is a reason 'a' already"},
		{"a name of ours", "import drp\nts = drp.TriggerSource()\nts.reason('default')\n", "there is a reason 'default' already"},
		{"a name with a line", "import drp\nts = drp.TriggerSource()\nts.reason('a\\nb')\n", "a reason has letters, digits and _"},
		{"no Python", "for", "line 1: SyntaxError: invalid syntax"},
		{"no source", "x = 1\n", "ScriptEnded: the script made no drp.TriggerSource"},
		{"no loop", "import drp\nts = drp.TriggerSource()\n", "ScriptEnded: the script ended without asking for events"},
		{"a loop that is left", loop + "break", "ScriptEnded: the script ended without asking for events"},
		{"an argument", "raise SystemExit('usage: trigger.py N')", "SystemExit: usage: trigger.py N"},
		{"a script of events", "import drp\nds = drp.DataSource()\n", "a trigger decides about events, and has no datagrams: use drp.TriggerSource()"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := newRig(t, rigOptions{text: test.text, workers: map[bool]int{true: 2}[i == 0]})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %s", err, test.want)
			}
		})
	}
}

// TestTried: an event without values may make a script fail that is right.
func TestTried(t *testing.T) {
	r := startRig(t, rigOptions{text: `import drp
ts = drp.TriggerSource()
n = 0
for evt in ts.events():
    n += 1
    ts.result(100 / evt.sum("photons") < 1000 and n == evt.pulse)
`})
	got := r.exchange(12) // the others have photons
	if count := r.reasons(got); count["trigger"] != 12 {
		t.Errorf("%v; log:\n%s", count, r.log)
	}
	r.says("the trigger script failed on an event without values: it is taken all the same")
	r.says("ZeroDivisionError")
	r.check()
}

// TestNames: contributors are not called as what an event has.
func TestNames(t *testing.T) {
	s, err := teb.NewSchema("pulse")
	if err != nil {
		t.Fatal(err)
	}
	_, err = teb.New(teb.Config{Contributors: []teb.Member{{Schema: s}},
		Logic: script.New(script.Config{Script: testkit.Script(t, batched), Python: testkit.Python(t)})})
	if err == nil || !strings.Contains(err.Error(), "contributor pulse: the name means something else in scripts") {
		t.Error(err)
	}
}
