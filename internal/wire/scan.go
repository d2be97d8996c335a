package wire

import (
	"encoding/binary"
	"errors"
	"fmt"
)

// What a message may hold. The longest list in one is that of the segments of a detector.
const (
	scanDepth = 32
	scanItems = 1 << 14
)

// errCutOff says that a message ends before what it has announced.
var errCutOff = errors.New("wire: msgpack: it ends before what it announces")

// Scan goes through a message without making anything of it, and refuses what would make a decoder ask for more memory
// than the message is worth: lengths beyond its end, more entries than it has bytes, nesting deeper than 32, more than
// 16384 values. It allocates nothing. The message must be one value, whole, and no more than that.
func Scan(b []byte) error {
	var open [scanDepth]uint64 // values to come at each depth
	depth, items := 0, 0
	open[0] = 1
	for depth >= 0 {
		if open[depth] == 0 {
			depth--
			continue
		}
		open[depth]--
		if items++; items > scanItems {
			return fmt.Errorf("wire: msgpack: more than %d values", scanItems)
		}
		head, body, children, err := value(b)
		if err != nil {
			return err
		}
		rest := uint64(len(b) - head)
		if body > rest || children > rest-body { // a value has at least one byte
			return errCutOff
		}
		b = b[uint64(head)+body:]
		if children > 0 {
			if depth++; depth == scanDepth {
				return fmt.Errorf("wire: msgpack: nested deeper than %d", scanDepth)
			}
			open[depth] = children
		}
	}
	if len(b) > 0 {
		return fmt.Errorf("wire: msgpack: %d bytes follow the end", len(b))
	}
	return nil
}

// value reads the head of one value: how many bytes it has, how many bytes of text or data follow, how many values are
// inside. See https://github.com/msgpack/msgpack/blob/master/spec.md.
func value(b []byte) (head int, body, children uint64, err error) {
	if len(b) == 0 {
		return 0, 0, 0, errCutOff
	}
	switch c := b[0]; {
	case c <= 0x7f, c >= 0xe0, c == 0xc0, c == 0xc2, c == 0xc3:
		return 1, 0, 0, nil
	case c <= 0x8f:
		return 1, 0, 2 * uint64(c&0xf), nil
	case c <= 0x9f:
		return 1, 0, uint64(c & 0xf), nil
	case c <= 0xbf:
		return 1, uint64(c & 0x1f), 0, nil
	case c >= 0xca && c <= 0xd3: // float 32, float 64, uint 8 to 64, int 8 to 64
		return 1, [...]uint64{4, 8, 1, 2, 4, 8, 1, 2, 4, 8}[c-0xca], 0, nil
	case c >= 0xd4 && c <= 0xd8: // fixext 1 to 16, after a byte of type
		return 1, 1 + 1<<(c-0xd4), 0, nil
	case c == 0xc1:
		return 0, 0, 0, errors.New("wire: msgpack: 0xc1 is no value")
	default:
		return long(b)
	}
}

// long reads a head with a length of 1, 2 or 4 bytes.
func long(b []byte) (head int, body, children uint64, err error) {
	c := b[0]
	var width int
	switch c {
	case 0xc4, 0xc7, 0xd9: // bin, ext, str
		width = 1
	case 0xc5, 0xc8, 0xda, 0xdc, 0xde: // and array, map
		width = 2
	default: // 0xc6, 0xc9, 0xdb, 0xdd, 0xdf
		width = 4
	}
	if len(b) < 1+width {
		return 0, 0, 0, errCutOff
	}
	var wide [8]byte
	copy(wide[8-width:], b[1:1+width])
	n := binary.BigEndian.Uint64(wide[:])
	switch c {
	case 0xdc, 0xdd:
		return 1 + width, 0, n, nil
	case 0xde, 0xdf:
		return 1 + width, 0, 2 * n, nil
	case 0xc7, 0xc8, 0xc9:
		return 1 + width, n + 1, 0, nil
	}
	return 1 + width, n, 0, nil
}
