package drp

import (
	"encoding/binary"
	"fmt"
	"math"
	"strings"
	"testing"

	"drp/fex"
	"drp/xtc"
)

// declared makes Names with the entries given, under an id of their own.
func declared(index uint32, alg string, entries ...xtc.Name) *xtc.Names {
	return &xtc.Names{ID: xtc.NewNamesID(1, index), DetType: "cam", DetName: "cam", Alg: alg, Entries: entries}
}

func tableOf(t testing.TB, names ...*xtc.Names) *xtc.Table {
	t.Helper()
	table := xtc.NewTable()
	for _, n := range names {
		if err := table.Add(n); err != nil {
			t.Fatal(err)
		}
	}
	return table
}

// element writes a number as an element of some type.
func element(t xtc.DataType, v float64) []byte {
	var b [8]byte
	switch t {
	case xtc.Float:
		binary.LittleEndian.PutUint32(b[:], math.Float32bits(float32(v)))
	case xtc.Double:
		binary.LittleEndian.PutUint64(b[:], math.Float64bits(v))
	default:
		binary.LittleEndian.PutUint64(b[:], uint64(int64(v)))
	}
	return b[:t.Bytes()]
}

// arrayBlock is a ShapesData of one array of rank 1 and one scalar, both of the Names' first type.
func arrayBlock(t testing.TB, n *xtc.Names, values ...float64) []byte {
	t.Helper()
	var b xtc.Builder
	b.Begin(nil, n)
	array, size := b.Array(uint32(len(values)-1)), n.Entries[0].Type.Bytes()
	for i, v := range values[1:] {
		copy(array[i*size:], element(n.Entries[0].Type, v))
	}
	if n.Entries[1].Type == xtc.Float || n.Entries[1].Type == xtc.Double {
		b.Float(values[0])
	} else {
		b.Int(int64(values[0]))
	}
	block, err := b.End()
	if err != nil {
		t.Fatal(err)
	}
	return block
}

func answerOf(block []byte, side ...uint32) fex.Answer {
	return fex.Answer{Copied: &fex.Result{Blocks: block, Side: side}}
}

func TestMergeEveryType(t *testing.T) {
	values := [][]float64{{5, 1, 7, 100}, {3, 9, 7, 20}, {4, 4, 7, 3}} // scalar, then the array, of each worker
	signed := [][]float64{{5, -1, 7, 100}, {-3, 9, -7, 20}, {4, -4, 7, 3}}
	want := map[uint32]map[bool][]float64{ // by operation, and whether signed
		mergeSum: {false: {12, 14, 21, 123}, true: {6, 4, 7, 123}},
		mergeMax: {false: {5, 9, 7, 100}, true: {5, 9, 7, 100}},
		mergeMin: {false: {3, 1, 7, 3}, true: {-3, -4, -7, 3}},
		0:        {false: {5, 1, 7, 100}, true: {5, -1, 7, 100}},
	}
	for _, typ := range []xtc.DataType{xtc.UInt8, xtc.UInt16, xtc.UInt32, xtc.UInt64, xtc.Int8, xtc.Int16, xtc.Int32,
		xtc.Int64, xtc.Float, xtc.Double, xtc.EnumVal} {
		for op, results := range want {
			t.Run(fmt.Sprintf("%v/%d", typ, op), func(t *testing.T) {
				n := declared(3, "sum", xtc.Name{Name: "array", Type: typ, Rank: 1}, xtc.Name{Name: "scalar", Type: typ})
				isSigned := typ >= xtc.Int8
				given := values
				if isSigned {
					given = signed
				}
				var answers []fex.Answer
				for _, v := range given {
					answers = append(answers, answerOf(arrayBlock(t, n, v...), uint32(n.ID), op))
				}
				got, err := merge(tableOf(t, n), answers)
				if err != nil {
					t.Fatal(err)
				}
				if expected := arrayBlock(t, n, results[isSigned]...); string(got) != string(expected) {
					t.Errorf("got  %x\nwant %x", got, expected)
				}
			})
		}
	}
}

func TestMergeWrapsAround(t *testing.T) {
	n := declared(3, "sum", xtc.Name{Name: "array", Type: xtc.UInt8, Rank: 1}, xtc.Name{Name: "scalar", Type: xtc.UInt8})
	got, err := merge(tableOf(t, n), []fex.Answer{
		answerOf(arrayBlock(t, n, 200, 255), uint32(n.ID), mergeSum), answerOf(arrayBlock(t, n, 100, 255), uint32(n.ID), mergeSum)})
	if want := arrayBlock(t, n, 300-256, 510-256); err != nil || string(got) != string(want) {
		t.Errorf("got %x, %v, want %x", got, err, want)
	}
}

