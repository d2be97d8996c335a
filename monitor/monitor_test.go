package monitor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/rundir"
	"drp/shm"
	"drp/xtc"
)

func TestChoices(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 256})
	p := newPublisher(s, 800)
	hit := func(n int) bool { return n%3 == 0 }
	bits := func(n int) uint32 { return uint32(n % 8) }
	cases := []struct {
		name   string
		choose Choice
		wants  func(n int) bool
	}{
		{"all", Choice{}, func(int) bool { return true }},
		{"hits", Choice{Hits: true}, hit},
		{"bits", Choice{Bits: 5}, func(n int) bool { return bits(n)&5 != 0 }},
		{"every", Choice{Every: 7}, func(n int) bool { return n%7 == 0 }},
		{"every other hit", Choice{Hits: true, Every: 2}, func(n int) bool { return n%6 == 0 }},
		{"hits with a bit", Choice{Hits: true, Bits: 4}, func(n int) bool { return hit(n) && bits(n)&4 != 0 }},
	}
	var clients []*Client
	for _, c := range cases {
		clients = append(clients, dial(t, c.choose))
	}
	settled(t, s, len(cases))
	const events = 100
	for n := range events {
		flags := uint32(0)
		if hit(n) {
			flags = Hit
		}
		p.publish(flags, bits(n))
	}
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			for n := range events {
				if !c.wants(n) {
					continue
				}
				it := next(t, clients[i])
				if err := whole(it); err != nil || it.Number != int64(n) || it.Missed != 0 || it.Flags&Hit != 0 != hit(n) || it.Bits != bits(n) {
					t.Fatalf("want event %d: %+v, %v", n, it.Facts, err)
				}
			}
		})
	}
	if b := s.Books(); b.Published != events || b.Missed != 0 {
		t.Errorf("%+v", b)
	}
}

// TestNobodyListens: then nothing is copied, and nothing is counted.
func TestNobodyListens(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 4})
	p := newPublisher(s, 800)
	for range 10 {
		p.publish(0, 0)
	}
	c := dial(t, Choice{Hits: true})
	settled(t, s, 1)
	for range 10 {
		p.publish(0, 0) // which nobody wants
	}
	if b := s.Books(); b.Published != 0 || b.Missed != 0 || c.Offered() != 0 {
		t.Errorf("%+v", b)
	}
	var none *Server
	if none.Offer(&Facts{}) || none.Close() != nil || none.Consumers() != nil {
		t.Error("a server that is none does something")
	}
	none.Transition(&Event{})
}

// TestMissed: who does not look gets what he has room for, then the gap, counted to the event.
func TestMissed(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 16})
	p := newPublisher(s, 800)
	all, third, newest := dial(t, Choice{}), dial(t, Choice{Every: 3}), dial(t, Choice{Newest: true})
	settled(t, s, 3)
	for range 1000 {
		p.publish(0, 0)
	}
	if b := s.Books(); b.Published > 30 {
		t.Errorf("%d events were copied for consumers that do not look", b.Published)
	}
	// What third holds room for is overwritten by what all gets only while all has room.
	for _, c := range []struct {
		*Client
		every  int64
		window uint64
	}{{all, 1, 8}, {third, 3, 8}, {newest, 1, 1}} {
		got, last := uint64(0), -c.every
		for got < c.window {
			it := next(t, c.Client)
			if err := whole(it); err != nil || it.Number != last+c.every*int64(1+it.Missed) {
				t.Fatalf("%+v after %d, %d missed: %v", it.Facts, last, it.Missed, err)
			}
			last, got = it.Number, got+1
		}
		c.Release()
	}
	for range 3 {
		p.publish(0, 0) // 1000, 1001, 1002: the last is a third
	}
	announce(s, xtc.SlowUpdate, 1) // and with it what each has chosen
	for i, want := range []struct{ number, missed, offered int64 }{{1000, 992, 1003}, {1002, 334 - 8, 335}, {1000, 999, 1003}} {
		c := []*Client{all, third, newest}[i]
		it := next(t, c)
		if it.Number != want.number || int64(it.Missed) != want.missed || int64(c.Offered()) != want.offered {
			t.Errorf("consumer %d got %d and missed %d of %d, want %+v", i, it.Number, it.Missed, c.Offered(), want)
		}
	}
}

// TestHeld: a slot that is held is passed over; when all are, events are missed, until somebody has held for too long.
func TestHeld(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 3})
	p := newPublisher(s, 800)
	var holders []*Client
	for range 3 {
		c := dial(t, Choice{})
		settled(t, s, len(holders)+1)
		p.publish(0, 0)
		for _, h := range append(holders, c) {
			if h.present.seq == 0 {
				next(t, h) // and holds it
			}
		}
		holders = append(holders, c)
	}
	held := []int64{0, 1, 2}
	healthy := dial(t, Choice{})
	settled(t, s, 4)
	for range 5 {
		p.publish(0, 0)
	}
	if b := s.Books(); b.Held != 5 {
		t.Fatalf("%+v", b)
	}
	for i, h := range holders {
		if !h.Intact() || h.present.Number != held[i] || whole(&h.present) != nil {
			t.Errorf("holder %d has %+v", i, h.present.Facts)
		}
	}
	s.mu.Lock()
	s.ring.kept[1] = time.Now().Add(-2 * leaseTime)
	s.mu.Unlock()
	p.publish(0, 0)
	if it := next(t, healthy); it.Number != 8 || it.Missed != 5 || whole(it) != nil {
		t.Errorf("%+v, %d missed", it.Facts, it.Missed)
	}
	for i, h := range holders {
		if h.Intact() != (i != 1) {
			t.Errorf("holder %d: %v", i, h.Intact())
		}
	}
}

