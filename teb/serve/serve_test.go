package serve_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
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

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

const heartbeat = 500 * time.Millisecond // who is silent for three of them is given up, and a busy machine stops for long

func options() serve.Options {
	return serve.Options{Partition: "test", Heartbeat: heartbeat, Decide: time.Minute, Window: 512}
}

// members are three contributors with a number each.
func members(t *testing.T) (all []teb.Member) {
	for k := range 3 {
		s, err := teb.NewSchema(fmt.Sprint("c", k), teb.Field{Name: "npeaks", Type: teb.U16})
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, teb.Member{Schema: s})
	}
	return all
}

func endpoint(t *testing.T) wire.Endpoint {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return wire.Endpoint{Path: filepath.Join(dir, "teb")}
}

// start serves a TEB that keeps events with 20 peaks in all.
func start(t *testing.T, e wire.Endpoint) (*serve.Server, *teb.TEB) {
	t.Helper()
	return startWith(t, e, members(t))
}

func startWith(t *testing.T, e wire.Endpoint, all []teb.Member) (*serve.Server, *teb.TEB) {
	t.Helper()
	b, err := teb.New(teb.Config{Partition: "test", Contributors: all, Deadline: time.Minute, Logic: []teb.Logic{
		teb.NewExpression([]teb.Rule{{Name: "hit", When: "sum(c.npeaks) >= 20", Persist: true}})}})
	if err != nil {
		t.Fatal(err)
	}
	s := serve.NewServer(b, options())
	if _, err := s.Listen(e); err != nil {
		t.Fatal(err)
	}
	return s, b
}

// contribute lets one client bring so many events, and gives what was decided.
func contribute(t *testing.T, e wire.Endpoint, m teb.Member, events int, pace func(pulse int)) (all []teb.Decision, books serve.ClientBooks) {
	c, err := serve.Dial(context.Background(), e, m.Schema, 1, options())
	for tries := 1; err != nil && tries < 100; tries++ { // the server may die before it has let the client in
		time.Sleep(10 * time.Millisecond)
		c, err = serve.Dial(context.Background(), e, m.Schema, uint64(tries+1), options())
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer c.Close()
	var writer sync.WaitGroup
	writer.Go(func() {
		row := make([]byte, m.Schema.RowBytes())
		for pulse := range events {
			pace(pulse)
			teb.PutHead(row, teb.Head{Pulse: uint64(pulse), Time: uint64(pulse), Groups: 1, Service: xtc.L1Accept})
			m.Schema.Field("npeaks").PutInt(row, 0, int64(pulse%10))
			if err := c.Contribute(row); err != nil {
				t.Error(err)
			}
		}
	})
	some := make([]teb.Decision, 100)
	for len(all) < events {
		all = append(all, some[:c.Next(some)]...)
	}
	writer.Wait()
	return all, c.Books()
}

func TestThreeClients(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, b := start(t, e)
	defer s.Close()
	var clients sync.WaitGroup
	for _, m := range members(t) {
		clients.Go(func() {
			all, books := contribute(t, e, m, 20000, func(int) {})
			for i, d := range all {
				want := teb.Decision{Pulse: uint64(i), Time: uint64(i), Contributions: 7, Groups: 1, Service: xtc.L1Accept}
				if i%10 >= 7 {
					want.Persist, want.Reason = true, teb.ReasonLogic
				}
				if d != want {
					t.Fatalf("%+v, want %+v", d, want)
				}
			}
			if books.Decided != 20000 || books.Connections != 1 || books.Resent != 0 {
				t.Errorf("the books: %+v", books)
			}
		})
	}
	clients.Wait()
	if books := b.Books(); books.Complete != 20000 || books.Check() != nil {
		t.Errorf("the books: %+v", books)
	}
	if counts := s.Counts(); counts.Let != 3 || counts.Refused != 0 {
		t.Errorf("%+v", counts)
	}
}

// TestServerDies again and again: each row gets one decision all the same, in order.
func TestServerDies(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, _ := start(t, e)
	var clients sync.WaitGroup
	const events = 3000
	for k, m := range members(t) {
		clients.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(k), 1))
			all, books := contribute(t, e, m, events, func(int) {
				if rng.IntN(10) == 0 {
					time.Sleep(time.Duration(rng.IntN(3000)) * time.Microsecond)
				}
			})
			for i, d := range all {
				if d.Pulse != uint64(i) {
					t.Fatalf("%d comes where %d should", d.Pulse, i)
				}
			}
			if books.Decided+books.Lost != events || books.Pending != 0 || books.Overdue != 0 || books.Connections < 2 {
				t.Errorf("the books: %+v", books)
			}
		})
	}
	if !testkit.Within(testkit.Patience, func() bool { return s.Counts().Let == 3 }) {
		t.Errorf("%+v", s.Counts())
	}
	for range 3 {
		time.Sleep(70 * time.Millisecond)
		s.Close()
		s, _ = start(t, e)
	}
	clients.Wait()
	s.Close()
}

