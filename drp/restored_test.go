package drp_test

import (
	"slices"
	"testing"

	"drp/control"
	"drp/internal/testkit"
	"drp/xtc"
)

// TestARunIsThereAgain: it begins with what was set before, from its first event on and in the data, and tells run control what it
// cannot take until somebody sets something.
func TestARunIsThereAgain(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `from drp import DataSource
ds = DataSource()
level = ds.param("level", 1, max=10)
depth = ds.param("depth", 2, max=10)
for run in ds.runs():
    for evt in run.events():
        assert level.value == 9
`))
	cfg.Workers, cfg.OutputDir = 2, t.TempDir()
	cfg.Sources = []string{testkit.File(t, testkit.Camera{Segments: 1, Rows: 4, Cols: 4}.Run(30)...)}
	cfg.Settings = map[string]any{"level": 3}
	o, run, end := obeying(t, cfg)
	o.restored = control.Settings{Generation: 6, Values: map[string]string{"level": "9", "depth": "70", "gone": "1"}, Own: []string{"level", "gone"}}
	if o.progress().Settings != nil {
		t.Error("it tells of parameters before there are any")
	}
	up(t, o, driven(t, o))
	if r := o.progress(); r.Settings == nil || r.Settings.Generation != 7 || r.Settings.Values["level"] != "9" || len(r.Settings.Set) != 1 || !slices.Equal(r.Settings.Own, r.Settings.Set) {
		t.Errorf("it tells %+v", r.Settings)
	}
	tells(t, o, "settings", "what was set before cannot all be taken: depth: 70 is more than 10, the most that the script allows; it is 2")
	if _, err := run.SetForAll(map[string]any{"depth": 5}, "me"); err != nil || o.progress().Troubles["settings"] != "" || len(o.progress().Settings.Own) != 1 {
		t.Errorf("%v, and it tells %+v", err, o.progress())
	}
	if h := run.Settings().History; len(h) != 2 || h[0].Who != "start" || h[1].Who != "run control" || h[1].Changes["level"] != [2]any{int64(3), int64(9)} {
		t.Errorf("the history is %+v", h)
	}
	s, err := end()
	if err != nil || s.Recorded == 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	table, events := xtc.NewTable(), 0
	for _, d := range testkit.Dgrams(t, s.Files[0]) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		for it := table.Blocks(d); d.Service().IsEvent() && it.Next(); {
			if b := it.Block(); b.Names.DetName == "settings" {
				if events++; value(t, b, "level") != 9 || value(t, b, "generation") != 7 {
					t.Errorf("event %d has level %d of generation %d", events, value(t, b, "level"), value(t, b, "generation"))
				}
			}
		}
	}
	if int64(events) != s.Recorded {
		t.Errorf("%d of %d events say what was set", events, s.Recorded)
	}
}
