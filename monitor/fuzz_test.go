package monitor

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"testing"
	"time"
	"unicode"

	"drp/internal/testkit"
	"drp/xtc"
)

// FuzzRequest: whatever a consumer says first, it is refused or a request that can be shown.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{`{"version":1,"choose":{"hits":true,"every":3},"name":"x"}` + "\n", "\n", `{"version":1,"name":"\u001b[31m"}` + "\n", "{"} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := readRequest(bytes.NewReader(data))
		if err != nil {
			return
		}
		for _, c := range r.Name {
			if unicode.IsControl(c) && c < 0x80 {
				t.Errorf("%q", r.Name)
			}
		}
	})
}

// FuzzFrame: what is read is what is written, and takes no more memory than there is.
func FuzzFrame(f *testing.F) {
	var b bytes.Buffer
	_ = (&frame{kind: frameReplay, number: 3, at: 4, payload: []byte("abc")}).write(&b)
	f.Add(b.Bytes())
	f.Add(make([]byte, frameHeadBytes))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := readFrame(bytes.NewReader(data))
		if err != nil {
			return
		}
		var b bytes.Buffer
		if err := got.write(&b); err != nil {
			t.Fatal(err)
		}
		again, err := readFrame(&b)
		if err != nil || again.kind != got.kind || again.at != got.at || again.number != got.number || !bytes.Equal(again.payload, got.payload) {
			t.Errorf("%+v is %+v: %v", got, again, err)
		}
	})
}

// FuzzHostile lets a consumer write anything where he may write, and others see what they see without him.
func FuzzHostile(f *testing.F) {
	f.Add(uint64(1), uint64(1<<63), uint64(7), []byte("anything"))
	f.Add(^uint64(0), uint64(0), uint64(1), []byte{})
	s := newServer(f, Config{EventBytes: 1024, Slots: 16})
	p := newPublisher(s, 800)
	healthy, hostile := dial(f, Choice{}), dial(f, Choice{})
	settled(f, s, 2)
	f.Fuzz(func(t *testing.T, tail, held, waiting uint64, bytes []byte) {
		word(hostile.mem, queueTail).Store(tail)
		word(hostile.mem, queueHeld).Store(held)
		word(hostile.mem, queueWaiting).Store(waiting)
		copy(hostile.mem[queueEntries:], bytes)
		if len(bytes) > 8 {
			word(hostile.mem, queueHead).Store(binary.LittleEndian.Uint64(bytes))
		}
		before := p.n
		p.publish(0, 0)
		if it := next(t, healthy); it.Number != before || it.Missed != 0 || whole(it) != nil {
			t.Errorf("%+v, %d missed", it.Facts, it.Missed)
		}
	})
}

// FuzzHostileServer lets a server say anything on the socket, and write anything to the queue and the slots: whoever watches gets
// what can be read, or an error.
func FuzzHostileServer(f *testing.F) {
	var b bytes.Buffer
	_ = (&frame{kind: frameReplay, number: 3, at: 4, payload: testkit.Plain(xtc.Configure, 3, 1, 2, 3)}).write(&b)
	f.Add(b.Bytes(), uint64(3), []byte{1, 0, 0, 0, 0, 0, 0, 0}, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	f.Add([]byte{frameTransition}, uint64(1)<<63, []byte{}, bytes.Repeat([]byte{0xff}, slotHeadBytes))
	s := newServer(f, Config{EventBytes: 64, Slots: 2})
	c := dial(f, Choice{})
	settled(f, s, 1)
	f.Fuzz(func(t *testing.T, said []byte, head uint64, entries, slot []byte) {
		ours, theirs := net.Pipe()
		go func() {
			_, _ = theirs.Write(said)
			_ = theirs.Close()
		}()
		listener := &Client{conn: ours, frames: make(chan frame), woken: make(chan struct{}, 1)}
		go listener.listen(context.Background())
		for got := range listener.frames {
			if got.kind == frameTransition || got.kind == frameReplay {
				_ = xtc.Dgram(got.payload).Service()
			}
		}
		_ = ours.Close()
		copy(c.mem[queueEntries:], entries)
		copy(s.ring.mem, slot)
		c.tail, c.present.seq = 0, 0
		word(c.mem, queueHead).Store(head)
		ctx, cancel := context.WithTimeout(context.Background(), time.Millisecond)
		defer cancel()
		for range 4 {
			it, err := c.Next(ctx)
			if err != nil {
				break
			}
			_ = it.Dgram.Service()
		}
	})
}
