package teb_test

import (
	"testing"
	"time"

	"drp/teb"
)

// TestEventsAllocateNothing: from the row to the decision, through rules.
func TestEventsAllocateNothing(t *testing.T) {
	members := peaks(t, "a", "b", "d")
	x := teb.NewExpression([]teb.Rule{{Name: "hit", When: "sum(c.npeaks) >= 15 || any(c.npeaks, # > a.npeaks) || prescale(100)", Persist: true}})
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{x}, Deadline: time.Hour, Decide: time.Hour})
	var feeds []*feed
	for _, m := range members {
		feeds = append(feeds, newFeed(t, b, m.Schema, 1))
	}
	pulse := uint64(0)
	decisions := make([]teb.Decision, 512)
	n := testing.AllocsPerRun(100, func() {
		for _, f := range feeds {
			for i := range uint64(300) {
				f.schema.Field("npeaks").PutInt(f.e.Add(event(pulse+i)), 0, int64(i&7))
			}
			if err := b.Contribute(f.e.Batch()); err != nil {
				t.Error(err)
			}
		}
		for got := 0; got < 300; {
			got += b.Next(decisions)
		}
		pulse += 300
	})
	if n != 0 {
		t.Errorf("%v allocations for 300 events", n)
	}
}
