package correct

// Behind tells whether the clipped mean of a whole segment leaves a pointer behind an array, where the collector may find
// it. It does nothing without AVX-512.
func (t *Tables) Behind(dst []float32, raw []uint16, segment int) bool {
	s := &t.segments[segment]
	var r rowBuffers
	b := banks{loop: s.loop(raw, 0)}
	b.begin(t, &r, perADU)
	b.ring = r.aligned()
	return b.clipped(s, dst, raw) > 0 && b.takesLow != nil
}
