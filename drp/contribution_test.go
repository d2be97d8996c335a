package drp_test

import (
	"fmt"
	"math"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// contributed is what a file has of what was contributed to an event, by segment.
type contributed struct {
	event   int64
	persist bool
	rows    map[uint32]string
}

// contributions reads those of a file with the schemas that it has.
func contributions(t testing.TB, path string) (all []contributed) {
	t.Helper()
	table, schemas := xtc.NewTable(), map[uint32]*teb.Schema{}
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		e := contributed{event: (int64(d.Time()) - 100) / 10, rows: map[uint32]string{}}
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			switch b.Names.DetName + " " + b.Names.Alg {
			case "teb reasons":
				text, _ := b.FieldNamed("schema")
				s, err := teb.ParseSchema(text.String())
				if err != nil {
					t.Fatal(err)
				}
				schemas[b.Names.Segment] = s
			case "teb decision":
				v, _ := b.FieldNamed("persist")
				e.persist = v.Uint64() != 0
			case "teb contribution":
				s := schemas[b.Names.Segment]
				row := make([]byte, s.RowBytes())
				if err := s.ReadRecord(row, teb.Head{}, b); err != nil {
					t.Fatal(err)
				}
				words := []string{s.Name(), fmt.Sprint(teb.HeadOf(row).Damage)}
				for _, f := range s.Fields() {
					words = append(words, fmt.Sprintf("%s=%v", f.Name, f.Float(row, 0)))
				}
				e.rows[b.Names.Segment] = strings.Join(words, " ")
			}
		}
		if d.Service().IsEvent() {
			all = append(all, e)
		}
	}
	return all
}

// numbered is the script numbering, which declares nothing of its own.
func numbered(t testing.TB) string {
	return testkit.Script(t, strings.Replace(numbering, "ds.add_data(alg=\"count\", n=int)\n", "", 1))
}

// TestContributionsAreRecorded: each recorded event has what was contributed to it; with KeepAll these are all that the script
// leaves, and the decision says which ones the trigger wanted.
func TestContributionsAreRecorded(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := triggered(t, numbered(t), teb.Rule{Name: "third", When: "any(c.third, # > 0)", Persist: true})
	cfg.Trigger.KeepAll = true
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	all := contributions(t, s.Files[0])
	unwanted := int64(0)
	for _, e := range all {
		third, damage := e.event%3 == 0, xtc.Damage(0)
		number, truth := float64(e.event), 0.
		if third {
			truth = 1
		}
		if e.event == 14 {
			number, truth, damage = math.NaN(), math.NaN(), xtc.DamageUserDefined
		}
		if want := fmt.Sprintf("cam_0 %v n=%v third=%v", damage, number, truth); e.rows[0] != want {
			t.Errorf("event %d: %q, want %q", e.event, e.rows[0], want)
		}
		if e.persist != third {
			t.Errorf("event %d: persist is %v", e.event, e.persist)
		}
		if !third {
			unwanted++
		}
	}
	if len(all) != 54 || s.Recorded != 54 || s.Rejected != 6 || s.Vetoed != 0 || s.Unwanted != unwanted {
		t.Errorf("%d events: %+v", len(all), s)
	}
	if want := fmt.Sprintf("trigger     %12d events are kept that it did not want, since all are\n", unwanted); !strings.Contains(s.Text(), want) {
		t.Error(s.Text())
	}
}

// TestContributionsOfASecondPass stay apart from those of the first.
func TestContributionsOfASecondPass(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := triggered(t, numbered(t), teb.Rule{Name: "third", When: "any(c.third, # > 0)", Persist: true})
	first, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	cfg = triggered(t, bundled("passthrough.py"), teb.Rule{Name: "all", When: "true", Persist: true})
	cfg.Sources, cfg.Trigger.Contributor = first.Files[:1], "again"
	second, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	all := contributions(t, second.Files[0])
	for _, e := range all {
		if !strings.HasPrefix(e.rows[0], "cam_0 ") || !strings.HasPrefix(e.rows[1], "again") {
			t.Errorf("%+v", e)
		}
	}
	if int64(len(all)) != first.Recorded || len(all) == 0 {
		t.Errorf("%d events of %d", len(all), first.Recorded)
	}
}

// TestOwnSegments: what drp adds has the number of the stream as its segment, or the next one where that is taken.
func TestOwnSegments(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := hitSettings(t, numbered(t), "statistics=full", spotRun(20))
	cfg.OutputDir, cfg.Stream = t.TempDir(), 3
	check := func(want ...uint32) []string {
		t.Helper()
		s, err := run(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		table, err := xtc.ReadConfigure(s.Files[0])
		if err != nil {
			t.Fatal(err)
		}
		for _, own := range [][2]string{{"drp", "books"}, {"calibration", "used"}, {"calibration", "constants"}, {"trigger", "input"}} {
			var got []uint32
			for _, n := range table.Find(own[0], own[1]) {
				got = append(got, n.Segment)
			}
			if !slices.Equal(got, want) {
				t.Errorf("%v: segments %v, want %v", own, got, want)
			}
		}
		return s.Files[:1]
	}
	cfg.Sources = check(3)
	cfg.OutputDir, cfg.Stream = t.TempDir(), 2
	check(3, 4)
}
