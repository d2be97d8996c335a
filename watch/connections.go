package watch

import (
	"errors"
	"net"
	"net/http"
	"slices"
	"sync"
)

// fewConnections lets only so many be open at a time. Who comes then takes the place of the one that has asked for nothing for the
// longest time, or waits where all are being answered.
type fewConnections struct {
	net.Listener
	most int

	mu      sync.Mutex // protects all below
	left    sync.Cond  // somebody has left, or rests
	open    int
	resting []*counted // nothing is asked on them; the one that has rested longest comes first
	ended   bool
}

func newFewConnections(l net.Listener, most int) *fewConnections {
	f := &fewConnections{Listener: l, most: most}
	f.left.L = &f.mu
	return f
}

// Accept implements net.Listener.
func (l *fewConnections) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.open == l.most && !l.ended {
		if len(l.resting) == 0 {
			l.left.Wait()
			continue
		}
		longest := l.resting[0]
		l.leave(longest)
		_ = longest.Conn.Close()
	}
	if l.ended {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	k := &counted{Conn: c, of: l}
	l.open++
	l.resting = append(l.resting, k)
	return k, nil
}

// Close implements net.Listener.
func (l *fewConnections) Close() error {
	l.mu.Lock()
	l.ended = true
	l.left.Broadcast()
	l.mu.Unlock()
	return l.Listener.Close()
}

// leave gives a place back, once. The mutex is held.
func (l *fewConnections) leave(k *counted) {
	if !k.gone {
		k.gone = true
		l.open--
		l.rests(k, false)
	}
}

// rests notes whether something is asked on a connection. The mutex is held.
func (l *fewConnections) rests(k *counted, so bool) {
	l.resting = slices.DeleteFunc(l.resting, func(other *counted) bool { return other == k })
	if so && !k.gone {
		l.resting = append(l.resting, k)
	}
	l.left.Broadcast()
}

// counted is a connection that has a place.
type counted struct {
	net.Conn
	of   *fewConnections
	gone bool // the mutex of that protects it
}

// turn is told what a connection is doing: it is active once a whole request has been read, and until that is answered.
func (c *counted) turn(state http.ConnState) {
	if state == http.StateActive || state == http.StateIdle {
		c.of.mu.Lock()
		defer c.of.mu.Unlock()
		c.of.rests(c, state == http.StateIdle)
	}
}

// Close implements net.Conn.
func (c *counted) Close() error {
	c.of.mu.Lock()
	c.of.leave(c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}
