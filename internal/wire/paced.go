package wire

import (
	"context"
	"errors"
	"net"
	"syscall"

	"drp/internal/pace"
)

// shortQueue is for how many connections the system answers before they are accepted. Who floods a port fills what there is
// of it, and all others wait until that has been accepted, one by one.
const shortQueue = 64

// Paced accepts connections of a listener at a pace, so that somebody who connects and leaves as fast as he can costs no
// more than one who does so at that pace. The rest waits in the queue of the system, or is not let in there.
func Paced(l net.Listener, p *pace.Pace) net.Listener {
	if t, ok := l.(*net.TCPListener); ok { // at a socket of this user whoever finds the queue full would not wait
		if raw, err := t.SyscallConn(); err == nil {
			_ = raw.Control(func(fd uintptr) { _ = syscall.Listen(int(fd), shortQueue) })
		}
	}
	ctx, end := context.WithCancel(context.Background())
	return &paced{Listener: l, pace: p, ctx: ctx, end: end}
}

type paced struct {
	net.Listener
	pace *pace.Pace
	ctx  context.Context //nolint:containedctx // ends with Close
	end  context.CancelFunc
}

// Accept implements net.Listener.
func (l *paced) Accept() (net.Conn, error) {
	c, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !l.pace.Wait(l.ctx) {
		return nil, errors.Join(net.ErrClosed, c.Close())
	}
	return c, nil
}

// Close implements net.Listener.
func (l *paced) Close() error {
	l.end()
	return l.Listener.Close()
}
