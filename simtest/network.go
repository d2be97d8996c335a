package simtest

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"time"

	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb/serve"
)

// network is what connects processes in the simulated world. A connection keeps the order of its messages, each of which takes
// its time; it can be cut, with what is on its way lost, or fall silent without anybody being told. In a faulty network, as with
// something in the middle that is broken, messages also get lost, come twice or overtake each other.
type network struct {
	lab    *lab
	listen map[string]func(serve.Conn) // by address; nil where nobody listens
	ends   []*end                      // that are open
}

// dial connects to whoever listens.
func (n *network) dial(_ context.Context, at wire.Endpoint) (serve.Conn, error) {
	l := n.lab
	l.world.Sleep(l.soon(time.Millisecond))
	serves := n.listen[at.Address]
	if serves == nil {
		return nil, errors.New("connection refused")
	}
	client, server := n.end(at.Address), n.end(at.Address)
	client.peer, server.peer = server, client
	l.world.Go(func() { serves(server) })
	return client, nil
}

// packet is a message on its way.
type packet struct {
	message []byte
	at      time.Duration // when it comes
}

// end is one of the two of a connection.
type end struct {
	net    *network
	at     string
	peer   *end
	in     []packet
	closed bool // by this side
	hungUp bool // by the other one
	silent bool // nothing arrives any more
	came   world.Flag
	room   world.Flag // at the other side
}

func (n *network) end(at string) *end {
	e := &end{net: n, at: at, came: n.lab.world.NewFlag(), room: n.lab.world.NewFlag()}
	n.ends = append(n.ends, e)
	return e
}

// most is how many messages are on their way, or wait to be read.
const most = 64

// Send implements serve.Conn.
func (e *end) Send(message []byte) error {
	l, p := e.net.lab, e.peer
	patience := l.world.Now() + 3*simHeartbeat
	for len(p.in) >= most && !e.closed && !p.closed {
		if left := patience - l.world.Now(); left <= 0 {
			e.Close()
		} else {
			e.room.Wait(left)
		}
	}
	switch {
	case e.closed:
		return net.ErrClosed
	case p.closed && !p.silent:
		return io.ErrClosedPipe
	case p.silent || l.plan.remote.faulty && l.happens(l.plan.remote.loss):
		return nil
	}
	at := l.world.Now() + l.soon(l.plan.remote.latency)
	if n := len(p.in); n > 0 {
		at = max(at, p.in[n-1].at)
	}
	p.in = append(p.in, packet{slices.Clone(message), at})
	if n := len(p.in); n > 1 && l.plan.remote.faulty && l.happens(l.plan.remote.loss) {
		p.in[n-1].message, p.in[n-2].message = p.in[n-2].message, p.in[n-1].message
	}
	if l.plan.remote.faulty && l.happens(l.plan.remote.loss) {
		p.in = append(p.in, packet{slices.Clone(message), at})
	}
	p.came.Set()
	return nil
}

// Recv implements serve.Conn.
func (e *end) Recv(within time.Duration) ([]byte, error) {
	l := e.net.lab
	for until := l.world.Now() + within; ; {
		now := l.world.Now()
		switch {
		case e.closed:
			return nil, net.ErrClosed
		case len(e.in) > 0 && e.in[0].at <= now:
			m := e.in[0].message
			e.in = e.in[1:]
			e.peer.room.Set()
			return m, nil
		case e.hungUp && len(e.in) == 0:
			return nil, io.EOF
		case now >= until:
			return nil, os.ErrDeadlineExceeded
		}
		wait := until - now
		if len(e.in) > 0 {
			wait = min(wait, e.in[0].at-now)
		}
		e.came.Wait(wait)
	}
}

// Close implements serve.Conn.
func (e *end) Close() {
	if e.closed {
		return
	}
	e.closed = true
	e.came.Set()
	e.room.Set()
	e.peer.room.Set()
	if !e.peer.silent { // else it does not hear of it
		e.peer.hungUp = true
		e.peer.came.Set()
	}
	e.net.ends = slices.DeleteFunc(e.net.ends, func(other *end) bool { return other == e })
}

// cut ends a connection, and loses what is on its way.
func (e *end) cut() {
	if e.closed {
		return
	}
	e.in, e.peer.in = nil, nil
	e.peer.Close()
	e.Close()
}

// trouble cuts a connection, or lets it fall silent, now and then.
func (n *network) trouble() {
	l, r := n.lab, &n.lab.plan.remote
	for r.cuts > 0 {
		l.world.Sleep(l.soon(r.cuts))
		if len(n.ends) == 0 {
			continue
		}
		e := n.ends[l.world.Chance(int64(len(n.ends)))]
		if l.world.Chance(2) == 0 {
			l.trace("a connection to %s is cut", e.at)
			e.cut()
		} else {
			l.trace("a connection to %s falls silent", e.at)
			e.silent, e.peer.silent = true, l.world.Chance(2) == 0 || e.peer.silent
		}
	}
}
