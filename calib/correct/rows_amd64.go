package correct

import (
	"math"
	"math/bits"

	"drp/calib"
)

// banks is what the loops over the banks of a row are told; the offsets of its fields are written there. The search for a
// median goes over whole numbers of units first, of scale to an ADU.
type banks struct {
	pixels   *float32
	modes    *float32
	banks    int
	wide     int     // 48 or 64
	least    int     // there must be more pixels
	limit    float32 // the common mode must be below
	scale    float32
	start    int // of the search, and its first step
	step     int
	farthest int     // to where it goes
	unit     float32 // 1 / scale
	_        int32
	_        [maxBanks][64]int16                    // pixels in units
	_        [maxBanks]struct{ number, unit int32 } // of pixels, and the unit found

	// Of the pixels that a mean is made of; first of those near to zero, then of those within the bounds.
	numbers [maxBanks]int32
	sums    [maxBanks]float32
	_       [maxBanks]float32    // sums of squares
	_       [2][maxBanks]float32 // bounds

	nextRaw                  *uint16 // of the row that comes next: it is called for
	nextPedestal, nextFactor *float32
}

//go:noescape
func nearAVX2(b *banks)

//go:noescape
func boundsAVX2(b *banks)

//go:noescape
func withinAVX2(b *banks)

//go:noescape
func coarseAVX2(b *banks)

//go:noescape
func mediansAVX2(b *banks)

// rowsInVectors tells whether the assembly can make the common mode of rows: it is the only one, and banks fit.
func (t *Tables) rowsInVectors(s *segment) bool {
	wide := t.model.BankCols
	return s.vectors && (wide == 48 || wide == 64) && t.cols%wide == 0 && t.cols%16 == 0 && t.cols <= maxCols &&
		t.common.MaxADU < 1<<13
}

// newBanks says what is the same for all rows.
func (t *Tables) newBanks() banks {
	c := t.common
	b := banks{banks: t.cols / t.model.BankCols, wide: t.model.BankCols, least: c.MinPixels, limit: c.MaxADU, scale: 1, unit: 1}
	if c.MaxADU < 1<<11 {
		b.scale, b.unit = 4, 0.25
	}
	b.farthest = int(math.Ceil(float64(c.MaxADU * b.scale)))
	b.start = -b.farthest - 2
	b.step = 1 << (bits.Len(uint(2*b.farthest+2)) - 1)
	return b
}

// next says which row comes next.
func (b *banks) next(s *segment, raw []uint16, at int) {
	b.nextRaw, b.nextPedestal, b.nextFactor = &raw[at], &s.part[at], &s.ranges[0].factor[at]
}

// ofRow finds the common mode of each bank of a row.
func (b *banks) ofRow(row, modes []float32, c *calib.CommonMode) {
	b.pixels, b.modes = &row[0], &modes[0]
	if c.Method == calib.ClippedMean {
		nearAVX2(b)
		boundsAVX2(b)
		withinAVX2(b)
		for i := range modes {
			modes[i] = b.mean(i)
		}
		return
	}
	coarseAVX2(b)
	mediansAVX2(b)
	for i, m := range modes {
		if m != m {
			modes[i] = float32(view{floats: row}.mode(area{at: i * b.wide, rows: 1, cols: b.wide, stride: len(row)}, c))
		}
	}
}

// mean is the common mode of a bank, 0 where none can be told.
func (b *banks) mean(i int) float32 {
	n := int(b.numbers[i])
	if n <= b.least {
		return 0
	}
	if m := float64(b.sums[i]) / float64(n); math.Abs(m) < float64(b.limit) {
		return float32(m)
	}
	return 0
}
