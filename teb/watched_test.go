package teb_test

import (
	"testing"
	"time"

	"drp/teb"
)

// TestWhatEachContributes, and how long decisions take, is known of one event in 64.
func TestWhatEachContributes(t *testing.T) {
	members := peaks(t, "a", "b")
	var waits []time.Duration
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour,
		Waited: func(d time.Duration) { waits = append(waits, d) }})
	a, c := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 7)
	for pulse := uint64(1); pulse <= 128; pulse++ {
		a.event(pulse)
		if pulse != 5 && pulse != 7 {
			c.event(pulse)
		}
	}
	a.send()
	c.send()
	some, got := make([]teb.Decision, 200), 0
	for got < 128 {
		got += b.Next(some)
	}
	c.event(3)
	c.send()
	b.Gone(1, 7)
	want := []teb.Contributed{{Name: "a", Present: true, Rows: 128}, {Name: "b", Rows: 127, Late: 1, Missing: 2}}
	for k, is := range b.Contributors() {
		if is != want[k] {
			t.Errorf("%+v, want %+v", is, want[k])
		}
	}
	rest(t, b)
	b.Close()
	if len(waits) != 2 {
		t.Errorf("of 128 events %d were timed", len(waits))
	}
	for _, d := range waits {
		if d < 0 || d >= time.Hour {
			t.Errorf("a decision took %v", d)
		}
	}
}
