package xtc_test

import (
	"testing"

	"drp/xtc"
)

func TestPatternMatchesWhatHasTheSameHeaders(t *testing.T) {
	names := &xtc.Names{ID: xtc.NewNamesID(1, 2), DetType: "cam", DetName: "cam", Alg: "raw",
		Entries: []xtc.Name{{Name: "count", Type: xtc.UInt32}, {Name: "image", Type: xtc.UInt16, Rank: 2}}}
	text := &xtc.Names{ID: xtc.NewNamesID(1, 3), DetType: "note", DetName: "note", Alg: "raw",
		Entries: []xtc.Name{{Name: "text", Type: xtc.CharStr, Rank: 1}}}
	table := xtc.NewTable()
	for _, n := range []*xtc.Names{names, text} {
		if err := table.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	event := func(rows uint32, fill byte, words string) xtc.Dgram {
		buf := make([]byte, xtc.DgramHeaderBytes)
		xtc.PutDgramHeader(buf, 1, xtc.EnvOf(xtc.L1Accept, 1), 0, 0, 0)
		var err error
		var b xtc.Builder
		for range 2 {
			b.Begin(buf, names)
			b.Uint(uint64(fill))
			pixels := b.Array(rows, 8)
			for i := range pixels {
				pixels[i] = fill
			}
			if buf, err = b.End(); err != nil {
				t.Fatal(err)
			}
		}
		if words != "" {
			b.Begin(buf, text)
			b.Text(words)
			if buf, err = b.End(); err != nil {
				t.Fatal(err)
			}
		}
		d := xtc.Dgram(buf)
		d.SetSize(len(d))
		return d
	}
	var p xtc.Pattern
	if p.Matches(event(4, 1, "")) {
		t.Error("the zero pattern matches")
	}
	p.Learn(table, event(4, 1, ""))
	if !p.Matches(event(4, 9, "")) {
		t.Error("other values are taken for another layout")
	}
	for name, d := range map[string]xtc.Dgram{"shape": event(5, 1, ""), "size": event(4, 1, "")[:100], "more": event(4, 1, "hi")} {
		if p.Matches(d) {
			t.Errorf("another %s matches", name)
		}
	}
	damaged := event(4, 1, "")
	damaged.SetDamage(xtc.DamageCorrupted)
	if p.Matches(damaged) {
		t.Error("a corrupted datagram matches")
	}
	// Every byte that is no value must count: whatever Structure would see differently is no match.
	good := event(4, 1, "")
	sig, err := table.Structure(good, nil)
	if err != nil {
		t.Fatal(err)
	}
	for i := range good {
		d := append(xtc.Dgram{}, good...)
		d[i] ^= 0x10
		other, err := table.Structure(d, nil)
		if (err != nil || string(other) != string(sig)) && p.Matches(d) {
			t.Errorf("byte %d changes the structure and the pattern still matches", i)
		}
	}
	p.Learn(table, event(4, 1, "hi"))
	if p.Matches(event(4, 1, "hi")) {
		t.Error("a layout with strings matches by its headers")
	}
	p.Learn(table, good)
	if n := testing.AllocsPerRun(100, func() { p.Matches(good) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