func TestMerge(t *testing.T) {
	number := func(name string) xtc.Name { return xtc.Name{Name: name, Type: xtc.UInt64} }
	vector := func(name string) xtc.Name { return xtc.Name{Name: name, Type: xtc.UInt64, Rank: 1} }
	a, b := declared(3, "a", vector("v"), number("n")), declared(4, "b", vector("v"), number("n"))
	text := declared(5, "text", xtc.Name{Name: "t", Type: xtc.CharStr, Rank: 1}, number("n"))
	table := tableOf(t, a, b, text)
	textBlock := func(s string, v uint64) []byte {
		var x xtc.Builder
		x.Begin(nil, text)
		x.Text(s)
		x.Uint(v)
		block, err := x.End()
		if err != nil {
			t.Fatal(err)
		}
		return block
	}
	one, two := arrayBlock(t, a, 1, 10), arrayBlock(t, a, 2, 20)
	other, more := arrayBlock(t, b, 5, 50), arrayBlock(t, b, 6, 60)
	sumA, sumB := []uint32{uint32(a.ID), mergeSum}, []uint32{uint32(b.ID), mergeSum}
	both := append(append([]uint32{}, sumA...), sumB...)
	join := func(blocks ...[]byte) []byte {
		var all []byte
		for _, x := range blocks {
			all = append(all, x...)
		}
		return all
	}
	tests := []struct {
		name    string
		answers []fex.Answer
		want    []byte
		err     string
	}{
		{"nobody adds anything", []fex.Answer{answerOf(nil), answerOf(nil)}, nil, ""},
		{"one of three", []fex.Answer{answerOf(nil), answerOf(one, sumA...), answerOf(nil)}, one, ""},
		{"two of three", []fex.Answer{answerOf(one, sumA...), answerOf(nil), answerOf(two, sumA...)}, arrayBlock(t, a, 3, 30), ""},
		{"without an operation", []fex.Answer{answerOf(two), answerOf(one)}, two, ""},
		{"two kinds, in another order", []fex.Answer{answerOf(join(one, other), both...), answerOf(join(more, two), both...)},
			join(arrayBlock(t, a, 3, 30), arrayBlock(t, b, 11, 110)), ""},
		{"the second kind only in the second worker", []fex.Answer{answerOf(one, sumA...), answerOf(join(two, more), both...)},
			join(arrayBlock(t, a, 3, 30), more), ""},
		{"operation named by a later worker only", []fex.Answer{answerOf(one), answerOf(two, sumA...)}, arrayBlock(t, a, 3, 30), ""},
		{"text stays that of the lowest worker", []fex.Answer{answerOf(textBlock("abc", 1), uint32(text.ID), mergeSum),
			answerOf(textBlock("xyz", 2), uint32(text.ID), mergeSum)}, textBlock("abc", 3), ""},
		{"empty arrays", []fex.Answer{answerOf(arrayBlock(t, a, 1), sumA...), answerOf(arrayBlock(t, a, 2), sumA...)},
			arrayBlock(t, a, 3), ""},
		{"another shape", []fex.Answer{answerOf(one, sumA...), answerOf(arrayBlock(t, a, 1, 2, 3), sumA...)}, nil,
			"worker 1: cam a has another shape"},
		{"no such operation", []fex.Answer{answerOf(one, uint32(a.ID), 77), answerOf(two, uint32(a.ID), 77)}, nil, "no way to merge"},
		{"half a side list", []fex.Answer{answerOf(one, uint32(a.ID)), answerOf(two, uint32(a.ID))}, one, ""},
		{"cut off", []fex.Answer{answerOf(one[:len(one)-1])}, nil, "worker 0 makes no sense"},
		{"undeclared", []fex.Answer{answerOf(nil), answerOf(arrayBlock(t, declared(9, "x", vector("v"), number("n")), 1, 2))}, nil,
			"worker 1 makes no sense"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := merge(table, tt.answers)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || string(got) != string(tt.want) {
				t.Errorf("got  %x, %v\nwant %x", got, err, tt.want)
			}
		})
	}
}

// TestMergeComparesShapesInAnyOrder: Data may come before Shapes; two shapes of equal size are still different.
func TestMergeComparesShapesInAnyOrder(t *testing.T) {
	n := declared(3, "a", xtc.Name{Name: "m", Type: xtc.UInt8, Rank: 2})
	block := func(rows, cols uint32) []byte {
		var b xtc.Builder
		b.Begin(nil, n)
		b.Array(rows, cols)
		shapesFirst, err := b.End()
		if err != nil {
			t.Fatal(err)
		}
		head, shapes, data := shapesFirst[:12], shapesFirst[12:44], shapesFirst[44:]
		return append(append(append([]byte{}, head...), data...), shapes...)
	}
	side := []uint32{uint32(n.ID), mergeSum}
	if _, err := merge(tableOf(t, n), []fex.Answer{answerOf(block(2, 3), side...), answerOf(block(3, 2), side...)}); err == nil {
		t.Error("2 x 3 and 3 x 2 were added")
	}
	if _, err := merge(tableOf(t, n), []fex.Answer{answerOf(block(2, 3), side...), answerOf(block(2, 3), side...)}); err != nil {
		t.Error(err)
	}
}

