package serve

import (
	"encoding/binary"
	"encoding/json"
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
//	| DRPW  | place    | table, as JSON: what the numbers in decisions mean
//	| DRPL  | what is waited for, so that nobody is let in yet
//	| DRPR  | why it was refused
//
// From is the lowest pulse ID whose decision the client wants.
const (
	helloMagic   = "DRPH"
	welcomeMagic = "DRPW"
	laterMagic   = "DRPL"
	refuseMagic  = "DRPR"
	version      = 2
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

// LaterError says that a server lets nobody in yet.
type LaterError struct{ Why string }

func (e *LaterError) Error() string { return "teb: the server lets nobody in yet: " + e.Why }

func welcome(place int, t teb.Table) []byte {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	return append(le.AppendUint32([]byte(welcomeMagic), uint32(place)), text...)
}

// introduce says who a client is, and gives its place.
func introduce(p *wire.Pair, h *hello, within time.Duration) (place uint32, table teb.Table, err error) {
	if err := p.Send(h.bytes()); err != nil {
		return 0, table, err
	}
	m, err := p.Recv(within)
	if err != nil {
		return 0, table, err
	}
	b := m[0]
	if len(b) < 4 {
		return 0, table, errStrange
	}
	switch why := fmt.Sprintf("%.2000s", b[4:]); string(b[:4]) {
	case welcomeMagic:
		if len(b) >= 8 && json.Unmarshal(b[8:], &table) == nil {
			return le.Uint32(b[4:]), table, nil
		}
	case laterMagic:
		return 0, table, &LaterError{why}
	case refuseMagic:
		return 0, table, &RefusedError{why}
	}
	return 0, table, errStrange
}

var errStrange = errors.New("teb: the server answers in a way that is not known")
