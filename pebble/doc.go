// Package pebble is the pool of datagram buffers: rings of slots in shared memory, through which a datagram travels
// without being copied.
//
// A slot changes hands like this; each handle is emptied by the call that consumes it, so that a second use fails at
// once:
//
//	       TryLoan            Seal             Ref                Release
//	free  ---------->  Loan  ------>  Index  ------>  Ref (read)  ------->  free, generation + 1
//	                    |  (writable, exclusive)
//	                    +-- Abort --> free
//
// What crosses a queue, a pipe or a process is an Index (slot and generation), never a pointer: an answer for a slot
// that was given away meanwhile carries an old generation and is refused.
//
// Between two stages that read the same slot, of which the second has results of its own (Pool.Beside), the one who is to
// decide may write behind the datagram (Ref.Grow).
//
// Slots are loaned round robin and reused in that order: Release may come in any order, but a slot is loaned again
// only when all earlier ones are back. Waiting has a bound (Pool.Wait), and whoever released a batch wakes the waiter
// (Pool.Freed).
//
// One goroutine loans from a ring; any number may take Refs and release. The memory is owned by the Pool until Close.
// There are two kinds of ring: one for transitions, which every child reads, and one per worker for its events, beside
// which Results holds what the worker's child answers.
package pebble
