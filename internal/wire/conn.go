package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/go-zeromq/zmq4"
)

// conn is a connection to a peer, as zmq4 sees it: reads pass the check of the framing, and an answer that zmq4 writes by
// itself (PONG) goes out whole, between two messages.
type conn struct {
	net.Conn
	z        *zmq4.Conn
	in       framing
	patience time.Duration // for one message
	greeted  bool
	left     bool       // it went away before that
	answer   []byte     // of zmq4, until it is complete; touched by the one who reads
	out      sync.Mutex // held while a message is written
}

// handshakePatience is how long a peer may take to say who it is.
const handshakePatience = 5 * time.Second

// open does the handshake of ZMTP.
func open(raw net.Conn, kind zmq4.SocketType, server bool, o *Options) (*conn, error) {
	c := &conn{Conn: raw, patience: o.Patience, in: framing{limits: o.limits(kind)}}
	err := raw.SetDeadline(time.Now().Add(handshakePatience))
	if err == nil {
		c.z, err = zmq4.Open(c, null{kind}, kind, nil, server, nil)
	}
	if err == nil {
		err = raw.SetDeadline(time.Time{})
	}
	if err != nil {
		_ = raw.Close()
		if c.left {
			return nil, errLeft
		}
		return nil, fmt.Errorf("wire: handshake: %w", err)
	}
	c.greeted = true
	return c, nil
}

func (c *conn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	if bad := c.in.feed(p[:n]); bad != nil {
		_ = c.Close()
		return 0, bad
	}
	c.left = c.left || gone(err)
	return n, err
}

// errLeft says that a peer went away before it was let in: it only wanted to know whether anybody is there, or was ended.
var errLeft = errors.New("wire: the peer went away in the handshake")

func gone(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, net.ErrClosed)
}

// Write is how zmq4 writes: the greeting, and afterwards commands, in pieces.
func (c *conn) Write(p []byte) (int, error) {
	if !c.greeted {
		n, err := c.Conn.Write(p)
		c.left = c.left || gone(err)
		return n, err
	}
	c.answer = append(c.answer, p...)
	whole, size := 2, 0
	if len(c.answer) >= whole {
		size = int(c.answer[1])
	}
	if len(c.answer) >= 9 && c.answer[0]&flagLong != 0 {
		whole, size = 9, int(binary.BigEndian.Uint64(c.answer[1:]))
	}
	if len(c.answer) < whole+size {
		return len(p), nil
	}
	err := c.write(net.Buffers{c.answer})
	c.answer = nil
	return len(p), err
}

// send writes a message. After an error the connection is closed, since a part of the message may be on its way.
func (c *conn) send(frames ...[]byte) error {
	pieces := make(net.Buffers, 0, 2*len(frames))
	for i, f := range frames {
		var flags byte
		if i < len(frames)-1 {
			flags = flagMore
		}
		pieces = append(pieces, appendHead(make([]byte, 0, 9), flags, len(f)))
		if len(f) > 0 {
			pieces = append(pieces, f)
		}
	}
	return c.write(pieces)
}

func (c *conn) write(pieces net.Buffers) error {
	c.out.Lock()
	defer c.out.Unlock()
	err := c.SetWriteDeadline(time.Now().Add(c.patience))
	if err == nil {
		_, err = pieces.WriteTo(c.Conn)
	}
	if err != nil {
		_ = c.Close()
	}
	return err
}

// receive gives the next message that is not empty, and no command.
func (c *conn) receive() ([][]byte, error) {
	for {
		m, err := c.z.RecvMsg()
		if err != nil {
			return nil, err
		}
		if m.Type == zmq4.UsrMsg && len(m.Frames) > 0 {
			return m.Frames, nil
		}
	}
}

// null is the mechanism NULL of ZMTP. That of zmq4 panics where what a peer says about itself is cut off, or names a kind of
// socket that it does not know.
type null struct{ kind zmq4.SocketType }

func (null) Type() zmq4.SecurityType { return zmq4.NullSecurity }

func (null) Encrypt(w io.Writer, data []byte) (int, error) { return w.Write(data) }
func (null) Decrypt(w io.Writer, data []byte) (int, error) { return w.Write(data) }

func (n null) Handshake(c *zmq4.Conn, _ bool) error {
	mine, err := c.Meta.MarshalZMTP()
	if err != nil {
		return err
	}
	if err := c.SendCmd(zmq4.CmdReady, mine); err != nil {
		return err
	}
	cmd, err := c.RecvCmd()
	if err != nil {
		return err
	}
	if cmd.Name != zmq4.CmdReady {
		return &FrameError{fmt.Sprintf("%.20q instead of READY", cmd.Name)}
	}
	var peer zmq4.SocketType
	err = properties(cmd.Body, func(name, value string) {
		if strings.EqualFold(name, "Socket-Type") {
			peer = zmq4.SocketType(value)
		}
	})
	if err == nil && !slices.Contains(counterparts[n.kind], peer) {
		err = &FrameError{fmt.Sprintf("that it is a %.20q, and talks to a %s", string(peer), n.kind)}
	}
	c.Peer.Meta["Socket-Type"] = string(peer)
	return err
}

// counterparts are who may talk to whom.
var counterparts = map[zmq4.SocketType][]zmq4.SocketType{
	zmq4.Pair: {zmq4.Pair},
	zmq4.Pub:  {zmq4.Sub, zmq4.XSub},
	zmq4.Push: {zmq4.Pull},
	zmq4.Rep:  {zmq4.Req, zmq4.Dealer},
	zmq4.Sub:  {zmq4.Pub, zmq4.XPub},
}

// properties goes through what a peer says about itself: names with a length of one byte, values with one of four.
func properties(b []byte, each func(name, value string)) error {
	cutOff := errors.New("wire: what the peer says about itself is cut off")
	for len(b) > 0 {
		n := 1 + int(b[0])
		if len(b) < n+4 {
			return cutOff
		}
		size := uint64(binary.BigEndian.Uint32(b[n:]))
		if uint64(len(b)-n-4) < size {
			return cutOff
		}
		end := n + 4 + int(size)
		each(string(b[1:n]), string(b[n+4:end]))
		b = b[end:]
	}
	return nil
}
