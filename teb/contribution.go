package teb

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"

	"drp/xtc"
)

// le is the byte order of everything here.
var le = binary.LittleEndian

// A row is what one contributor brings for one datagram. What belongs to its fields stands behind a head:
//
//	0        8           16       18       20        21      24
//	| pulse  | timestamp | groups | damage | service | 0 0 0 | fields, each at a multiple of its size | 0 to 7 bytes |
const rowHeadBytes = 24

// Head is what each row begins with.
type Head struct {
	Pulse   uint64 // the same for all contributors of an event, and larger for each event that follows
	Time    uint64 // as in the datagram
	Groups  uint16 // the readout groups of the event, one bit for each
	Damage  xtc.Damage
	Service xtc.TransitionID
}

// Key orders rows, and decisions: by pulse ID. Transitions have none of their own in some systems, and then that of the event
// before them; so they come after the event of the same pulse ID, in the order of their times.
type Key struct{ Pulse, After uint64 }

// Less orders keys.
func (k Key) Less(o Key) bool { return k.Pulse < o.Pulse || k.Pulse == o.Pulse && k.After < o.After }

// Next is the first key behind k.
func (k Key) Next() Key { return Key{k.Pulse, k.After + 1} }

func keyOf(pulse, time uint64, service xtc.TransitionID) Key {
	if service.IsEvent() {
		return Key{Pulse: pulse}
	}
	return Key{pulse, max(time, 1)}
}

// Key is the place of a row among others.
func (h *Head) Key() Key { return keyOf(h.Pulse, h.Time, h.Service) }

// PutHead writes the head of a row.
func PutHead(row []byte, h Head) {
	_ = row[rowHeadBytes-1]
	le.PutUint64(row, h.Pulse)
	le.PutUint64(row[8:], h.Time)
	le.PutUint16(row[16:], h.Groups)
	le.PutUint16(row[18:], uint16(h.Damage))
	le.PutUint32(row[20:], uint32(h.Service))
}

// HeadOf reads the head of a row of at least its 24 bytes.
func HeadOf(row []byte) Head {
	_ = row[rowHeadBytes-1]
	return Head{Pulse: le.Uint64(row), Time: le.Uint64(row[8:]), Groups: le.Uint16(row[16:]),
		Damage: xtc.Damage(le.Uint16(row[18:])), Service: xtc.TransitionID(row[20])}
}

// A batch is rows of one contributor, or decisions, behind a head:
//
//	0      4         6      8           16            20         24           32            40         48      52
//	| DRPT | version | kind | partition | contributor | rowBytes | generation | schema hash | sequence | count | 0 | rows
//
// The numbers are little-endian. Partition is a hash of its name. The generation grows with each start of the
// contributor; the sequence counts its batches from 0 in each generation.
const (
	batchHeadBytes = 56
	batchMagic     = 0x54505244 // "DRPT"
	formatVersion  = 1
	// MaxBatchRows and MaxBatchBytes bound what a peer can send at once.
	MaxBatchRows  = 1 << 14
	MaxBatchBytes = 8 << 20
)

// kind tells what the rows of a batch are.
type kind uint16

const (
	contributions kind = 1
	decisions     kind = 2
)

// BatchHead is what each batch begins with.
type BatchHead struct {
	Partition   uint64
	Contributor uint32 // its place in the configuration; of decisions, 0
	Generation  uint64
	Schema      uint64
	Sequence    uint64

	kind     kind
	rowBytes uint32
	count    uint32
}

// Count is the number of rows.
func (h *BatchHead) Count() int { return int(h.count) }

// PartitionID is what stands for a partition's name in batches.
func PartitionID(name string) uint64 {
	sum := sha256.Sum256([]byte("drp partition\n" + name))
	return le.Uint64(sum[:])
}

func putBatchHead(b []byte, h BatchHead) {
	_ = b[batchHeadBytes-1]
	le.PutUint32(b, batchMagic)
	le.PutUint16(b[4:], formatVersion)
	le.PutUint16(b[6:], uint16(h.kind))
	le.PutUint64(b[8:], h.Partition)
	le.PutUint32(b[16:], h.Contributor)
	le.PutUint32(b[20:], h.rowBytes)
	le.PutUint64(b[24:], h.Generation)
	le.PutUint64(b[32:], h.Schema)
	le.PutUint64(b[40:], h.Sequence)
	le.PutUint32(b[48:], h.count)
	le.PutUint32(b[52:], 0)
}

