package xtc_test

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"

	"drp/xtc"
)

// xtcOf makes one Xtc.
func xtcOf(t xtc.TypeID, src uint32, children ...[]byte) []byte {
	b := make([]byte, xtc.XtcHeaderBytes)
	for _, c := range children {
		b = append(b, c...)
	}
	xtc.Header{Src: src, Type: t, Extent: uint32(len(b))}.Put(b)
	return b
}

func words(v ...uint32) (b []byte) {
	for _, w := range v {
		b = binary.LittleEndian.AppendUint32(b, w)
	}
	return b
}

// TestStructure goes through the forms a ShapesData may have.
func TestStructure(t *testing.T) {
	table := xtc.NewTable()
	for _, n := range []*xtc.Names{
		{ID: 1, DetName: "array", Alg: "raw", Entries: []xtc.Name{{Name: "a", Type: xtc.UInt16, Rank: 2}}},
		{ID: 2, DetName: "scalar", Alg: "raw", Entries: []xtc.Name{{Name: "s", Type: xtc.Double}}},
		{ID: 3, DetName: "text", Alg: "raw", Entries: []xtc.Name{{Name: "t", Type: xtc.CharStr, Rank: 1}}},
	} {
		if err := table.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	shape := xtcOf(xtc.TypeShapes, 0, words(2, 3, 7, 7, 7))
	data := xtcOf(xtc.TypeData, 0, make([]byte, 12))
	tests := []struct {
		name, want string
		block      []byte
	}{
		{"shapes first", "", xtcOf(xtc.TypeShapesData, 1, shape, data)},
		{"data first", "", xtcOf(xtc.TypeShapesData, 1, data, shape)},
		{"stray bytes", "", xtcOf(xtc.TypeShapesData, 1, xtcOf(xtc.TypeShapes, 0, words(2, 3, 0, 0, 0, 9)),
			xtcOf(xtc.TypeData, 0, make([]byte, 15)))},
		{"an empty array", "", xtcOf(xtc.TypeShapesData, 1, xtcOf(xtc.TypeShapes, 0, words(1<<32-1, 0, 0, 0, 0)),
			xtcOf(xtc.TypeData, 0))},
		{"scalars without Shapes", "", xtcOf(xtc.TypeShapesData, 2, xtcOf(xtc.TypeData, 0, make([]byte, 8)))},
		{"arrays without Shapes", "Shapes has fewer", xtcOf(xtc.TypeShapesData, 1, data)},
		{"no Data", "without Data", xtcOf(xtc.TypeShapesData, 1, shape)},
		{"two Shapes", "unexpected Shapes", xtcOf(xtc.TypeShapesData, 1, shape, shape, data)},
		{"Names inside", "unexpected Names", xtcOf(xtc.TypeShapesData, 1, shape, data, xtcOf(xtc.TypeNames, 0))},
		{"short Data", "Data is shorter", xtcOf(xtc.TypeShapesData, 1, shape, xtcOf(xtc.TypeData, 0, words(1)))},
		{"short scalar", "Data is shorter", xtcOf(xtc.TypeShapesData, 2, xtcOf(xtc.TypeData, 0, words(1)))},
		{"shape product overflows", "Data is shorter", xtcOf(xtc.TypeShapesData, 1,
			xtcOf(xtc.TypeShapes, 0, words(1<<31, 1<<31, 0, 0, 0)), data)},
		{"text", "", xtcOf(xtc.TypeShapesData, 3, xtcOf(xtc.TypeShapes, 0, words(4, 0, 0, 0, 0)),
			xtcOf(xtc.TypeData, 0, []byte("a\x00!!")))},
		{"endless text", "no NUL", xtcOf(xtc.TypeShapesData, 3, xtcOf(xtc.TypeShapes, 0, words(4, 0, 0, 0, 0)),
			xtcOf(xtc.TypeData, 0, []byte("abcd")))},
		{"unknown id", "NamesID 0x4d", xtcOf(xtc.TypeShapesData, 77, shape, data)},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			_, err := table.CheckBlocks(test.block, nil)
			_, inDgram := table.Structure(dgram(xtc.L1Accept, 1, test.block), nil)
			for _, err := range []error{err, inDgram} {
				if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
					t.Errorf("%v, want %q", err, test.want)
				}
			}
		})
	}
	if _, err := table.CheckBlocks(xtcOf(xtc.TypeParent, 0), nil); err == nil {
		t.Error("CheckBlocks took a Parent")
	}
}

