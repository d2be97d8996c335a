package wire

import (
	"context"
	"net"
)

// Listen opens the endpoint for another protocol than ZeroMQ's; only those who may connect get through. The function it
// gives closes it, and lets the next one have it.
func (e Endpoint) Listen() (net.Listener, func(), error) {
	l, closing, err := e.listen()
	if err != nil {
		return nil, nil, err
	}
	return admitting{l, e}, closing, nil
}

// Dial connects for another protocol, and makes sure who is at the other end.
func (e Endpoint) Dial(ctx context.Context) (net.Conn, error) { return e.dial(ctx) }

// admitting lets nobody in who may not connect.
type admitting struct {
	net.Listener
	e Endpoint
}

// Accept waits for one who may connect.
func (a admitting) Accept() (net.Conn, error) {
	for {
		c, err := a.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if a.e.admit(c) == nil {
			return c, nil
		}
		_ = c.Close()
	}
}
