package teb_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/teb"
)

// cameras are two that have something in common.
func cameras(t testing.TB) []teb.Member {
	return []teb.Member{
		{Schema: mustSchema(t, "epix", teb.Field{Name: "npeaks", Type: teb.U16}, teb.Field{Name: "hit", Type: teb.Bool},
			teb.Field{Name: "energy", Type: teb.F32}, teb.Field{Name: "rings", Type: teb.I16, Len: 4})},
		{Schema: mustSchema(t, "jungfrau", teb.Field{Name: "npeaks", Type: teb.U8}, teb.Field{Name: "energy", Type: teb.I32},
			teb.Field{Name: "hit", Type: teb.Bool})},
	}
}

// keep gives the pulse IDs of what one rule keeps of a few events: of epix, of jungfrau, or of both.
func keep(t *testing.T, rule string) (kept string, slow bool) {
	t.Helper()
	members := cameras(t)
	x := teb.NewExpression([]teb.Rule{{Name: "yes", When: rule, Persist: true}})
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{x}, Deadline: time.Hour})
	epix, jungfrau := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)
	row := func(pulse uint64, npeaks, hit, energy float64, rings ...int64) {
		row := epix.e.Add(event(pulse))
		for i, v := range []float64{npeaks, hit, energy} {
			epix.schema.Fields()[i].PutFloat(row, 0, v)
		}
		for i, v := range rings {
			epix.schema.Field("rings").PutInt(row, i, v)
		}
	}
	row(1, 3, 0, 1.5, 1, 2, 3, 4)
	row(2, 20, 1, 7.25, -5, 0, 0, 9)
	row(3, 8, 1, 0)
	jungfrau.event(2, 4, -3, 0)
	jungfrau.event(3, 8, 12, 1)
	jungfrau.event(4, 30, 2, 1)
	epix.send()
	jungfrau.send()
	for _, d := range rest(t, b) {
		if d.Reason == teb.ReasonFailed {
			kept += "failed"
		} else if d.Persist {
			kept += fmt.Sprint(d.Pulse)
		}
	}
	return kept, len(x.Slow()) > 0
}

func TestExpressions(t *testing.T) {
	for _, test := range []struct {
		rule, want string
		slow       bool
	}{
		{"sum(c.npeaks) >= 15 || prescale(1)", "1234", false},
		{"sum(c.npeaks) >= 16", "234", false},
		{"sum(c.npeaks) > 16 and not epix.present", "4", false},
		{"epix.npeaks > 3", "23", false},
		{"epix.npeaks < 5 && contributions == 1", "14", false},
		{"any(c.npeaks, # > 7 && # < 20)", "3", false},
		{"all(c.hit, #)", "34", false},
		{"none(c.hit, #)", "1", false},
		{"one(c.hit, #)", "24", false},
		{"count(c.hit) == 2", "3", false},
		{"count(c.npeaks, # == pulse * 2 + 2) > 0", "3", false},
		{"len(c.npeaks) == 2", "23", false},
		{"min(c.energy) < 0", "2", false},
		{"max(c.energy) > 1.5 && max(c.energy) < 8", "24", false},
		{"mean(c.energy) == 1.5", "1", false},
		{"sum(c.energy, # * 2) == 8.5", "2", false},
		{"sum(epix.rings) == 10", "1", false},
		{"epix.rings[3] == 9 or epix.rings[0] == 1", "12", false},
		{"epix.rings[-1] == 9 or epix.rings[0] == 1", "12", true},
		{"any(epix.rings, # < 0)", "2", false},
		{"epix.energy / epix.npeaks > 0.4", "1", false},
		{"-jungfrau.energy > +2", "2", false},
		{"abs(jungfrau.energy) == 3", "2", false},
		{"abs(epix.energy - 2) <= 0.5", "1", false},
		{"pulse % 2 == 0", "24", false},
		{"1 < pulse < 4", "23", false},
		{"(epix.hit ? epix.npeaks : pulse) >= 4", "234", false},
		{"let n = sum(c.npeaks); n > 5 && n < 17", "3", false},
		{"epix.hit == jungfrau.hit", "13", false},
		{"epix.hit != jungfrau.hit", "24", false},
		{"max(epix.npeaks, jungfrau.npeaks) >= 20", "24", false},
		{"min(epix.energy, 1) >= 1", "12", false},
		{"groups == 1 && damage == 0 && epix.damage == 0 && time == pulse", "23", false},
		{"true", "1234", false},
		{"pulse in 2..3", "23", true},
		{"pulse ** 2 > 8", "34", true},
		{"sum(filter(c.npeaks, # > 5)) == 16", "3", true},
		{"min(map(c.npeaks, # + 1)) == 9", "3", true},
		{"min(epix.rings) < 0 and pulse in 1..9", "2", true},
		{"jungfrau.present && epix.hit && prescale(1) && pulse in [2, 3]", "23", true},
		{"pulse % (pulse - 1) == 0", "failed2", true},
	} {
		t.Run(test.rule, func(t *testing.T) {
			if got, slow := keep(t, test.rule); got != test.want || slow != test.slow {
				t.Errorf("keeps %s, want %s; by the library %v, want %v", got, test.want, slow, test.slow)
			}
		})
	}
}

