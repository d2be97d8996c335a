package wire

import (
	"encoding/binary"
	"fmt"
)

// Sizes of ZMTP 3.0, https://rfc.zeromq.org/spec:23/ZMTP/.
const (
	greetingBytes = 64
	flagMore      = 1
	flagLong      = 2
	flagCommand   = 4
)

// limits are what a peer may send.
type limits struct {
	frameBytes   uint64 // one frame
	messageBytes uint64 // the frames of one message together
	frames       int    // in one message
}

// commandBytes is more than any command of the protocol that we understand has.
const commandBytes = 4096

// framing follows the bytes that come from a peer: the greeting, then frames. It is asked before anybody makes room for a
// frame, and says no to one that is too large. It holds no more than a header.
//
//	+-- greeting --+   +-------+-- length --+-- body --+   +-------+--
//	|   64 bytes   |   | flags |  1 or 8 B  |    …     |   | flags |
//	+--------------+   +-------+------------+----------+   +-------+--
type framing struct {
	limits
	greeting int // bytes of the greeting that were seen
	head     [9]byte
	have     int    // bytes of the header that were seen
	body     uint64 // bytes of the frame that are to come
	count    int    // frames of this message
	total    uint64 // bytes of this message
}

// FrameError says what a peer sent that ended its connection.
type FrameError struct{ Reason string }

func (e *FrameError) Error() string { return "wire: the peer sends " + e.Reason }

// feed takes the next bytes. After an error the rest of the stream means nothing.
func (f *framing) feed(p []byte) error {
	for len(p) > 0 {
		switch {
		case f.greeting < greetingBytes:
			n := min(greetingBytes-f.greeting, len(p))
			f.greeting, p = f.greeting+n, p[n:]
		case f.body > 0:
			n := min(f.body, uint64(len(p)))
			f.body, p = f.body-n, p[n:]
		default:
			f.head[f.have] = p[0]
			f.have, p = f.have+1, p[1:]
			if f.have == f.headBytes() {
				f.have = 0
				if err := f.frame(); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func (f *framing) headBytes() int {
	if f.head[0]&flagLong != 0 {
		return 9
	}
	return 2
}

// frame judges a header that is complete.
func (f *framing) frame() error {
	flags, size := f.head[0], uint64(f.head[1])
	if flags&flagLong != 0 {
		size = binary.BigEndian.Uint64(f.head[1:])
	}
	f.count++
	f.total += min(size, f.messageBytes+1) // which cannot overflow
	switch command := flags&flagCommand != 0; {
	case flags&^(flagMore|flagLong|flagCommand) != 0:
		return &FrameError{fmt.Sprintf("a frame with the flags %#x, which mean nothing", flags)}
	case command && (flags&flagMore != 0 || f.count > 1):
		return &FrameError{"a command that is a part of a message"}
	case command && size > commandBytes:
		return &FrameError{fmt.Sprintf("a command of %d bytes: at most %d are taken", size, commandBytes)}
	case size > f.frameBytes && !command:
		return &FrameError{fmt.Sprintf("a frame of %d bytes: at most %d are taken", size, f.frameBytes)}
	case f.total > f.messageBytes && !command:
		return &FrameError{fmt.Sprintf("a message of more than %d bytes", f.messageBytes)}
	case f.count > f.frames:
		return &FrameError{fmt.Sprintf("a message of more than %d frames", f.frames)}
	}
	f.body = size
	if flags&flagMore == 0 {
		f.count, f.total = 0, 0
	}
	return nil
}

// appendHead puts the header of a frame behind b.
func appendHead(b []byte, flags byte, size int) []byte {
	if size > 255 {
		return binary.BigEndian.AppendUint64(append(b, flags|flagLong), uint64(size))
	}
	return append(b, flags, byte(size))
}
