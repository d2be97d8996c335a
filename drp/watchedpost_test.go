package drp_test

import (
	"context"
	"errors"
	"io"
	"slices"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/monitor"
	"drp/xtc"
)

// TestWhoWatchesSeesTheSecondScript: what --post adds comes with the event, as it is recorded; events that are not recorded come
// between the others, in their order, without. A failure of the second script is told as in the file.
func TestWhoWatchesSeesTheSecondScript(t *testing.T) {
	testkit.RuntimeFolder(t)
	const first = `from drp import DataSource
ds = DataSource()
for n, run in enumerate(ds.runs()):
    for evt in run.events():
        number = evt.nanoseconds // 40000
        if number % 3 == 0: evt.reject()
`
	const second = `import time
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="second", fields={"twice": (np.int64, 0)})
for run in ds.runs():
    for evt in run.events():
        number = evt.nanoseconds // 40000
        if number % 40 == 20: time.sleep(0.05)  # those behind it are ready before
        if number % 40 == 25: raise ValueError("no")
        out.twice = 2 * number
        evt.add(out)
`
	cfg := settings(t, testkit.Script(t, first))
	cfg.Post, cfg.Slots = &drp.Post{Script: testkit.Script(t, second)}, 64
	cfg.Sources, cfg.OutputDir, cfg.Monitor = []string{smallSim + ",events=300"}, t.TempDir(), &drp.Monitor{Name: "test/cam", Slots: 2000}
	r, err := drp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	c, err := monitor.Dial(t.Context(), cfg.Monitor.Name, monitor.Choice{}, "test")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	var shown []postedEvent
	var broken error
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		shown, broken = postedEvents(c)
	}()
	s, err := r.Run(t.Context())
	if err != nil {
		t.Error(err)
	}
	<-ended
	if broken != nil {
		t.Fatal(broken)
	}
	if len(shown) != 300 || s.Recorded != 200 || s.Rejected != 100 || s.PostFailed == 0 {
		t.Fatalf("%d events are shown; %+v", len(shown), s)
	}
	for i, e := range shown {
		n := e.sim
		want := postedEvent{number: int64(i), sim: n, twice: 2 * n}
		switch {
		case n%3 == 0:
			want.twice, want.flags = -1, monitor.Rejected
		case n%40 == 25:
			want.twice, want.damage = -1, xtc.DamageUserDefined
		}
		if e != want {
			t.Errorf("event %d is shown as %+v, want %+v", i, e, want)
		}
	}
}

// postedEvent is what one who watches sees of an event.
type postedEvent struct {
	number int64
	sim    int64 // as the scripts count
	twice  int64 // -1 without
	flags  uint32
	damage xtc.Damage
}

// postedEvents are all until the run has ended.
func postedEvents(c *monitor.Client) (all []postedEvent, err error) {
	table := xtc.NewTable()
	for {
		it, err := c.Next(context.Background())
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, err
		}
		d := it.Dgram
		if d.Service() == xtc.Configure {
			if err := table.Configure(slices.Clone(d)); err != nil {
				return nil, err
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		e := postedEvent{number: it.Number, sim: int64(uint32(d.Time())) / 40000, twice: -1, flags: it.Flags, damage: d.Damage()}
		for of := table.Blocks(d); of.Next(); {
			if b := of.Block(); b.Names.Alg == "second" {
				v, _ := b.FieldNamed("twice")
				e.twice = v.Int64()
			}
		}
		all = append(all, e)
	}
}
