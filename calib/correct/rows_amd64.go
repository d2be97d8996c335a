package correct

import (
	"math"
	"math/bits"
	"unsafe"

	"drp/calib"
)

// banks is what the loops over the banks of a row are told; the offsets of its fields are written there. A unit is that of
// clippedMean. Arrays have the banks of a row.
type banks struct {
	loop
	banks           int
	flags           uint64  // a bit for sixteen pixels, some of which take no part, but are good
	lowest, highest float64 // unit that may be in a mean
	limit, unit     float64 // in ADU: the common mode must be below; a unit
	least           float64 // there must be more pixels
	start, step     int     // of the search for a median
	whole           *int16  // pixels in units, 64 of each bank
	next2, next4    uintptr // of the row that comes next: it is called for, also past its end
	perADU          float32
	_               int32
	numbers         [maxBanks]int32    // of pixels that take part
	_               [maxBanks][4]int32 // moments
	low, span       [maxBanks]uint32   // of units in a mean, twice as 16 bits
	found, twice    [maxBanks]int32    // units: the lower one in the middle, and the sum of both
	mode            [maxBanks]float32
	mode16          [maxBanks]uint32 // twice as 16 bits
	nextFactor      uintptr
	ring            *ring   // for clippedAVX512, and so is
	takesLow        *uint64 // the low of its segment
	bankStep        uintptr // bytes that codes go on with a bank
}

// ring is where four fours of banks in a row are on their way, and the masks of eight; the offsets of its fields are
// written in the assembly.
type ring struct {
	floats               [maxBanks][64]float32 // pixels less their pedestals
	whole                [maxBanks][64]int16   // in units
	sums, squares, again [maxBanks][16]int32
	flag                 [maxBanks][64]uint8 // as low of a segment, of pixels of other ranges too
	low, span            [4]uint32
	mode                 [4]float32
}

// rowBuffers are a row on its way, in the nearest cache.
type rowBuffers struct {
	floats [maxCols]float32
	ints   [maxCols]int16
	whole  [maxBanks * 64]int16
	ring   [unsafe.Sizeof(ring{}) + 64]byte
}

// aligned gives the ring, whole lines of the cache.
func (r *rowBuffers) aligned() *ring {
	return (*ring)(unsafe.Pointer(&r.ring[-uintptr(unsafe.Pointer(&r.ring[0]))%64]))
}

// clipped makes the frame from its beginning on, where fours of banks fit, and says how many pixels those are.
func (b *banks) clipped(s *segment, dst []float32, raw []uint16) int {
	n := len(raw) / (4 * b.wide) * (4 * b.wide)
	if !s.wide || n == 0 || !aligned(&dst[0], 64) {
		return 0
	}
	b.row(s, raw, 0)
	b.dst, b.n, b.takesLow, b.bankStep = bytesOf(&dst[0]), n, &s.low[0], b.loop.step/16*uintptr(b.wide)
	low, span := int32(b.lowest), int32(b.highest-b.lowest)
	b.low[0], b.span[0] = uint32(uint16(low))*0x10001, uint32(span)*0x10001
	clippedAVX512(b)
	return n
}

//go:noescape
func apartAVX2(b *banks)

//go:noescape
func apartAVX512(b *banks)

//go:noescape
func clippedAVX512(b *banks)

//go:noescape
func sumsAVX512(b *banks)

//go:noescape
func lowerAVX512(b *banks)

//go:noescape
func gather16AVX2(b *banks)

//go:noescape
func sumsAVX2(b *banks)

//go:noescape
func boundsAVX2(b *banks)

//go:noescape
func meansAVX2(b *banks)

//go:noescape
func mediansAVX2(b *banks)

//go:noescape
func lowerAVX2(b *banks)

//go:noescape
func lower16AVX2(b *banks)

// mostUnits may be in a mean, so that the sums over a bank of their squares fit 32 bits.
const mostUnits = 5792

// rowsInVectors tells whether the assembly can make the common mode: it is that of rows only, and banks fit.
func (t *Tables) rowsInVectors(s *segment) bool {
	c, wide := t.common, t.model.BankCols
	return s.vectors && c.Rows && !c.Banks && !c.Cols && (wide == 48 || wide == 64) && s.takes != nil && t.cols%16 == 0 &&
		t.model.DataBits < 16 && c.MaxADU*perADU < mostUnits
}

