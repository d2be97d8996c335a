package wire

import (
	"io"
	"net"
	"testing"
	"time"

	"github.com/go-zeromq/zmq4"
)

// FuzzScan: what passes takes bounded memory, does not panic, and what was understood comes back the same.
func FuzzScan(f *testing.F) {
	b, err := Marshal(full())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	for _, b := range bombs {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		var r record
		passes := len(b) <= maxMessageBytes && Scan(b) == nil
		var err error
		if got := taken(func() { err = Unmarshal(b, &r) }); got > 1<<20+256*uint64(len(b)) {
			t.Errorf("%d bytes took %d", len(b), got)
		}
		if err != nil {
			return
		}
		if !passes {
			t.Error("it was decoded without a look")
		}
		again, err := Marshal(r)
		if err != nil {
			return // larger than what it was made from: numbers of floating point, for one
		}
		if err := Scan(again); err != nil {
			t.Errorf("what we write we do not read: %v", err)
		}
	})
}

// FuzzFraming: whatever comes in pieces of any size, the check says the same, and zmq4 behind it neither panics nor makes
// room for more than a message may have.
func FuzzFraming(f *testing.F) {
	for _, h := range hostile {
		f.Add(h.stream, uint8(7))
	}
	f.Add(after(frame(0, "\x01topic"), command("PING", []byte("\x00\x00"))), uint8(1))
	f.Fuzz(func(t *testing.T, stream []byte, piece uint8) {
		o := Options{}.withDefaults()
		whole, parts := framing{limits: o.limits(zmq4.Pub)}, framing{limits: o.limits(zmq4.Pub)}
		wantErr := whole.feed(stream)
		var gotErr error
		for rest := stream; len(rest) > 0 && gotErr == nil; {
			n := min(int(piece)+1, len(rest))
			gotErr = parts.feed(rest[:n])
			rest = rest[n:]
		}
		if (wantErr == nil) != (gotErr == nil) {
			t.Fatalf("as a whole: %v, in pieces: %v", wantErr, gotErr)
		}
		if got := taken(func() { hear(stream, &o) }); got > 4<<20+64*uint64(len(stream)) {
			t.Errorf("%d bytes took %d", len(stream), got)
		}
	})
}

// hear lets zmq4 read a stream as a Pub does.
func hear(stream []byte, o *Options) {
	ours, theirs := net.Pipe()
	go func() { _, _ = io.Copy(io.Discard, theirs) }()
	go func() {
		_ = theirs.SetWriteDeadline(time.Now().Add(patience))
		_, _ = theirs.Write(stream)
		_ = theirs.Close()
	}()
	c, err := open(ours, zmq4.Pub, true, o)
	for err == nil {
		_, err = c.receive()
	}
	_ = ours.Close()
}
