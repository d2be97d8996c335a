package wire

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
)

func TestWhoComesLateGetsWhatIsKept(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{}, e)
	must(t, p.Send("a", []byte("nobody is there")))
	must(t, p.Keep("a", []byte("old")))
	must(t, p.Keep("a", []byte("new"), []byte("and more")))
	must(t, p.KeepBurst("b", func(yield func([][]byte) bool) {
		for i := range 3 {
			if !yield([][]byte{[]byte(numbered(i))}) {
				return
			}
		}
	}))
	must(t, p.Keep("c", []byte("not wanted")))
	s := subscribe(t, e, "a", "b")
	expect(t, s, "a: new|and more", "b: 0000", "b: 0001", "b: 0002")
	must(t, p.Send("c"))
	must(t, p.Send("a", nil, []byte("live")))
	expect(t, s, "a: |live")
	all := subscribe(t, e)
	expect(t, all, "a: new|and more", "b: 0000", "b: 0001", "b: 0002", "c: not wanted")
}

// TestNothingIsLostWhileJoining has many subscribe while messages are kept: each sees a row without a gap.
func TestNothingIsLostWhileJoining(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	const last = 300
	p := publish(t, Options{Queue: last + 1}, e)
	must(t, p.Keep("n", []byte(numbered(0))))
	var all sync.WaitGroup
	for range 8 {
		s := subscribe(t, e)
		all.Go(func() {
			for want := ""; want != numbered(last); {
				m, err := s.Recv(within(t))
				if err != nil {
					t.Error(err)
					return
				}
				got := string(m.Frames[0])
				if want != "" && got != want {
					t.Errorf("%s came instead of %s", got, want)
					return
				}
				n := 0
				for _, d := range got {
					n = 10*n + int(d-'0')
				}
				if want = numbered(n + 1); n == last {
					return
				}
			}
		})
	}
	for i := 1; i <= last; i++ {
		must(t, p.Keep("n", []byte(numbered(i))))
		if i%20 == 0 { // let some of them in between
			time.Sleep(time.Millisecond)
		}
	}
	all.Wait()
}

// TestAStalledSubscriberHarmsNobody: one that does not read is cut off, and 400 messages of 1 MiB reach the other.
func TestAStalledSubscriberHarmsNobody(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{Queue: 400, Patience: 3 * time.Second}, e)
	stalled := join(t, e)
	healthy := subscribe(t, e)
	must(t, p.Keep("hello"))
	expect(t, healthy, "hello: ")
	eventually(t, "that both are there", func() bool { return p.Counts().Sent == 2 })
	body := make([]byte, 1<<20)
	for i := range 400 {
		must(t, p.Send("big", []byte(numbered(i)), body))
	}
	for i := range 400 {
		if m := receive(t, healthy); string(m.Frames[0]) != numbered(i) || len(m.Frames[1]) != 1<<20 || m.Connection != 1 {
			t.Fatalf("message %d is %s, connection %d", i, m.Frames[0], m.Connection)
		}
	}
	eventually(t, "that the other is cut off", func() bool { c := p.Counts(); return c.Slow == 1 && c.Peers == 1 })
	stalled.cutOff()
}

// TestAFullQueueKeepsTheNewest: it is bounded, what does not fit is counted, and the last message arrives.
func TestAFullQueueKeepsTheNewest(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{Queue: 4}, e)
	slow := join(t, e)
	body := make([]byte, 4<<20) // more than a socket holds
	eventually(t, "the subscription", func() bool { return p.Send("first", body) == nil && p.Counts().Sent > 0 })
	for i := range 100 {
		must(t, p.Send("n", []byte(numbered(i))))
	}
	if c := p.Counts(); c.Dropped < 96 {
		t.Errorf("%d are counted as dropped", c.Dropped)
	}
	var seen []string
	for len(seen) == 0 || seen[len(seen)-1] != "0099" {
		if _, topic := slow.next(); string(topic) == "n" {
			_, body := slow.next()
			seen = append(seen, string(body))
		} else {
			slow.next()
		}
	}
	if want := []string{"0096", "0097", "0098", "0099"}; strings.Join(seen, " ") != strings.Join(want, " ") {
		t.Errorf("arrived: %v", seen)
	}
}

