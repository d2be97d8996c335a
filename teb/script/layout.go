package script

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"math/bits"
	"slices"

	"drp/fex"
	"drp/internal/settings"
	"drp/shm"
	"drp/teb"
)

// A slot, as python/src/drp/_trigger_feed.py reads it, little-endian:
//
//	0      8       12         16      64
//	| seed | count | given up | zeros | event | event | ... | settings
//
// Behind the most events that there can be, where the script has parameters, stand the generation of their values, 8 bytes, 8 bytes
// of 0 and a cell for each (settings.CellBytes).
//
// An event; each contributor's row is as teb draws it, but for byte 21, which says whether it is there:
//
//	0       8      16        24       26       28              32
//	| pulse | time | ordinal | groups | damage | contributions | row of contributor 0 | row of contributor 1 | ...
//
// A verdict, in the result of the slot:
//
//	0        1   2        4         8
//	| accept | 0 | reason | monitor |
//
// Behind the verdicts stands why the script failed on the first event that it failed on, as JSON, where it goes on with the
// next.
const (
	slotHeadBytes  = 64
	eventHeadBytes = 32
	verdictBytes   = 8
	saidBytes      = 4096
	settingsBytes  = settingsHead + settings.MostParameters*settings.CellBytes
	settingsHead   = 16

	givenUpAt = 12
	presentAt = 21
)

var le = binary.LittleEndian

// layout is where things lie in an event.
type layout struct {
	schemas    []*teb.Schema
	at         []int // of the row of each contributor
	eventBytes int
	most       int // events
}

// eventNames are what an event has beside its contributors.
var eventNames = []string{"pulse", "time", "groups", "damage", "contributions"}

func newLayout(schemas []*teb.Schema, most int) (*layout, error) {
	l := &layout{schemas: schemas, eventBytes: eventHeadBytes, most: most}
	for _, s := range schemas {
		if slices.Contains(eventNames, s.Name()) {
			return nil, fmt.Errorf("script: contributor %s: the name means something else in scripts", s.Name())
		}
		l.at = append(l.at, l.eventBytes)
		l.eventBytes += s.RowBytes()
	}
	if l.slotBytes() > shm.MaxBytes/slots-shm.HeaderBytes {
		return nil, fmt.Errorf("script: a batch of %d events of %d bytes is too large: make batches smaller", most, l.eventBytes)
	}
	return l, nil
}

func (l *layout) slotBytes() int { return l.settingsAt() + settingsBytes }

// settingsAt is where the values of parameters are in a slot.
func (l *layout) settingsAt() int { return (slotHeadBytes + l.most*l.eventBytes + 7) / 8 * 8 }

// set writes the values of parameters; without any they are the defaults.
func (l *layout) set(slot []byte, s *teb.Settings) {
	if s == nil {
		s = &teb.Settings{}
	}
	area := slot[l.settingsAt():][:settingsBytes]
	le.PutUint64(area, uint64(s.Generation))
	le.PutUint64(area[8:], 0)
	for i, v := range s.Values {
		settings.PutCell(area[settingsHead+i*settings.CellBytes:][:settings.CellBytes], v)
	}
}

// told is what a script is told at Configure.
type told struct {
	Reason       int               `json:"reason"` // the number of the script's first
	Events       int               `json:"events"`
	EventBytes   int               `json:"event_bytes"`
	Settings     int               `json:"settings"` // where the values of parameters are in a slot
	Contributors []toldContributor `json:"contributors"`
}

type toldContributor struct {
	Name   string      `json:"name"`
	At     int         `json:"at"`
	Bytes  int         `json:"bytes"`
	Fields []toldField `json:"fields"`
}

type toldField struct {
	Name string `json:"name"`
	Type string `json:"type"` // as NumPy writes it
	Len  int    `json:"len"`
	At   int    `json:"at"`
}

var numpyTypes = map[teb.Type]string{teb.Bool: "?", teb.U8: "u1", teb.U16: "<u2", teb.U32: "<u4", teb.U64: "<u8", teb.I8: "i1",
	teb.I16: "<i2", teb.I32: "<i4", teb.I64: "<i8", teb.F32: "<f4", teb.F64: "<f8"}

func (l *layout) tell() ([]byte, error) {
	t := told{Reason: int(teb.ReasonLogic), Events: l.most, EventBytes: l.eventBytes, Settings: l.settingsAt()}
	for k, s := range l.schemas {
		c := toldContributor{Name: s.Name(), At: l.at[k], Bytes: s.RowBytes(), Fields: []toldField{}}
		for _, f := range s.Fields() {
			c.Fields = append(c.Fields, toldField{f.Name, numpyTypes[f.Type], f.Len, f.Offset()})
		}
		t.Contributors = append(t.Contributors, c)
	}
	return json.Marshal(t)
}

