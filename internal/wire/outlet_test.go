package wire

import (
	"bytes"
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
)

func outlet(t *testing.T, kind OutletKind, e Endpoint, o OutletOptions) *Outlet {
	t.Helper()
	o.Request = "next"
	out, _, err := NewOutlet(kind, e, o)
	must(t, err)
	t.Cleanup(out.Close)
	return out
}

// meet gives a peer of a kind whose handshake is done.
func meet(t *testing.T, e Endpoint, kind string, more ...[]byte) *raw {
	t.Helper()
	r := connect(t, e)
	r.say(append([][]byte{greeting(), ready(kind)}, more...)...)
	r.hear(greetingBytes)
	r.next()
	return r
}

// message reads one, in frames with spaces between them.
func (r *raw) message() string {
	r.t.Helper()
	var all []string
	for {
		flags, body := r.next()
		all = append(all, string(body))
		if flags&flagMore == 0 {
			return strings.Join(all, " ")
		}
	}
}

func words(pieces ...string) (all [][]byte) {
	for _, p := range pieces {
		all = append(all, []byte(p))
	}
	return all
}

var ask = append(frame(flagMore, ""), frame(0, "next")...)

// TestReply: each request gets one message, in order, with the frames that say whom it is for; what is none gets one frame.
func TestReply(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	o := outlet(t, Reply, e, OutletOptions{})
	r := meet(t, e, "REQ")
	for _, wrong := range []string{"", "nexT", "next ", strings.Repeat("x", 1000)} {
		r.say(frame(flagMore, ""), frame(0, wrong))
		want := " Error: bad request " + wrong[:min(len(wrong), 100)]
		if got := r.message(); got != want {
			t.Errorf("%.20q is answered by %q", wrong, got)
		}
	}
	r.say(frame(flagMore, ""), frame(flagMore, "next"), frame(0, "more"))
	if got := r.message(); got != " Error: bad request next" {
		t.Errorf("two frames are answered by %q", got)
	}
	dealer := meet(t, e, "DEALER", frame(0, "next"), frame(flagMore, "who"), ask, frame(flagMore, "I"), ask)
	for i, want := range []string{"who  a bc", "I  a bc"} {
		must(t, o.Ready(within(t)))
		if n := o.Give([][][]byte{words("a"), words("b", "", "c")}); n != 1 {
			t.Fatalf("%d peers take it", n)
		}
		if got := dealer.message(); got != want {
			t.Errorf("answer %d is %q", i, got)
		}
	}
	if n := o.Give([][][]byte{words("x")}); n != 0 {
		t.Error("it is given to one who has not asked")
	}
	r.say(ask)
	must(t, o.Ready(within(t)))
	o.Give([][][]byte{words("x"), nil})
	if got := r.message(); got != " x " {
		t.Errorf("%q", got)
	}
	eventually(t, "what was answered is counted", func() bool { // which may be after it has come
		c := o.Consumers()
		return len(c) == 2 && c[0].Bad == 5 && c[0].Messages == 1 && c[1].Messages == 2
	})
}

// TestPushTakesTurns and gives each message to one.
func TestPushTakesTurns(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	o := outlet(t, Push, e, OutletOptions{})
	peers := []*raw{meet(t, e, "PULL"), meet(t, e, "PULL")}
	eventually(t, "both are there", func() bool { return len(o.Consumers()) == 2 })
	for i := range 6 {
		idle := func() bool { o.mu.Lock(); defer o.mu.Unlock(); return !o.takers[0].busy && !o.takers[1].busy }
		eventually(t, "both have room", idle)
		if n := o.Give([][][]byte{words(numbered(i))}); n != 1 {
			t.Fatalf("%d take it", n)
		}
	}
	got := ""
	for range 3 {
		got += peers[0].message() + " " + peers[1].message() + " "
	}
	if got != "0000 0001 0002 0003 0004 0005 " && got != "0001 0000 0003 0002 0005 0004 " {
		t.Errorf("%q", got)
	}
}

