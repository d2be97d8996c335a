package karabo

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"drp/internal/wire"
	"drp/xtc"
)

// Event is an event of a run, or a transition, of which only the datagram counts.
type Event struct {
	Dgram    xtc.Dgram
	Number   int64 // in the run, from 0
	Missed   uint64
	Bits     uint32 // the trigger's word for monitors
	Hit      bool
	Rejected bool
	Vetoed   bool
}

// Message is frames, each of one or several pieces. The even ones are headers.
type Message = [][][]byte

// Encoder makes messages of the events of a run.
type Encoder struct {
	name     string // with which the names of sources begin
	table    *xtc.Table
	sources  []*source // of the Configure that holds, in the order of their names
	places   map[xtc.NamesID][]*field
	pulse    *xtc.Names // that has the pulse ID
	pulseAt  int
	event    *source
	slow     map[string]*source // by the name of the detector in the data
	pack     *wire.Pack
	message  Message
	metadata metadata
}

// source is what a message says of one.
type source struct {
	name   string
	fields []*field
}

// field is one value of a source.
type field struct {
	key      string
	plain    bool // it is not a part of a detector with segments
	values   []xtc.Value
	segments []uint32
}

// Detectors that are none: what transitions say of them, and whose values are part of each event.
var (
	hidden = []string{"runinfo", "epicsinfo", "chunkinfo", "smdinfo", "calibration"}
	tables = map[string]string{"epics": "EPICS", "scan": "SCAN", "step": "SCAN"}
)

// NewEncoder makes one for the run that is watched under a name.
func NewEncoder(name string) *Encoder {
	e := &Encoder{name: name, table: xtc.NewTable(), pack: wire.NewPack()}
	e.plan()
	return e
}

// Transition takes what a transition says.
func (e *Encoder) Transition(d xtc.Dgram) error {
	if d.Service() == xtc.Configure {
		if err := e.table.Configure(d); err != nil {
			return fmt.Errorf("karabo: %w", err)
		}
		e.plan()
	}
	it := e.table.Blocks(d)
	for it.Next() {
		b := it.Block()
		s := e.slow[b.Names.DetName]
		if s == nil {
			continue
		}
		for i := range b.Names.Entries {
			if f := s.field(b.Names.Entries[i]); f != nil {
				v := b.Field(i)
				v.Data = slices.Clone(v.Data)
				f.values, f.segments = append(f.values[:0], v), []uint32{0}
			}
		}
	}
	if err := it.Err(); err != nil {
		return fmt.Errorf("karabo: %w", err)
	}
	return nil
}

// plan works out the sources of a Configure.
func (e *Encoder) plan() {
	e.event = &source{name: e.name + "/EVENT"}
	scan := &source{name: e.name + "/SCAN"}
	e.slow = map[string]*source{"epics": {name: e.name + "/EPICS"}, "scan": scan, "step": scan}
	e.sources = []*source{e.event, scan, e.slow["epics"]}
	e.places, e.pulse = map[xtc.NamesID][]*field{}, nil
	of := map[string]*source{}
	for _, n := range e.table.All() {
		if at := n.Index("pulseId"); at >= 0 && e.pulse == nil && n.Entries[at].Rank == 0 {
			e.pulse, e.pulseAt = n, at
		}
		if slices.Contains(hidden, n.DetName) || tables[n.DetName] != "" || n.Alg == "config" {
			continue
		}
		name := readable(n.DetName)
		s := of[name]
		if s == nil {
			s = &source{name: e.name + "/DET/" + name}
			of[name] = s
			e.sources = append(e.sources, s)
		}
		places := make([]*field, len(n.Entries))
		for i, entry := range n.Entries {
			entry.Name = n.Alg + "." + entry.Name
			if places[i] = s.field(entry); places[i] != nil {
				places[i].plain = false
			}
		}
		e.places[n.ID] = places
	}
	slices.SortFunc(e.sources, func(a, b *source) int { return cmp.Compare(a.name, b.name) })
}

// field finds the one for an entry, or makes it; nil for what has no value of its own.
func (s *source) field(entry xtc.Name) *field {
	if entry.Type == xtc.EnumDict {
		return nil
	}
	key := readable(entry.Name)
	if entry.Type == xtc.EnumVal {
		key, _, _ = strings.Cut(key, ":")
	}
	for _, f := range s.fields {
		if f.key == key {
			return f
		}
	}
	f := &field{key: key, plain: true}
	s.fields = append(s.fields, f)
	return f
}

// readable is a text as clients take it, who want UTF-8.
func readable(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// Event makes the message of an event. It is valid until the next call, and as long as the datagram is.
func (e *Encoder) Event(ev *Event) Message {
	for _, places := range e.places {
		for _, f := range places {
			if f != nil {
				f.values, f.segments = f.values[:0], f.segments[:0]
			}
		}
	}
	tid := ev.Dgram.Time()
	for it := e.table.Blocks(ev.Dgram); it.Next(); { // what follows a block that makes no sense is left out
		b := it.Block()
		for i, f := range e.places[b.ID] {
			if f != nil {
				f.take(b.Field(i), b.Names.Segment)
			}
		}
		if b.Names == e.pulse {
			tid = b.Field(e.pulseAt).Uint64()
		}
	}
	e.metadata = metadataOf(ev.Dgram.Time(), tid)
	e.message = e.message[:0]
	for _, s := range e.sources {
		if s == e.event {
			e.facts(ev)
		} else {
			e.source(s)
		}
	}
	return e.message
}

// take puts a value in its place among those of the other segments.
func (f *field) take(v xtc.Value, segment uint32) {
	at := len(f.segments)
	for at > 0 && f.segments[at-1] > segment {
		at--
	}
	f.values, f.segments = slices.Insert(f.values, at, v), slices.Insert(f.segments, at, segment)
}

// facts says of an event what its datagram does not.
func (e *Encoder) facts(ev *Event) {
	e.begin(e.event.name, 7)
	p := e.pack
	p.Text("number")
	p.Int(ev.Number)
	p.Text("damage")
	p.Uint(uint64(ev.Dgram.Damage()))
	p.Text("missed")
	p.Uint(ev.Missed)
	p.Text("bits")
	p.Uint(uint64(ev.Bits))
	p.Text("hit")
	p.Bool(ev.Hit)
	p.Text("rejected")
	p.Bool(ev.Rejected)
	p.Text("vetoed")
	p.Bool(ev.Vetoed)
	e.end()
}

// source says what there is of one; nothing, when it is not in the event.
func (e *Encoder) source(s *source) {
	var values []single
	var arrays []array
	for _, f := range s.fields {
		values, arrays = f.arrange(values, arrays)
	}
	if len(values)+len(arrays) == 0 {
		return
	}
	e.begin(s.name, len(values))
	for _, v := range values {
		e.pack.Text(v.key)
		v.put(e.pack)
	}
	e.end()
	for _, a := range arrays {
		e.message = append(e.message, [][]byte{a.header(s.name, e.pack)}, a.pieces)
	}
}

// begin writes the header of a source, and begins the map of its values.
func (e *Encoder) begin(name string, values int) {
	p := e.pack
	p.Map(3)
	p.Text("source")
	p.Text(name)
	p.Text("content")
	p.Text("msgpack")
	p.Text("metadata")
	e.metadata.put(p, name)
	e.message = append(e.message, [][]byte{p.Take()})
	p.Map(values)
}

func (e *Encoder) end() { e.message = append(e.message, [][]byte{e.pack.Take()}) }
