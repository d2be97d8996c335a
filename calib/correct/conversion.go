package correct

// Conversion is, beside what Pixels tell, how raw pixels of a segment become what FirstRangeADU gives, for those who do it
// elsewhere than on the CPU. Its arrays belong to the tables, and are only read.
type Conversion struct {
	Pixels
	Special   bool    // JUNGFRAU's special codes mean something
	Pick      [4]int8 // the range by the two highest bits of a raw pixel that has bits of Codes; -1 is bad
	Pedestals [][]float32
	Factors   [][]float32 // both by range
}

// Conversion gives that of a segment.
func (t *Tables) Conversion(segment int) Conversion {
	s := &t.segments[segment]
	c := Conversion{Pixels: t.Pixels(segment), Special: s.special, Pick: s.pick}
	for _, r := range s.ranges {
		c.Pedestals, c.Factors = append(c.Pedestals, r.pedestal), append(c.Factors, r.factor)
	}
	return c
}
