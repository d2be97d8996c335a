package karabo

import (
	"bytes"
	"encoding/binary"
	"math"
	"reflect"
	"slices"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// varied is a Configure with a field of each kind in two segments, and what an event has in them.
var varied = []xtc.Name{{Name: "i", Type: xtc.Int16}, {Name: "f", Type: xtc.Float}, {Name: "u", Type: xtc.UInt64},
	{Name: "line", Type: xtc.Int32, Rank: 1}, {Name: "image", Type: xtc.UInt16, Rank: 2}, {Name: "cube", Type: xtc.Double, Rank: 3},
	{Name: "text", Type: xtc.CharStr, Rank: 1}, {Name: "mode:Mode", Type: xtc.EnumVal}, {Name: "Low:Mode", Type: xtc.EnumDict}}

func variedNames(segment int) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(3, uint32(9-segment)), DetType: "x", DetName: "det", DetID: "s", Alg: "fex",
		Segment: uint32(segment), Entries: varied}
}

func plainNames(det string, index uint32, entries ...xtc.Name) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(3, index), DetType: det, DetName: det, Alg: "raw", Entries: entries}
}

var (
	epicsNames = plainNames("epics", 20, xtc.Name{Name: "SIM:T", Type: xtc.Double}, xtc.Name{Name: "label", Type: xtc.CharStr, Rank: 1})
	timeNames  = plainNames("timing", 21, xtc.Name{Name: "pulseId", Type: xtc.UInt64})
)

// block fills one segment; the line has as many values as length says.
func block(payload []byte, segment, length int) []byte {
	var b xtc.Builder
	b.Begin(payload, variedNames(segment))
	b.Int(int64(-7 - segment))
	b.Float(1.5)
	b.Uint(math.MaxUint64)
	line := b.Array(uint32(length))
	for i := range length {
		binary.LittleEndian.PutUint32(line[4*i:], uint32(10*segment+i))
	}
	copy(b.Array(2, 3), bytes.Repeat([]byte{byte(segment + 1)}, 12))
	b.Array(1, 1, 2)
	b.Text("wörds")
	b.Int(1)
	b.Int(1)
	return must(b.End())
}

func must(b []byte, err error) []byte {
	if err != nil {
		panic(err)
	}
	return b
}

func configure(names ...*xtc.Names) xtc.Dgram {
	var payload []byte
	for _, n := range names {
		payload = must(n.AppendTo(payload))
	}
	return testkit.Plain(xtc.Configure, 1, payload...)
}

func encoder(t *testing.T, names ...*xtc.Names) *Encoder {
	t.Helper()
	e := NewEncoder("tmo/cam")
	if err := e.Transition(configure(names...)); err != nil {
		t.Fatal(err)
	}
	return e
}

func tell(t *testing.T, e *Encoder, ev Event) *told {
	t.Helper()
	got, err := decode(e.Event(&ev))
	if err != nil {
		t.Fatal(err)
	}
	return got
}

// TestValues: each kind of value, of one segment and of several, whose blocks come in any order.
func TestValues(t *testing.T) {
	e := encoder(t, variedNames(1), variedNames(0))
	ev := Event{Dgram: testkit.Plain(xtc.L1Accept, 5, block(nil, 1, 2)...), Number: 12, Missed: 3, Bits: 9, Hit: true}
	ev.Dgram.SetDamage(xtc.DamageTimedOut)
	one := tell(t, e, ev)
	if want := []string{"tmo/cam/DET/det", "tmo/cam/EVENT"}; !slices.Equal(one.order, want) {
		t.Fatalf("sources %q", one.order)
	}
	if got, want := one.values["tmo/cam/EVENT"], (map[string]any{"number": uint64(12), "damage": uint64(xtc.DamageTimedOut), "missed": uint64(3),
		"bits": uint64(9), "hit": true, "rejected": false, "vetoed": false}); !reflect.DeepEqual(got, want) {
		t.Errorf("event %v", got)
	}
	image := func(rows ...byte) (b []byte) {
		for _, r := range rows {
			b = append(b, bytes.Repeat([]byte{r}, 12)...)
		}
		return b
	}
	want := map[string]any{"fex.i": int64(-8), "fex.f": 1.5, "fex.u": uint64(math.MaxUint64), "fex.text": "wörds", "fex.mode": uint64(1),
		"fex.line":  numbers{"int32", []uint64{2}, []byte{10, 0, 0, 0, 11, 0, 0, 0}},
		"fex.image": numbers{"uint16", []uint64{1, 2, 3}, image(2)},
		"fex.cube":  numbers{"float64", []uint64{1, 1, 2}, make([]byte, 16)}}
	if got := one.values["tmo/cam/DET/det"]; !reflect.DeepEqual(got, want) {
		t.Errorf("one segment: %v", got)
	}
	both := tell(t, e, Event{Dgram: testkit.Plain(xtc.L1Accept, 5, block(block(nil, 1, 2), 0, 2)...)})
	want = map[string]any{"fex.i": numbers{"int16", []uint64{2}, []byte{0xf9, 0xff, 0xf8, 0xff}},
		"fex.f": numbers{"float32", []uint64{2}, []byte{0, 0, 0xc0, 0x3f, 0, 0, 0xc0, 0x3f}},
		"fex.u": numbers{"uint64", []uint64{2}, bytes.Repeat([]byte{0xff}, 16)}, "fex.text.0": "wörds", "fex.text.1": "wörds",
		"fex.mode":  numbers{"int32", []uint64{2}, []byte{1, 0, 0, 0, 1, 0, 0, 0}},
		"fex.line":  numbers{"int32", []uint64{2, 2}, []byte{0, 0, 0, 0, 1, 0, 0, 0, 10, 0, 0, 0, 11, 0, 0, 0}},
		"fex.image": numbers{"uint16", []uint64{2, 2, 3}, image(1, 2)},
		"fex.cube":  numbers{"float64", []uint64{2, 1, 2}, make([]byte, 32)}}
	if got := both.values["tmo/cam/DET/det"]; !reflect.DeepEqual(got, want) {
		t.Errorf("two segments: %v", got)
	}
	unlike := tell(t, e, Event{Dgram: testkit.Plain(xtc.L1Accept, 5, block(block(nil, 0, 0), 1, 1)...)}).values["tmo/cam/DET/det"]
	if !reflect.DeepEqual(unlike["fex.line.0"], numbers{"int32", []uint64{0}, nil}) ||
		!reflect.DeepEqual(unlike["fex.line.1"], numbers{"int32", []uint64{1}, []byte{10, 0, 0, 0}}) || unlike["fex.line"] != nil {
		t.Errorf("lists that differ: %v", unlike)
	}
	if none := tell(t, e, Event{Dgram: testkit.Plain(xtc.L1Accept, 5)}); !slices.Equal(none.order, []string{"tmo/cam/EVENT"}) {
		t.Errorf("nothing: %v", none)
	}
}

