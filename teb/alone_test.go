package teb_test

import (
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// closing is a Logic that hangs until it is closed.
type closing struct {
	teb.Func
	closed chan struct{}
}

func (c *closing) Close() error {
	close(c.closed)
	return nil
}

// TestBeginRunComesAlone: no Logic decides about events of two runs at once, nor does any decide while a run begins.
func TestBeginRunComesAlone(t *testing.T) {
	testkit.NoLeaks(t)
	const run, runs = 700, 8
	members := peaks(t, "a")
	var deciding, began atomic.Int64
	var logic []teb.Logic
	for range 4 {
		logic = append(logic, &teb.Func{Reasons: []teb.Reason{{Name: "hit"}}, Do: func(b *teb.Batch) {
			others := deciding.Add(1) - 1
			defer deciding.Add(-1)
			if b.Head(0).Service == xtc.BeginRun {
				if began.Add(1); b.Len() != 1 || others != 0 {
					t.Errorf("BeginRun comes with %d others, while %d decide", b.Len()-1, others)
				}
				time.Sleep(time.Millisecond)
			}
			for i := range b.Len() {
				if h := b.Head(i); h.Service.IsEvent() && int64(h.Pulse/(run+1)) != began.Load()-1 {
					t.Errorf("event %d is decided in run %d", h.Pulse, began.Load())
				}
			}
		}})
	}
	b := start(t, teb.Config{Contributors: members, Logic: logic, Deadline: time.Minute, Decide: time.Minute})
	go func() {
		f := newFeed(t, b, members[0].Schema, 1)
		for pulse := range uint64(runs * (run + 1)) {
			if pulse%(run+1) == 0 {
				f.put(teb.Head{Pulse: pulse, Service: xtc.BeginRun})
			} else {
				f.event(pulse, 1)
			}
			if pulse%500 == 0 {
				f.send()
			}
		}
		f.send()
		b.Shutdown()
	}()
	last, n := int64(-1), 0
	some := make([]teb.Decision, 100)
	for got := b.Next(some); got > 0; got = b.Next(some) {
		for _, d := range some[:got] {
			if int64(d.Pulse) <= last {
				t.Errorf("%d after %d", d.Pulse, last)
			}
			last = int64(d.Pulse)
		}
		n += got
	}
	if books := b.Books(); n != runs*(run+1) || began.Load() != runs || books.Check() != nil {
		t.Errorf("%d decisions, %d runs, %+v", n, began.Load(), books)
	}
}

// TestLogicIsClosed with its TEB, so that one that hangs does not hold that up.
func TestLogicIsClosed(t *testing.T) {
	testkit.NoLeaks(t)
	members := peaks(t, "a")
	l := &closing{closed: make(chan struct{})}
	began := make(chan struct{})
	l.Do = func(*teb.Batch) { close(began); <-l.closed }
	b, err := teb.New(teb.Config{Partition: "test", Contributors: members, Logic: []teb.Logic{l}, Decide: time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	f := newFeed(t, b, members[0].Schema, 1)
	f.event(1, 1)
	f.send()
	<-began
	b.Close()
	refused := &closing{closed: make(chan struct{})}
	refused.Reasons = []teb.Reason{{}}
	if _, err := teb.New(teb.Config{Contributors: members, Logic: []teb.Logic{refused}}); err == nil {
		t.Error("a reason without a name is taken")
	}
	<-refused.closed
}
