package hit

import "math"

// threshold counts the pixels above a value.
type threshold struct {
	p     *Plan
	field *field
	limit int64
}

func (p *Plan) newThreshold() *threshold {
	return &threshold{p: p, field: p.newField(), limit: int64(math.Floor(p.Config.Threshold.Above / p.step))}
}

// Find counts the pixels of a frame.
func (t *threshold) Find(f *Frame, r *Result) {
	r.reset()
	for s := range t.p.Segments {
		t.field.load(f, s)
		for k := range t.field.stretches() {
			r.Summary.Pixels += uint32(len(t.field.above(k, t.limit, r)))
		}
	}
	r.decide(&t.p.Config, r.Summary.Pixels)
}
