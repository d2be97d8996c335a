package serve

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"drp/teb"
)

var le = binary.LittleEndian

// The first message of a client, and the answer to it:
//
//	0       4          8            16        24     32      40      44       48
//	| DRPH  | version  | partition  | process | from | rules | share | shares | text of the schema
//	| DRPW  | place    | generation | table, as JSON: what the numbers in decisions mean
//	| DRPL  | what is waited for, so that nobody is let in yet
//	| DRPO  | who else contributes under this name
//	| DRPR  | why it was refused
//	| DRPA
//
// The last asks a client that had decisions before for those that it remembers; it sends them as a batch, and is answered
// again.
//
// Process is a number that no other process has. It tells one that comes again from a second one of the same name.
// From is one more than the lowest pulse ID whose decision the client wants, and 0 when it begins.
// Rules is 0 then, and else tells the table by which the client understands decisions from another.
// Share is which one the server is, for this client, of so many that share the events.
const (
	helloMagic   = "DRPH"
	welcomeMagic = "DRPW"
	laterMagic   = "DRPL"
	takenMagic   = "DRPO"
	refuseMagic  = "DRPR"
	askMagic     = "DRPA"
	version      = 4
	helloBytes   = 48
)

// messageBytes is the largest message of either side.
const messageBytes = teb.MaxBatchBytes

type hello struct {
	partition, process, from, rules uint64
	share, shares                   uint32
	schema                          *teb.Schema
	known                           []teb.Decision // as it says when it is asked
}

func (h *hello) bytes() []byte {
	b := make([]byte, helloBytes, helloBytes+len(h.schema.Text()))
	copy(b, helloMagic)
	le.PutUint32(b[4:], version)
	le.PutUint64(b[8:], h.partition)
	le.PutUint64(b[16:], h.process)
	le.PutUint64(b[24:], h.from)
	le.PutUint64(b[32:], h.rules)
	le.PutUint32(b[40:], h.share)
	le.PutUint32(b[44:], h.shares)
	return append(b, h.schema.Text()...)
}

func (h *hello) part() string { return fmt.Sprintf("number %d of %d", h.share+1, h.shares) }

// agrees tells whether a client and those before it take the server for the same one of those that share the events.
func (h *hello) agrees(others *string) error {
	if *others == "" {
		*others = h.part()
	}
	if own := h.part(); *others != own {
		return fmt.Errorf("teb: for %s this is trigger event builder %s, and for others %s: give all processes the same addresses in the same order",
			h.schema.Name(), own, *others)
	}
	return nil
}

func parseHello(b []byte) (h hello, err error) {
	if len(b) < helloBytes || string(b[:4]) != helloMagic || le.Uint32(b[4:]) != version {
		return h, errors.New("teb: a client introduces itself in a way that is not known")
	}
	h = hello{partition: le.Uint64(b[8:]), process: le.Uint64(b[16:]), from: le.Uint64(b[24:]),
		rules: le.Uint64(b[32:]), share: le.Uint32(b[40:]), shares: le.Uint32(b[44:])}
	h.schema, err = teb.ParseSchema(string(b[helloBytes:]))
	return h, err
}

// RefusedError says why a server does not let a client in.
type RefusedError struct{ Why string }

func (e *RefusedError) Error() string { return "teb: the server refuses: " + e.Why }

// LaterError says that a server lets nobody in yet.
type LaterError struct{ Why string }

func (e *LaterError) Error() string { return "teb: the server lets nobody in yet: " + e.Why }

// TakenError says that another process contributes under this name, or did until a moment ago.
type TakenError struct{ Why string }

func (e *TakenError) Error() string { return "teb: " + e.Why }

// seat is what a client is let in as.
type seat struct {
	place      uint32
	generation uint64
	table      teb.Table
	rules      uint64 // the sum of the table
}

// textOf is a table as it travels.
func textOf(t teb.Table) []byte {
	text, err := json.Marshal(t)
	if err != nil {
		panic(err) // there is nothing in it that JSON has not
	}
	return text
}

// sumOf tells a table from others; it is not 0.
func sumOf(text []byte) uint64 {
	sum := sha256.Sum256(text)
	return max(1, le.Uint64(sum[:]))
}

func welcome(place int, generation uint64, table []byte) []byte {
	return append(le.AppendUint64(le.AppendUint32([]byte(welcomeMagic), uint32(place)), generation), table...)
}

// introduce says who a client is, and what it knows if it is asked, and gives its place.
func introduce(p Conn, h *hello, known func() []byte, within time.Duration) (in seat, err error) {
	b, err := ask(p, h.bytes(), within)
	if err == nil && string(b) == askMagic {
		b, err = ask(p, known(), within)
	}
	if err != nil {
		return in, err
	}
	if len(b) < 4 {
		return in, errStrange
	}
	switch why := fmt.Sprintf("%.2000s", b[4:]); string(b[:4]) {
	case welcomeMagic:
		if len(b) >= 16 && json.Unmarshal(b[16:], &in.table) == nil {
			in.place, in.generation, in.rules = le.Uint32(b[4:]), le.Uint64(b[8:]), sumOf(b[16:])
			return in, nil
		}
	case laterMagic:
		return in, &LaterError{why}
	case takenMagic:
		return in, &TakenError{why}
	case refuseMagic:
		return in, &RefusedError{why}
	}
	return in, errStrange
}

// ask sends a message and gives the answer.
func ask(p Conn, message []byte, within time.Duration) ([]byte, error) {
	if err := p.Send(message); err != nil {
		return nil, err
	}
	return p.Recv(within)
}

var errStrange = errors.New("teb: the server answers in a way that is not known")