// TestSlowValues are those that transitions brought last, and forgotten with their Configure. The pulse ID is that of the timing
// system.
func TestSlowValues(t *testing.T) {
	e := encoder(t, epicsNames, timeNames)
	var b xtc.Builder
	for _, temperature := range []float64{20, 21.5} {
		b.Begin(nil, epicsNames)
		b.Float(temperature)
		b.Text("cold")
		d := testkit.Plain(xtc.SlowUpdate, 2, must(b.End())...)
		if err := e.Transition(d); err != nil {
			t.Fatal(err)
		}
		clear(d[xtc.DgramHeaderBytes:])
	}
	b.Begin(nil, timeNames)
	b.Uint(4711)
	d := testkit.Plain(xtc.L1Accept, 1136073600<<32|7_000_000, must(b.End())...)
	got := tell(t, e, Event{Dgram: d})
	if want := (map[string]any{"SIM:T": 21.5, "label": "cold"}); !reflect.DeepEqual(got.values["tmo/cam/EPICS"], want) {
		t.Errorf("%v", got)
	}
	for source, meta := range got.meta {
		if want := (map[string]any{"source": source, "timestamp": 1767225600.007, "timestamp.sec": "1767225600",
			"timestamp.frac": "007000000000000000", "timestamp.tid": uint64(4711)}); !reflect.DeepEqual(meta, want) {
			t.Errorf("%v", meta)
		}
	}
	if err := e.Transition(configure(epicsNames)); err != nil {
		t.Fatal(err)
	}
	if got := tell(t, e, Event{Dgram: d}); got.values["tmo/cam/EPICS"] != nil || got.meta["tmo/cam/EVENT"]["timestamp.tid"] != d.Time() {
		t.Errorf("%v", got)
	}
}

// TestArraysAreNotCopied but lie in the datagram.
func TestArraysAreNotCopied(t *testing.T) {
	c := testkit.Camera{Segments: 2, Rows: 4, Cols: 6}
	e := NewEncoder("x")
	if err := e.Transition(c.Configure(1)); err != nil {
		t.Fatal(err)
	}
	d := c.Event(2, 1)
	m := e.Event(&Event{Dgram: d})
	clear(d[xtc.DgramHeaderBytes:])
	for _, pieces := range m {
		if len(pieces) == 2 && !bytes.Equal(bytes.Join(pieces, nil), make([]byte, 2*2*4*6)) {
			t.Error("they are copies")
		}
	}
	if len(m) != 6 || len(m[3]) != 2 {
		t.Errorf("%d frames", len(m))
	}
}

// FuzzEvent: whatever the bytes of a Configure and of an event are, what is made of them is a message.
func FuzzEvent(f *testing.F) {
	c := testkit.Camera{}
	f.Add([]byte(c.Configure(1)), []byte(c.Event(2, 3)))
	f.Add([]byte(configure(variedNames(0), variedNames(1))), []byte(testkit.Plain(xtc.L1Accept, 5, block(block(nil, 1, 2), 0, 3)...)))
	f.Add([]byte(configure(epicsNames, timeNames)), []byte(testkit.Plain(xtc.SlowUpdate, 5)))
	f.Fuzz(func(t *testing.T, configure, event []byte) {
		e := NewEncoder("f/z")
		for _, d := range []xtc.Dgram{configure, event} {
			if len(d) < xtc.DgramHeaderBytes {
				return
			}
			_ = e.Transition(d)
		}
		if _, err := decode(e.Event(&Event{Dgram: event})); err != nil {
			t.Error(err)
		}
	})
}
