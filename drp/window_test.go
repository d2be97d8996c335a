package drp

import (
	"math/rand/v2"
	"sync"
	"testing"

	"drp/internal/world"
)

// TestWindowKeepsTheOrder: entries finished in any order come out in the order they went in, each once.
func TestWindowKeepsTheOrder(t *testing.T) {
	const capacity, total = 16, 5000
	w := newWindow(world.Real(), capacity)
	room := make(chan struct{}, capacity) // as slots bound what is under way
	work := make(chan uint64, capacity)
	var workers sync.WaitGroup
	for k := range 3 {
		workers.Go(func() { finishInAnyOrder(w, work, rand.New(rand.NewPCG(uint64(k), 1))) })
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
			w.wake.Wait(world.ForEver)
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

// finishInAnyOrder holds a few entries at a time and finishes any of them, but never waits for work while it holds one.
func finishInAnyOrder(w *window, work <-chan uint64, rng *rand.Rand) {
	var held []uint64
	for open := true; open || len(held) > 0; {
		var tag uint64
		switch {
		case len(held) == 0:
			if tag, open = <-work; open {
				held = append(held, tag)
			}
			continue
		case open && len(held) < 4:
			select {
			case tag, open = <-work:
				if open {
					held = append(held, tag)
				}
				continue
			default:
			}
		}
		i := rng.IntN(len(held))
		w.at(held[i]).pending.Store(0)
		w.signal()
		held = append(held[:i], held[i+1:]...)
	}
}

func TestWindowIsOverOnlyWhenAllIsThrough(t *testing.T) {
	w := newWindow(world.Real(), 2)
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