// TestLentMemoryComesBack, also where a peer reads nothing: what it gets at last is what was lent. The others do not wait for
// it, and it is cut off when it takes nothing for too long.
func TestLentMemoryComesBack(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	left := make(chan Consumer, 2)
	o := outlet(t, Publish, e, OutletOptions{Options: Options{Patience: patience}, Met: func(c Consumer) {
		if c.Left {
			left <- c
		}
	}})
	stalled, healthy := meet(t, e, "SUB", frame(0, "\x01")), subscribe(t, e)
	go func() { _, _ = healthy.Recv(within(t)) }()
	memory := bytes.Repeat([]byte{'a'}, 4<<20)
	subscribed := func() bool {
		o.mu.Lock()
		defer o.mu.Unlock()
		return len(o.takers) == 2 && len(o.takers[0].topics) == 1 && len(o.takers[1].topics) == 1
	}
	eventually(t, "both subscribe", subscribed)
	if n := o.Give([][][]byte{{memory[:1]}, {memory[1 : 1<<20], memory[1<<20:]}}); n != 2 {
		t.Fatalf("%d take it", n)
	}
	for i := range memory {
		memory[i] = 'b'
	}
	for range 5 {
		must(t, o.Ready(within(t)))
		if n := o.Give([][][]byte{{memory}}); n != 1 {
			t.Fatalf("%d take it", n)
		}
		if m := receive(t, healthy); strings.Trim(m.Topic, "b") != "" && len(m.Frames) != 1 {
			t.Fatal("another message than was lent")
		}
	}
	if got := stalled.message(); len(got) != len(memory)+1 || strings.Trim(got, "a") != " " {
		t.Errorf("%d bytes, and not those that were lent", len(got))
	}
	c := o.Consumers()
	if len(c) != 2 || c[0].Dropped+c[1].Dropped != 5 {
		t.Errorf("%+v", c)
	}
	_ = stalled.Close()
	if c := <-left; c.Why != nil || c.Messages != 1 {
		t.Errorf("%+v", c)
	}
}

// TestWhoTakesNothingIsCutOff after a while.
func TestWhoTakesNothingIsCutOff(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	left := make(chan Consumer, 1)
	o := outlet(t, Push, e, OutletOptions{Options: Options{Patience: 100 * time.Millisecond}, Met: func(c Consumer) {
		if c.Left {
			left <- c
		}
	}})
	meet(t, e, "PULL")
	must(t, o.Ready(within(t)))
	o.Give([][][]byte{{make([]byte, 16<<20)}})
	select {
	case c := <-left:
		if !errors.Is(c.Why, os.ErrDeadlineExceeded) {
			t.Errorf("it was cut off since %v", c.Why)
		}
	case <-within(t).Done():
		t.Error("it was not cut off")
	}
}

// TestHostileTakers harm nobody.
func TestHostileTakers(t *testing.T) {
	testkit.NoLeaks(t)
	for kind, peer := range map[OutletKind]string{Reply: "REQ", Publish: "SUB", Push: "PULL"} {
		e := place(t)
		o := outlet(t, kind, e, OutletOptions{Options: Options{Peers: 4}})
		for _, h := range hostile {
			if kind != Publish && h.name == "too many topics" || h.name == "a PUB" {
				continue
			}
			r := connect(t, e)
			_, _ = r.Write(append(bytes.ReplaceAll(h.stream, ready("SUB"), ready(peer)), make([]byte, 300)...))
			r.cutOff()
		}
		if kind == Reply {
			flood := meet(t, e, "DEALER")
			_, _ = flood.Write(bytes.Repeat(ask, mostAsks+1))
			flood.cutOff()
		}
		eventually(t, "all are gone", func() bool { return len(o.Consumers()) == 0 })
		healthy := meet(t, e, peer, frame(0, "\x01")) // a subscription, or nothing that matters
		if kind == Reply {
			healthy.say(ask)
		}
		must(t, o.Ready(within(t)))
		if n := o.Give([][][]byte{words("well")}); n != 1 {
			t.Errorf("%s: %d take it", kind, n)
		}
		if got := strings.TrimSpace(healthy.message()); got != "well" {
			t.Errorf("%s: %q", kind, got)
		}
	}
}

// TestACloseEndsWhoeverWaits, with a message under way.
func TestACloseEndsWhoeverWaits(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	o := outlet(t, Publish, e, OutletOptions{})
	meet(t, e, "SUB", frame(0, "\x01"))
	must(t, o.Ready(within(t)))
	o.Give([][][]byte{{make([]byte, 16<<20)}})
	o.Close()
	if n := o.Give([][][]byte{words("x")}); n != 0 {
		t.Errorf("%d take what comes after the end", n)
	}
}

// FuzzRequest: whatever a peer asks, it gets an answer that names it, or none; and no more than it has asked for.
func FuzzRequest(f *testing.F) {
	f.Add([]byte("\x00\x04next"))
	f.Add([]byte("\x04next"))
	f.Add([]byte("\x03who\x00\x04what"))
	f.Add([]byte("\x00\x04next\x00\x04next"))
	f.Fuzz(func(t *testing.T, stream []byte) {
		var frames [][]byte
		for rest := stream; len(rest) > 1 && len(frames) < messageFrames; {
			n := min(len(rest)-1, int(rest[0]))
			frames, rest = append(frames, rest[1:1+n]), rest[1+n:]
		}
		envelope, body := split(frames)
		if body == nil {
			return
		}
		if len(envelope)+len(body) != len(frames) || len(envelope[len(envelope)-1]) != 0 || cap(envelope) != len(envelope) {
			t.Fatalf("%q is taken apart into %q and %q", frames, envelope, body)
		}
		if a := badRequest(body[0]); !bytes.HasPrefix(a, []byte("Error: bad request ")) || len(a) > 200 {
			t.Errorf("the answer is %q", a)
		}
	})
}
