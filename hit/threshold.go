package hit

import "math"

// threshold counts the pixels above a value.
type threshold struct {
	p     *Plan
	field *field
	limit int32
}

func (p *Plan) newThreshold() *threshold {
	return &threshold{p: p, field: p.newField(), limit: clamp(math.Floor(p.Config.Threshold.Above / p.step))}
}

// Find counts the pixels of a frame.
func (t *threshold) Find(f *Frame, r *Result) {
	r.reset()
	for s := range t.p.Segments {
		t.field.load(f, s)
		r.Summary.Pixels += uint32(t.field.above(t.limit))
		r.Summary.Switched += uint32(t.field.switched)
	}
	r.decide(&t.p.Config, r.Summary.Pixels)
}
