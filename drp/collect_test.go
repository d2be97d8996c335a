package drp

import (
	"encoding/binary"
	"slices"
	"strings"
	"testing"

	"drp/pebble"
	"drp/xtc"
)

// resultBench is a collector with one result area that the test writes as a child does.
func resultBench(t *testing.T, own ...*xtc.Names) (c *collector, area []byte) {
	t.Helper()
	pool, err := pebble.Open(pebble.Sizes{Workers: 1, Slots: 2, EventBytes: 4096, ResultBytes: 256 << 10, TransitionBytes: 4096})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := pool.Close(); err != nil {
			t.Error(err)
		}
	})
	return &collector{Run: &Run{pool: pool}, own: tableOf(t, own...)}, pool.Results[0].Event(1)
}

func answered(bytes, words int) *entry {
	return &entry{service: xtc.L1Accept, ix: pebble.Index{Slot: 1}, result: uint32(bytes), side: uint32(words)}
}

func TestResultOfAnEvent(t *testing.T) {
	n := declared(3, "a", xtc.Name{Name: "v", Type: xtc.UInt8, Rank: 1}, xtc.Name{Name: "n", Type: xtc.UInt8})
	foreign := declared(1, "raw", n.Entries...)
	block := arrayBlock(t, n, 1, 2, 3)
	tests := []struct {
		name    string
		area    []byte
		bytes   int
		words   int
		removed []uint32
		err     string
	}{
		{"nothing", nil, 0, 0, nil, ""},
		{"only removals", []byte{1, 1, 0, 0, 2, 1, 0, 0}, 0, 2, []uint32{0x101, 0x102}, ""},
		{"a block", block, len(block), 0, nil, ""},
		{"a block and removals", append(slices.Concat(block, make([]byte, -len(block)&3)), 5, 0, 0, 0), len(block), 1, []uint32{5}, ""},
		{"longer than the area", block, 256<<10 + 1, 0, nil, "does not fit"},
		{"removals beyond the area", block, 256 << 10, 1, nil, "does not fit"},
		{"half a block", block, len(block) - 1, 0, nil, "exceeds"},
		{"a block of the source's", arrayBlock(t, foreign, 1, 2), len(block) - 1, 0, nil, "does not define"},
		{"a Names", namesOf(t, n), len(namesOf(t, n)), 0, nil, "Names"},
		{"noise", []byte(strings.Repeat("noise ", 100)), 600, 0, nil, "TypeID"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, area := resultBench(t, n)
			copy(area, tt.area)
			removed, added, err := c.result(answered(tt.bytes, tt.words))
			if tt.err != "" {
				if err == nil || !strings.Contains(err.Error(), tt.err) {
					t.Errorf("got error %v, want %q", err, tt.err)
				}
				return
			}
			if err != nil || !slices.Equal(removed, tt.removed) || string(added) != string(tt.area[:tt.bytes]) {
				t.Errorf("removed %v, added %x, %v", removed, added, err)
			}
		})
	}
}

// TestResultIsCopiedBeforeItIsChecked: what the child writes afterwards does not come behind the check.
func TestResultIsCopiedBeforeItIsChecked(t *testing.T) {
	n := declared(3, "a", xtc.Name{Name: "v", Type: xtc.UInt8, Rank: 1}, xtc.Name{Name: "n", Type: xtc.UInt8})
	block := arrayBlock(t, n, 1, 2, 3)
	c, area := resultBench(t, n)
	copy(area, block)
	_, added, err := c.result(answered(len(block), 0))
	if err != nil {
		t.Fatal(err)
	}
	binary.LittleEndian.PutUint32(area[8:], 0xffffffff) // the extent
	if string(added) != string(block) {
		t.Error("the result changes with the area")
	}
}

// TestResultsAllocateNothing once the buffers have grown.
func TestResultsAllocateNothing(t *testing.T) {
	n := declared(3, "a", xtc.Name{Name: "v", Type: xtc.UInt8, Rank: 1}, xtc.Name{Name: "n", Type: xtc.UInt8})
	block := arrayBlock(t, n, 1, 2, 3)
	c, area := resultBench(t, n)
	copy(area, block)
	e := answered(len(block), 1)
	if allocs := testing.AllocsPerRun(100, func() {
		if _, _, err := c.result(e); err != nil {
			t.Fatal(err)
		}
		c.copied = c.copied[:0]
	}); allocs != 0 {
		t.Errorf("%v allocations", allocs)
	}
}
