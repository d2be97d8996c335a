package xtc_test

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"

	"drp/xtc"
)

// A randomFile is a valid file made without our writer, of everything the format allows and our writer does not make:
// both orders of Shapes and Data, rank 5, garbage behind strings and in unused places, stray bytes, nested Parents, blocks
// that are there twice, and containers marked Corrupted around nonsense.
type randomFile struct {
	*rand.Rand
	b     []byte
	marks []int // offsets of what is worth breaking
	names []*xtc.Names
}

func newRandomFile(rng *rand.Rand) *randomFile {
	f := &randomFile{Rand: rng}
	services := []xtc.TransitionID{xtc.L1Accept, xtc.L1Accept, xtc.L1Accept, xtc.BeginRun, xtc.SlowUpdate, xtc.Enable,
		xtc.L1AcceptEndOfBatch, xtc.Configure, xtc.EndRun}
	f.dgram(xtc.Configure)
	for range rng.IntN(6) {
		f.dgram(services[rng.IntN(len(services))])
	}
	return f
}

func (f *randomFile) maybe(oneIn int) bool { return f.IntN(oneIn) == 0 }

// u32 appends a number that is worth breaking.
func (f *randomFile) u32(v uint32) {
	f.marks = append(f.marks, len(f.b))
	f.b = binary.LittleEndian.AppendUint32(f.b, v)
}

func (f *randomFile) junk(n int) {
	for range n {
		f.b = append(f.b, byte(f.Uint32()))
	}
}

// open begins an Xtc; what it gives ends it.
func (f *randomFile) open(src uint32, damage xtc.Damage, kind xtc.TypeID) (end func()) {
	start := len(f.b)
	f.u32(src)
	f.u32(uint32(damage) | uint32(kind)<<16 | uint32(f.IntN(2))<<28)
	f.u32(0)
	return func() { binary.LittleEndian.PutUint32(f.b[start+8:], uint32(len(f.b)-start)) }
}

func (f *randomFile) damage() xtc.Damage {
	if f.maybe(8) {
		return xtc.Damage(f.Uint32()) &^ xtc.DamageCorrupted
	}
	return 0
}

func (f *randomFile) dgram(service xtc.TransitionID) {
	f.b = binary.LittleEndian.AppendUint64(f.b, f.Uint64()>>f.IntN(64))
	f.u32(f.Uint32()&0x00ffffff | uint32(service)<<24 | uint32(f.IntN(3))<<28)
	damage := f.damage()
	if service != xtc.Configure && f.maybe(20) {
		damage |= xtc.DamageCorrupted
	}
	end := f.open(f.Uint32(), damage, xtc.TypeParent)
	defer end()
	if damage.Has(xtc.DamageCorrupted) {
		f.junk(f.IntN(50))
		return
	}
	if service == xtc.Configure {
		f.names = nil
		for range f.IntN(4) {
			f.describe()
		}
	}
	f.children(0)
}

// children are blocks, and Parents with further ones.
func (f *randomFile) children(depth int) {
	for range f.IntN(4) {
		switch {
		case f.maybe(4) && depth < xtc.MaxDepth:
			damage := f.damage()
			if f.maybe(6) {
				damage |= xtc.DamageCorrupted
			}
			end := f.open(f.Uint32(), damage, xtc.TypeParent)
			if damage.Has(xtc.DamageCorrupted) {
				f.junk(f.IntN(30))
			} else {
				f.children(depth + 1)
			}
			end()
		case f.maybe(10):
			end := f.open(f.Uint32(), xtc.DamageCorrupted, xtc.TypeID(f.IntN(6)))
			f.junk(f.IntN(30))
			end()
		case len(f.names) > 0:
			f.block(f.names[f.IntN(len(f.names))])
		}
	}
}

// text appends a fixed string with garbage behind its end.
func (f *randomFile) text(s string) {
	f.b = append(append(f.b, s...), 0)
	f.junk(255 - len(s))
}

func (f *randomFile) word() string {
	words := []string{"", "raw", "cam", "cam.fex", "a.b", "a", "__class__", "[0].x", "µ", "\xff\xfe", "value:Gain", "low:Gain",
		"high:Gain", "chunkinfo", "runinfo", "."}
	return words[f.IntN(len(words))]
}

