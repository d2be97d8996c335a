package hit

import "drp/calib/correct"

// view is a segment of a frame.
type view struct {
	correct.Pixels
	segment  int
	bins     []uint16
	raw      []uint16
	codes    []uint16 // of blocks
	adu      []int16  // less common mode; nil where there is none
	values   []int32  // calibrated; nil where pixels are in ADU
	tables   *correct.Tables
	switched uint32 // pixels, where they are known before
	none     zeros
}

// zeros are the pedestals and codes of the pixels of a block that have none any more. Nobody writes to them.
type zeros struct {
	pedestals [blockPixels]int16
	codes     [blockPixels]uint16
}

// adu16 is what ADU16 gives for a pixel.
func (v *view) adu16(i int) int16 {
	if v.adu != nil {
		return v.adu[i]
	}
	raw, pedestal := v.raw[i], v.Pedestal[i]
	switch {
	case pedestal == correct.BadPedestal:
		return correct.Bad16
	case raw&v.Codes[i&v.Wrap] != 0:
		return v.tables.Switched(v.segment, raw)
	}
	return int16(max(correct.Bad16+1, min(int32(raw&v.DataMask)-int32(v.Bias)-int32(pedestal), correct.Switched16)))
}

// value is the value of a pixel, as Values has it.
func (v *view) value(i int) int32 {
	if v.values != nil {
		return v.values[i]
	}
	switch d := v.adu16(i); d {
	case correct.Bad16:
		return Bad
	case correct.Switched16:
		return whole(v.tables.FirstRangeADU(v.segment, i, v.raw[i]))
	default:
		return int32(d)
	}
}

// note counts the pixels that switched.
func (v *view) note(adu []int16) {
	v.switched = 0
	for i, d := range adu {
		if d == correct.Switched16 && v.bins[i] < Unused {
			v.switched++
		}
	}
}
