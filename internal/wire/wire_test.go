package wire

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// TestMain doubles as the processes that tests kill or that belong to another user.
func TestMain(m *testing.M) {
	switch role := os.Getenv("WIRE_TEST_ROLE"); role {
	case "":
		os.Exit(testkit.Main(m))
	case "owner":
		hold(os.Getenv("WIRE_TEST_PATH"))
	case "stranger":
		visit(os.Getenv("WIRE_TEST_PATH"))
	}
}

const patience = testkit.Patience

func within(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// place is a socket in a folder of this user alone.
func place(t *testing.T) Endpoint {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "private")
	must(t, os.Mkdir(dir, 0o700))
	return Endpoint{Path: filepath.Join(dir, "socket")}
}

func publish(t *testing.T, o Options, e Endpoint) *Pub {
	t.Helper()
	p := NewPub(o)
	t.Cleanup(p.Close)
	if _, err := p.Listen(e); err != nil {
		t.Fatal(err)
	}
	return p
}

func subscribe(t *testing.T, e Endpoint, topics ...string) *Sub {
	t.Helper()
	s, err := NewSub(e, Options{MessageBytes: 8 << 20}, topics...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

func receive(t *testing.T, s *Sub) Message {
	t.Helper()
	m, err := s.Recv(within(t))
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func text(m Message) string {
	var all []string
	for _, f := range m.Frames {
		all = append(all, string(f))
	}
	return m.Topic + ": " + strings.Join(all, "|")
}

func expect(t *testing.T, s *Sub, want ...string) {
	t.Helper()
	for _, w := range want {
		if got := text(receive(t, s)); got != w {
			t.Fatalf("received %q instead of %q", got, w)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// eventually waits until a number is reached.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !testkit.Within(patience, holds) {
		t.Fatalf("%s did not come to hold", what)
	}
}

// raw is a peer that a test moves by hand.
type raw struct {
	net.Conn
	t *testing.T
}

func greeting() []byte {
	g := make([]byte, greetingBytes)
	g[0], g[9], g[10] = 0xff, 0x7f, 3
	copy(g[12:], "NULL")
	return g
}

func command(name string, body []byte) []byte {
	b := append(append([]byte{byte(len(name))}, name...), body...)
	return append(appendHead(nil, flagCommand, len(b)), b...)
}

func ready(kind string) []byte {
	b := append([]byte{11}, "Socket-Type"...)
	b = binary.BigEndian.AppendUint32(b, uint32(len(kind)))
	return command("READY", append(b, kind...))
}

func frame(flags byte, body string) []byte {
	return append(appendHead(nil, flags, len(body)), body...)
}

// connect gives a peer that has said nothing yet.
func connect(t *testing.T, e Endpoint) *raw {
	t.Helper()
	c, err := net.Dial("unix", e.Path)
	must(t, err)
	t.Cleanup(func() { _ = c.Close() })
	must(t, c.SetDeadline(time.Now().Add(patience)))
	return &raw{c, t}
}

// join gives a peer that has subscribed to everything.
func join(t *testing.T, e Endpoint) *raw {
	t.Helper()
	r := connect(t, e)
	r.say(greeting(), ready("SUB"), frame(0, "\x01"))
	r.hear(greetingBytes)
	r.next()
	return r
}

func (r *raw) say(pieces ...[]byte) {
	r.t.Helper()
	for _, p := range pieces {
		if _, err := r.Write(p); err != nil {
			r.t.Fatal(err)
		}
	}
}

func (r *raw) hear(n int) []byte {
	r.t.Helper()
	b := make([]byte, n)
	if _, err := io.ReadFull(r, b); err != nil {
		r.t.Fatal(err)
	}
	return b
}

// next reads a frame.
func (r *raw) next() (flags byte, body []byte) {
	r.t.Helper()
	h := r.hear(2)
	n := uint64(h[1])
	if h[0]&flagLong != 0 {
		n = binary.BigEndian.Uint64(append(h[1:], r.hear(7)...))
	}
	if n > 64<<20 || h[0]&^(flagMore|flagLong|flagCommand) != 0 {
		r.t.Fatalf("a frame of %d bytes with the flags %#x", n, h[0])
	}
	return h[0], r.hear(int(n))
}

// cutOff waits for the end of the connection, whatever comes before it.
func (r *raw) cutOff() {
	r.t.Helper()
	if _, err := io.Copy(io.Discard, r); err != nil && os.IsTimeout(err) {
		r.t.Fatal("the connection was not ended")
	}
}

func numbered(i int) string { return fmt.Sprintf("%04d", i) }
