package wire

import (
	"context"
	"net"
)

// ListenPrivate opens a socket for other protocols than ZeroMQ, in a folder that belongs to this process alone. Peers of
// other users are cut off before anything is read from them.
func ListenPrivate(path string) (net.Listener, error) {
	e := Endpoint{Path: path}
	if err := e.check(); err != nil {
		return nil, err
	}
	l, err := e.bind()
	if err != nil {
		return nil, err
	}
	return privateListener{l}, nil
}

type privateListener struct{ net.Listener }

// Accept waits for a peer of this user.
func (l privateListener) Accept() (net.Conn, error) {
	for {
		c, err := l.Listener.Accept()
		if err != nil {
			return nil, err
		}
		if _, err := Peer(c); err == nil {
			return c, nil
		}
		_ = c.Close()
	}
}

// DialPrivate connects to such a socket, and makes sure that it is of this user.
func DialPrivate(ctx context.Context, path string) (net.Conn, error) {
	return Endpoint{Path: path}.dial(ctx)
}
