package correct

import "math"

// What ADU16 gives where there is no number. A value that does not fit ends next to Bad16, or at Switched16.
const (
	Switched16 = math.MaxInt16 // in another gain range, or saturated: a candidate of every hit finder
	Bad16      = math.MinInt16 // masked, dead, or no measurement
)

// ADU16 gives ADU - pedestal - common mode of a segment, with the pedestal rounded. raw and dst have the pixels of a
// segment; less is a panic.
func (t *Tables) ADU16(dst []int16, raw []uint16, segment int) {
	s := &t.segments[segment]
	dst, raw = dst[:t.rows*t.cols], raw[:t.rows*t.cols]
	if t.common == nil {
		s.subtract(dst, raw, s.pedestal16)
		return
	}
	t.commonADU16(s, dst, raw)
}

func (s *segment) subtract(dst []int16, raw []uint16, pedestal []int16) {
	n := s.subtractVectors(dst, raw, pedestal)
	for i := n; i < len(raw); i++ {
		switch {
		case pedestal[i] == badPedestal:
			dst[i] = Bad16
		case raw[i]&s.codes[i&s.wrap] != 0:
			dst[i] = s.switched16(raw[i])
		default:
			dst[i] = s.difference(raw[i], pedestal[i])
		}
	}
}

func (s *segment) difference(raw uint16, pedestal int16) int16 {
	d := int32(raw&s.dataMask) - int32(s.bias) - int32(pedestal)
	return int16(max(Bad16+1, min(d, Switched16)))
}

func (s *segment) switched16(raw uint16) int16 {
	if s.pick[raw>>14] < 0 || s.special && (raw == rawG1Saturated || raw == rawError) {
		return Bad16
	}
	return Switched16
}