func TestExpressionsThatAreRefused(t *testing.T) {
	for rule, want := range map[string]string{
		"epix.nopeaks > 3":               "unknown field nopeaks",
		"sum(c.nothing) > 3":             "there are: prescale(n), pulse, time, groups, damage, contributions, c.energy, c.hit, c.npeaks, epix.npeaks (u16)",
		"sum(nobody.npeaks)":             "unknown name nobody",
		"epix.npeaks":                    "expected bool, but got int",
		"epix.npeaks > 'many'":           "mismatched types",
		"epix.rings[4] > 0":              "rings i16[4] has no value 4",
		"prescale(0)":                    "prescale(0)",
		"now() > now()":                  "now",
		"":                               "unexpected token",
		strings.Repeat("(", 5):           "rule r",
		strings.Repeat("true ||", 4096):  "at most 4096",
		"c.npeaks > 3 " + "|| true || (": "rule r",
	} {
		t.Run(rule[:min(len(rule), 30)], func(t *testing.T) {
			_, err := teb.New(teb.Config{Contributors: cameras(t), Logic: []teb.Logic{
				teb.NewExpression([]teb.Rule{{Name: "r", When: rule}})}})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("%v, want %q", err, want)
			}
		})
	}
	for want, x := range map[string]*teb.Expression{
		"0 rules":                           teb.NewExpression(nil),
		"65 rules":                          teb.NewExpression(make([]teb.Rule, 65)),
		"begins with no digit":              teb.NewExpression([]teb.Rule{{Name: "a b", When: "true"}}),
		"two rules or reasons are called a": teb.NewExpression([]teb.Rule{{Name: "a", When: "true"}, {Name: "a", When: "true"}}),
		"the name default is reserved":      teb.NewExpression([]teb.Rule{{Name: "default", When: "true"}}),
	} {
		_, err := teb.New(teb.Config{Contributors: cameras(t), Logic: []teb.Logic{x}})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	members := peaks(t, "pulse")
	if _, err := teb.New(teb.Config{Contributors: members, Logic: []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "a", When: "true"}})}}); err == nil ||
		!strings.Contains(err.Error(), "contributor pulse: the name means something else") {
		t.Errorf("%v", err)
	}
}

// TestRules: the first that is true is the reason, and all that are true say what becomes of the event.
func TestRules(t *testing.T) {
	members := cameras(t)
	x := teb.NewExpression([]teb.Rule{{Name: "bright", When: "epix.npeaks > 5", Monitor: 1},
		{Name: "hit", When: "epix.npeaks > 8", Persist: true, Monitor: 4}, {Name: "dark", When: "epix.npeaks == 0 and pulse in 0..9", Persist: true}})
	b := start(t, teb.Config{Contributors: members[:1], Logic: []teb.Logic{x}})
	f := newFeed(t, b, members[0].Schema, 1)
	for pulse, npeaks := range []float64{7, 9, 0, 3} {
		f.event(uint64(pulse), npeaks)
	}
	f.send()
	got := rest(t, b)
	want := []teb.Decision{{Reason: teb.ReasonLogic, Monitor: 1}, {Reason: teb.ReasonLogic, Monitor: 5, Persist: true},
		{Reason: teb.ReasonLogic + 2, Persist: true}, {}}
	for i, d := range got {
		if w := want[i]; d.Reason != w.Reason || d.Monitor != w.Monitor || d.Persist != w.Persist {
			t.Errorf("%+v, want %+v", d, w)
		}
	}
	if names := b.Reasons(); len(got) != 4 || names[teb.ReasonLogic+2].Name != "dark" || !slices.Equal(x.Slow(), []string{"dark"}) {
		t.Errorf("%+v, slow %v", names, x.Slow())
	}
}

