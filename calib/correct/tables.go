package correct

import (
	"fmt"
	"math"

	"drp/calib"
)

// Tables are the constants of a set as the loops need them.
type Tables struct {
	rows, cols int
	model      calib.Model
	common     *calib.CommonMode // nil where there is none
	beneath    beneath
	segments   []segment
}

// segment is one of them. Its first range is the one that each pixel has without a set range bit; the others are touched
// where pixels switched only. Bad pixels have the factor 0.
type segment struct {
	ranges []rangeTable
	pick   [4]int8 // the range by the two highest bits of a raw pixel; -1 is bad

	codes    []uint16 // the bits of each raw pixel that tell of another range; sameCodes values stand for all pixels
	wrap     int      // index & wrap is the place in codes
	special  bool     // JUNGFRAU's special codes mean something
	vectors  bool     // the assembly can be used
	wide     bool     // and that for AVX-512
	dataMask uint16

	bias       uint16  // is taken off 16-bit ADU and pedestals, so that both fit
	pedestal16 []int16 // rounded, less bias; badPedestal in bad pixels

	part   []float32 // first pedestal of the pixels that take part in the common mode, apart in others; nil without
	part16 []int16   // the same rounded, badPedestal in others; pedestal16 itself where all good pixels take part
	takes  []uint8   // how many they are in each bank of each row, in turn, where the assembly wants it
	low    []uint64  // of each of these banks a bit for each good pixel that takes no part
}

// sameCodes are as many as the assembly looks at together.
const sameCodes = 64

type rangeTable struct{ pedestal, factor []float32 }

// badPedestal marks bad pixels in pedestal16. No pixel's pedestal is that high.
const badPedestal = math.MaxInt16

// apart marks pixels that take no part in a common mode. No pixel's pedestal is that low, and a pixel less this one is so
// high that it is far from any common mode.
const apart = -1 << 20

// NewTables reduces a checked set. Models with configured gain ranges need the configuration of each segment; others take
// nil.
func NewTables(set *calib.Set, config []Config) (*Tables, error) {
	t := &Tables{rows: set.Rows, cols: set.Cols, model: calib.ModelOf(set.Model)}
	n, all := set.SegmentPixels(), set.Ranges()*len(set.Serials)*set.SegmentPixels()
	if len(set.Pedestals) != all || len(set.Gains) != all || set.Status != nil && len(set.Status) != all ||
		set.Mask != nil && len(set.Mask) != len(set.Serials)*n {
		return nil, fmt.Errorf("calib: the constants of %s have not the size of %d segments", set.Detector, len(set.Serials))
	}
	configured := t.model.Coding == calib.Configured
	if configured && len(config) != len(set.Serials) {
		return nil, fmt.Errorf("calib: %s has %d segments and a configuration of %d: without it the gain ranges are unknown",
			set.Detector, len(set.Serials), len(config))
	}
	if c := set.CommonMode; c != nil && (c.Rows || c.Cols || c.Banks) {
		t.common = c
	}
	t.segments = make([]segment, len(set.Serials))
	room := newRoom(set, t.common != nil)
	builders := make([]builder, len(t.segments))
	for i := range t.segments {
		b := &builders[i]
		*b = builder{set: set, model: &t.model, at: i, n: n, room: room}
		if configured {
			words, err := config[i].words(&t.model, set.Rows, set.Cols)
			if err != nil {
				return nil, fmt.Errorf("calib: segment %s of %s: %w", set.Serials[i], set.Detector, err)
			}
			b.words = words
		}
		t.segments[i] = b.build(t.common != nil)
	}
	t.uncover(builders)
	return t, nil
}

// Shape is the number of segments, and of rows and columns of each.
func (t *Tables) Shape() (segments, rows, cols int) { return len(t.segments), t.rows, t.cols }

// Mask gives 1 for the good pixels of a segment and 0 for bad ones: masked, with a status in the range they have without
// a set range bit, or dead there.
func (t *Tables) Mask(dst []uint8, segment int) {
	for i, p := range t.segments[segment].pedestal16 {
		dst[i] = 1
		if p == badPedestal {
			dst[i] = 0
		}
	}
}

// builder makes the tables of one segment.
type builder struct {
	set   *calib.Set
	model *calib.Model
	at, n int
	words []uint8 // of a configured model
	room  *room
}

// room is the memory of all tables, in one piece of each type.
type room struct {
	floats []float32
	ints   []int16
}

func newRoom(set *calib.Set, common bool) *room {
	floats, ints := 2*min(3, set.Ranges()), 1 // configured ranges are reduced to two
	if common {
		floats, ints = floats+1, ints+1
	}
	n := len(set.Serials) * set.SegmentPixels()
	return &room{onHugePages(make([]float32, floats*n)), onHugePages(make([]int16, ints*n))}
}

func take[T any](from *[]T, n int) []T {
	some := (*from)[:n:n]
	*from = (*from)[n:]
	return some
}

