package wire

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"

	"github.com/go-zeromq/zmq4"
)

// Pair is a connection over which both sides send when they like. One goroutine may send and one may receive.
type Pair struct{ c *conn }

// DialPair connects to Pairs.
func DialPair(ctx context.Context, e Endpoint, o Options) (*Pair, error) {
	if err := e.check(); err != nil {
		return nil, err
	}
	o = o.withDefaults()
	raw, err := e.dial(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	defer stop()
	c, err := open(raw, zmq4.Pair, false, &o)
	if err != nil {
		return nil, err
	}
	return &Pair{c}, nil
}

// Send writes a message. After an error, also when the peer does not read in time, the connection is closed.
func (p *Pair) Send(frames ...[]byte) error { return p.c.send(frames...) }

// Recv gives the next message. After an error, also when none came in time, the connection is of no more use.
func (p *Pair) Recv(within time.Duration) ([][]byte, error) {
	if err := p.c.SetReadDeadline(time.Now().Add(within)); err != nil {
		return nil, err
	}
	return p.c.receive()
}

// Peer says where the other side is.
func (p *Pair) Peer() string {
	if a := p.c.RemoteAddr(); a.Network() != "unix" {
		return a.String()
	}
	return "this machine"
}

// Close ends the connection, and whoever sends or receives.
func (p *Pair) Close() { _ = p.c.Close() }

// Pairs lets peers in.
type Pairs struct {
	o       Options
	kind    zmq4.SocketType
	serve   func(*Pair)
	end     func()
	running sync.WaitGroup

	mu      sync.Mutex // protects all below
	open    map[net.Conn]struct{}
	closed  bool
	refused uint64
}

// ListenPairs opens an endpoint and calls serve for each peer, beside the others. When that returns, the connection is closed.
func ListenPairs(e Endpoint, o Options, serve func(*Pair)) (*Pairs, net.Addr, error) {
	return listenPairs(zmq4.Pair, e, o, serve)
}

// listenPairs lets in those to whom a socket of a kind talks.
func listenPairs(kind zmq4.SocketType, e Endpoint, o Options, serve func(*Pair)) (*Pairs, net.Addr, error) {
	l, end, err := e.listen()
	if err != nil {
		return nil, nil, err
	}
	p := &Pairs{o: o.withDefaults(), kind: kind, serve: serve, end: end, open: map[net.Conn]struct{}{}}
	p.running.Go(func() { p.accept(l, e) })
	return p, l.Addr(), nil
}

func (p *Pairs) accept(l net.Listener, e Endpoint) {
	for {
		raw, err := l.Accept()
		switch {
		case errors.Is(err, net.ErrClosed):
			return
		case err != nil: // too many open files, for one
			p.o.Log.Warn("nobody can connect", "endpoint", e.String(), "error", err)
			<-time.After(100 * time.Millisecond)
			continue
		}
		if err := e.admit(raw); err != nil || !p.enter(raw) {
			p.refuse(raw)
			continue
		}
		p.running.Go(func() {
			defer p.leave(raw)
			c, err := open(raw, p.kind, true, &p.o)
			if errors.Is(err, errLeft) {
				return
			}
			if err != nil {
				p.refuse(raw)
				return
			}
			p.serve(&Pair{c})
		})
	}
}

func (p *Pairs) refuse(raw net.Conn) {
	_ = raw.Close()
	p.mu.Lock()
	p.refused++
	p.mu.Unlock()
}

func (p *Pairs) enter(raw net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed || len(p.open) >= p.o.Peers {
		return false
	}
	p.open[raw] = struct{}{}
	return true
}

func (p *Pairs) leave(raw net.Conn) {
	_ = raw.Close()
	p.mu.Lock()
	delete(p.open, raw)
	p.mu.Unlock()
}

// Refused counts peers that were not let in, or not understood in their handshake.
func (p *Pairs) Refused() uint64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.refused
}

// Close ends all connections, and waits until nobody is served.
func (p *Pairs) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	for raw := range p.open {
		_ = raw.Close()
	}
	p.mu.Unlock()
	if first {
		p.end()
	}
	p.running.Wait()
}