// TestColumnsAgreeWithTheLibrary: what is computed by columns is what the library computes. To have that compute the same
// expression, it is asked for "x and pulse in 0..n", which is no column.
func TestColumnsAgreeWithTheLibrary(t *testing.T) {
	for seed := range uint64(100) {
		rng := rand.New(rand.NewPCG(seed, 9))
		rule := randomTruth(rng, 4)
		members := cameras(t)
		plain := teb.NewExpression([]teb.Rule{{Name: "r", When: rule, Persist: true}})
		slow := teb.NewExpression([]teb.Rule{{Name: "r", When: "(" + rule + ") and pulse in 0..100000", Persist: true}})
		var answers [2][]teb.Decision
		for i, x := range []*teb.Expression{plain, slow} {
			b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{x}, Deadline: time.Hour, Decide: time.Hour, BatchEvents: 300})
			if len(x.Slow()) != i {
				t.Fatalf("%s: by the library: %v", rule, x.Slow())
			}
			rng := rand.New(rand.NewPCG(seed, 10))
			for k, m := range members {
				f := newFeed(t, b, m.Schema, 1)
				for pulse := range uint64(320) {
					if rng.IntN(4) > k {
						f.event(pulse, float64(rng.IntN(5)), float64(rng.IntN(2)), float64(rng.IntN(2)))
					}
				}
				f.send()
			}
			answers[i] = rest(t, b)
		}
		if !slices.Equal(answers[0], answers[1]) {
			t.Errorf("seed %d: columns and library differ in %s", seed, rule)
		}
	}
}

// randomNumber and randomTruth write expressions. What is divided by is never 0.
func randomNumber(rng *rand.Rand, depth int) string {
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	if depth == 0 || rng.IntN(4) == 0 {
		return pick("epix.npeaks", "jungfrau.npeaks", "epix.energy", "jungfrau.energy", "pulse", "2", "1.5", "contributions",
			"sum(c.npeaks)", "min(c.energy)", "max(c.npeaks)", "mean(c.energy)", "count(c.hit)", "len(c.npeaks)", "epix.rings[1]",
			"sum(epix.rings)", "jungfrau.damage")
	}
	a, b := randomNumber(rng, depth-1), randomNumber(rng, depth-1)
	switch rng.IntN(5) {
	case 0:
		return "(" + a + pick(" + ", " - ", " * ") + b + ")"
	case 1:
		return "(" + a + " / (1.5 + abs(" + b + ")))"
	case 2:
		return pick("min", "max") + "(" + a + ", " + b + ")"
	case 3:
		return "sum(c.npeaks, # + " + a + ")"
	}
	return "-" + a
}

func randomTruth(rng *rand.Rand, depth int) string {
	pick := func(all ...string) string { return all[rng.IntN(len(all))] }
	if depth == 0 || rng.IntN(5) == 0 {
		return pick("epix.hit", "jungfrau.present", "prescale(3)", "pulse % 3 == 1")
	}
	switch rng.IntN(5) {
	case 0:
		return "(" + randomTruth(rng, depth-1) + pick(" && ", " || ", " == ", " != ") + "(" + randomTruth(rng, depth-1) + "))"
	case 1:
		return "not (" + randomTruth(rng, depth-1) + ")"
	case 2:
		return pick("any", "all", "none", "one") + "(c.npeaks, # " + pick("<", ">=") + " " + randomNumber(rng, depth-1) + ")"
	}
	return "(" + randomNumber(rng, depth-1) + pick(" < ", " <= ", " > ", " >= ", " == ", " != ") + randomNumber(rng, depth-1) + ")"
}

// FuzzExpression: whatever a rule is, it is refused, or decides.
func FuzzExpression(f *testing.F) {
	f.Add("sum(c.npeaks, # * 2) >= 15 || prescale(100)")
	f.Add("let n = epix.rings[2]; n ? any(c.hit, #) : mean(map(c.energy, # % 0)) > 1")
	rng := rand.New(rand.NewPCG(1, 1))
	for range 20 {
		f.Add(randomTruth(rng, 3))
	}
	members := cameras(f)
	f.Fuzz(func(t *testing.T, rule string) {
		b, err := teb.New(teb.Config{Partition: "test", Contributors: members, Logic: []teb.Logic{
			teb.NewExpression([]teb.Rule{{Name: "r", When: rule}})}})
		if err != nil {
			return
		}
		defer b.Close()
		feed := newFeed(t, b, members[0].Schema, 1)
		for pulse := range uint64(3) {
			feed.event(pulse, float64(pulse))
		}
		feed.send()
		if n := len(rest(t, b)); n != 3 {
			t.Errorf("%d decisions", n)
		}
	})
}
