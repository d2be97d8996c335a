package serve_test

import (
	"context"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// TestTheServerIsGone: when it has been away for long enough, all that has no decision gets the default, and so does what still comes.
// What comes when it is back it decides.
func TestTheServerIsGone(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	m := members(t)[:1]
	s, _ := startWith(t, e, m)
	o := options()
	o.Decide, o.Grace = time.Hour, time.Millisecond
	c, err := serve.Dial(context.Background(), e, m[0].Schema, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	row, some := make([]byte, m[0].Schema.RowBytes()), make([]teb.Decision, 100)
	pulse, overdue := uint64(0), uint64(0)
	one := func() (byDefault bool) {
		t.Helper()
		teb.PutHead(row, teb.Head{Pulse: pulse, Time: pulse, Groups: 1, Service: xtc.L1Accept})
		if err := c.Contribute(row); err != nil {
			t.Fatal(err)
		}
		if n := c.Next(some); n != 1 || some[0].Pulse != pulse {
			t.Fatalf("%d decisions for pulse %d: %+v", n, pulse, some[0])
		}
		pulse++
		if some[0].Default {
			overdue++
		}
		return some[0].Default
	}
	if one() {
		t.Error("the server does not decide")
	}
	s.Close()
	for range 2 * 512 { // more than the window holds
		one()
	}
	if !one() {
		t.Error("somebody decides who is gone")
	}
	s, _ = startWith(t, e, m)
	defer s.Close()
	if !testkit.Within(testkit.Patience, func() bool { return !one() }) {
		t.Error("the server is back, and does not decide")
	}
	if b := c.Books(); b.Overdue != overdue || b.Contributed != b.Decided+b.Lost+b.Overdue+b.Refused+b.Pending {
		t.Errorf("%d, %+v", overdue, b)
	}
}
