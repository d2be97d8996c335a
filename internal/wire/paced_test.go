package wire

import (
	"errors"
	"net"
	"testing"
	"time"

	"drp/internal/testkit"
)

// TestPace: a few at once, then one after the other, and a few again after a while.
func TestPace(t *testing.T) {
	l := &paced{pace: Pace{Few: 3, Gap: 10 * time.Millisecond}}
	now := time.Unix(1000, 0)
	for i, want := range []int{0, 0, 0, 0, 10, 20, 30} {
		if got := l.early(now); got != time.Duration(want)*time.Millisecond {
			t.Errorf("connection %d waits for %v, want %v ms", i, got, want)
		}
	}
	now = now.Add(45 * time.Millisecond)
	if got := l.early(now); got != 0 {
		t.Errorf("after a while one waits for %v", got)
	}
	now = now.Add(time.Hour)
	for i, want := range []int{0, 0, 0, 0, 10} {
		if got := l.early(now); got != time.Duration(want)*time.Millisecond {
			t.Errorf("connection %d waits for %v, want %v ms", i, got, want)
		}
	}
}

// TestPacedEnds: who waits for his turn does not hold up the end.
func TestPacedEnds(t *testing.T) {
	testkit.NoLeaks(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Paced(inner, Pace{Few: 0, Gap: time.Hour})
	got := make(chan error)
	accept := func() {
		c, err := l.Accept()
		if err == nil {
			err = c.Close()
		}
		got <- err
	}
	for i, want := range []error{nil, net.ErrClosed} {
		go accept()
		c, err := net.Dial("tcp", inner.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		if i == 1 {
			if err := l.Close(); err != nil {
				t.Error(err)
			}
		}
		if err := <-got; !errors.Is(err, want) {
			t.Errorf("connection %d: %v, want %v", i, err, want)
		}
		_ = c.Close()
	}
}
