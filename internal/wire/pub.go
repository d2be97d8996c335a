package wire

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"net"
	"slices"
	"sync"
	"time"
)

// Burst is messages that go out one after the other, without the topic, which is put in front of each. It is gone through
// once for each subscriber, by several at a time.
type Burst = iter.Seq[[][]byte]

// Pub sends messages to all who have subscribed.
type Pub struct {
	o       Options
	running sync.WaitGroup
	closing chan struct{} // closed by Close
	drained chan struct{} // holds one token when a queue was emptied

	mu        sync.Mutex // protects all below, and what peers say of it
	endpoints []func()   // close them
	peers     map[*peer]struct{}
	kept      map[string]Burst
	stopped   bool // nothing is taken any more
	counts    Counts
	warned    time.Time // when something was logged
}

// Counts is what became of messages and peers.
type Counts struct {
	Peers   int    `json:"peers"`   // connected now
	Sent    uint64 `json:"sent"`    // messages and bursts, counted for each subscriber
	Dropped uint64 `json:"dropped"` // that did not fit into the queue of a subscriber
	Refused uint64 `json:"refused"` // peers that were not let in, or not understood
	Slow    uint64 `json:"slow"`    // peers that did not read in time
}

// ErrClosed says that a Pub or a Sub was closed before.
var ErrClosed = errors.New("wire: closed")

// NewPub makes a Pub that listens nowhere yet.
func NewPub(o Options) *Pub {
	return &Pub{o: o.withDefaults(), closing: make(chan struct{}), drained: make(chan struct{}, 1),
		peers: map[*peer]struct{}{}, kept: map[string]Burst{}}
}

// Listen opens an endpoint, and gives its address, which matters where the port was left to the system.
func (p *Pub) Listen(e Endpoint) (net.Addr, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return nil, ErrClosed
	}
	l, end, err := e.listen()
	if err != nil {
		return nil, err
	}
	p.endpoints = append(p.endpoints, end)
	p.running.Go(func() { p.accept(l, e) })
	return l.Addr(), nil
}

// Send sends a message, in frames, to those who are there now.
func (p *Pub) Send(topic string, frames ...[]byte) error { return p.post(topic, one(frames), false) }

// Keep sends a message, and sends it to each who subscribes later, until another is kept under the same topic.
func (p *Pub) Keep(topic string, frames ...[]byte) error { return p.post(topic, one(frames), true) }

// KeepBurst keeps many messages as if they were one.
func (p *Pub) KeepBurst(topic string, b Burst) error { return p.post(topic, b, true) }

func one(frames [][]byte) Burst {
	return func(yield func([][]byte) bool) { yield(frames) }
}

func (p *Pub) post(topic string, b Burst, keep bool) error {
	if topic == "" || len(topic) > topicBytes {
		return fmt.Errorf("wire: a topic has 1 to %d bytes: %.40q", topicBytes, topic)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped {
		return ErrClosed
	}
	if keep {
		p.kept[topic] = b
	}
	for q := range p.peers {
		if q.wants(topic) {
			p.enqueue(q, post{topic, b})
		}
	}
	return nil
}

// enqueue is called with the lock. A full queue loses its oldest message: the newest is the one that counts.
func (p *Pub) enqueue(q *peer, m post) {
	if len(q.queue) >= p.o.Queue {
		p.counts.Dropped++
		q.queue = slices.Delete(q.queue, 0, 1)
	}
	q.queue = append(q.queue, m)
	poke(q.wake)
}

// Counts gives what became of messages and peers so far.
func (p *Pub) Counts() Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.counts
	c.Peers = len(p.peers)
	return c
}

// accept lets peers in. Each does its handshake beside the others, so that one who says nothing holds nobody up.
func (p *Pub) accept(l net.Listener, e Endpoint) {
	for {
		raw, err := l.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // too many open files, for one
			p.warn("nobody can connect", "endpoint", e.String(), "error", err)
			select {
			case <-time.After(100 * time.Millisecond):
			case <-p.closing:
				return
			}
			continue
		}
		if err := e.admit(raw); err != nil {
			p.refuse(raw, err)
			continue
		}
		q := &peer{conn: &conn{Conn: raw}, wake: make(chan struct{}, 1)}
		if !p.enter(q) {
			p.refuse(raw, fmt.Errorf("wire: there are %d connections already, or it ends", p.o.Peers))
			continue
		}
		p.running.Go(func() { p.serve(q) })
	}
}

func (p *Pub) refuse(raw net.Conn, why error) {
	p.mu.Lock()
	p.counts.Refused++ // before the peer can notice
	p.mu.Unlock()
	_ = raw.Close()
	p.warn("a peer was refused", "error", why)
}

// warn says at most one thing a second, so that no peer can fill the log; the counts tell the rest.
func (p *Pub) warn(what string, args ...any) {
	now := time.Now()
	p.mu.Lock()
	quiet := now.Sub(p.warned) < time.Second
	if !quiet {
		p.warned = now
	}
	p.mu.Unlock()
	if !quiet {
		p.o.Log.Warn(what, args...)
	}
}

func (p *Pub) enter(q *peer) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.stopped || len(p.peers) >= p.o.Peers {
		return false
	}
	p.peers[q] = struct{}{}
	return true
}

// Shutdown takes nothing more, sends what is queued, and closes. When ctx ends before, the rest is not sent, and its error
// is given.
func (p *Pub) Shutdown(ctx context.Context) error {
	p.stop()
	var err error
	for err == nil && p.queued() {
		select {
		case <-ctx.Done():
			err = ctx.Err()
		case <-p.drained:
		}
	}
	p.Close()
	return err
}

// stop closes the endpoints and takes no more messages.
func (p *Pub) stop() {
	p.mu.Lock()
	ends := p.endpoints
	p.endpoints, p.stopped = nil, true
	p.mu.Unlock()
	for _, end := range ends {
		end()
	}
}

func (p *Pub) queued() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	for q := range p.peers {
		if len(q.queue) > 0 || q.busy {
			return true
		}
	}
	return false
}

// Close ends at once. It may be called again.
func (p *Pub) Close() {
	p.stop()
	p.mu.Lock()
	select {
	case <-p.closing:
	default:
		close(p.closing)
	}
	for q := range p.peers {
		_ = q.conn.Close()
	}
	p.mu.Unlock()
	p.running.Wait()
}
