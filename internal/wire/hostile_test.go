package wire

import (
	"bytes"
	"encoding/binary"
	"log/slog"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

// hostile are streams after which a connection is of no use, for a Pub.
var hostile = []struct {
	name   string
	stream []byte
}{
	{"no ZMTP", []byte(strings.Repeat("GET / HTTP/1.1\r\n", 10))},
	{"a giant frame", after(append([]byte{flagLong}, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff))},
	{"a frame of 2^63", after(append([]byte{flagLong}, 0x80, 0, 0, 0, 0, 0, 0, 0))},
	{"a frame of 1 MiB", after(frame(0, strings.Repeat("x", 1<<20)))},
	{"flags that mean nothing", after([]byte{0x80, 0})},
	{"a message without an end", after(bytes.Repeat(frame(flagMore, ""), 10_000))},
	{"a large command", after(appendHead(nil, flagCommand, commandBytes+1))},
	{"a command within a message", after(frame(flagMore, "")[:2], []byte{flagCommand, 1, 0})},
	{"a command of nothing", after([]byte{flagCommand, 0})},
	{"a command with a name that is cut off", after([]byte{flagCommand, 2, 200, 'x'})},
	{"too many topics", after(topics())},
	{"a giant frame instead of READY", append(greeting(), flagLong|flagCommand, 0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff)},
	{"READY with a name that is cut off", append(greeting(), command("READY", []byte{250, 'x'})...)},
	{"READY with a value that is cut off", append(greeting(), command("READY", []byte{1, 'x', 0xff, 0xff, 0xff, 0xff})...)},
	{"READY without a length", append(greeting(), command("READY", []byte{5, 'a', 'b', 'c', 'd', 'e'})...)},
	{"a socket of no kind", append(greeting(), ready("WHAT")...)},
	{"a PUB", append(greeting(), ready("PUB")...)},
	{"another command", append(greeting(), command("HELLO", nil)...)},
	{"another mechanism", bytes.ReplaceAll(greeting(), []byte("NULL"), []byte("CURV"))},
}

func after(more ...[]byte) []byte {
	return bytes.Join(append([][]byte{greeting(), ready("SUB")}, more...), nil)
}

func topics() (b []byte) {
	for i := range topicsPerPeer + 1 {
		b = append(b, frame(0, "\x01"+numbered(i))...)
	}
	return b
}

func TestHostilePeersHarmNobody(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	var log bytes.Buffer
	p := publish(t, Options{Log: slog.New(slog.NewTextHandler(&log, nil))}, e)
	healthy := subscribe(t, e)
	must(t, p.Keep("n", []byte("first")))
	began := time.Now()
	expect(t, healthy, "n: first")
	var before, now runtime.MemStats
	runtime.ReadMemStats(&before)
	for i, h := range hostile {
		t.Run(h.name, func(t *testing.T) {
			r := connect(t, e)
			_, _ = r.Write(append(h.stream, make([]byte, 300)...)) // whose end may find nobody
			r.cutOff()
			must(t, p.Send("n", []byte(numbered(i))))
			expect(t, healthy, "n: "+numbered(i))
		})
	}
	runtime.ReadMemStats(&now)
	if used := now.TotalAlloc - before.TotalAlloc; used > 64<<20 {
		t.Errorf("%d bytes were taken", used)
	}
	eventually(t, "that all are gone", func() bool { return p.Counts().Peers == 1 })
	p.Close()
	if n, most := strings.Count(log.String(), "\n"), 2+int(time.Since(began).Seconds()); n == 0 || n > most {
		t.Errorf("%d lines in the log, of at most %d:\n%s", n, most, &log)
	}
}

// TestWhoSaysNothingHoldsNobodyUp, at any point of the handshake.
func TestWhoSaysNothingHoldsNobodyUp(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{Peers: 5}, e)
	must(t, p.Keep("n"))
	connect(t, e)
	connect(t, e).say(greeting()[:20])
	connect(t, e).say(greeting())
	connect(t, e).say(greeting(), ready("SUB")[:9])
	expect(t, subscribe(t, e), "n: ")
	connect(t, e).cutOff() // since there are five
	if c := p.Counts(); c.Peers != 5 || c.Refused != 1 {
		t.Errorf("%+v", c)
	}
}

// TestAHostilePublisher sends a giant frame; its successor is listened to again.
func TestAHostilePublisher(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	l, err := net.Listen("unix", e.Path)
	must(t, err)
	served := make(chan struct{})
	go func() {
		defer close(served)
		for range 3 {
			c, err := l.Accept()
			if err != nil {
				t.Error(err)
				return
			}
			_ = c.SetDeadline(time.Now().Add(patience))
			_, _ = c.Write(append(greeting(), ready("PUB")...))
			giant := binary.BigEndian.AppendUint64([]byte{flagLong}, 1<<40)
			_, _ = c.Write(append(frame(0, "before"), giant...))
			(&raw{c, t}).cutOff()
			_ = c.Close()
		}
		_ = l.Close()
	}()
	s := subscribe(t, e)
	expect(t, s, "before: ", "before: ", "before: ")
	go func() {
		<-served
		p := NewPub(Options{})
		t.Cleanup(p.Close)
		if _, err := p.Listen(e); err != nil {
			t.Error(err)
		}
		_ = p.Keep("n", []byte("after"))
	}()
	expect(t, s, "n: after")
}
