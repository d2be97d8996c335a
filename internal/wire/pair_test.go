package wire

import (
	"bytes"
	"context"
	"net"
	"testing"
	"time"

	"drp/internal/testkit"
)

// TestPair sends back what comes, and refuses what is no ZeroMQ or too large.
func TestPair(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	ended := make(chan error, 8)
	pairs, _, err := ListenPairs(e, Options{MessageBytes: 1000}, func(p *Pair) {
		for {
			m, err := p.Recv(time.Minute)
			if err == nil {
				err = p.Send(m...)
			}
			if err != nil {
				ended <- err
				return
			}
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	defer pairs.Close()
	p, err := DialPair(context.Background(), e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	for _, size := range []int{1, 255, 256, 990} {
		sent := bytes.Repeat([]byte{7}, size)
		if err := p.Send(sent); err != nil {
			t.Fatal(err)
		}
		if m, err := p.Recv(time.Minute); err != nil || len(m) != 1 || !bytes.Equal(m[0], sent) {
			t.Fatalf("%d bytes come back as %v, %v", size, m, err)
		}
	}
	if err := p.Send(make([]byte, 1001)); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; err == nil {
		t.Error("a giant frame was taken")
	}
	if _, err := p.Recv(time.Minute); err == nil {
		t.Error("the connection of a giant goes on")
	}
	raw, err := net.Dial("unix", e.Path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = raw.Close() }()
	if _, err := raw.Write(bytes.Repeat([]byte("garbage "), 100)); err != nil {
		t.Fatal(err)
	}
	if !testkit.Within(testkit.Patience, func() bool { return pairs.Refused() == 1 }) {
		t.Error("garbage was not refused")
	}
	other, err := DialPair(context.Background(), e, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	if _, err := other.Recv(time.Millisecond); err == nil {
		t.Error("a message that nobody has sent")
	}
}
