package serve_test

import (
	"fmt"
	"strings"
	"sync"
	"testing"

	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// several connects a contributor to servers that share the events.
func several(at []wire.Endpoint, s *teb.Schema) (*serve.Several, error) {
	all := make([]*serve.Client, len(at))
	errs := make([]error, len(at))
	var dialling sync.WaitGroup
	for i := range at {
		o := options()
		o.Share, o.Shares = i, len(at)
		dialling.Go(func() { all[i], errs[i] = persist(at[i], s, 1, o) })
	}
	dialling.Wait()
	for i, err := range errs {
		if err != nil {
			for _, c := range all {
				if c != nil {
					c.Close()
				}
			}
			return nil, fmt.Errorf("server %d: %w", i, err)
		}
	}
	return serve.NewSeveral(all)
}

// TestServersShareEvents: each event is decided by one of them, each transition by all, and all of it comes in order.
func TestServersShareEvents(t *testing.T) {
	testkit.NoLeaks(t)
	at := []wire.Endpoint{endpoint(t), endpoint(t), endpoint(t)}
	var servers []*serve.Server
	for _, e := range at {
		servers = append(servers, gather(t, e, "sum(c.x) % 7 == 0"))
	}
	const rows, every = 20000, 500 // the last of so many is a transition
	var contributors sync.WaitGroup
	for k := range 3 {
		s := fieldOf(t, k, "x")
		contributors.Go(func() {
			c, err := several(at, s)
			if err != nil {
				t.Error(err)
				return
			}
			defer c.Close()
			contributors.Go(func() {
				row := make([]byte, s.RowBytes())
				for n := range rows {
					h := teb.Head{Pulse: uint64(n), Time: uint64(n), Groups: 1, Service: xtc.L1Accept}
					if n%every == every-1 {
						h.Pulse, h.Service = h.Pulse-1, xtc.SlowUpdate
					}
					teb.PutHead(row, h)
					s.Field("x").PutInt(row, 0, int64(n%100))
					if err := c.Contribute(row); err != nil {
						t.Error(err)
					}
				}
			})
			some := make([]teb.Decision, 700)
			for n := 0; n < rows; {
				got := c.Next(some)
				for _, d := range some[:got] {
					if wanted := 3*(n%100)%7 == 0 || n%every == every-1; d.Time != uint64(n) || d.Persist != wanted || d.Contributions != 7 {
						t.Errorf("%d: %+v", n, d)
					}
					n++
				}
			}
		})
	}
	contributors.Wait()
	events := uint64(0)
	for i, s := range servers {
		b, _ := s.Books()
		if b.Transitions != rows/every || b.Events < rows/5 || b.Complete != b.Built() || b.Check() != nil {
			t.Errorf("server %d: %+v", i, b)
		}
		events += b.Events
		s.Close()
	}
	if events != rows-rows/every {
		t.Errorf("%d events were built", events)
	}
}

// TestServersInAnotherOrder would each wait for events that go to the other.
func TestServersInAnotherOrder(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	defer gather(t, e, "true").Close()
	o := options()
	o.Shares = 2
	clients := make([]*serve.Client, 3)
	var dialling sync.WaitGroup
	for k := range clients {
		dialling.Go(func() {
			var err error
			if clients[k], err = persist(e, fieldOf(t, k, "x"), 1, o); err != nil {
				t.Error(err)
			}
		})
	}
	dialling.Wait()
	for _, c := range clients {
		defer c.Close()
	}
	_, err := persist(e, fieldOf(t, 1, "x"), 2, options())
	if want := "for c1 this is trigger event builder number 1 of 1, and for others number 1 of 2"; err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}
