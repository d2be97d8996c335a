package correct

// Conversion is how the raw pixels of a segment become ADU16 and FirstRangeADU, for those who do it elsewhere than on the
// CPU. Its arrays belong to the tables, and are only read.
type Conversion struct {
	Pedestal       []int16 // rounded, less Bias; BadPedestal16 in bad pixels
	Bias, DataMask uint16
	Codes          []uint16 // the bits of raw pixel i that tell of another range, at i & Wrap
	Wrap           int
	Special        bool    // JUNGFRAU's special codes mean something
	Pick           [4]int8 // the range by the two highest bits of a raw pixel that has such a bit; -1 is bad
	Pedestals      [][]float32
	Factors        [][]float32 // both by range
}

// BadPedestal16 is the pedestal of bad pixels.
const BadPedestal16 = badPedestal

// Conversion gives that of a segment. It says nothing of a common mode.
func (t *Tables) Conversion(segment int) Conversion {
	s := &t.segments[segment]
	c := Conversion{Pedestal: s.pedestal16, Bias: s.bias, DataMask: s.dataMask, Codes: s.codes, Wrap: s.wrap, Special: s.special,
		Pick: s.pick}
	for _, r := range s.ranges {
		c.Pedestals, c.Factors = append(c.Pedestals, r.pedestal), append(c.Factors, r.factor)
	}
	return c
}

// HasCommonMode tells whether pixels are corrected for one.
func (t *Tables) HasCommonMode() bool { return t.common != nil }
