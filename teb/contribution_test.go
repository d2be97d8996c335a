package teb_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"slices"
	"strings"
	"testing"

	"drp/teb"
	"drp/xtc"
)

func TestValues(t *testing.T) {
	types := []teb.Type{teb.Bool, teb.U8, teb.U16, teb.U32, teb.U64, teb.I8, teb.I16, teb.I32, teb.I64, teb.F32, teb.F64}
	for _, kind := range types {
		s := mustSchema(t, "a", teb.Field{Name: "before", Type: teb.U8}, teb.Field{Name: "x", Type: kind, Len: 3})
		row := make([]byte, s.RowBytes())
		f := s.Field("x")
		for i, v := range []int64{1, 0, 1} {
			f.PutInt(row, i, v)
			if f.Int(row, i) != v || f.Float(row, i) != float64(v) {
				t.Errorf("%v: %d is read as %d and %v", kind, v, f.Int(row, i), f.Float(row, i))
			}
		}
		if again, err := teb.ParseType(kind.String()); err != nil || again != kind {
			t.Errorf("%v is read as %v, %v", kind, again, err)
		}
	}
	for kind, v := range map[teb.Type]int64{teb.I8: -100, teb.I16: -30000, teb.I32: math.MinInt32, teb.I64: math.MinInt64,
		teb.U8: 255, teb.U16: 65535, teb.U32: math.MaxUint32} {
		s := mustSchema(t, "a", teb.Field{Name: "x", Type: kind})
		row := make([]byte, s.RowBytes())
		if f := s.Field("x"); true {
			f.PutInt(row, 0, v)
			if f.Int(row, 0) != v {
				t.Errorf("%v: %d is read as %d", kind, v, f.Int(row, 0))
			}
		}
	}
	if _, err := teb.ParseType("u128"); err == nil {
		t.Error("u128 is a type")
	}
}

func TestEncoderAllocatesNothing(t *testing.T) {
	s := mustSchema(t, "a", teb.Field{Name: "x", Type: teb.F32})
	e, err := teb.NewEncoder(s, teb.BatchHead{Partition: 1, Contributor: 2, Generation: 3}, 4)
	if err != nil {
		t.Fatal(err)
	}
	f := s.Field("x")
	n := testing.AllocsPerRun(100, func() {
		for i := range uint64(4) {
			f.PutFloat(e.Add(teb.Head{Pulse: i}), 0, 1)
		}
		if e.Add(teb.Head{}) != nil {
			t.Error("a fifth of four rows")
		}
		e.Batch()
	})
	if n != 0 {
		t.Errorf("%v allocations", n)
	}
	if _, err := teb.NewEncoder(s, teb.BatchHead{}, teb.MaxBatchRows+1); err == nil {
		t.Error("batches without bounds")
	}
}

func TestHead(t *testing.T) {
	want := teb.Head{Pulse: 1 << 60, Time: 1 << 61, Groups: 0x8001, Damage: xtc.DamageUserDefined, Service: xtc.SlowUpdate}
	row := make([]byte, 24)
	teb.PutHead(row, want)
	if got := teb.HeadOf(row); got != want {
		t.Errorf("%+v is read as %+v", want, got)
	}
}

func someDecisions() []teb.Decision {
	return []teb.Decision{{Pulse: 7, Time: 8, Contributions: 1 << 63, Monitor: 5, Groups: 3, Damage: xtc.DamageTimedOut,
		Reason: 9, Service: xtc.L1Accept, Persist: true, Default: true, Generation: 1 << 31},
		{Pulse: 8, Service: xtc.EndRun, Prescaled: true}}
}

func TestDecisions(t *testing.T) {
	b, err := teb.AppendDecisions(nil, teb.BatchHead{Partition: 4, Sequence: 6}, someDecisions())
	if err != nil {
		t.Fatal(err)
	}
	h, all, err := teb.ParseDecisions(b)
	if err != nil || h.Partition != 4 || h.Sequence != 6 || h.Count() != 2 {
		t.Fatalf("%+v, %v", h, err)
	}
	if got := slices.Collect(all); !slices.Equal(got, someDecisions()) {
		t.Errorf("%+v, want %+v", got, someDecisions())
	}
	if _, err := teb.AppendDecisions(nil, teb.BatchHead{}, make([]teb.Decision, teb.MaxBatchRows+1)); err == nil {
		t.Error("more than a batch holds")
	}
	for at, want := range map[int]string{0: "it begins with", 6: "kind", 20: "", 48: "announced", 52: "zeros", 56 + 34: "bits",
		56 + 35: "bits"} {
		broken := bytes.Clone(b)
		broken[at] ^= 0x70
		if _, _, err := teb.ParseDecisions(broken); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("byte %d changed: %v, want %q", at, err, want)
		}
	}
	binary.LittleEndian.PutUint32(b[48:], math.MaxUint32)
	if _, _, err := teb.ParseDecisions(b); err == nil {
		t.Error("four thousand million decisions")
	}
}

func FuzzDecisions(f *testing.F) {
	b, err := teb.AppendDecisions(nil, teb.BatchHead{Partition: 4, Sequence: 6}, someDecisions())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		h, all, err := teb.ParseDecisions(b)
		if err != nil {
			return
		}
		again, err := teb.AppendDecisions(nil, h, slices.Collect(all))
		if err != nil || !bytes.Equal(again, b) {
			t.Errorf("%x is written as %x, %v", b, again, err)
		}
	})
}
