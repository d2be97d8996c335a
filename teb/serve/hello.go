package serve

import (
	"encoding/binary"
	"errors"
	"fmt"
	"time"

	"drp/internal/wire"
	"drp/teb"
)

var le = binary.LittleEndian

// The first message of a client, and the answer to it:
//
//	0       4          8           16           24     32
//	| DRPH  | version  | partition | generation | from | text of the schema
//	| DRPW  | place    |
//	| DRPR  | why it was refused
//
// From is the lowest pulse ID whose decision the client wants.
const (
	helloMagic   = "DRPH"
	welcomeMagic = "DRPW"
	refuseMagic  = "DRPR"
	version      = 1
	helloBytes   = 32
)

// messageBytes is the largest message of either side.
const messageBytes = teb.MaxBatchBytes

type hello struct {
	partition, generation, from uint64
	schema                      *teb.Schema
}

func (h *hello) bytes() []byte {
	b := make([]byte, helloBytes, helloBytes+len(h.schema.Text()))
	copy(b, helloMagic)
	le.PutUint32(b[4:], version)
	le.PutUint64(b[8:], h.partition)
	le.PutUint64(b[16:], h.generation)
	le.PutUint64(b[24:], h.from)
	return append(b, h.schema.Text()...)
}

func parseHello(b []byte) (h hello, err error) {
	if len(b) < helloBytes || string(b[:4]) != helloMagic || le.Uint32(b[4:]) != version {
		return h, errors.New("teb: a client introduces itself in a way that is not known")
	}
	h = hello{partition: le.Uint64(b[8:]), generation: le.Uint64(b[16:]), from: le.Uint64(b[24:])}
	h.schema, err = teb.ParseSchema(string(b[helloBytes:]))
	return h, err
}

// RefusedError says why a server does not let a client in.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "teb: the server refuses: " + e.Why }

func welcome(place int) []byte { return le.AppendUint32([]byte(welcomeMagic), uint32(place)) }

// introduce says who a client is, and gives its place.
func introduce(p *wire.Pair, h *hello, within time.Duration) (place uint32, err error) {
	if err := p.Send(h.bytes()); err != nil {
		return 0, err
	}
	m, err := p.Recv(within)
	if err != nil {
		return 0, err
	}
	switch b := m[0]; {
	case len(b) == 8 && string(b[:4]) == welcomeMagic:
		return le.Uint32(b[4:]), nil
	case len(b) >= 4 && string(b[:4]) == refuseMagic:
		return 0, &RefusedError{fmt.Sprintf("%.2000s", b[4:])}
	}
	return 0, errors.New("teb: the server answers in a way that is not known")
}