// rowsFloat32 does a row at a time, from beginning to end, in the nearest cache. While it computes, the next row is on
// its way from memory.
func (t *Tables) rowsFloat32(s *segment, dst []float32, raw []uint16) {
	var r rowBuffers
	b := banks{loop: s.loop(raw, 0)}
	b.begin(t, &r, perADU)
	b.src, b.whole, b.ring, b.stream = &r.floats[0], &r.whole[0], r.aligned(), streamed(&dst[0])
	done := 0
	if t.common.Method == calib.ClippedMean {
		done = b.clipped(s, dst, raw)
	}
	for at := done; at < len(raw); at += b.n {
		b.row(s, raw, at)
		b.dst = bytesOf(&dst[at])
		for i, n := range s.takes[at/b.wide:][:b.banks] {
			b.numbers[i] = int32(n)
		}
		if s.wide {
			apartAVX512(&b)
		} else {
			apartAVX2(&b)
		}
		for i, l := range s.low[at/b.wide:][:b.banks] {
			for ; l != 0; l &= l - 1 {
				b.flags |= 1 << ((i*b.wide + bits.TrailingZeros64(l)) / 16)
			}
		}
		next := min(at+b.n, len(raw)-1)
		b.next2, b.next4, b.nextFactor = place(&raw[next]), place(&s.part[next]), place(&s.ranges[0].factor[next])
		if t.common.Method == calib.ClippedMean {
			b.means(s.wide)
		} else {
			mediansAVX2(&b)
			for i := range b.banks {
				if m, known := b.median(i); known {
					b.mode[i] = float32(m)
					continue
				}
				var buf [64]float32
				first := at + i*b.wide
				s.offset(buf[:b.wide], raw[first:first+b.wide], first)
				b.mode[i] = float32(view{floats: buf[:b.wide]}.mode(b.area(), t.common))
			}
		}
		if s.wide && aligned(b.dst, 64) {
			lowerAVX512(&b)
		} else {
			lowerAVX2(&b)
		}
	}
}

// rowsADU16 does the same in integers.
func (t *Tables) rowsADU16(s *segment, dst []int16, raw []uint16) {
	var r rowBuffers
	b := banks{loop: s.loop(raw, 0)}
	b.begin(t, &r, 1)
	b.whole = &r.whole[0]
	stream := streamed(&dst[0])
	for at := 0; at < len(raw); at += b.n {
		b.row(s, raw, at)
		row := r.ints[:b.n]
		b.dst, b.pedestal, b.stream = bytesOf(&row[0]), bytesOf(&s.part16[at]), 0
		subtractAVX2(&b.loop)
		b.dst, b.src, b.stream = bytesOf(&dst[at]), (*float32)(unsafe.Pointer(&row[0])), stream
		gather16AVX2(&b)
		next := min(at+b.n, len(raw)-1)
		b.next2, b.next4, b.nextFactor = place(&raw[next]), place(&s.part16[next]), place(&s.part16[next])
		if t.common.Method == calib.ClippedMean {
			b.means(s.wide)
		} else {
			mediansAVX2(&b)
			for i := range b.banks {
				m, known := b.median(i)
				if !known {
					m = view{ints: row[i*b.wide:][:b.wide]}.mode(b.area(), t.common)
				}
				b.mode16[i] = uint32(uint16(int32(math.RoundToEven(m)))) * 0x10001
			}
		}
		lower16AVX2(&b)
	}
}

// begin says what is the same for all rows. Its caller says where the buffers are: said here, they would be allocated.
func (b *banks) begin(t *Tables, r *rowBuffers, scale float32) {
	c := t.common
	b.wide = t.model.BankCols
	b.limit, b.unit, b.least, b.perADU = float64(c.MaxADU), 1/float64(scale), float64(c.MinPixels), scale
	b.highest = math.Floor(b.limit * float64(scale))
	b.lowest = -b.highest
	b.start = -int(b.highest) - 3
	b.step = 1 << (bits.Len(uint(-2*b.start)) - 1)
	for i := range r.whole {
		r.whole[i] = badPedestal // of banks of 48 the rest stays that
	}
}

// row says where the pixels from at on are. A row here is as many banks as there is room for, of one row of the segment
// and the next: what is done once for all of them is then done less often.
func (b *banks) row(s *segment, raw []uint16, at int) {
	b.banks = min(maxBanks, (len(raw)-at)/b.wide)
	b.n = b.banks * b.wide
	b.raw = &raw[at]
	if s.wrap < 0 {
		b.codes = &s.codes[at]
	}
	first := &s.ranges[0]
	b.pedestal, b.factor, b.part = bytesOf(&first.pedestal[at]), &first.factor[at], &s.part[at]
	for i := range b.others {
		r := &s.ranges[min(i+1, len(s.ranges)-1)]
		b.others[i].pedestal, b.others[i].factor = &r.pedestal[at], &r.factor[at]
	}
}

// means finds the clipped mean of each bank.
func (b *banks) means(wide bool) {
	low, span := int32(b.lowest), int32(b.highest-b.lowest)
	for i := range b.banks {
		b.low[i], b.span[i] = uint32(uint16(low))*0x10001, uint32(span)*0x10001
	}
	b.sums(wide)
	boundsAVX2(b)
	b.next4 = b.nextFactor
	b.sums(wide)
	meansAVX2(b)
}

func (b *banks) sums(wide bool) {
	if wide {
		sumsAVX512(b)
		return
	}
	sumsAVX2(b)
}

// median is the common mode of a bank, after mediansAVX2; it is not known where the search did not go far enough.
func (b *banks) median(i int) (m float64, known bool) {
	m = float64(b.twice[i]) * b.unit / 2
	switch found := float64(b.found[i]); {
	case float64(b.numbers[i]) <= b.least || found > b.highest:
		return 0, true
	case found < b.lowest:
		return 0, false
	case math.Abs(m) >= b.limit:
		return 0, true
	}
	return m, true
}

// place is where something lies, for the cache.
func place[T any](p *T) uintptr { return uintptr(unsafe.Pointer(p)) }

// area is one bank by itself.
func (b *banks) area() area { return area{rows: 1, cols: b.wide, stride: b.wide} }
