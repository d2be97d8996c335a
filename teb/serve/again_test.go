package serve_test

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
	"drp/teb/serve"
	"drp/xtc"
)

// pipe is a connection over a socket whose client may be deaf to decisions.
type pipe struct {
	p    *wire.Pair
	deaf *atomic.Bool
}

func (c pipe) Send(m []byte) error { return c.p.Send(m) }
func (c pipe) Close()              { c.p.Close() }

func (c pipe) Recv(within time.Duration) ([]byte, error) {
	for {
		m, err := c.p.Recv(within)
		if err != nil {
			return nil, err
		}
		if h, _, err := teb.ParseDecisions(m[0]); err != nil || h.Count() == 0 || !c.deaf.Load() {
			return m[0], nil
		}
	}
}

// lossy is a connection on which now and then a batch of decisions is lost.
type lossy struct {
	serve.Conn
	count *atomic.Int64
}

func (c lossy) Recv(within time.Duration) ([]byte, error) {
	m, err := c.Conn.Recv(within)
	if h, _, bad := teb.ParseDecisions(m); err == nil && bad == nil && h.Count() > 0 && c.count.Add(1)%5 == 0 {
		return c.Conn.Recv(within)
	}
	return m, err
}

// TestDecisionsAreLost on their way: they are sent again over another connection.
func TestDecisionsAreLost(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	all := members(t)[:1]
	s, _ := startWith(t, e, all)
	defer s.Close()
	var count atomic.Int64
	var deaf atomic.Bool
	c, err := serve.Connect(t.Context(), func(ctx context.Context) (serve.Conn, error) {
		p, err := wire.DialPair(ctx, e, wire.Options{MessageBytes: teb.MaxBatchBytes})
		return lossy{pipe{p, &deaf}, &count}, err
	}, all[0].Schema, 1, options())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const events = 2000
	row := make([]byte, all[0].Schema.RowBytes())
	some := make([]teb.Decision, 100)
	for next := uint64(0); next < events; {
		for range 20 {
			teb.PutHead(row, teb.Head{Pulse: next, Time: next, Groups: 1, Service: xtc.L1Accept})
			if err := c.Contribute(row); err != nil {
				t.Fatal(err)
			}
			next++
		}
		for taken := 0; taken < 20; {
			taken += c.Next(some)
		}
	}
	if b := c.Books(); b.Decided != events || b.Lost != 0 || b.Connections < 5 {
		t.Errorf("%+v", b)
	}
}

// TestServerIsStartedAgain after one of two clients got decisions, and the other did not: that one gets the same.
func TestServerIsStartedAgain(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	schemas := []*teb.Schema{fieldOf(t, 0, "x"), fieldOf(t, 1, "x")}
	begin := func() *serve.Server {
		s := serve.NewGathering([]string{"c0", "c1"}, options(), func(schemas []*teb.Schema) (*teb.TEB, error) {
			return teb.New(teb.Config{Partition: "test", Contributors: []teb.Member{{Schema: schemas[0]}, {Schema: schemas[1]}},
				Logic: []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "both", When: "contributions == 2", Persist: true}})}})
		})
		if _, err := s.Listen(e); err != nil {
			t.Fatal(err)
		}
		return s
	}
	s := begin()
	var deaf atomic.Bool
	deaf.Store(true)
	dial := func(ctx context.Context) (serve.Conn, error) {
		p, err := wire.DialPair(ctx, e, wire.Options{MessageBytes: teb.MaxBatchBytes})
		return pipe{p, &deaf}, err
	}
	hears := clientOf(t, func() (*serve.Client, error) { return persist(e, schemas[0], 1, options()) })
	misses := clientOf(t, func() (*serve.Client, error) {
		for {
			c, err := serve.Connect(t.Context(), dial, schemas[1], 1, options())
			if later := (*serve.LaterError)(nil); !errors.As(err, &later) {
				return c, err
			}
		}
	})
	a, b := <-hears, <-misses
	if a == nil || b == nil {
		t.FailNow()
	}
	defer a.Close()
	defer b.Close()
	put := func(c *serve.Client, k int, pulse uint64) {
		row := make([]byte, schemas[k].RowBytes())
		teb.PutHead(row, teb.Head{Pulse: pulse, Time: pulse, Groups: 1, Service: xtc.L1Accept})
		if err := c.Contribute(row); err != nil {
			t.Error(err)
		}
	}
	const early, late = 50, 60
	for pulse := range uint64(early) {
		put(a, 0, pulse+1)
		put(b, 1, pulse+1)
	}
	take(t, a, 1, early)
	s.Close()
	deaf.Store(false)
	s = begin()
	defer func() { s.Close() }()
	for pulse := uint64(early + 1); pulse <= late; pulse++ {
		put(a, 0, pulse)
		put(b, 1, pulse)
	}
	take(t, a, early+1, late)
	take(t, b, 1, late)
	if books, _ := s.Books(); books.Events != late-early || books.Complete != late-early || books.Check() != nil {
		t.Errorf("%+v", books)
	}
	if counts := s.Counts(); counts.Repeated < early {
		t.Errorf("%+v", counts)
	}
}

func clientOf(t *testing.T, dial func() (*serve.Client, error)) <-chan *serve.Client {
	came := make(chan *serve.Client, 1)
	go func() {
		c, err := dial()
		if err != nil {
			t.Error(err)
		}
		came <- c
	}()
	return came
}

// take wants decisions of both contributions, from one pulse ID to another.
func take(t *testing.T, c *serve.Client, from, to uint64) {
	t.Helper()
	some := make([]teb.Decision, 100)
	for from <= to {
		for _, d := range some[:c.Next(some)] {
			if want := (teb.Decision{Pulse: from, Time: from, Contributions: 3, Groups: 1, Reason: teb.ReasonLogic, Service: xtc.L1Accept,
				Persist: true}); fmt.Sprint(d) != fmt.Sprint(want) {
				t.Errorf("%+v, want %+v", d, want)
			}
			from++
		}
	}
}
