package monitor

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

func TestMain(m *testing.M) {
	if os.Getenv("MONITOR_TEST_NAME") != "" {
		if err := consume(); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

const testName = "tst/cam"

// newServer makes a server in a run-time folder of its own.
func newServer(t testing.TB, c Config) *Server {
	t.Helper()
	testkit.NoLeaks(t)
	testkit.RuntimeFolder(t)
	c.Name = testName
	s, err := New(c)
	if err != nil {
		t.Fatal(err)
	}
	s.audience.every = 0 // so that no test depends on when it runs
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func dial(t testing.TB, choose Choice) *Client {
	t.Helper()
	c, err := Dial(t.Context(), testName, choose, t.Name())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// next gives the next item, within a while.
func next(t testing.TB, c *Client) *Item {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), testkit.Patience)
	defer cancel()
	it, err := c.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return it
}

// publisher makes events whose every word is their number.
type publisher struct {
	s *Server
	n int64
	d xtc.Dgram
}

func newPublisher(s *Server, payloadBytes int) *publisher {
	d := make(xtc.Dgram, xtc.DgramHeaderBytes+payloadBytes)
	xtc.PutDgramHeader(d, 0, xtc.EnvOf(xtc.L1Accept, 0), 0, 0, payloadBytes)
	return &publisher{s: s, d: d}
}

// publish publishes the next event.
func (p *publisher) publish(flags, bits uint32) {
	f := Facts{Number: p.n, Flags: flags, Bits: bits}
	p.n++
	if !p.s.Offer(&f) {
		return
	}
	p.d.SetTime(uint64(f.Number))
	payload := p.d.Payload()
	for at := 0; at < len(payload); at += 8 {
		binary.LittleEndian.PutUint64(payload[at:], uint64(f.Number))
	}
	p.s.Publish(&Event{Facts: f, Dgram: p.d})
}

// whole tells whether an event is all of its number.
func whole(it *Item) error {
	payload := it.Dgram.Payload()
	for at := 0; at < len(payload); at += 8 {
		if n := binary.LittleEndian.Uint64(payload[at:]); n != uint64(it.Number) {
			return fmt.Errorf("byte %d of event %d is of event %d", at, it.Number, n)
		}
	}
	if it.Dgram.Time() != uint64(it.Number) || len(payload) == 0 {
		return fmt.Errorf("event %d has the time %d and %d bytes", it.Number, it.Dgram.Time(), len(payload))
	}
	return nil
}

// announce publishes a transition.
func announce(s *Server, id xtc.TransitionID, time uint64) {
	s.Transition(&Event{Dgram: testkit.Plain(id, time)})
}

// settled waits until a server has so many consumers.
func settled(t testing.TB, s *Server, consumers int) {
	t.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return len(s.Consumers()) == consumers }) {
		t.Fatalf("%d consumers: %+v", len(s.Consumers()), s.Consumers())
	}
}
