package monitor

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestTransitionsKeepTheirPlace among events, whatever comes when.
func TestTransitionsKeepTheirPlace(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 4096})
	p := newPublisher(s, 64)
	announce(s, xtc.Configure, 1)
	announce(s, xtc.BeginRun, 2)
	c := dial(t, Choice{})
	settled(t, s, 1)
	var want []string
	for _, id := range []xtc.TransitionID{xtc.Configure, xtc.BeginRun} {
		want = append(want, fmt.Sprintf("%v replayed", id))
	}
	random := rand.New(rand.NewPCG(1, 2))
	cycle := []xtc.TransitionID{xtc.BeginStep, xtc.Enable, xtc.SlowUpdate, xtc.Disable, xtc.EndStep}
	for step := 0; len(want) < 900; step++ {
		id := cycle[step%len(cycle)]
		announce(s, id, uint64(step))
		want = append(want, id.String())
		for range random.IntN(4) {
			want = append(want, fmt.Sprint(p.n))
			p.publish(0, 0)
		}
	}
	for i, w := range want {
		it := next(t, c)
		got := it.Dgram.Service().String()
		switch {
		case it.Dgram.Service().IsEvent():
			got = fmt.Sprint(it.Number)
		case it.Replayed:
			got += " replayed"
		}
		if got != w {
			t.Fatalf("item %d is %s, want %s", i, got, w)
		}
	}
	late := dial(t, Choice{})
	for _, kind := range want[:2] {
		if it := next(t, late); !it.Replayed || !strings.HasPrefix(kind, it.Dgram.Service().String()) {
			t.Errorf("the late one gets %v, want %s", it.Dgram.Service(), kind)
		}
	}
}

// TestFarBehind: who misses transitions for long begins anew with those that hold, and gets no event of the time between.
func TestFarBehind(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 64})
	p := newPublisher(s, 64)
	announce(s, xtc.Configure, 1)
	c := dial(t, Choice{})
	settled(t, s, 1)
	big := &Event{Dgram: testkit.Plain(xtc.SlowUpdate, 3), Added: make([]byte, 1<<20)}
	for i := range 3 * mostWaitingBytes >> 20 {
		if i%8 == 0 {
			p.publish(0, 0)
		}
		s.Transition(big)
	}
	s.mu.Lock()
	if n := s.audience.all[0].pendingBytes; n > mostWaitingBytes+2<<20 {
		t.Errorf("%d bytes wait for one who does not look", n)
	}
	s.mu.Unlock()
	if got := s.Consumers()[0].Restarts; got == 0 {
		t.Fatal("he is not set back")
	}
	announce(s, xtc.BeginRun, 9)
	p.publish(0, 0)
	last := p.n - 1
	configures, slow, lastEvent := 0, 0, int64(-1)
	for lastEvent != last {
		it := next(t, c)
		switch id := it.Dgram.Service(); {
		case id == xtc.Configure:
			configures, slow = configures+1, 0
		case id == xtc.SlowUpdate:
			slow++
		case id.IsEvent():
			if it.Number <= lastEvent || configures == 0 {
				t.Fatalf("event %d after %d", it.Number, lastEvent)
			}
			lastEvent = it.Number
		}
	}
	if configures < 2 || slow == 0 {
		t.Errorf("%d Configures, %d SlowUpdates since", configures, slow)
	}
	if c.Offered() != uint64(p.n) || c.Missed() == 0 {
		t.Errorf("%d of %d missed", c.Missed(), c.Offered())
	}
}

// TestState: what holds after each transition, on top of all that can hold.
func TestState(t *testing.T) {
	ids := func(s state) (all []xtc.TransitionID) {
		for _, tr := range s {
			all = append(all, tr.dgram.Service())
		}
		return all
	}
	full := []xtc.TransitionID{xtc.Configure, xtc.BeginRun, xtc.SlowUpdate, xtc.BeginStep, xtc.Enable}
	for id, want := range map[xtc.TransitionID][]xtc.TransitionID{
		xtc.Configure:    {xtc.Configure},
		xtc.Unconfigure:  nil,
		xtc.BeginRun:     {xtc.Configure, xtc.BeginRun},
		xtc.EndRun:       {xtc.Configure},
		xtc.BeginStep:    {xtc.Configure, xtc.BeginRun, xtc.SlowUpdate, xtc.BeginStep},
		xtc.EndStep:      {xtc.Configure, xtc.BeginRun, xtc.SlowUpdate},
		xtc.Enable:       full,
		xtc.Disable:      {xtc.Configure, xtc.BeginRun, xtc.SlowUpdate, xtc.BeginStep},
		xtc.SlowUpdate:   {xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable, xtc.SlowUpdate},
		xtc.ClearReadout: full,
	} {
		var s state
		for _, f := range full {
			s = s.apply(&transition{dgram: testkit.Plain(f, 1)})
		}
		if s = s.apply(&transition{dgram: testkit.Plain(id, 2)}); !slices.Equal(ids(s), want) {
			t.Errorf("after %v holds %v, want %v", id, ids(s), want)
		}
	}
}
