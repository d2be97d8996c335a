package record_test

import (
	"bytes"
	"fmt"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// block is the data of one segment of an event.
func block(segment, number int) []byte { return blockOf(camera, segment, number) }

func blockOf(c testkit.Camera, segment, number int) []byte {
	var b xtc.Builder
	b.Begin(nil, c.Names(segment))
	pixels := b.Array(uint32(c.Rows), uint32(c.Cols))
	for i := range pixels {
		pixels[i] = byte(17*number + 5*segment + i)
	}
	return must(b.End())
}

// A node is a block of a segment, or a Parent of others.
type node struct {
	segment  int
	children []node // not nil: a Parent
	damage   xtc.Damage
}

func leaf(segment int) node              { return node{segment: segment} }
func parent(children ...node) node       { return node{children: append([]node{}, children...)} }
func (n node) damaged(d xtc.Damage) node { n.damage = d; return n }

// encode writes nodes, but for the blocks of some segments.
func encode(dst []byte, c testkit.Camera, number int, nodes []node, without ...int) []byte {
	for _, n := range nodes {
		start := len(dst)
		if n.children == nil {
			if contains(without, n.segment) {
				continue
			}
			dst = append(dst, blockOf(c, n.segment, number)...)
		} else {
			dst = append(dst, make([]byte, xtc.XtcHeaderBytes)...)
			if n.damage.Has(xtc.DamageCorrupted) {
				dst = encode(dst, c, number, n.children)
			} else {
				dst = encode(dst, c, number, n.children, without...)
			}
			xtc.Header{Src: 77, Type: xtc.TypeParent, Version: 3, Extent: uint32(len(dst) - start)}.Put(dst[start:])
		}
		h := xtc.ParseHeader(dst[start:])
		h.Damage = n.damage
		h.Put(dst[start:])
	}
	return dst
}

func contains(list []int, v int) bool {
	for _, x := range list {
		if x == v {
			return true
		}
	}
	return false
}

func idsOf(segments []int) (ids []uint32) {
	for _, s := range segments {
		ids = append(ids, uint32(camera.Names(s).ID))
	}
	return ids
}

var flat = []node{leaf(0), leaf(1), leaf(2), leaf(3)}

var nested = []node{leaf(0), parent(leaf(1), parent(leaf(2), leaf(3)), leaf(1)), parent(), leaf(4), leaf(0)}

var editTests = []struct {
	name    string
	nodes   []node
	removed []int
}{
	{"nothing", flat, nil},
	{"the first", flat, []int{0}},
	{"one in the middle", flat, []int{1}},
	{"the last", flat, []int{3}},
	{"two neighbours", flat, []int{1, 2}},
	{"two apart", flat, []int{0, 2}},
	{"all", flat, []int{3, 2, 1, 0}},
	{"what is not there", flat, []int{5}},
	{"from no block", nil, []int{5}},
	{"nothing from nested ones", nested, []int{5}},
	{"before and behind a Parent", nested, []int{0}},
	{"twice in a Parent", nested, []int{1}},
	{"two levels down", nested, []int{2}},
	{"all of an inner Parent", nested, []int{2, 3}},
	{"all of a Parent", nested, []int{1, 2, 3}},
	{"all of nested ones", nested, []int{0, 1, 2, 3, 4}},
	{"what is damaged", []node{leaf(0).damaged(xtc.DamageTimedOut), leaf(1), parent(leaf(0), leaf(2)).damaged(1)}, []int{0}},
	{"a corrupted block", []node{leaf(0).damaged(xtc.DamageCorrupted), leaf(1)}, []int{0}},
	{"from a corrupted Parent", []node{leaf(0), parent(leaf(0), leaf(1)).damaged(xtc.DamageCorrupted)}, []int{0}},
}

// TestEdits has all that is kept byte for byte, with additions and damage, in one write and in many.
func TestEdits(t *testing.T) {
	large := testkit.Camera{Segments: 6, Rows: 100, Cols: 200} // above what the writer copies
	for _, add := range []struct {
		name   string
		blocks []byte
		damage xtc.Damage
	}{
		{"as it is", nil, 0},
		{"with additions", append(block(5, 8), block(5, 9)...), 0},
		{"with damage", nil, xtc.DamageUserDefined | xtc.DamageTruncated},
		{"with a large addition and damage", blockOf(large, 5, 10), xtc.DamageUserDefined},
	} {
		for _, c := range []testkit.Camera{camera, large} {
			for _, flush := range []bool{false, true} {
				t.Run(fmt.Sprintf("%s, blocks of %d bytes, flushed at once: %v", add.name, len(blockOf(c, 0, 0)), flush), func(t *testing.T) {
					r := open(t, t.TempDir())
					put(t, r, camera.Configure(1), -1)
					var want []xtc.Dgram
					for i, test := range editTests {
						d := event(uint64(2+i), xtc.DamageTimedOut, encode(nil, c, i, test.nodes))
						before := bytes.Clone(d)
						if err := r.Event(d, idsOf(test.removed), add.blocks, add.damage); err != nil {
							t.Fatalf("%s: %v", test.name, err)
						}
						if !bytes.Equal(d, before) {
							t.Fatalf("%s: the datagram in its slot was changed", test.name)
						}
						payload := append(encode(nil, c, i, test.nodes, test.removed...), add.blocks...)
						want = append(want, event(d.Time(), xtc.DamageTimedOut|add.damage, payload))
						if flush {
							if _, err := r.Flush(); err != nil {
								t.Fatal(err)
							}
							clear(d) // the slot is somebody else's now
						}
					}
					closeIt(t, r)
					for i, d := range readFile(t, r.Files()[0])[1:] {
						if !bytes.Equal(d, want[i]) {
							t.Errorf("%s: %d bytes were recorded, want %d", editTests[i].name, len(d), len(want[i]))
						}
					}
				})
			}
		}
	}
}

func event(time uint64, damage xtc.Damage, payload []byte) xtc.Dgram {
	d := testkit.Plain(xtc.L1Accept, time, payload...)
	d.SetDamage(damage)
	return d
}

// TestCorruptedEvent has bytes that look like a block to be removed, and a rest that makes no sense: all of it is kept.
func TestCorruptedEvent(t *testing.T) {
	r := open(t, t.TempDir())
	put(t, r, camera.Configure(1), -1)
	d := event(2, xtc.DamageCorrupted, append(block(0, 1), "no Xtc at all"...))
	if err := r.Event(d, idsOf([]int{0}), nil, 0); err != nil {
		t.Fatal(err)
	}
	closeIt(t, r)
	if got := readFile(t, r.Files()[0])[1]; !bytes.Equal(got, d) {
		t.Errorf("%d bytes, want %d", len(got), len(d))
	}
}
