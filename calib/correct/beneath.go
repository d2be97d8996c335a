package correct

import "drp/calib"

// beneath is what is known of the pixels that the mask leaves out and nothing else does.
type beneath struct {
	tables *Tables
	at     []uint32
}

// Beneath gives the tables of the pixels that only the mask leaves out, as the one row of a camera that has no mask and no
// common mode, and which pixels of all segments these are, in order; nil and none where there is none. They are what a
// finder needs that was made for images with values below the mask.
func (t *Tables) Beneath() (*Tables, []uint32) { return t.beneath.tables, t.beneath.at }

// uncover collects them from the builders of the segments.
func (t *Tables) uncover(all []builder) {
	if len(all) == 0 || all[0].set.Mask == nil {
		return
	}
	var words []uint8
	var from []origin
	for k := range all {
		b := &all[k]
		for i := range b.n {
			if b.set.Mask[b.at*b.n+i] != 0 || !b.sound(i, 0) {
				continue
			}
			t.beneath.at = append(t.beneath.at, uint32(b.at*b.n+i))
			from = append(from, origin{b, i})
			if b.words != nil {
				words = append(words, b.words[i])
			}
		}
	}
	if len(from) == 0 {
		return
	}
	set := &calib.Set{Detector: all[0].set.Detector, Model: all[0].set.Model, Unit: all[0].set.Unit, Serials: []string{"masked"},
		Rows: 1, Cols: len(from)}
	for r := range all[0].set.Ranges() {
		for _, p := range from {
			at := p.b.index(p.i, r)
			set.Pedestals, set.Gains = append(set.Pedestals, p.b.set.Pedestals[at]), append(set.Gains, p.b.set.Gains[at])
			if p.b.set.Status != nil {
				set.Status = append(set.Status, p.b.set.Status[at])
			}
		}
	}
	one := builder{set: set, model: &t.model, n: len(from), words: words, room: newRoom(set, false)}
	t.beneath.tables = &Tables{rows: 1, cols: len(from), model: t.model, segments: []segment{one.build(false)}}
}

// origin is a pixel of a segment.
type origin struct {
	b *builder
	i int
}
