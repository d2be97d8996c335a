package monitor

import (
	"testing"
	"time"
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
	a.every = 0
	p.publish(0, 0) // 10
	for i, c := range []*Client{first, second} {
		if it, want := next(t, c), []uint64{8, 9}[i]; it.Number != 10 || it.Missed != want || whole(it) != nil {
			t.Errorf("%+v, %d missed, want %d", it.Facts, it.Missed, want)
		}
	}
	if got := s.Consumers()[2]; got.Offered != 4 || got.Missed != 2 { // 0, 3, 6, 9
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
