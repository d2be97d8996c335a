package wire

import (
	"bytes"
	"errors"
	"net"
	"os"
	"time"
)

// grace is how long a message that is lent may be written from where it lies.
const grace = 20 * time.Millisecond

// lent is a message whose bytes belong to somebody else, with the heads of its frames between them.
type lent struct {
	pieces net.Buffers
	bytes  int
}

// lend puts the heads of frames before their pieces. Each frame is one or several pieces, which follow each other.
func lend(frames [][][]byte) (l lent) {
	heads := make([]byte, 0, 9*len(frames))
	for i, pieces := range frames {
		size := 0
		for _, p := range pieces {
			size += len(p)
		}
		var flags byte
		if i < len(frames)-1 {
			flags = flagMore
		}
		at := len(heads)
		heads = appendHead(heads, flags, size)
		l.pieces = append(l.pieces, heads[at:len(heads):len(heads)])
		for _, p := range pieces {
			if len(p) > 0 {
				l.pieces = append(l.pieces, p)
			}
		}
		l.bytes += len(heads) - at + size
	}
	return l
}

// sendLent writes a message. It calls back once nothing of its memory is needed any more: when it is written, or when what a
// peer has not taken at once was copied. A peer that takes nothing at all for the time of patience loses its connection.
func (c *conn) sendLent(pieces net.Buffers, back func()) error {
	rest, err := []byte(nil), error(nil)
	if c.out.TryLock() {
		if err = c.SetWriteDeadline(time.Now().Add(grace)); err == nil {
			_, err = pieces.WriteTo(c.Conn)
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			rest, err = bytes.Join(pieces, nil), nil
		}
		back()
	} else { // an answer to this peer is being written, and may take as long as it likes
		rest = bytes.Join(pieces, nil)
		back()
		c.out.Lock()
	}
	defer c.out.Unlock()
	for err == nil && len(rest) > 0 {
		taken := 0
		if err = c.SetWriteDeadline(time.Now().Add(c.patience)); err == nil {
			taken, err = c.Conn.Write(rest)
		}
		if rest = rest[taken:]; taken > 0 && errors.Is(err, os.ErrDeadlineExceeded) {
			err = nil // it is slow, and not stalled
		}
	}
	if err != nil {
		_ = c.Close()
	}
	return err
}
