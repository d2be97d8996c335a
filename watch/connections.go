package watch

import (
	"net"
	"sync"
)

// fewConnections lets only so many be open at a time; who comes then waits until another has left, or was too slow.
type fewConnections struct {
	net.Listener
	room  chan struct{}
	ended chan struct{}
	end   func()
}

func newFewConnections(l net.Listener) *fewConnections {
	ended := make(chan struct{})
	return &fewConnections{Listener: l, room: make(chan struct{}, connections), ended: ended,
		end: sync.OnceFunc(func() { close(ended) })}
}

// Accept implements net.Listener.
func (l *fewConnections) Accept() (net.Conn, error) {
	select {
	case l.room <- struct{}{}:
	case <-l.ended:
		return nil, net.ErrClosed
	}
	leave := sync.OnceFunc(func() { <-l.room })
	c, err := l.Listener.Accept()
	if err != nil {
		leave()
		return nil, err
	}
	return &counted{Conn: c, leave: leave}, nil
}

// Close implements net.Listener.
func (l *fewConnections) Close() error {
	l.end()
	return l.Listener.Close()
}

type counted struct {
	net.Conn
	leave func()
}

// Close implements net.Conn.
func (c *counted) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
