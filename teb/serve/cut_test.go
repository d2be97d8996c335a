package serve_test

import (
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/internal/wire"
	"drp/teb"
)

// cutter passes bytes on to another socket, and cuts each connection after a while. A part of what is under way is lost.
func cutter(t *testing.T, to wire.Endpoint, after time.Duration) wire.Endpoint {
	t.Helper()
	at := wire.Endpoint{Path: to.Path + "-cut"}
	l, err := net.Listen("unix", at.Path)
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			out, err := net.Dial("unix", to.Path)
			if err != nil {
				_ = in.Close()
				continue
			}
			both := func() { _ = in.Close(); _ = out.Close() }
			timer := time.AfterFunc(after, both)
			running.Go(func() { _, _ = io.Copy(in, out); both() })
			running.Go(func() { _, _ = io.Copy(out, in); both(); timer.Stop() })
		}
	})
	t.Cleanup(func() { _ = l.Close(); running.Wait() })
	return at
}

// TestConnectionBreaks again and again: rows are sent again, and so are decisions, so that nothing is missing.
func TestConnectionBreaks(t *testing.T) {
	testkit.NoLeaks(t)
	e := endpoint(t)
	m := members(t)[:1]
	s, b := startWith(t, e, m)
	defer s.Close()
	all, books := contribute(t, cutter(t, e, 25*time.Millisecond), m[0], 20000, func(pulse int) {
		if pulse%20 == 0 {
			time.Sleep(100 * time.Microsecond)
		}
	})
	for i, d := range all {
		want := teb.Decision{Pulse: uint64(i), Time: uint64(i), Contributions: 1, Groups: 1, Service: d.Service}
		if d != want {
			t.Fatalf("%+v, want %+v", d, want)
		}
	}
	if books.Decided != 20000 || books.Connections < 3 || books.Resent == 0 {
		t.Errorf("the books: %+v", books)
	}
	if books := b.Books(); books.Complete != 20000 || books.Check() != nil || books.Joined < 3 {
		t.Errorf("the books: %+v", books)
	}
	if counts := s.Counts(); counts.Repeated == 0 || counts.Refused != 0 {
		t.Errorf("%+v", counts)
	}
}