// FormatError says that bytes are no batch. It allocates once, for bytes that deserve it.
type FormatError struct{ Why string }

func (e *FormatError) Error() string { return "teb: a batch is refused: " + e.Why }

func formatErrorf(format string, args ...any) error {
	return &FormatError{Why: fmt.Sprintf(format, args...)}
}

// batchOf checks a batch as far as that can be done without knowing who sent it, and gives its rows, which lie in b.
func batchOf(b []byte, want kind) (h BatchHead, rows []byte, err error) {
	if len(b) < batchHeadBytes {
		return h, nil, formatErrorf("%d bytes are too few, its head has %d", len(b), batchHeadBytes)
	}
	if len(b) > MaxBatchBytes {
		return h, nil, formatErrorf("it has %d bytes, at most %d are taken", len(b), MaxBatchBytes)
	}
	if magic, version := le.Uint32(b), le.Uint16(b[4:]); magic != batchMagic || version != formatVersion {
		return h, nil, formatErrorf("it begins with %#x, version %d, and not with %#x, version %d", magic, version, batchMagic,
			formatVersion)
	}
	h = BatchHead{kind: kind(le.Uint16(b[6:])), Partition: le.Uint64(b[8:]), Contributor: le.Uint32(b[16:]),
		rowBytes: le.Uint32(b[20:]), Generation: le.Uint64(b[24:]), Schema: le.Uint64(b[32:]), Sequence: le.Uint64(b[40:]),
		count: le.Uint32(b[48:])}
	switch {
	case h.kind != want:
		return h, nil, formatErrorf("it is of kind %d, and not %d", h.kind, want)
	case le.Uint32(b[52:]) != 0:
		return h, nil, formatErrorf("its head does not end with zeros")
	case h.rowBytes < rowHeadBytes || h.rowBytes > MaxRowBytes || h.rowBytes%8 != 0:
		return h, nil, formatErrorf("its rows have %d bytes: %d to %d are possible, in steps of 8", h.rowBytes, rowHeadBytes,
			MaxRowBytes)
	case h.count > MaxBatchRows:
		return h, nil, formatErrorf("it has %d rows, at most %d are taken", h.count, MaxBatchRows)
	case uint64(len(b)-batchHeadBytes) != uint64(h.count)*uint64(h.rowBytes):
		return h, nil, formatErrorf("%d rows of %d bytes are announced, and %d bytes follow its head", h.count, h.rowBytes,
			len(b)-batchHeadBytes)
	}
	return h, b[batchHeadBytes:], nil
}

// Encoder gathers rows of one contributor into batches. It is used by one goroutine.
type Encoder struct {
	schema *Schema
	head   BatchHead
	b      []byte
	most   int
}

// NewEncoder makes an encoder of batches of up to so many rows; the contributor's place, its generation and its partition
// come from head.
func NewEncoder(s *Schema, head BatchHead, rows int) (*Encoder, error) {
	if rows < 1 || rows > MaxBatchRows || batchHeadBytes+rows*s.rowBytes > MaxBatchBytes {
		return nil, fmt.Errorf("teb: contributor %s: %d rows of %d bytes in a batch: 1 to %d rows in %d bytes are possible",
			s.name, rows, s.rowBytes, MaxBatchRows, MaxBatchBytes)
	}
	head.kind, head.Schema, head.rowBytes = contributions, s.hash, uint32(s.rowBytes)
	return &Encoder{schema: s, head: head, b: make([]byte, batchHeadBytes, batchHeadBytes+rows*s.rowBytes), most: rows}, nil
}

// Add begins another row and gives its bytes, zero but for the head, for the fields to be put in; or nil when the batch
// is full.
func (e *Encoder) Add(h Head) []byte {
	if e.Len() == e.most {
		return nil
	}
	at := len(e.b)
	e.b = e.b[:at+e.schema.rowBytes]
	row := e.b[at:]
	clear(row)
	PutHead(row, h)
	return row
}

// Len is the number of rows in the batch.
func (e *Encoder) Len() int { return (len(e.b) - batchHeadBytes) / e.schema.rowBytes }

// Batch finishes the batch; its bytes are good until the next Add. The next batch has the next sequence number.
func (e *Encoder) Batch() []byte {
	e.head.count = uint32(e.Len())
	putBatchHead(e.b, e.head)
	b := e.b
	e.head.Sequence++
	e.b = e.b[:batchHeadBytes]
	return b
}
