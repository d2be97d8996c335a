package wire

import (
	"errors"
	"net"
	"sync"
	"syscall"
	"time"
)

// Pace is how often connections are accepted: a few at once, and then one after each gap.
type Pace struct {
	Few int
	Gap time.Duration
}

// shortQueue is for how many connections the system answers before they are accepted. Who floods a port fills what there is
// of it, and all others wait until that has been accepted, one by one.
const shortQueue = 64

// Paced accepts connections of a listener at a pace, so that somebody who connects and leaves as fast as he can costs no
// more than one who does so at that pace. The rest waits in the queue of the system, or is not let in there.
func Paced(l net.Listener, p Pace) net.Listener {
	if t, ok := l.(*net.TCPListener); ok { // at a socket of this user whoever finds the queue full would not wait
		if raw, err := t.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), shortQueue) })
		}
	}
	ended := make(chan struct{})
	return &paced{Listener: l, pace: p, ended: ended, end: sync.OnceFunc(func() { close(ended) })}
}

type paced struct {
	net.Listener
	pace  Pace
	ended chan struct{}
	end   func()

	mu   sync.Mutex // protects next
	next time.Time  // moment at which the next may be accepted, in a row of moments
}

// Accept implements net.Listener.
func (l *paced) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	early := time.NewTimer(l.early(time.Now()))
	defer early.Stop()
	select {
	case <-early.C:
		return c, nil
	case <-l.ended:
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
}

// early is how long a connection that came now has to wait.
func (l *paced) early(now time.Time) time.Duration {
	l.mu.Lock()
	defer l.mu.Unlock()
	if longAgo := now.Add(-time.Duration(l.pace.Few) * l.pace.Gap); l.next.Before(longAgo) {
		l.next = longAgo
	}
	at := l.next
	l.next = at.Add(l.pace.Gap)
	return max(0, at.Sub(now))
}

// Close implements net.Listener.
func (l *paced) Close() error {
	l.end()
	return l.Listener.Close()
}
