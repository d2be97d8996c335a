package wire

import (
	"log/slog"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestPeersThatLeaveAreNotRefused: who connects and goes away, wherever in the handshake, is no cause for a warning.
func TestPeersThatLeaveAreNotRefused(t *testing.T) {
	testkit.NoLeaks(t)
	var log strings.Builder
	e := place(t)
	p := publish(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, e)
	whole := append(greeting(), ready("SUB")...)
	for _, said := range []int{0, 5, greetingBytes, len(whole) - 1} {
		r := connect(t, e)
		r.say(whole[:said])
		_ = r.Close()
	}
	join(t, e) // connections are taken in order
	eventually(t, "all but the last are gone", func() bool { return p.Counts().Peers == 1 })
	if n := p.Counts().Refused; n != 0 {
		t.Errorf("%d were refused", n)
	}
	r := connect(t, e)
	r.say([]byte("GET / HTTP/1.1\r\n\r\n"))
	eventually(t, "one that talks otherwise is refused", func() bool { return p.Counts().Refused == 1 })
	p.Close()
	if text := log.String(); strings.Count(text, "a peer was refused") != 1 {
		t.Errorf("it says:\n%s", text)
	}
}

// TestPairsThatLeaveAreNotRefused either.
func TestPairsThatLeaveAreNotRefused(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	pairs, _, err := ListenPairs(e, Options{MessageBytes: 1000}, func(*Pair) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, said := range []int{0, 5, greetingBytes} {
		r := connect(t, e)
		r.say(greeting()[:said])
		_ = r.Close()
	}
	r := connect(t, e)
	r.say([]byte(strings.Repeat("GET / HTTP/1.1\r\n\r\n", 10)))
	eventually(t, "one that talks otherwise is refused", func() bool { return pairs.Refused() > 0 })
	pairs.Close()
	if n := pairs.Refused(); n != 1 {
		t.Errorf("%d were refused", n)
	}
}
