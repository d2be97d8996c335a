package wire

import (
	"errors"
	"fmt"
	"maps"
	"net"
	"slices"
	"strings"

	"github.com/go-zeromq/zmq4"
)

// peer is a subscriber.
type peer struct {
	*conn
	topics map[string]struct{} // nil until the handshake is done
	queue  []post
	wake   chan struct{} // holds one token when there may be something to do
	busy   bool          // it writes what it has taken out of the queue
}

type post struct {
	topic string
	burst Burst
}

// serve listens to a peer until it is gone.
func (p *Pub) serve(q *peer) {
	raw := q.Conn
	c, err := open(raw, zmq4.Pub, true, &p.o)
	p.mu.Lock()
	if err == nil {
		q.conn, q.topics = c, map[string]struct{}{}
	} else {
		delete(p.peers, q)
	}
	p.mu.Unlock()
	if errors.Is(err, errLeft) {
		return
	}
	if err != nil {
		p.refuse(raw, err)
		return
	}
	p.running.Go(func() { p.write(q) })
	for err == nil {
		var frames [][]byte
		if frames, err = q.receive(); err == nil {
			err = p.hear(q, frames)
		}
	}
	bad := (*FrameError)(nil)
	_ = q.Close()
	p.mu.Lock()
	delete(p.peers, q)
	q.queue = nil
	if errors.As(err, &bad) {
		p.counts.Refused++
	}
	close(q.wake)
	poke(p.drained)
	p.mu.Unlock()
	if bad != nil {
		p.warn("a peer was cut off", "error", err)
	}
}

// hear takes a subscription, or the end of one. What is kept goes out with it, in one step, so that nothing that is sent
// at this moment comes twice, too early or not at all.
func (p *Pub) hear(q *peer, frames [][]byte) error {
	if len(frames) != 1 || len(frames[0]) == 0 || frames[0][0] > 1 {
		return nil // a subscriber may talk; nobody listens
	}
	topic := string(frames[0][1:])
	p.mu.Lock()
	defer p.mu.Unlock()
	if frames[0][0] == 0 {
		delete(q.topics, topic)
		return nil
	}
	if len(q.topics) >= topicsPerPeer {
		return &FrameError{fmt.Sprintf("more than %d subscriptions", topicsPerPeer)}
	}
	for _, name := range slices.Sorted(maps.Keys(p.kept)) {
		if strings.HasPrefix(name, topic) && !q.wants(name) && !p.stopped {
			p.enqueue(q, post{name, p.kept[name]})
		}
	}
	q.topics[topic] = struct{}{}
	return nil
}

// write sends a peer what is queued for it.
func (p *Pub) write(q *peer) {
	for range q.wake {
		for {
			m, more := p.next(q)
			if !more {
				break
			}
			if err := q.sendAll(m); err != nil {
				_ = q.Close() // whoever reads from it notices, and ends it
				p.tooSlow(err)
			}
		}
	}
}

func (q *peer) sendAll(m post) (err error) {
	topic := []byte(m.topic)
	m.burst(func(frames [][]byte) bool {
		err = q.send(append([][]byte{topic}, frames...)...)
		return err == nil
	})
	return err
}

// next takes the oldest message; busy says until the next call that one is being written.
func (p *Pub) next(q *peer) (m post, more bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	q.busy = len(q.queue) > 0
	if !q.busy {
		poke(p.drained)
		return post{}, false
	}
	m, q.queue = q.queue[0], q.queue[1:]
	p.counts.Sent++
	return m, true
}

func (p *Pub) tooSlow(err error) {
	if timeout := net.Error(nil); errors.As(err, &timeout) && timeout.Timeout() {
		p.mu.Lock()
		p.counts.Slow++
		p.mu.Unlock()
		p.warn("a subscriber does not read, and is cut off")
	}
}

// poke leaves a token, if there is none.
func poke(token chan struct{}) {
	select {
	case token <- struct{}{}:
	default:
	}
}

func (q *peer) wants(topic string) bool {
	for t := range q.topics {
		if strings.HasPrefix(topic, t) {
			return true
		}
	}
	return false
}
