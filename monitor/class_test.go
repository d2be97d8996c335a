package monitor

import (
	"testing"
	"time"

	"drp/xtc"
)

// TestFullConsumersRest: one whose queue is full is looked at now and then only, and what he chose meanwhile is counted all the
// same.
func TestFullConsumersRest(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 4})
	p := newPublisher(s, 800)
	first, second, third := dial(t, Choice{}), dial(t, Choice{Newest: true}), dial(t, Choice{Every: 3})
	settled(t, s, 3)
	a := &s.audience
	if len(a.classes) != 2 || a.classes[0].consumers != 2 {
		t.Fatalf("%d classes", len(a.classes))
	}
	for range 9 {
		p.publish(0, 0)
	}
	if len(a.full) != 3 || len(a.ready) != 0 {
		t.Fatalf("%d are full, %d are not", len(a.full), len(a.ready))
	}
	a.every, a.swept = time.Hour, time.Now()
	for range 2 {
		next(t, first)
	}
	next(t, second)
	first.Release()
	second.Release()
	p.publish(0, 0) // 9
	if len(a.full) != 3 {
		t.Fatal("those who are full were looked at")
	}
	a.every, a.unseen = 0, 0
	p.publish(0, 0) // 10
	for i, c := range []*Client{first, second} {
		if it, want := next(t, c), []uint64{8, 9}[i]; it.Number != 10 || it.Missed != want || whole(it) != nil {
			t.Errorf("%+v, %d missed, want %d", it.Facts, it.Missed, want)
		}
	}
	if got := s.Consumers()[2]; got.Offered != 4 || got.Missed != 2 || got.Number != 3 { // 0, 3, 6, 9
		t.Errorf("%+v", got)
	}
	if err := third.Close(); err != nil {
		t.Fatal(err)
	}
	settled(t, s, 2)
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(a.classes) != 1 || len(a.ready)+len(a.full) != 2 || s.books.Missed != 2 {
		t.Errorf("%d classes, %d consumers, %+v", len(a.classes), len(a.ready)+len(a.full), s.books)
	}
}

// TestCountedUnseen: of events that come fast and that nobody has room for most pass without a look, and all are counted.
func TestCountedUnseen(t *testing.T) {
	s := newServer(t, Config{EventBytes: 1024, Slots: 4})
	p := newPublisher(s, 800)
	for i, choice := range []Choice{{}, {Every: 3}, {Hits: true}} {
		dial(t, choice)
		settled(t, s, i+1)
	}
	a := &s.audience
	a.every = time.Hour // however slow this machine is, that is fast
	looks, late := 0, (*Client)(nil)
	for n := range 3000 {
		p.publish(map[bool]uint32{true: Hit}[n%10 == 0], 0)
		if a.looked.After(a.swept) {
			looks++
			a.swept = a.looked
		}
		if n == 1999 {
			late = dial(t, Choice{})
			settled(t, s, 4)
		}
	}
	if looks > 3000/mostUnseen*2 {
		t.Errorf("%d looks in 3000 events that nobody has room for", looks)
	}
	announce(s, xtc.SlowUpdate, 5)
	for i, want := range []uint64{3000, 1000, 300, 1000} {
		if got := s.Consumers()[i]; got.Offered != want || got.Missed != want-2 {
			t.Errorf("%d: %+v, want %d offered", i, got, want)
		}
	}
	for range 2 {
		next(t, late)
	}
	late.Release()
	a.every = 0
	for range mostUnseen {
		p.publish(0, 0)
	}
	if got := s.Consumers()[3]; got.Entries < 3 {
		t.Errorf("he has room, and got nothing: %+v", got)
	}
}
