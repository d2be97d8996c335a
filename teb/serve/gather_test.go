package serve_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// gather serves whoever brings what the rule names.
func gather(t *testing.T, e wire.Endpoint, rule string) *serve.Server {
	t.Helper()
	return gatherIn(t, e, rule, 0)
}

// gatherIn does so with a TEB that takes a while to make.
func gatherIn(t *testing.T, e wire.Endpoint, rule string, while time.Duration) *serve.Server {
	t.Helper()
	s := serve.NewGathering([]string{"c0", "c1", "c2"}, options(), func(schemas []*teb.Schema) (*teb.TEB, error) {
		time.Sleep(while)
		c := teb.Config{Partition: "test", Logic: []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "hit", When: rule, Persist: true}})}}
		for _, s := range schemas {
			c.Contributors = append(c.Contributors, teb.Member{Schema: s})
		}
		return teb.New(c)
	})
	if _, err := s.Listen(e); err != nil {
		t.Fatal(err)
	}
	return s
}

// persist dials until somebody lets it in, or refuses.
func persist(e wire.Endpoint, s *teb.Schema, generation uint64, o serve.Options) (*serve.Client, error) {
	for {
		c, err := serve.Dial(context.Background(), e, s, generation, o)
		later, taken := (*serve.LaterError)(nil), (*serve.TakenError)(nil)
		if !errors.As(err, &later) && !errors.As(err, &taken) {
			return c, err
		}
		time.Sleep(time.Millisecond)
	}
}

func fieldOf(t *testing.T, k int, field string) *teb.Schema {
	t.Helper()
	s, err := teb.NewSchema(fmt.Sprint("c", k), teb.Field{Name: field, Type: teb.U16})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// life lets three contributors come, bring events of three numbers each, and go.
func life(t *testing.T, e wire.Endpoint, field string, generation uint64) {
	t.Helper()
	const events = 100
	var all sync.WaitGroup
	var end sync.WaitGroup
	end.Add(3)
	for k := range 3 {
		s := fieldOf(t, k, field)
		all.Go(func() {
			c, err := persist(e, s, generation, options())
			if err != nil {
				t.Error(err)
				end.Done()
				return
			}
			defer c.Close()
			if names := c.Table().Contributors; strings.Join(names, " ") != "c0 c1 c2" || c.Table().Reasons[teb.ReasonLogic].Name != "hit" {
				t.Errorf("%+v", c.Table())
			}
			row := make([]byte, s.RowBytes())
			for pulse := range events {
				teb.PutHead(row, teb.Head{Pulse: uint64(pulse), Time: uint64(pulse), Groups: 1, Service: xtc.L1Accept})
				s.Field(field).PutInt(row, 0, int64(pulse))
				if err := c.Contribute(row); err != nil {
					t.Error(err)
				}
			}
			some := make([]teb.Decision, events)
			for n := 0; n < events; {
				got := c.Next(some)
				for _, d := range some[:got] {
					if d.Pulse != uint64(n) || d.Persist != (3*n >= 30) || d.Contributions != 7 || d.Damage != 0 {
						t.Errorf("%d: %+v", n, d)
					}
					n++
				}
			}
			end.Done() // nobody leaves while others wait for it
			end.Wait()
		})
	}
	all.Wait()
}

// TestGathering: nobody is let in before all are there, and the next run may bring something else.
func TestGathering(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s := gather(t, e, "sum(c.x) >= 30")
	defer s.Close()
	_, err := serve.Dial(context.Background(), e, fieldOf(t, 1, "x"), 10, options()) // it is one of those that come below
	if later := (*serve.LaterError)(nil); !errors.As(err, &later) || !strings.Contains(err.Error(), "waits for c0, c2") {
		t.Fatal(err)
	}
	if _, made := s.Books(); made {
		t.Error("there is a TEB already")
	}
	if _, err := persist(e, fieldOf(t, 3, "x"), 1, options()); err == nil || !strings.Contains(err.Error(), "no contributor c3") {
		t.Fatal(err)
	}
	for run := range uint64(3) { // pulse IDs begin anew
		life(t, e, "x", 10*run+10)
		if b, made := s.Books(); !made || b.Complete != 100 || b.Check() != nil {
			t.Errorf("run %d: %+v", run, b)
		}
		testkit.Within(testkit.Patience, func() bool { return s.Counts().Clients == 0 })
	}
	if counts := s.Counts(); counts.Let != 9 || counts.Refused != 1 || counts.Unfit != 0 {
		t.Errorf("%+v", counts)
	}
}

// TestGatheringTakesLong: who waits is told to, as long as the TEB is being made, and nobody is let in who has left; the server
// may be closed meanwhile.
func TestGatheringTakesLong(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s := gatherIn(t, e, "sum(c.x) >= 30", 10*heartbeat)
	life(t, e, "x", 10)
	if counts := s.Counts(); counts.Let != 3 || counts.Refused != 0 || counts.Unfit != 0 {
		t.Errorf("%+v", counts)
	}
	s.Close()
	s = gatherIn(t, e, "sum(c.x) >= 30", 10*heartbeat)
	var all sync.WaitGroup
	for k := range 3 {
		schema := fieldOf(t, k, "x")
		all.Go(func() {
			if c, err := persist(e, schema, 1, options()); err == nil {
				c.Close()
				t.Error("a client was let in by a server that is closed")
			}
		})
	}
	time.Sleep(heartbeat)
	s.Close()
	all.Wait()
}

// TestGatheringInVain: rules that do not fit what is brought are said to all.
func TestGatheringInVain(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s := gather(t, e, "sum(c.x) >= 30")
	defer s.Close()
	var all sync.WaitGroup
	for k := range 3 {
		schema := fieldOf(t, k, "y")
		all.Go(func() {
			_, err := persist(e, schema, 1, options())
			if refused := (*serve.RefusedError)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), "unknown field x") {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if err := <-s.Failed(); err == nil || !strings.Contains(err.Error(), "unknown field x") {
		t.Error(err)
	}
}
