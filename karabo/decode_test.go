package karabo

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math"
	"strings"

	"drp/internal/wire"
)

// told is what a client has of a message: the values of each source, arrays among them, and its metadata.
type told struct {
	values map[string]map[string]any
	meta   map[string]map[string]any
	order  []string
}

// numbers are an array.
type numbers struct {
	dtype string
	shape []uint64
	data  []byte
}

var itemBytes = map[string]int{"uint8": 1, "int8": 1, "uint16": 2, "int16": 2, "uint32": 4, "int32": 4, "float32": 4, "uint64": 8,
	"int64": 8, "float64": 8}

// decode reads a message as the protocol says, and refuses what is none.
func decode(m Message) (*told, error) {
	var frames [][]byte
	for _, pieces := range m {
		frames = append(frames, bytes.Join(pieces, nil))
	}
	if len(frames) == 0 || len(frames)%2 != 0 {
		return nil, fmt.Errorf("%d frames", len(frames))
	}
	t := &told{values: map[string]map[string]any{}, meta: map[string]map[string]any{}}
	for i := 0; i < len(frames); i += 2 {
		header, err := unpack(frames[i])
		if err != nil {
			return nil, err
		}
		source, _ := header["source"].(string)
		switch header["content"] {
		case "msgpack":
			if t.values[source] != nil {
				return nil, fmt.Errorf("%s comes twice", source)
			}
			if t.values[source], err = unpack(frames[i+1]); err != nil {
				return nil, err
			}
			t.meta[source], _ = header["metadata"].(map[string]any)
			t.order = append(t.order, source)
		case "array":
			a := numbers{data: frames[i+1]}
			a.dtype, _ = header["dtype"].(string)
			size := uint64(itemBytes[a.dtype])
			for _, n := range header["shape"].([]any) {
				a.shape = append(a.shape, n.(uint64))
				size *= n.(uint64)
			}
			if itemBytes[a.dtype] == 0 || size != uint64(len(a.data)) || t.values[source] == nil {
				return nil, fmt.Errorf("%s: %v with %d bytes", source, header, len(a.data))
			}
			t.values[source][header["path"].(string)] = a
		default:
			return nil, fmt.Errorf("content %v", header["content"])
		}
	}
	return t, nil
}

// unpack reads one map of msgpack.
func unpack(b []byte) (map[string]any, error) {
	if err := wire.Scan(b); err != nil {
		return nil, err
	}
	v, _ := value(b)
	m, ok := v.(map[string]any)
	if !ok {
		return nil, fmt.Errorf("%T is no map", v)
	}
	return m, nil
}

// value reads one value of what Scan has found good, and gives the rest.
func value(b []byte) (v any, rest []byte) {
	wide := func(n int) uint64 {
		var w [8]byte
		copy(w[8-n:], b[1:1+n])
		return binary.BigEndian.Uint64(w[:])
	}
	switch c := b[0]; {
	case c <= 0x7f:
		return uint64(c), b[1:]
	case c >= 0xe0:
		return int64(int8(c)), b[1:]
	case c <= 0x8f:
		return mapping(b[1:], int(c&0xf))
	case c <= 0x9f:
		return list(b[1:], int(c&0xf))
	case c <= 0xbf:
		return string(b[1 : 1+c&0x1f]), b[1+c&0x1f:]
	case c == 0xc2, c == 0xc3:
		return c == 0xc3, b[1:]
	case c == 0xcb:
		return math.Float64frombits(wide(8)), b[9:]
	case c >= 0xcc && c <= 0xcf:
		n := 1 << (c - 0xcc)
		return wide(n), b[1+n:]
	case c >= 0xd0 && c <= 0xd3:
		n := 1 << (c - 0xd0)
		return int64(wide(n)) << (64 - 8*n) >> (64 - 8*n), b[1+n:]
	case c >= 0xd9 && c <= 0xdb:
		n := 1 << (c - 0xd9)
		end := 1 + n + int(wide(n))
		return string(b[1+n : end]), b[end:]
	case c == 0xdc:
		return list(b[3:], int(wide(2)))
	case c == 0xde:
		return mapping(b[3:], int(wide(2)))
	default:
		panic(fmt.Sprintf("%#x is nothing that is sent", c))
	}
}

func list(b []byte, n int) (all []any, rest []byte) {
	for range n {
		var v any
		v, b = value(b)
		all = append(all, v)
	}
	return all, b
}

func mapping(b []byte, n int) (m map[string]any, rest []byte) {
	m = map[string]any{}
	for range n {
		var k, v any
		k, b = value(b)
		v, b = value(b)
		m[k.(string)] = v
	}
	return m, b
}

// String shows what was told, for messages of tests.
func (t *told) String() string {
	var b strings.Builder
	for _, s := range t.order {
		fmt.Fprintf(&b, "%s %v\n", s, t.values[s])
	}
	return b.String()
}