// TestClientDies: the others go on, with damage, and are not held up.
func TestClientDies(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, b := start(t, e)
	defer s.Close()
	all := members(t)
	c, err := serve.Dial(context.Background(), e, all[2].Schema, 1, options())
	if err != nil {
		t.Fatal(err)
	}
	var clients sync.WaitGroup
	for _, m := range all[:2] {
		clients.Go(func() {
			got, _ := contribute(t, e, m, 500, func(int) {})
			for _, d := range got {
				if d.Contributions != 3 || d.Damage != xtc.DamageDroppedContribution {
					t.Errorf("%+v", d)
				}
			}
		})
	}
	c.Close()
	clients.Wait()
	if books := b.Books(); books.Absent != 500 || books.Gone < 1 {
		t.Errorf("the books: %+v", books)
	}
}

func TestWhoIsRefused(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, b := start(t, e)
	defer s.Close()
	all := members(t)
	other, err := teb.NewSchema("c0", teb.Field{Name: "sum", Type: teb.F64})
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Partition = "another"
	var refused *serve.RefusedError
	for _, test := range []struct {
		schema *teb.Schema
		o      serve.Options
		want   string
	}{{all[0].Schema, o, `another partition than "test"`}, {other, options(), "npeaks u16"}} {
		if _, err := serve.Dial(context.Background(), e, test.schema, 1, test.o); !errors.As(err, &refused) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v, want %q", err, test.want)
		}
	}
	good, err := serve.Dial(context.Background(), e, all[0].Schema, 5, options())
	if err != nil {
		t.Fatal(err)
	}
	defer good.Close()
	for _, message := range [][]byte{[]byte("garbage"), bytes.Repeat([]byte{'x'}, 100), make([]byte, teb.MaxBatchBytes+1)} {
		p, err := wire.DialPair(context.Background(), e, wire.Options{MessageBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		_ = p.Send(message)
		for err == nil {
			_, err = p.Recv(testkit.Patience)
		}
		p.Close()
	}
	raw, err := net.Dial("unix", e.Path)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = raw.Write(bytes.Repeat([]byte("garbage "), 20))
	defer func() { _ = raw.Close() }()
	if !testkit.Within(testkit.Patience, func() bool { return s.Counts().Refused == 6 }) {
		t.Errorf("%+v", s.Counts())
	}
	if counts := s.Counts(); counts.Clients != 1 || counts.Unfit != 0 || b.Books().Gone != 0 {
		t.Errorf("%+v", counts)
	}
}

// TestNobodyDecides: the default is given after the deadline.
func TestNobodyDecides(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s, _ := start(t, e)
	m := members(t)[0]
	o := options()
	o.Decide, o.Default = 50*time.Millisecond, teb.Verdict{Persist: true, Monitor: 4}
	c, err := serve.Dial(context.Background(), e, m.Schema, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s.Close()
	row := make([]byte, m.Schema.RowBytes())
	teb.PutHead(row, teb.Head{Pulse: 9, Service: xtc.L1Accept})
	if err := c.Contribute(row); err != nil {
		t.Fatal(err)
	}
	if err := c.Contribute(row); err == nil {
		t.Error("the same pulse ID twice")
	}
	var d [1]teb.Decision
	want := teb.Decision{Pulse: 9, Persist: true, Monitor: 4, Reason: teb.ReasonDefault, Default: true, Service: xtc.L1Accept}
	if c.Next(d[:]) != 1 || d[0] != want {
		t.Errorf("%+v, want %+v", d[0], want)
	}
	if books := c.Books(); books.Overdue != 1 || books.Pending != 0 {
		t.Errorf("the books: %+v", books)
	}
}
