package fex

import (
	"encoding/binary"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"
	"unicode"

	"drp/internal/world"
	"drp/pebble"
)

const hostileSlots = 4

// FuzzAnswers has a child answer what it was asked with some bits turned over, then anything, and lets it write anything
// into its result area.
func FuzzAnswers(f *testing.F) {
	f.Add([]byte{}, []byte{}, []byte{})
	f.Add([]byte{0, 2}, []byte{}, []byte(`{"type":"T","message":"m"}`))
	f.Add([]byte{0, 0, 255, 255, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255}, make([]byte, recordBytes), []byte("0123456789abcdef"))
	f.Add([]byte{1}, []byte{}, []byte{})
	pool, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: hostileSlots, EventBytes: 4096, ResultBytes: 4096, TransitionBytes: 8192})
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = pool.Close() })
	f.Fuzz(func(t *testing.T, noise, more, area []byte) {
		cfg := &Config{Log: slog.New(slog.DiscardHandler)}
		cfg.complete()
		g := &Group{cfg: cfg, world: cfg.World}
		g.spares = &spares{g: g, wake: cfg.World.NewFlag()}
		w := g.newWorker(0, pool)
		w.queue = newQueue(hostileSlots)
		var records []byte
		for i := range uint64(hostileSlots) {
			if i == 1 {
				w.Transition(pebble.Index{}, 100, 6, false, i, i)
			} else {
				w.Event(pebble.Index{Slot: uint32(i)}, 100, 1, i, i)
			}
			copy(w.results.Event(uint32(i)), area)
			answer := w.queue.at(int(i)).record
			answer.bytes, answer.status = uint32(len(area)), 0
			records = answer.append(records)
		}
		w.queue.written = hostileSlots
		copy(w.results.Transition(), area)
		for i := range min(len(noise), len(records)) {
			records[i] ^= noise[i]
		}
		records = append(records, more...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		answers, rest, err := w.take(records[:len(records)/recordBytes*recordBytes], nil)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 1<<20 {
			t.Errorf("%d bytes were allocated", used)
		}
		if len(answers)+w.queue.len() != hostileSlots || w.Load() != w.queue.len() {
			t.Errorf("%d answers and %d requests, a load of %d", len(answers), w.queue.len(), w.Load())
		}
		if len(records) > (hostileSlots+1)*recordBytes && err == nil && len(rest) == 0 {
			t.Error("more answers than requests are taken")
		}
		for i := range answers {
			a := &answers[i]
			if a.Tag != uint64(i) || a.Status > Oversize || (a.Status > Rejected) != (a.Failure != nil) ||
				len(a.Blocks()) > len(w.results.Transition()) || a.Tag != 1 && a.Copied != nil {
				t.Errorf("answer %d: %+v", i, a)
			}
		}
	})
}

// FuzzGreeting has a child greet with any bytes, and then go.
func FuzzGreeting(f *testing.F) {
	hi := record{kind: kindHello, bytes: 13}
	f.Add(append(hi.append(nil), `{"version":2}`...))
	f.Add(hi.append(nil))
	endless := record{kind: kindHello, bytes: 1<<32 - 1}
	f.Add(endless.append(nil))
	f.Add([]byte("%%%"))
	ended := exec.Command("false")
	_ = ended.Run() // its verdict is what is wanted
	if ended.ProcessState == nil {
		f.Skip("there is no program false")
	}
	f.Fuzz(func(t *testing.T, said []byte) {
		if len(said) > pipeBytes/2 {
			t.Skip("more than the pipe holds")
		}
		pipes, err := makePipes()
		if err != nil {
			t.Fatal(err)
		}
		c := &child{cmd: ended, requests: pipes[0][1], answers: pipes[1][0], exited: make(chan struct{}), reaped: true}
		close(c.exited)
		if _, err := syscall.Write(pipes[1][1], said); err != nil {
			t.Fatal(err)
		}
		_ = syscall.Close(pipes[1][1])
		_ = syscall.Close(pipes[2][1])
		c.said = newOutput(slog.New(slog.DiscardHandler), os.NewFile(uintptr(pipes[2][0]), "output"))
		_, err = greet(world.Real(), c, hello{Version: protocolVersion}, 10*time.Second)
		good := len(said) > recordBytes && said[0] == kindHello && strings.Contains(string(said), "2") &&
			int(binary.LittleEndian.Uint32(said[12:])) <= len(said)-recordBytes
		if err == nil && !good {
			t.Errorf("%q is a greeting", said)
		}
		<-c.said.done
		c.HangUp()
		_, _ = syscall.Close(pipes[0][0]), syscall.Close(c.answers)
	})
}

// FuzzOutput has a child print any bytes: what is kept of them is short and printable.
func FuzzOutput(f *testing.F) {
	f.Add([]byte("hello\nworld"))
	f.Add([]byte("\x1b[31m\xff\x00\r\n\n\n"))
	f.Add([]byte(strings.Repeat("x", 3*maxLineBytes)))
	f.Fuzz(func(t *testing.T, said []byte) {
		o := newOutput(slog.New(slog.DiscardHandler), io.NopCloser(strings.NewReader(string(said))))
		text := strings.Join(o.lastLines(), "\n")
		if lines := strings.Count(text, "\n") + 1; lines > keptLines || len(text) > 4*keptLines*maxLineBytes {
			t.Errorf("%d lines, %d bytes", lines, len(text))
		}
		if strings.ContainsFunc(text, func(r rune) bool { return unicode.IsControl(r) && r != '\n' && r != '\t' }) {
			t.Errorf("%q", text)
		}
	})
}
