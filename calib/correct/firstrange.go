package correct

// FirstRangeADU gives how many ADU more than its pedestal a pixel would have had in the first gain range, without common
// mode: its calibrated value divided by the factor of that range. Bad pixels have 0.
func (t *Tables) FirstRangeADU(segment, i int, raw uint16) float64 {
	s := &t.segments[segment]
	if s.pedestal16[i] == badPedestal {
		return 0
	}
	return float64(s.value(i, raw)) / float64(s.ranges[0].factor[i])
}
