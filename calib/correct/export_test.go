package correct

// Plain gives the same tables without assembly.
func (t *Tables) Plain() *Tables {
	p := *t
	p.segments = append([]segment(nil), t.segments...)
	for i := range p.segments {
		p.segments[i].vectors, p.segments[i].wide = false, false
	}
	return &p
}

// Narrow gives the same tables without AVX-512.
func (t *Tables) Narrow() *Tables {
	p := *t
	p.segments = append([]segment(nil), t.segments...)
	for i := range p.segments {
		p.segments[i].wide = false
	}
	return &p
}