func FuzzMerge(f *testing.F) {
	n := declared(3, "sum", xtc.Name{Name: "array", Type: xtc.Int16, Rank: 1}, xtc.Name{Name: "scalar", Type: xtc.Double})
	text := declared(4, "text", xtc.Name{Name: "t", Type: xtc.CharStr, Rank: 1}, xtc.Name{Name: "m", Type: xtc.UInt8, Rank: 3})
	f.Add(arrayBlock(f, n, 1, 2, 3), arrayBlock(f, n, 4, 5, 6), uint32(n.ID), uint32(mergeSum))
	f.Add(arrayBlock(f, n, 1), []byte{}, uint32(n.ID), uint32(mergeMin))
	var b xtc.Builder
	b.Begin(nil, text)
	b.Text("hello")
	b.Array(1, 2, 3)
	block, err := b.End()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(block, block, uint32(text.ID), uint32(mergeMax))
	table := tableOf(f, n, text)
	f.Fuzz(func(t *testing.T, one, two []byte, id, op uint32) {
		before := string(one)
		got, err := merge(table, []fex.Answer{answerOf(one, id, op), answerOf(two, id, op)})
		if string(one) != before {
			t.Error("a worker's contribution was changed")
		}
		if err != nil {
			return
		}
		if _, err := table.CheckBlocks(got, nil); err != nil {
			t.Errorf("good contributions became %v", err)
		}
	})
}

// namesOf encodes Names as a child declares them.
func namesOf(t testing.TB, names ...*xtc.Names) []byte {
	t.Helper()
	var b []byte
	for _, n := range names {
		var err error
		if b, err = n.AppendTo(b); err != nil {
			t.Fatal(err)
		}
	}
	return b
}

func TestDeclarations(t *testing.T) {
	source := declared(1, "raw", xtc.Name{Name: "raw", Type: xtc.UInt16, Rank: 2})
	a := declared(3, "a", xtc.Name{Name: "v", Type: xtc.UInt64, Rank: 1}, xtc.Name{Name: "n", Type: xtc.UInt64})
	b := declared(4, "b", xtc.Name{Name: "n", Type: xtc.UInt8})
	names, block := namesOf(t, a, b), arrayBlock(t, a, 1, 2)
	var sourceBuilder xtc.Builder
	sourceBuilder.Begin(nil, source)
	sourceBuilder.Array(2, 3)
	sourceBlock, err := sourceBuilder.End()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name    string
		results [][]byte
		err     string
	}{
		{"nothing", [][]byte{nil, nil}, ""},
		{"the same", [][]byte{names, names, names}, ""},
		{"with a block", [][]byte{append(append([]byte{}, names...), block...)}, ""},
		{"other things in worker 2", [][]byte{names, names, namesOf(t, a)}, "declares other things in worker 2 than in worker 0"},
		{"an id of the source", [][]byte{namesOf(t, declared(1, "x", b.Entries...))}, "the script's declaration of cam x"},
		{"twice the same id", [][]byte{namesOf(t, a, a)}, "the script's declaration of cam a"},
		{"cut off", [][]byte{names[:len(names)-3]}, "makes no sense"},
		{"a block before its Names", [][]byte{append(append([]byte{}, block...), names...)}, "what the script adds to Configure makes no sense"},
		{"a block of the source's", [][]byte{append(append([]byte{}, names...), sourceBlock...)}, "what the script adds to Configure makes no sense"},
		{"noise", [][]byte{[]byte("this is not XTC2 at all, far from it")}, "makes no sense"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			table := tableOf(t, source)
			var answers []fex.Answer
			for _, r := range tt.results {
				answers = append(answers, answerOf(r))
			}
			own := xtc.NewTable()
			got, err := declarations(table, own, answers)
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || string(got) != string(tt.results[0]) {
				t.Errorf("%d bytes, %v", len(got), err)
			}
			if len(got) > 0 && (table.Lookup(a.ID) == nil || own.Lookup(b.ID) == nil || own.Lookup(source.ID) != nil) {
				t.Error("the tables do not hold what was declared")
			}
		})
	}
}

func FuzzDeclarations(f *testing.F) {
	a := declared(3, "a", xtc.Name{Name: "v", Type: xtc.UInt64, Rank: 1}, xtc.Name{Name: "n", Type: xtc.UInt64})
	f.Add(append(namesOf(f, a), arrayBlock(f, a, 1, 2)...))
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, result []byte) {
		table := xtc.NewTable()
		if got, err := declarations(table, xtc.NewTable(), []fex.Answer{answerOf(result)}); err == nil && len(got) != len(result) {
			t.Errorf("%d bytes became %d", len(result), len(got))
		}
	})
}
