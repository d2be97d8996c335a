package fex

import (
	"math/rand/v2"
	"testing"
)

// TestQueueAgainstSlice compares the ring with the obvious thing under random operations.
func TestQueueAgainstSlice(t *testing.T) {
	const capacity = 7
	rng := rand.New(rand.NewPCG(1, 2))
	q := newQueue(capacity)
	var model []uint64
	written := 0
	for tag := range uint64(5000) {
		switch rng.IntN(3) {
		case 0:
			if len(model) < capacity {
				q.push(request{tag: tag})
				model = append(model, tag)
			}
		case 1:
			if len(model) > 0 {
				if got := q.pop().tag; got != model[0] {
					t.Fatalf("pop gave %d, want %d", got, model[0])
				}
				model = model[1:]
				written = max(0, written-1)
			}
		case 2:
			written = rng.IntN(len(model) + 1)
			q.written = written
		}
		if q.len() != len(model) || q.written != written {
			t.Fatalf("length %d, written %d, want %d, %d", q.len(), q.written, len(model), written)
		}
		for i, want := range model {
			if got := q.at(i).tag; got != want {
				t.Fatalf("place %d holds %d, want %d", i, got, want)
			}
		}
	}
}

func TestQueueRefusesMoreThanSlots(t *testing.T) {
	q := newQueue(2)
	q.push(request{})
	q.push(request{})
	defer func() {
		if recover() == nil {
			t.Error("a third request in a queue of two did not panic")
		}
	}()
	q.push(request{})
}