// fill writes the events of a batch from one on into a slot, as far as they fit and none is a run that begins. It gives how
// many there are, which of the batch they are, and with which the next slot goes on.
func (l *layout) fill(slot []byte, b *teb.Batch, from int, which []int) (picked []int, next int) {
	next = from
	for ; next < b.Len() && len(which) < l.most; next++ {
		h := b.Head(next)
		if beginsRun(h.Service) {
			break
		}
		if !h.Service.IsEvent() {
			continue
		}
		l.put(slot[slotHeadBytes+len(which)*l.eventBytes:][:l.eventBytes], b, next)
		which = append(which, next)
	}
	clear(slot[:slotHeadBytes])
	le.PutUint64(slot, b.Seed())
	le.PutUint32(slot[8:], uint32(len(which)))
	return which, next
}

// put writes event i of a batch.
func (l *layout) put(e []byte, b *teb.Batch, i int) {
	h, have := b.Head(i), b.Contributions(i)
	le.PutUint64(e, h.Pulse)
	le.PutUint64(e[8:], h.Time)
	le.PutUint64(e[16:], b.Ordinal(i))
	le.PutUint16(e[24:], h.Groups)
	le.PutUint16(e[26:], uint16(h.Damage))
	le.PutUint32(e[28:], uint32(bits.OnesCount64(have)))
	for k, s := range l.schemas {
		row := e[l.at[k]:][:s.RowBytes()]
		if have>>k&1 == 0 {
			clear(row)
			continue
		}
		copy(row, b.Row(i, k))
		row[presentAt] = 1
	}
}

// take reads the verdicts about events of a batch, and gives those without a reason that the script declared. They are the
// word of a process that may have gone wrong: the TEB does not believe such a reason.
func take(verdicts []byte, b *teb.Batch, which []int, reasons int) (undecided []int) {
	for n, i := range which {
		v := verdicts[n*verdictBytes:]
		b.Verdicts[i] = teb.Verdict{Persist: v[0] != 0, Reason: le.Uint16(v[2:]), Monitor: le.Uint32(v[4:])}
		if own := &b.Verdicts[i]; own.Persist && own.Reason == teb.ReasonRejected {
			own.Reason = teb.ReasonLogic // the script gave no other
		} else if r := own.Reason; r != teb.ReasonRejected && (r < teb.ReasonLogic || int(r) >= int(teb.ReasonLogic)+reasons) {
			undecided = append(undecided, i)
		}
	}
	return undecided
}

// because says why the script failed on the first of these events: by what it left behind the verdicts, or by the number that
// it gave.
func because(said []byte, b *teb.Batch, undecided []int) *fex.Failure {
	f := &fex.Failure{}
	if json.Unmarshal(bytes.Clone(said), f) == nil && f.Type != "" {
		return f
	}
	return &fex.Failure{Type: "ReasonError", Message: fmt.Sprintf("reason %d was not declared: use the numbers that ts.reason gives",
		b.Verdicts[undecided[0]].Reason)}
}

// fail says that there is no verdict about events of a batch.
func fail(b *teb.Batch, which []int) {
	for _, i := range which {
		b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonFailed}
	}
}

// declared is what a script says at Configure.
type declared struct {
	Reasons    []teb.Reason    `json:"reasons"`
	Parameters json.RawMessage `json:"parameters"`

	parameters []settings.Parameter // what that means
}

// String shows it in an error.
func (d *declared) String() string { return fmt.Sprintf("%v %s", d.Reasons, d.Parameters) }

// same tells whether both have the same reasons and parameters.
func (d *declared) same(o *declared) bool {
	return slices.Equal(d.Reasons, o.Reasons) && bytes.Equal(d.Parameters, o.Parameters)
}

// declaredIn reads it.
func declaredIn(text []byte) (*declared, error) {
	d := &declared{}
	if err := json.Unmarshal(text, d); err != nil {
		return nil, fmt.Errorf("script: the process does not say which reasons there are: %w", err)
	}
	for _, r := range d.Reasons {
		if _, err := teb.NewSchema(r.Name); err != nil || r.When != "" {
			return nil, fmt.Errorf("script: %q is no reason: a name has letters, digits and _, and begins with no digit", r.Name)
		}
	}
	if len(d.Reasons) == 0 {
		return nil, errors.New("script: the process names no reason")
	}
	var err error
	if d.parameters, err = settings.Declared(d.Parameters, "trigger"); err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	return d, nil
}
