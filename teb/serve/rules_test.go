package serve_test

import (
	"fmt"
	"log/slog"
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

// ruled serves a rule for one contributor.
func ruled(t *testing.T, e wire.Endpoint, schema *teb.Schema, name string, log *slog.Logger) *serve.Server {
	t.Helper()
	b, err := teb.New(teb.Config{Partition: "test", Contributors: []teb.Member{{Schema: schema}}, Logic: []teb.Logic{
		teb.NewExpression([]teb.Rule{{Name: name, When: "true", Persist: true}})}})
	if err != nil {
		t.Fatal(err)
	}
	o := options()
	o.Log = log
	s := serve.NewServer(b, o)
	if _, err := s.Listen(e); err != nil {
		t.Fatal(err)
	}
	return s
}

// TestOtherRules: a server that comes back with other rules decides nothing more for those who know the former. They do not wait
// for it, it counts them and says it once; and when the former rules are back, they count again.
func TestOtherRules(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	schema := fieldOf(t, 0, "npeaks")
	var server, client testkit.Buffer
	s := ruled(t, e, schema, "one", slog.New(slog.DiscardHandler))
	o := options()
	o.Decide, o.Log = time.Hour, slog.New(slog.NewTextHandler(&client, nil))
	c, err := persist(e, schema, 1, o)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	decided := func(pulse uint64) teb.Decision {
		row := make([]byte, schema.RowBytes())
		teb.PutHead(row, teb.Head{Pulse: pulse, Groups: 1, Service: xtc.L1Accept})
		if err := c.Contribute(row); err != nil {
			t.Fatal(err)
		}
		var d [1]teb.Decision
		c.Next(d[:])
		return d[0]
	}
	s.Close()
	s = ruled(t, e, schema, "another", slog.New(slog.NewTextHandler(&server, nil)))
	const undecided = 1000
	for pulse := range uint64(undecided) {
		if d := decided(pulse + 1); !d.Default || d.Persist {
			t.Fatalf("%+v", d)
		}
	}
	if !testkit.Within(testkit.Patience, func() bool { return s.Counts().Refused >= 3 }) || s.Counts().Let != 0 {
		t.Errorf("%+v", s.Counts())
	}
	if n, m := strings.Count(server.String(), "other rules"), strings.Count(client.String(), "other rules"); n != 1 || m != 1 {
		t.Errorf("the server says %d times that its rules are others, and the client %d", n, m)
	}
	s.Close()
	s = ruled(t, e, schema, "one", slog.New(slog.DiscardHandler))
	defer func() { s.Close() }()
	if !testkit.Within(testkit.Patience, func() bool { return c.Books().Connections == 2 }) {
		t.Errorf("%+v", c.Books())
	}
	if d := decided(undecided + 1); d.Default || !d.Persist {
		t.Errorf("%+v", d)
	}
	if b := c.Books(); b.Refused != undecided || b.Decided != 1 || b.Overdue+b.Lost+b.Pending != 0 {
		t.Errorf("%+v", b)
	}
}

// TestOtherRulesOfAPartition: when the clients of the run that was configured with others have left, the next run may bring something else.
func TestOtherRulesOfAPartition(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	s := gather(t, e, "sum(c.x) >= 31")
	var clients [3]*serve.Client
	var all sync.WaitGroup
	for k := range clients {
		schema, err := teb.NewSchema(fmt.Sprint("c", k), teb.Field{Name: "x", Type: teb.F64})
		if err != nil {
			t.Fatal(err)
		}
		all.Go(func() {
			c, err := persist(e, schema, 1, options())
			if err != nil {
				t.Error(err)
				return
			}
			clients[k] = c
			row := make([]byte, schema.RowBytes())
			teb.PutHead(row, teb.Head{Pulse: 1, Groups: 1, Service: xtc.L1Accept})
			if err := c.Contribute(row); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	s.Close()
	s = gather(t, e, "sum(c.x) >= 30")
	defer func() { s.Close() }()
	if !testkit.Within(testkit.Patience, func() bool { return s.Counts().Refused >= 3 }) || s.Counts().Let != 0 {
		t.Errorf("%+v", s.Counts())
	}
	for _, c := range clients {
		if c != nil {
			c.Close()
		}
	}
	life(t, e, "x", 2)
}