// TestOverwritten: what one had room for, and others had overwritten, is missed.
func TestOverwritten(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 8})
	p := newPublisher(s, 800)
	slow, quick := dial(t, Choice{}), dial(t, Choice{})
	settled(t, s, 2)
	for range 20 {
		p.publish(0, 0)
		next(t, quick)
	}
	// 4 were for him, which 16 others have overwritten.
	ctx, cancel := context.WithTimeout(t.Context(), 3*lookAgain)
	defer cancel()
	if it, err := slow.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("%+v, %v", it, err)
	}
	p.publish(0, 0)
	if it := next(t, slow); it.Number != 20 || it.Missed != 20 || whole(it) != nil {
		t.Errorf("%+v, %d missed", it.Facts, it.Missed)
	}
}

func TestLargeEvents(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1000, Slots: 4})
	c := dial(t, Choice{})
	settled(t, s, 1)
	newPublisher(s, 8000).publish(0, 0)
	p := newPublisher(s, 800)
	p.n = 1
	p.publish(0, 0)
	if it := next(t, c); it.Number != 1 || it.Missed != 1 {
		t.Errorf("%+v, %d missed", it.Facts, it.Missed)
	}
	if b := s.Books(); b.TooLarge != 1 || b.Published != 1 || b.Missed != 1 {
		t.Errorf("%+v", b)
	}
}

func TestEnd(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 8})
	p := newPublisher(s, 800)
	c := dial(t, Choice{})
	settled(t, s, 1)
	p.publish(0, 0)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if it := next(t, c); it.Number != 0 || whole(it) != nil {
		t.Errorf("%+v", it.Facts)
	}
	for range 2 {
		if _, err := c.Next(t.Context()); !errors.Is(err, io.EOF) {
			t.Errorf("%v", err)
		}
	}
	if _, err := Dial(t.Context(), testName, Choice{}, ""); err == nil || !strings.Contains(err.Error(), "--monitor tst/cam") {
		t.Errorf("%v", err)
	}
}

func TestRefused(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 2})
	path, _ := Path(testName)
	for _, said := range []string{"\n", "{}\n", `{"version":2}` + "\n", "[1]\n", strings.Repeat("x", 5000), `{"version":1,"choose":{"every":-1}}` + "\n"} {
		conn, err := net.Dial("unix", path)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(said))
		if f, err := readFrame(conn); err != nil || f.kind != frameRefused || len(f.payload) == 0 {
			t.Errorf("%.20q: %+v, %v", said, f, err)
		}
		_ = conn.Close()
	}
	for range mostConsumers {
		dial(t, Choice{})
	}
	_, err := Dial(t.Context(), testName, Choice{}, "one too many")
	if refused := (*RefusedError)(nil); !errors.As(err, &refused) || !strings.Contains(err.Error(), "128") {
		t.Errorf("%v", err)
	}
	if b := s.Books(); b.Refused != 7 || b.Consumers != mostConsumers {
		t.Errorf("%+v", b)
	}
	if _, err := New(Config{Name: testName, EventBytes: 8}); err == nil || !strings.Contains(err.Error(), "process") {
		t.Errorf("a second server of the same name: %v", err)
	}
	for _, name := range []string{"", "..", "../x/y", "a/b/c", "a b", "/a", "a/", "-a", "a/.b", "a/" + strings.Repeat("x", 65)} {
		if err := CheckName(name); err == nil {
			t.Errorf("%q is a name", name)
		}
	}
}

// TestModes: nobody else can look, and consumers cannot write to the slots.
func TestModes(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 2})
	c := dial(t, Choice{})
	path, _ := Path(testName)
	for place, mode := range map[string]os.FileMode{path: 0o600, filepath.Dir(path): 0o700, rundir.Base(): 0o700} {
		if info, err := os.Lstat(place); err != nil || info.Mode().Perm() != mode {
			t.Errorf("%s: %v, %v", place, info, err)
		}
	}
	data, err := os.ReadFile("/proc/sysvipc/shm")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for line := range strings.Lines(string(data)) {
		f := strings.Fields(line)
		want := map[string]string{fmt.Sprint(s.ring.seg.ID()): "1400", fmt.Sprint(c.hello.Queue.ID): "1600"}
		if mode, ours := want[f[1]]; ours && f[0] == "0" {
			if found++; f[2] != mode { // 1000 is of a segment that goes with the last who has it
				t.Errorf("segment %s has the mode %s, want %s", f[1], f[2], mode)
			}
		}
	}
	if found != 2 {
		t.Errorf("%d segments were found", found)
	}
	if self, _ := shm.Self(); c.data.Owner != self {
		t.Errorf("%+v", c.data.Owner)
	}
}

// TestPublishAllocatesNothing, whoever listens.
func TestPublishAllocatesNothing(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 8})
	c := dial(t, Choice{})
	settled(t, s, 1)
	e := &Event{Dgram: newPublisher(s, 800).d}
	if n := testing.AllocsPerRun(1000, func() {
		e.Number++
		if s.Offer(&e.Facts) {
			s.Publish(e)
		}
		c.tail = word(c.mem, queueHead).Load() // as one who keeps pace
		word(c.mem, queueTail).Store(c.tail)
	}); n != 0 {
		t.Errorf("%v allocations for each event", n)
	}
	if s.Books().Published < 1000 {
		t.Errorf("%+v", s.Books())
	}
}
