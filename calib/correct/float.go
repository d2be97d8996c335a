package correct

// Saturated is what a saturated JUNGFRAU pixel becomes, as in jungfraujoch's conversion.
const Saturated = 32678

// Raw pixels of a JUNGFRAU that are no measurement.
const (
	rawSaturated   = 0xC000
	rawG1Saturated = 0x4000
	rawError       = 0xFFFF
)

// Float32 gives the calibrated pixels of a segment, (ADU - pedestal - common mode) / gain in the gain range of each
// pixel. Masked and dead pixels are 0, and so are raw pixels that are no measurement, but for those that are Saturated.
// raw and dst have the pixels of a segment; less is a panic.
func (t *Tables) Float32(dst []float32, raw []uint16, segment int) {
	s := &t.segments[segment]
	dst, raw = dst[:t.rows*t.cols], raw[:t.rows*t.cols]
	if t.common == nil {
		s.convert(dst, raw)
		return
	}
	t.commonFloat32(s, dst, raw)
}

func (s *segment) convert(dst []float32, raw []uint16) {
	n := s.convertVectors(dst, raw)
	for i := n; i < len(raw); i++ {
		dst[i] = s.value(i, raw[i])
	}
}

// Few gives some pixels of a segment, from at on, as Float32 gives all of them: for who goes on with them at once, since they stay in
// the caches. A common mode is of all pixels, and not taken off; see CommonMode.
func (t *Tables) Few(dst []float32, raw []uint16, segment, at int) {
	s := &t.segments[segment]
	dst = dst[:len(raw)]
	for i := s.fewVectors(dst, raw, at); i < len(raw); i++ {
		dst[i] = s.value(at+i, raw[i])
	}
}

// switched converts a pixel whose range bits are set.
func (s *segment) switched(i int, raw uint16) float32 {
	if s.special {
		switch raw {
		case rawSaturated:
			if s.pedestal16[i] == badPedestal {
				return 0
			}
			return Saturated
		case rawG1Saturated, rawError:
			return 0
		}
	}
	at := s.pick[raw>>14]
	if at < 0 {
		return 0
	}
	r := &s.ranges[at]
	return (float32(raw&s.dataMask) - r.pedestal[i]) * r.factor[i]
}

// value converts any pixel, without common mode.
func (s *segment) value(i int, raw uint16) float32 {
	if raw&s.codes[i&s.wrap] != 0 {
		return s.switched(i, raw)
	}
	return (float32(raw&s.dataMask) - s.ranges[0].pedestal[i]) * s.ranges[0].factor[i]
}
