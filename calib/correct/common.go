package correct

import (
	"math"

	"drp/calib"
)

// The common mode is taken off in three steps. First the pedestal, with a mark in the pixels that take no part: NaN or
// Bad16 where the pixel is bad or in low gain, NaN or Switched16 where its range bits are set. Then, area by area in
// psana's order (banks, rows of banks, columns of banks), the middle of the others. Last the factor, and what the marked
// pixels really are.

func (t *Tables) commonFloat32(s *segment, dst []float32, raw []uint16) {
	defer fence()
	if t.rowsInVectors(s) {
		t.rowsFloat32(s, dst, raw)
		return
	}
	s.offset(dst, raw, 0)
	t.level(view{floats: dst})
	s.scale(dst, dst, raw, 0, nil)
}

// What is corrected row by row has at most so many columns, and banks beside each other.
const (
	maxCols  = 1024
	maxBanks = 16
)

func (t *Tables) commonADU16(s *segment, dst []int16, raw []uint16) {
	if t.rowsInVectors(s) {
		t.rowsADU16(s, dst, raw)
		fence()
	} else {
		s.subtract(dst, raw, s.part16)
		t.level(view{ints: dst})
	}
	if &s.part16[0] == &s.pedestal16[0] {
		return
	}
	for i, p := range s.part16 { // what is marked as bad may be low gain only
		if p == badPedestal {
			s.subtract16(dst, raw, i)
		}
	}
}

func (s *segment) subtract16(dst []int16, raw []uint16, i int) {
	if p := s.pedestal16[i]; p != badPedestal && raw[i]&s.codes[i&s.wrap] == 0 {
		dst[i] = s.difference(raw[i], p)
	}
}

// offset takes the pedestal off the pixels from at on that take part.
func (s *segment) offset(dst []float32, raw []uint16, at int) {
	nan := float32(math.NaN())
	for i := s.offsetVectors(dst, raw, at); i < len(raw); i++ {
		dst[i] = float32(raw[i]&s.dataMask) - s.part[at+i]
		if raw[i]&s.codes[(at+i)&s.wrap] != 0 || s.part[at+i] == apart {
			dst[i] = nan
		}
	}
}

// scale takes the common modes of banks beside each other off, applies the factor, and converts the pixels that took no
// part. It overwrites src.
func (s *segment) scale(dst, src []float32, raw []uint16, at int, modes []float32) {
	factor := s.ranges[0].factor
	for i := s.scaleVectors(dst, src, raw, at, modes); i < len(raw); i++ {
		if v := src[i]; v == v {
			dst[i] = v * factor[at+i]
			continue
		}
		dst[i] = s.value(at+i, raw[i])
	}
}

// view is a segment on its way, of one type or the other.
type view struct {
	floats []float32
	ints   []int16
}

// area is a part of a segment that shares a common mode; stride is a whole row of the segment.
type area struct{ at, rows, cols, stride int }

func (t *Tables) level(v view) {
	c, high, wide := t.common, t.model.BankRows, t.model.BankCols
	if high == 0 {
		high, wide = t.rows, t.cols
	}
	if c.Banks {
		t.tile(v, high, wide)
	}
	if c.Rows {
		t.tile(v, 1, wide)
	}
	if c.Cols {
		t.tile(v, high, 1)
	}
}

// tile corrects areas of a size; those at the end may be smaller.
func (t *Tables) tile(v view, rows, cols int) {
	for row := 0; row < t.rows; row += rows {
		for col := 0; col < t.cols; col += cols {
			v.correct(area{at: row*t.cols + col, rows: min(rows, t.rows-row), cols: min(cols, t.cols-col), stride: t.cols},
				t.common)
		}
	}
}

func (v view) correct(a area, c *calib.CommonMode) {
	if m := v.mode(a, c); m != 0 {
		v.lower(a, m)
	}
}

// mode is the common mode of an area, 0 where none can be told.
func (v view) mode(a area, c *calib.CommonMode) float64 {
	var middle float64
	var n int
	if c.Method == calib.ClippedMean {
		middle, n = v.clippedMean(a, float64(c.MaxADU))
	} else {
		middle, n = v.median(a)
	}
	if n > c.MinPixels && math.Abs(middle) < float64(c.MaxADU) {
		return middle
	}
	return 0
}

// lower takes the common mode off; in integers it is rounded, halves to even.
func (v view) lower(a area, by float64) {
	whole := int32(math.RoundToEven(by))
	for start := a.at; start < a.at+a.rows*a.stride; start += a.stride {
		if v.floats != nil {
			for i := range v.floats[start : start+a.cols] {
				v.floats[start+i] -= float32(by) // NaN stays what it is
			}
			continue
		}
		for i, x := range v.ints[start : start+a.cols] {
			if x != Bad16 && x != Switched16 {
				v.ints[start+i] = int16(max(Bad16+1, min(int32(x)-whole, Switched16)))
			}
		}
	}
}
