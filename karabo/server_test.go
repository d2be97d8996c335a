package karabo

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/xtc"
)

func TestMain(m *testing.M) { os.Exit(testkit.Main(m)) }

// played is a run that is played here: a Configure and one event after the other, until it is told how it ends.
type played struct {
	sent  int
	ends  chan error
	ended *atomic.Int32
}

var camera = testkit.Camera{}

func (p *played) Next(ctx context.Context) (Event, error) {
	p.sent++
	if p.sent == 1 {
		return Event{Dgram: camera.Configure(1)}, nil
	}
	select {
	case err := <-p.ends:
		return Event{}, err
	case <-ctx.Done():
		return Event{}, ctx.Err()
	case <-time.After(time.Millisecond):
	}
	return Event{Dgram: camera.Event(uint64(p.sent), p.sent), Number: int64(p.sent), Missed: 2}, nil
}

func (p *played) Release() {}

func (p *played) Close() error { p.ended.Add(1); return nil }

// TestWhoIsThereDecidesWhetherTheRunIsWatched, and a run that ends or dies is followed by the next.
func TestWhoIsThereDecidesWhetherTheRunIsWatched(t *testing.T) {
	testkit.NoLeaks(t)
	dir := filepath.Join(t.TempDir(), "private")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	at := wire.Endpoint{Path: filepath.Join(dir, "socket")}
	var begun, ended atomic.Int32
	ends := make(chan error)
	s, err := Listen(Config{Name: "tst/cam", Watch: func(context.Context) (Stream, error) {
		begun.Add(1)
		return &played{ends: ends, ended: &ended}, nil
	}}, Socket{wire.Publish, at})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { s.Run(ctx); close(done) }()
	watches := func(runs int32) {
		t.Helper()
		if !testkit.Within(testkit.Patience, func() bool { return begun.Load() == runs && ended.Load() >= runs-1 }) {
			t.Fatalf("%d were watched, %d are done with", begun.Load(), ended.Load())
		}
	}
	hears := func(sub *wire.Sub) {
		t.Helper()
		soon, stop := context.WithTimeout(ctx, testkit.Patience)
		defer stop()
		m, err := sub.Recv(soon)
		if err != nil {
			t.Fatal(err)
		}
		message := Message{{[]byte(m.Topic)}}
		for _, f := range m.Frames {
			message = append(message, [][]byte{f})
		}
		if told, err := decode(message); err != nil || told.values["tst/cam/EVENT"]["missed"] != uint64(2) {
			t.Fatalf("%v: %v", told, err)
		}
	}
	client := func() *wire.Sub {
		sub, err := wire.NewSub(at, wire.Options{MessageBytes: 1 << 20})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(sub.Close)
		return sub
	}
	first := client()
	hears(first)
	watches(1)
	ends <- io.EOF
	hears(first)
	watches(2)
	ends <- errors.New("it has died")
	hears(first)
	watches(3)
	first.Close()
	if !testkit.Within(testkit.Patience, func() bool { return ended.Load() == 3 }) {
		t.Error("nobody is there, and the run is watched")
	}
	hears(client())
	watches(4)
	if b := s.Books(); len(b) != 1 || b[0].Events == 0 || b[0].Missed < 2*b[0].Events || len(b[0].Consumers) != 1 || b[0].Address != at.String() {
		t.Errorf("%+v", b)
	}
	cancel()
	select {
	case <-done:
	case <-time.After(testkit.Patience):
		t.Error("it does not end")
	}
}

// TestNonsenseIsLeftOut: a Configure that makes no sense leaves what holds as it is, and events go on.
func TestNonsenseIsLeftOut(t *testing.T) {
	e := NewEncoder("x")
	if err := e.Transition(camera.Configure(1)); err != nil {
		t.Fatal(err)
	}
	if err := e.Transition(testkit.Plain(xtc.Configure, 2, 1, 2, 3)); err == nil {
		t.Error("it makes sense")
	}
	d := camera.Event(3, 3)
	whole, err := decode(e.Event(&Event{Dgram: d}))
	if err != nil || whole.values["x/DET/cam"] == nil {
		t.Fatal(whole, err)
	}
	cut := slices.Concat(d[:len(d)-30], make([]byte, 30))
	cut[len(d)/2+2] = 0xff
	if told, err := decode(e.Event(&Event{Dgram: cut})); err != nil || told.values["x/EVENT"] == nil {
		t.Error(told, err)
	}
}
