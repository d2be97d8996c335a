package teb_test

import (
	"bytes"
	"math"
	"strings"
	"testing"

	"drp/teb"
	"drp/xtc"
)

// everything has a field of each type, and an array of each.
func everything(t testing.TB) *teb.Schema {
	t.Helper()
	var fields []teb.Field
	for k := teb.Bool; k <= teb.F64; k++ {
		fields = append(fields, teb.Field{Name: k.String(), Type: k}, teb.Field{Name: k.String() + "s", Type: k, Len: 3})
	}
	return mustSchema(t, "a", fields...)
}

// blockOf parses the only block of a datagram that a table knows.
func blockOf(t testing.TB, names *xtc.Names, payload []byte) *xtc.Block {
	t.Helper()
	table := xtc.NewTable()
	if err := table.Add(names); err != nil {
		t.Fatal(err)
	}
	d := make([]byte, xtc.DgramHeaderBytes, xtc.DgramHeaderBytes+len(payload))
	xtc.PutDgramHeader(d, 1, xtc.EnvOf(xtc.L1Accept, 1), 1, 0, len(payload))
	it := table.Blocks(append(d, payload...))
	if !it.Next() {
		t.Fatal(it.Err())
	}
	return it.Block()
}

// TestRecordedRow: what is recorded of a row gives the same row again.
func TestRecordedRow(t *testing.T) {
	s := everything(t)
	row := make([]byte, s.RowBytes())
	h := teb.Head{Pulse: 7, Time: 8, Groups: 5, Damage: xtc.DamageTimedOut, Service: xtc.L1Accept}
	teb.PutHead(row, h)
	for i := range s.Fields() {
		f := &s.Fields()[i]
		for j := range max(f.Len, 1) {
			switch f.Type {
			case teb.Bool:
				f.PutInt(row, j, int64(j+1)%2)
			case teb.F32, teb.F64:
				f.PutFloat(row, j, []float64{math.NaN(), -1.5, math.Inf(1)}[j])
			default:
				f.PutInt(row, j, -int64(100+i+j))
			}
		}
	}
	names := &xtc.Names{ID: 0x100, DetName: "teb", DetType: "teb", Alg: "contribution", Entries: s.Entries()}
	if err := s.CheckRecord(names); err != nil {
		t.Fatal(err)
	}
	payload, err := s.AppendRecord(nil, names, row)
	if err != nil {
		t.Fatal(err)
	}
	again := bytes.Repeat([]byte{0xff}, len(row))
	h.Damage = 0 // it was recorded
	if err := s.ReadRecord(again, h, blockOf(t, names, payload)); err != nil || !bytes.Equal(row, again) {
		t.Errorf("%v\n%x\n%x", err, row, again)
	}
}

// TestForeignRecord: what was not written by AppendRecord is refused, or made to fit.
func TestForeignRecord(t *testing.T) {
	s := mustSchema(t, "a", teb.Field{Name: "hit", Type: teb.Bool}, teb.Field{Name: "sums", Type: teb.F32, Len: 2})
	entries := s.Entries
	for _, test := range []struct {
		name   string
		change func(e []xtc.Name) []xtc.Name
		want   string
	}{
		{"fewer", func(e []xtc.Name) []xtc.Name { return e[:2] }, "has 1 values, and its schema 2 fields"},
		{"another name", func(e []xtc.Name) []xtc.Name { e[1].Name = "x"; return e }, "has x, UINT8 of rank 0, in the place of hit"},
		{"another type", func(e []xtc.Name) []xtc.Name { e[2].Type = xtc.Double; return e }, "has sums, DOUBLE of rank 1"},
		{"another rank", func(e []xtc.Name) []xtc.Name { e[2].Rank = 2; return e }, "sums, FLOAT of rank 2"},
	} {
		if err := s.CheckRecord(&xtc.Names{Entries: test.change(entries())}); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v", test.name, err)
		}
	}
	names := &xtc.Names{ID: 0x100, DetName: "teb", DetType: "teb", Alg: "contribution", Entries: entries()}
	block := func(sums uint32) *xtc.Block {
		var b xtc.Builder
		b.Begin(nil, names)
		b.Uint(0)
		b.Uint(6)
		b.Array(sums)
		payload, err := b.End()
		if err != nil {
			t.Fatal(err)
		}
		return blockOf(t, names, payload)
	}
	row := make([]byte, s.RowBytes())
	for _, sums := range []uint32{0, 1, 3, 4096} {
		if err := s.ReadRecord(row, teb.Head{}, block(sums)); err == nil {
			t.Errorf("an array of 2 was read of %d values", sums)
		}
	}
	if err := s.ReadRecord(row, teb.Head{}, block(2)); err != nil || row[s.Field("hit").Offset()] != 1 {
		t.Errorf("%v, %x", err, row)
	}
}
