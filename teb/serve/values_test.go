package serve

import (
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/settings"
	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
	"drp/xtc"
)

// steered decides with parameters, which it does not look at.
type steered struct{ *teb.Func }

func (steered) Parameters() []settings.Parameter {
	return []settings.Parameter{{Name: "n", Type: settings.Int, Default: int64(0)}, {Name: "word", Type: settings.Str, Default: ""}}
}

// steeredServer serves a TEB whose parameters have other values in each batch.
func steeredServer(t *testing.T) (at wire.Endpoint, s *teb.Schema) {
	t.Helper()
	s, err := teb.NewSchema("c0", teb.Field{Name: "npeaks", Type: teb.U16})
	if err != nil {
		t.Fatal(err)
	}
	var generation atomic.Uint32
	b, err := teb.New(teb.Config{Partition: "test", Contributors: []teb.Member{{Schema: s}}, Deadline: time.Minute, BatchEvents: 64,
		Logic: []teb.Logic{steered{&teb.Func{Do: func(b *teb.Batch) {
			for i := range b.Verdicts {
				b.Verdicts[i].Monitor = b.Settings().Generation
			}
		}}}},
		Settings: func() *teb.Settings {
			g := generation.Add(1)
			return &teb.Settings{Generation: g, Values: []any{math.MaxInt64 - int64(g), fmt.Sprint("ä\x01", g)}}
		}})
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at = wire.Endpoint{Path: filepath.Join(dir, "teb")}
	server := NewServer(b, Options{Partition: "test"})
	t.Cleanup(server.Close)
	if _, err := server.Listen(at); err != nil {
		t.Fatal(err)
	}
	return at, s
}

// TestValuesComeWithDecisions: each decision has the values that it was made with, also of those that come again over another
// connection.
func TestValuesComeWithDecisions(t *testing.T) {
	testkit.NoLeaks(t)
	at, s := steeredServer(t)
	c, err := Dial(t.Context(), at, s, 1, Options{Partition: "test", Decide: time.Minute, Window: 512})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	const events = 5000
	go func() {
		row := make([]byte, s.RowBytes())
		for pulse := range uint64(events) {
			teb.PutHead(row, teb.Head{Pulse: pulse, Time: pulse, Groups: 1, Service: xtc.L1Accept})
			if pulse%1000 == 999 {
				c.mu.Lock()
				c.conn.Close() // as if the network did
				c.mu.Unlock()
			}
			if c.Contribute(row) != nil {
				return
			}
		}
	}()
	some := make([]teb.Decision, 100)
	for n := 0; n < events; {
		got := c.Next(some)
		for _, d := range some[:got] {
			if d.Settings == nil || d.Settings.Generation != d.Monitor || d.Settings.Values[0] != math.MaxInt64-int64(d.Monitor) ||
				d.Settings.Values[1] != fmt.Sprint("ä\x01", d.Monitor) {
				t.Fatalf("a decision of generation %d has the values %+v", d.Monitor, d.Settings)
			}
		}
		n += got
	}
	if b := c.Books(); b.Decided != events || b.Connections < 2 {
		t.Errorf("%+v", b)
	}
}

// TestAnOldClient, which does not ask for values, is sent decisions alone; and one that asks later than at first is no client.
func TestAnOldClient(t *testing.T) {
	testkit.NoLeaks(t)
	at, s := steeredServer(t)
	p, err := wire.DialPair(t.Context(), at, Options{Partition: "test"}.withDefaults().wire())
	if err != nil {
		t.Fatal(err)
	}
	c := pair{p}
	defer c.Close()
	h := hello{partition: teb.PartitionID("test"), process: 1, shares: 1, schema: s}
	in, err := introduce(c, &h, func() []byte { return nil }, testkit.Patience)
	if err != nil || fmt.Sprint(in.table.Parameters) != "[{n int} {word str}]" {
		t.Fatal(err, in.table)
	}
	e, err := teb.NewEncoder(s, teb.BatchHead{Partition: teb.PartitionID("test"), Contributor: in.place, Generation: in.generation}, 8)
	if err != nil {
		t.Fatal(err)
	}
	e.Add(teb.Head{Pulse: 1, Time: 1, Groups: 1, Service: xtc.L1Accept})
	if err := c.Send(e.Batch()); err != nil {
		t.Fatal(err)
	}
	for decided := 0; decided == 0; {
		m, err := c.Recv(testkit.Patience)
		if err != nil {
			t.Fatal(err)
		}
		head, _, err := teb.ParseDecisions(m)
		if err != nil {
			t.Fatal(err)
		}
		decided = head.Count()
	}
	if err := c.Send([]byte(valuesMagic)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, err = c.Recv(testkit.Patience)
	}
	if late := (interface{ Timeout() bool })(nil); errors.As(err, &late) && late.Timeout() {
		t.Errorf("it is not turned away: %v", err)
	}
}

// FuzzValues: what makes sense is written as it was read.
func FuzzValues(f *testing.F) {
	all := []teb.Parameter{{Name: "n", Type: settings.Int}, {Name: "x", Type: settings.Float}, {Name: "dark", Type: settings.Bool}, {Name: "word", Type: settings.Str}}
	f.Add(valuesMessage(&teb.Settings{Generation: 7, Values: []any{int64(math.MinInt64), 0.1, true, "a\"b"}}))
	f.Add([]byte(valuesMagic))
	f.Add(append([]byte(valuesMagic+"1234"), `["1","nan","on"]`...))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := valuesOf(b, all)
		if err != nil {
			return
		}
		again, err := valuesOf(valuesMessage(s), all)
		if err != nil || fmt.Sprint(*again) != fmt.Sprint(*s) {
			t.Errorf("%+v is read as %+v, %v", s, again, err)
		}
	})
}
