package drp

import (
	"math/rand/v2"
	"sync"
	"testing"
)

// TestWindowKeepsTheOrder: entries finished in any order come out in the order they went in, each once.
func TestWindowKeepsTheOrder(t *testing.T) {
	const capacity, total = 16, 5000
	w := newWindow(capacity)
	room := make(chan struct{}, capacity) // as slots bound what is under way
	work := make(chan uint64, capacity)
	var workers sync.WaitGroup
	for k := range 3 {
		workers.Go(func() {
			rng := rand.New(rand.NewPCG(uint64(k), 1))
			var held []uint64
			for tag := range work {
				held = append(held, tag)
				for len(held) > 0 && (len(held) > 3 || rng.IntN(2) == 0 || len(work) == 0) {
					i := rng.IntN(len(held))
					w.at(held[i]).pending.Store(0)
					w.signal()
					held = append(held[:i], held[i+1:]...)
				}
			}
			for _, tag := range held {
				w.at(tag).pending.Store(0)
				w.signal()
			}
		})
	}
	go func() {
		for i := range int64(total) {
			room <- struct{}{}
			e, tag := w.next()
			e.number = i
			e.pending.Store(1)
			w.push()
			work <- tag
		}
		close(work)
		w.ended.Store(true)
		w.signal()
	}()
	want := int64(0)
	for !w.over() {
		e := w.oldest()
		if e == nil {
			<-w.wake
			continue
		}
		if e.number != want {
			t.Fatalf("entry %d came when %d was due", e.number, want)
		}
		want++
		w.pop()
		<-room
	}
	workers.Wait()
	if want != total {
		t.Errorf("%d of %d entries came out", want, total)
	}
}

func TestWindowIsOverOnlyWhenAllIsThrough(t *testing.T) {
	w := newWindow(2)
	if w.over() {
		t.Error("over before anything came")
	}
	e, _ := w.next()
	e.pending.Store(1)
	w.push()
	w.ended.Store(true)
	if w.oldest() != nil || w.over() {
		t.Error("over with an entry that waits for its answer")
	}
	e.pending.Store(0)
	if w.oldest() != e || w.over() {
		t.Error("over with an entry that was not popped")
	}
	w.pop()
	if !w.over() || w.oldest() != nil {
		t.Error("not over at the end")
	}
}
