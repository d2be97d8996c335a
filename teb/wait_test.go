package teb_test

import (
	"testing"
	"time"

	"drp/internal/world"
	"drp/teb"
)

// simulate runs a test with contributors that may bring anything, and simulated time.
func simulate(t *testing.T, c teb.Config, run func(w *world.Simulated, b *teb.TEB, feeds []*feed)) {
	t.Helper()
	w := world.NewSimulated(1, 100_000)
	c.World, c.Partition, c.Logic = w, "test", []teb.Logic{keepLarge(c.Contributors)}
	if err := w.Run(func() {
		b, err := teb.New(c)
		if err != nil {
			t.Error(err)
			return
		}
		var feeds []*feed
		for _, m := range c.Contributors {
			feeds = append(feeds, newFeed(t, b, m.Schema, 1))
		}
		run(w, b, feeds)
		b.Close()
	}); err != nil {
		t.Error(err)
	}
}

// TestWhoIsBeyondIsNotWaitedFor, not even by one pulse ID.
func TestWhoIsBeyondIsNotWaitedFor(t *testing.T) {
	simulate(t, teb.Config{Contributors: peaks(t, "a", "b"), Deadline: time.Hour}, func(w *world.Simulated, b *teb.TEB, feeds []*feed) {
		feeds[0].event(1)
		feeds[0].send()
		feeds[1].event(2)
		feeds[1].send()
		var d [1]teb.Decision
		if n := b.Next(d[:]); n != 1 || d[0].Pulse != 1 || w.Now() >= time.Hour {
			t.Errorf("%+v after %v", d[0], w.Now())
		}
	})
}

// TestLateComerDelaysNobody: what is put in front of an event does not make that wait longer than its deadline.
func TestLateComerDelaysNobody(t *testing.T) {
	const deadline = 80 * time.Millisecond
	simulate(t, teb.Config{Contributors: peaks(t, "a", "b", "x"), Deadline: deadline}, func(w *world.Simulated, b *teb.TEB, feeds []*feed) {
		feeds[0].event(10)
		feeds[0].send()
		w.Sleep(deadline * 3 / 4)
		feeds[1].event(5)
		feeds[1].send()
		var d [2]teb.Decision
		for n := 0; n < 2; {
			n += b.Next(d[n:])
		}
		if d[0].Pulse != 5 || d[1].Pulse != 10 || w.Now() > deadline*5/4 {
			t.Errorf("%+v after %v", d, w.Now())
		}
	})
}

// TestFullWindowTakesWhatEverybodyWaitsFor: what comes before the front has a place kept for it.
func TestFullWindowTakesWhatEverybodyWaitsFor(t *testing.T) {
	simulate(t, teb.Config{Contributors: peaks(t, "a", "b"), Deadline: time.Hour, Window: 8}, func(w *world.Simulated, b *teb.TEB, feeds []*feed) {
		done := w.NewFlag()
		w.Go(func() {
			for pulse := uint64(10); pulse < 40; pulse++ {
				feeds[0].event(pulse)
			}
			feeds[0].send()
			done.Set()
		})
		if done.Wait(time.Second) {
			t.Error("30 events fit into a window of 8")
		}
		w.Go(func() {
			for pulse := uint64(9); pulse < 40; pulse++ {
				feeds[1].event(pulse)
			}
			feeds[1].send()
		})
		for pulse := uint64(9); pulse < 40; pulse++ {
			var d [1]teb.Decision
			if n := b.Next(d[:]); n != 1 || d[0].Pulse != pulse || d[0].Damage != 0 != (pulse == 9) || w.Now() >= time.Hour {
				t.Fatalf("%+v after %v", d[0], w.Now())
			}
		}
	})
}

// TestWhoHasPassedIsNotWaitedFor, though nothing came from it.
func TestWhoHasPassedIsNotWaitedFor(t *testing.T) {
	simulate(t, teb.Config{Contributors: peaks(t, "a", "b"), Deadline: time.Hour}, func(w *world.Simulated, b *teb.TEB, feeds []*feed) {
		feeds[0].event(1)
		feeds[0].event(2)
		feeds[0].send()
		b.Passed(1, 7, 2) // another life of it
		w.Sleep(time.Minute)
		if books := b.Books(); books.Decided != 0 {
			t.Errorf("%+v", books)
		}
		b.Passed(1, 1, 1)
		var d [2]teb.Decision
		if n := b.Next(d[:]); n != 1 || d[0].Pulse != 1 || d[0].Contributions != 1 || w.Now() > 2*time.Minute {
			t.Errorf("%d decisions at %v: %+v", n, w.Now(), d)
		}
		feeds[1].event(1)
		feeds[1].event(2)
		feeds[1].send()
		if n := b.Next(d[:]); n != 1 || d[0].Pulse != 2 || d[0].Contributions != 3 || b.Books().Late != 1 || b.Books().Skipped != 1 {
			t.Errorf("%d decisions: %+v, %+v", n, d, b.Books())
		}
	})
}