func (f *randomFile) describe() {
	n := &xtc.Names{ID: xtc.NamesID(f.Uint32() & 0xfffff), DetType: f.word(), DetName: f.word(), DetID: f.word(),
		Alg: f.word(), Version: xtc.VersionOf(f.Uint32()), Segment: f.Uint32N(16)}
	if slices.ContainsFunc(f.names, func(o *xtc.Names) bool { return o.ID == n.ID }) {
		return
	}
	for range f.IntN(7) {
		e := xtc.Name{Name: f.word(), Type: xtc.DataType(f.IntN(13)), Alg: f.word(), Version: xtc.VersionOf(f.Uint32())}
		if e.Rank = max(0, f.IntN(9)-3); e.Type == xtc.CharStr {
			e.Rank = 1
		}
		n.Entries = append(n.Entries, e)
	}
	end := f.open(uint32(n.ID)|f.Uint32()&0xff00000, f.damage(), xtc.TypeNames)
	f.u32(uint32(n.NumArrays()))
	for _, s := range []string{n.DetType, n.DetName, n.DetID, n.Alg} {
		f.text(s)
	}
	f.u32(n.Version.Uint32() | f.Uint32()<<24)
	f.u32(n.Segment)
	for _, e := range n.Entries {
		f.text(e.Alg)
		f.u32(e.Version.Uint32())
		f.text(e.Name)
		f.u32(uint32(e.Type))
		f.u32(uint32(e.Rank))
	}
	end()
	f.names = append(f.names, n)
}

// block appends a ShapesData with values of random bytes.
func (f *randomFile) block(n *xtc.Names) {
	damage := f.damage()
	if f.maybe(12) {
		damage |= xtc.DamageCorrupted
	}
	end := f.open(uint32(n.ID), damage, xtc.TypeShapesData)
	defer end()
	var shapes []uint32
	var data []byte
	for _, e := range n.Entries {
		size := e.Type.Bytes()
		if e.Rank > 0 {
			for range e.Rank {
				dim := uint32(f.IntN(5))
				shapes, size = append(shapes, dim), size*int(dim)
			}
			for range xtc.MaxRank - e.Rank {
				shapes = append(shapes, f.Uint32())
			}
		}
		for i := range size {
			c := byte(f.Uint32())
			if e.Type == xtc.CharStr && i == size-1 {
				c = 0
			}
			data = append(data, c)
		}
	}
	parts := []func(){
		func() {
			end := f.open(0, 0, xtc.TypeShapes)
			for _, v := range shapes {
				f.u32(v)
			}
			f.junk(4 * f.IntN(2))
			end()
		},
		func() {
			end := f.open(0, 0, xtc.TypeData)
			f.b = append(f.b, data...)
			f.junk(max(0, f.IntN(6)-3))
			end()
		},
	}
	if f.maybe(2) {
		slices.Reverse(parts)
	} else if len(shapes) == 0 && f.maybe(2) {
		parts = parts[1:]
	}
	for _, p := range parts {
		p()
	}
}

// broken is the file with a few things wrong in it.
func (f *randomFile) broken() []byte {
	b := slices.Clone(f.b)
	for range 1 + f.IntN(3) {
		if len(b) == 0 {
			return b
		}
		at := f.IntN(len(b))
		if mark := f.marks[f.IntN(len(f.marks))]; !f.maybe(3) && mark+4 <= len(b) {
			at = mark
		}
		switch f.IntN(6) {
		case 0:
			b[at] ^= 1 << f.IntN(8)
		case 1:
			b = b[:at]
		case 2:
			b = slices.Delete(b, at, min(len(b), at+1+f.IntN(40)))
		case 3:
			b = slices.Insert(b, at, b[at:min(len(b), at+1+f.IntN(40))]...)
		default:
			values := []uint32{0, 1, 5, 6, 11, 12, 13, 24, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 16, f.Uint32N(64), f.Uint32()}
			if at+4 <= len(b) {
				binary.LittleEndian.PutUint32(b[at:], values[f.IntN(len(values))])
			}
		}
	}
	return b
}
