package correct

// Plain gives the same tables without assembly.
func (t *Tables) Plain() *Tables {
	p := *t
	p.segments = append([]segment(nil), t.segments...)
	for i := range p.segments {
		p.segments[i].vectors = false
	}
	return &p
}
