package serve

import (
	"time"

	"drp/internal/wire"
)

// Conn is a connection over which both sides send when they like: messages arrive whole, once and in order, or the connection
// ends. One goroutine may send and one may receive.
type Conn interface {
	// Send gives a message away. After an error, also when the peer does not read in time, the connection is closed.
	Send(message []byte) error
	// Recv gives the next message. After an error, also when none came in time, the connection is of no more use.
	Recv(within time.Duration) ([]byte, error)
	// Close ends it, and whoever sends or receives.
	Close()
}

// pair is a Conn over a socket.
type pair struct{ p *wire.Pair }

func (c pair) Send(message []byte) error { return c.p.Send(message) }
func (c pair) Close()                    { c.p.Close() }
func (c pair) Peer() string              { return c.p.Peer() }

func (c pair) Recv(within time.Duration) ([]byte, error) {
	m, err := c.p.Recv(within)
	if err != nil {
		return nil, err
	}
	return m[0], nil
}
