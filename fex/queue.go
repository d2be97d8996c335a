package fex

import "drp/internal/invariant"

// request is a record that waits for its answer.
type request struct {
	record
	tag      uint64
	deaths   []*Death // of the children that had it in hand
	outgrown int      // how many had it in hand that were ended for their size
}

// queue holds the requests without an answer, oldest first, in a ring that never grows.
type queue struct {
	ring       []request
	head, tail uint64
	written    int // how many of them, from the oldest on, the present child was given
}

func newQueue(capacity int) queue { return queue{ring: make([]request, capacity)} }

func (q *queue) len() int { return int(q.tail - q.head) }

func (q *queue) push(r request) {
	if q.len() == len(q.ring) {
		panic("fex: more requests than slots")
	}
	q.ring[q.tail%uint64(len(q.ring))] = r
	q.tail++
}

func (q *queue) at(i int) *request { return &q.ring[(q.head+uint64(i))%uint64(len(q.ring))] }

func (q *queue) pop() request {
	if invariant.Enabled {
		invariant.Check(q.len() > 0, "pop of an empty queue")
	}
	r := *q.at(0)
	q.head++
	q.written = max(0, q.written-1)
	return r
}