func TestNothingGoesOutAfterTheEnd(t *testing.T) {
	testkit.NoLeaks(t)
	p := publish(t, Options{}, place(t))
	var sending sync.WaitGroup
	for range 4 {
		sending.Go(func() {
			for {
				if err := p.Send("x", []byte("y")); err != nil {
					if !errors.Is(err, ErrClosed) {
						t.Error(err)
					}
					return
				}
			}
		})
	}
	p.Close()
	sending.Wait()
	p.Close()
	if _, err := p.Listen(place(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("it listens after its end: %v", err)
	}
}

func TestTopics(t *testing.T) {
	p := NewPub(Options{})
	defer p.Close()
	for _, bad := range []string{"", strings.Repeat("x", topicBytes+1)} {
		if err := p.Send(bad, []byte("x")); err == nil {
			t.Errorf("a topic of %d bytes was taken", len(bad))
		}
		if _, err := NewSub(place(t), Options{}, bad); err == nil && bad != "" {
			t.Errorf("a subscription of %d bytes was taken", len(bad))
		}
	}
}

// TestShutdownSendsWhatIsQueued, and gives up when somebody does not read.
func TestShutdownSendsWhatIsQueued(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{}, e)
	s := subscribe(t, e)
	must(t, p.Keep("hello"))
	expect(t, s, "hello: ")
	body := make([]byte, 1<<20)
	for i := range 20 {
		must(t, p.Send("n", []byte(numbered(i)), body))
	}
	done := make(chan error)
	go func() { done <- p.Shutdown(within(t)) }()
	for i := range 20 {
		if m := receive(t, s); string(m.Frames[0]) != numbered(i) {
			t.Fatalf("%s came instead of %d", m.Frames[0], i)
		}
	}
	must(t, <-done)

	p = publish(t, Options{}, e)
	_ = join(t, e)
	eventually(t, "the subscription", func() bool { return p.Send("x", make([]byte, 4<<20)) == nil && p.Counts().Sent > 0 })
	short, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := p.Shutdown(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("nobody reads, and it says %v", err)
	}
}

func TestASubscriberOutlivesItsPublisher(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	s := subscribe(t, e) // before there is anybody
	for i := 1; i <= 3; i++ {
		p := publish(t, Options{}, e)
		must(t, p.Keep("n", []byte(numbered(i))))
		if m := receive(t, s); text(m) != "n: "+numbered(i) || m.Connection != i {
			t.Fatalf("%s by connection %d", text(m), m.Connection)
		}
		p.Close()
	}
	s.Close()
	if _, err := s.Recv(within(t)); !errors.Is(err, ErrClosed) {
		t.Errorf("a closed one gives %v", err)
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := subscribe(t, e).Recv(ended); !errors.Is(err, context.Canceled) {
		t.Errorf("a wait that was ended gives %v", err)
	}
}

// TestAWaitCanBeEnded while a connection stands, and the next one goes on.
func TestAWaitCanBeEnded(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{}, e)
	must(t, p.Keep("n"))
	s := subscribe(t, e)
	expect(t, s, "n: ")
	short, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if _, err := s.Recv(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("it gave %v", err)
	}
	expect(t, s, "n: ")
}

func TestTCP(t *testing.T) {
	testkit.NoLeaks(t)
	for name, test := range map[string]struct {
		allow []netip.Prefix
		in    bool
	}{
		"this machine by default": {nil, true},
		"the list names it":       {[]netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}, true},
		"the list names another":  {[]netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			p := NewPub(Options{})
			defer p.Close()
			addr, err := p.Listen(Endpoint{Address: "127.0.0.1:0", Allow: test.allow})
			must(t, err)
			must(t, p.Keep("n", []byte("x")))
			s := subscribe(t, Endpoint{Address: addr.String()})
			if test.in {
				expect(t, s, "n: x")
				return
			}
			ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
			defer cancel()
			if m, err := s.Recv(ctx); err == nil {
				t.Errorf("received %v", m)
			}
			eventually(t, "the refusal", func() bool { return p.Counts().Refused > 0 })
		})
	}
	if _, err := NewPub(Options{}).Listen(Endpoint{Address: "127.0.0.1:x"}); err == nil {
		t.Error("a port x was taken")
	}
}

// TestPingBetweenMessages: what zmq4 answers by itself does not get into the middle of a message.
func TestPingBetweenMessages(t *testing.T) {
	testkit.NoLeaks(t)
	e := place(t)
	p := publish(t, Options{Queue: 1000}, e)
	r := join(t, e)
	eventually(t, "the subscription", func() bool { return p.Send("n") == nil && p.Counts().Sent > 0 })
	var pinging sync.WaitGroup
	pinging.Go(func() {
		for range 200 {
			if _, err := r.Write(command("PING", []byte("\x00\x00"))); err != nil {
				t.Error(err)
				return
			}
		}
	})
	body := bytes.Repeat([]byte{0xff}, 100_000)
	for range 200 {
		must(t, p.Send("n", body))
	}
	for pongs, messages := 0, 0; pongs < 200 || messages < 200; {
		flags, got := r.next()
		switch {
		case flags&flagCommand != 0:
			if string(got) != "\x04PONG" {
				t.Fatalf("an answer %q", got)
			}
			pongs++
		case len(got) == len(body):
			messages++
		case string(got) != "n":
			t.Fatalf("%d bytes: %.20q", len(got), got)
		}
	}
	pinging.Wait()
}

func TestEndpoints(t *testing.T) {
	for _, e := range []Endpoint{{}, {Path: "/a", Address: "b:1"}, {Path: "relative"}, {Path: "/" + strings.Repeat("x", 107)}} {
		if _, err := NewSub(e, Options{}); err == nil {
			t.Errorf("%v was taken", e)
		}
		if _, err := NewPub(Options{}).Listen(e); err == nil {
			t.Errorf("%v was listened at", e)
		}
	}
	if c, err := net.Dial("unix", place(t).Path); err == nil {
		_ = c.Close()
		t.Error("there is somebody where nobody is")
	}
}
