package wire

import (
	"errors"
	"net"
	"testing"
	"time"

	"drp/internal/pace"
	"drp/internal/testkit"
)

// TestPacedEnds: who waits for his turn does not hold up the end.
func TestPacedEnds(t *testing.T) {
	testkit.NoLeaks(t)
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := Paced(inner, &pace.Pace{Gap: time.Hour})
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
