package monitor

import (
	"encoding/binary"
	"net"
	"sync/atomic"

	"drp/shm"
)

// Bounds of the transitions that wait for one consumer. What is more is dropped, and he begins with those that hold.
const (
	mostWaiting      = 4096
	mostWaitingBytes = 32 << 20
)

// consumer is one who watches. All but its goroutines' part is protected by the server's mutex.
type consumer struct {
	choice Choice
	name   string
	number int64 // among all that ever were
	owner  shm.Owner
	conn   net.Conn
	queue  *shm.Segment
	window uint64 // entries that may wait for him

	class               *class
	before              uint64 // events that his class had chosen before he came
	fresh               bool   // he came since the last event that was offered to all
	mem                 []byte
	head                *atomic.Uint64 // ours
	tail, held, waiting *atomic.Uint64 // his
	entries, due        uint64         // due is the ordinal of the event at hand, 0 if he does not get it

	pending      []frame // what is to be told
	pendingBytes int
	wake         bool
	bell         chan struct{} // rings when there is something to tell
	gone         chan struct{}
	restarts     uint64
}

func newConsumer(r *request, owner shm.Owner, conn net.Conn, slots int) (*consumer, error) {
	queue, err := shm.Create(queueBytes)
	if err != nil {
		return nil, err
	}
	queue.Prefault()
	c := &consumer{choice: r.Choose, name: r.Name, owner: owner, conn: conn, queue: queue, mem: queue.Bytes(),
		window: uint64(max(1, min(queueLength, slots/2))), bell: make(chan struct{}, 1), gone: make(chan struct{})}
	if r.Choose.Newest {
		c.window = 1
	}
	c.head = word(c.mem, queueHead)
	c.tail, c.held, c.waiting = word(c.mem, queueTail), word(c.mem, queueHeld), word(c.mem, queueWaiting)
	return c, nil
}

// ordinal is how many events he chose so far.
func (c *consumer) ordinal() uint64 { return c.class.chosen - c.before }

// hasRoom tells whether he can be given an event. One who says that he is ahead of us cannot.
func (c *consumer) hasRoom() bool { return c.entries-c.tail.Load() < c.window }

// count lets him know how many events he chose.
func (c *consumer) count() {
	binary.LittleEndian.PutUint64(c.mem[queueOffered:], c.ordinal()) // nothing is ordered by it, so that it may be cheap
}

// push tells him of the event that he is due.
func (c *consumer) push(seq, transitions uint64, slot int) {
	e := c.mem[entryAt(c.entries):][:entryBytes]
	binary.LittleEndian.PutUint64(e[entrySeq:], seq)
	binary.LittleEndian.PutUint64(e[entryOrdinal:], c.due)
	binary.LittleEndian.PutUint64(e[entryTransitions:], transitions)
	binary.LittleEndian.PutUint32(e[entrySlot:], uint32(slot))
	c.due = 0
	c.entries++
	c.count()
	c.head.Store(c.entries)
	if c.waiting.Load() != 0 {
		c.waiting.Store(0)
		c.wake = true
		c.ring()
	}
}

func (c *consumer) ring() {
	select {
	case c.bell <- struct{}{}:
	default:
	}
}

// tell lets him know of a transition. One who is too far behind begins anew.
func (c *consumer) tell(t *transition, holding state) {
	c.count()
	if t.kind != frameEnd && (len(c.pending) >= mostWaiting || c.pendingBytes+len(t.dgram) > mostWaitingBytes && len(c.pending) > 0) {
		c.restarts++
		c.begin(holding, t.number)
		return
	}
	c.add(frame{kind: t.kind, number: t.number, payload: t.dgram})
}

// begin tells him of the transitions that hold, of which there were as many as number says. The last is numbered by that, so
// that no event comes before all of them.
func (c *consumer) begin(holding state, number uint64) {
	c.pending, c.pendingBytes = nil, 0
	for i, t := range holding {
		f := frame{kind: frameReplay, number: number - uint64(len(holding)-1-i), payload: t.dgram}
		if i == 0 {
			f.kind = frameRestart
		}
		c.add(f)
	}
}

func (c *consumer) add(f frame) {
	f.at = c.entries
	c.pending = append(c.pending, f)
	c.pendingBytes += len(f.payload)
	c.ring()
}

// take gives what is to be told next.
func (c *consumer) take() (f frame, some bool) {
	if len(c.pending) > 0 {
		f = c.pending[0]
		c.pending = c.pending[1:]
		c.pendingBytes -= len(f.payload)
		return f, true
	}
	if c.wake {
		c.wake = false
		return frame{kind: frameWake}, true
	}
	return f, false
}