func (b *builder) build(common bool) segment {
	s := segment{vectors: inVectors(), wide: inWide(), dataMask: uint16(1<<b.model.DataBits - 1), wrap: sameCodes - 1,
		codes: make([]uint16, sameCodes)}
	switch b.model.Coding {
	case calib.TwoBits:
		s.special, s.pick = true, [4]int8{0, 1, -1, 2}
		for r := range 3 {
			s.ranges = append(s.ranges, b.table(func(int) int { return r }))
		}
		for i := range s.codes {
			s.codes[i] = ^s.dataMask
		}
	case calib.Configured:
		s.pick = [4]int8{0, 1, 1, 1}
		s.ranges = []rangeTable{b.table(func(i int) int { return rangeOf(b.words[i], false) })}
		b.switching(&s)
	default:
		s.ranges = []rangeTable{b.table(func(int) int { return 0 })}
	}
	b.round(&s)
	if common {
		b.taking(&s)
	}
	return s
}

// switching finds whether pixels of a configured segment change their range with the data bit. Most of the time all do or
// none does, and one value of codes serves all. In fixed ranges the bit is set too, and says nothing.
func (b *builder) switching(s *segment) {
	bit := uint16(1) << b.model.GainBit()
	automatic := 0
	for _, w := range b.words {
		if rangeOf(w, false) != rangeOf(w, true) {
			automatic++
		}
	}
	if automatic == 0 {
		return
	}
	s.ranges = append(s.ranges, b.table(func(i int) int { return rangeOf(b.words[i], true) }))
	if automatic < b.n {
		s.codes, s.wrap = make([]uint16, b.n), -1
	}
	for i := range s.codes {
		if s.wrap >= 0 || rangeOf(b.words[i], false) != rangeOf(b.words[i], true) {
			s.codes[i] = bit
		}
	}
}

// table takes the pedestals and factors of a range that may differ from pixel to pixel.
func (b *builder) table(of func(i int) int) rangeTable {
	t := rangeTable{pedestal: take(&b.room.floats, b.n), factor: take(&b.room.floats, b.n)}
	for i := range b.n {
		r := of(i)
		if r < 0 || !b.good(i, r) {
			continue
		}
		at := b.index(i, r)
		t.pedestal[i], t.factor[i] = b.set.Pedestals[at], 1/b.set.Gains[at]
	}
	return t
}

func (b *builder) index(i, r int) int { return (r*len(b.set.Serials)+b.at)*b.n + i }

// good tells whether a pixel can be used in a range. A pixel of a JUNGFRAU that is dead in G0 is dead.
func (b *builder) good(i, r int) bool {
	return (b.set.Mask == nil || b.set.Mask[b.at*b.n+i] != 0) && b.sound(i, r)
}

// sound is so whatever the mask says.
func (b *builder) sound(i, r int) bool {
	at := b.index(i, r)
	if b.set.Status != nil && b.set.Status[at] != 0 {
		return false
	}
	if p := float64(b.set.Pedestals[at]); math.IsNaN(p) || math.IsInf(p, 0) || p >= float64(int(1)<<b.model.DataBits-1) {
		return false
	}
	if !calib.GainKnown(b.set.Gains[at]) {
		return false
	}
	return r == 0 || b.model.Coding != calib.TwoBits || b.sound(i, 0)
}

// round makes the pedestals of the int16 way.
func (b *builder) round(s *segment) {
	if b.model.DataBits > 15 {
		s.bias = 1 << 15
	}
	s.pedestal16 = take(&b.room.ints, b.n)
	first := s.ranges[0]
	for i := range s.pedestal16 {
		p := math.RoundToEven(float64(first.pedestal[i])) - float64(s.bias)
		s.pedestal16[i] = int16(max(math.MinInt16, min(p, badPedestal-1)))
		if first.factor[i] == 0 {
			s.pedestal16[i] = badPedestal
		}
	}
}

// taking makes the pedestals of the pixels that take part in the common mode: the good ones in high or medium gain.
func (b *builder) taking(s *segment) {
	var low []int
	takes := make([]bool, len(b.model.Ranges))
	for _, r := range b.model.CommonModeRanges() {
		takes[r] = true
	}
	s.part = take(&b.room.floats, b.n)
	for i := range s.part {
		s.part[i] = s.ranges[0].pedestal[i]
		if s.pedestal16[i] == badPedestal {
			s.part[i] = apart
		} else if b.words != nil && !takes[rangeOf(b.words[i], false)] {
			s.part[i] = apart
			low = append(low, i)
		}
	}
	s.part16 = s.pedestal16
	if low != nil {
		s.part16 = take(&b.room.ints, b.n)
		copy(s.part16, s.pedestal16)
		for _, i := range low {
			s.part16[i] = badPedestal
		}
	}
	b.count(s, low)
}

// count notes what the assembly needs of the rows of banks.
func (b *builder) count(s *segment, low []int) {
	wide, cols := b.model.BankCols, b.set.Cols
	if wide == 0 || wide > maxCols/maxBanks || cols%wide != 0 {
		return
	}
	s.takes = make([]uint8, b.n/wide)
	for i, p := range s.part {
		if p != apart {
			s.takes[i/wide]++
		}
	}
	s.low = make([]uint64, b.n/wide)
	for _, i := range low {
		s.low[i/wide] |= 1 << (i % wide)
	}
}