// TestSignature is about what makes a difference and what does not.
func TestSignature(t *testing.T) {
	table, dg := xtc.NewTable(), dgrams(2)
	if err := table.Configure(dg[0]); err != nil {
		t.Fatal(err)
	}
	sign := func(d xtc.Dgram) []byte { return must(table.Structure(d, nil)) }
	if !bytes.Equal(sign(dg[4]), sign(dg[5])) {
		t.Error("other values, times or env change the signature")
	}
	garbage := bytes.Clone(dg[4])
	garbage[24+12+12+8] = 0xff // the third dimension of a shape of rank 2
	if !bytes.Equal(sign(dg[4]), sign(garbage)) {
		t.Error("an unused dimension changes the signature")
	}
	for name, at := range map[string]int{"damage of the datagram": 16, "damage of a block": 28, "source": 12} {
		other := bytes.Clone(dg[4])
		other[at] |= 0x40
		if bytes.Equal(sign(dg[4]), sign(other)) {
			t.Errorf("the %s does not change the signature", name)
		}
	}
	turned := bytes.Clone(dg[4])
	turned[48], turned[52] = 3, 2
	if bytes.Equal(sign(dg[4]), sign(turned)) {
		t.Error("the shape does not change the signature")
	}
}

func TestTableIDs(t *testing.T) {
	var table xtc.Table
	for i := range uint32(252) {
		id, err := table.FreeID(7)
		if err != nil || id != xtc.NewNamesID(7, i) {
			t.Fatal(id, err)
		}
		if err := table.Add(&xtc.Names{ID: id, DetName: "d", Alg: "raw"}); err != nil {
			t.Fatal(err)
		}
	}
	if id, err := table.FreeID(7); err == nil {
		t.Errorf("id %v is free", id)
	}
	if err := table.Add(&xtc.Names{ID: xtc.NewNamesID(7, 9)}); err == nil {
		t.Error("an id was taken twice")
	}
	if got := len(table.Find("d", "raw")); got != 252 || len(table.All()) != 252 {
		t.Error(got)
	}
}

func TestNamesRefused(t *testing.T) {
	long := strings.Repeat("x", 256)
	tests := map[string]func(n *xtc.Names){
		"detector with a dot":  func(n *xtc.Names) { n.DetName = "a.b" },
		"detector too long":    func(n *xtc.Names) { n.DetName = long },
		"no detector":          func(n *xtc.Names) { n.DetName = "" },
		"type with a NUL":      func(n *xtc.Names) { n.DetType = "a\x00" },
		"entry with a bracket": func(n *xtc.Names) { n.Entries[0].Name = "a[0]" },
		"entry of rank 5":      func(n *xtc.Names) { n.Entries[1].Rank = 5 },
		"text of rank 0":       func(n *xtc.Names) { n.Entries[3].Rank = 0 },
		"entry of type 13":     func(n *xtc.Names) { n.Entries[0].Type = 13 },
		"id of 21 bits":        func(n *xtc.Names) { n.ID = 1 << 20 },
	}
	for name, spoil := range tests {
		n := cameraNames()
		spoil(n)
		if b, err := n.AppendTo([]byte("kept")); err == nil || string(b) != "kept" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestFileName(t *testing.T) {
	name := xtc.FileName{Expt: "xpptut15", Run: 14, Stream: 3, Chunk: 1}
	if name.Data() != "xpptut15-r0014-s003-c001.xtc2" || name.SmallData() != "smalldata/xpptut15-r0014-s003-c001.smd.xtc2" {
		t.Error(name.Data(), name.SmallData())
	}
	for _, bad := range []string{"", "a.xtc2", "a-r1-s000-c000.xtc2", "a-r0001-s000-c000.h5", "-r0001-s000-c000.xtc2"} {
		if n, ok := xtc.ParseFileName(bad); ok {
			t.Errorf("%q gave %+v", bad, n)
		}
	}
}
