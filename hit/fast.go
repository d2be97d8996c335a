package hit

// fast is peakfinder8 for those in a hurry: the same peaks as exact finds, to the last bit. What makes it fast:
//
//   - Frames are not corrected. One pass over raw pixels and pedestals compares blocks of pixels with the least limit of
//     their bins, and few pixels survive. Only these, and those around peaks, get a value.
//   - A pixel of another gain range survives by its range bits.
//   - The bins' sums are made of whole numbers, in vectors, of a sample or from tables of one pass; what would not fit
//     there is listed, and added by itself.
//
// Where the constants have a common mode, the same is done with what ADU16 gives; with calibrated pixels, with Values.
type fast struct {
	p          *Plan
	t          *fastPlan
	views      []view // of the segments of the frame
	thresholds *Thresholds
	ladder     []int16
	blocks     []int16 // the least limits of blocks, where many frames have the same ones; else the ladder tells
	sample     *sample
	all        *all

	room      *Room      // of calibrated pixels
	survivors []survivor // of the pass over a segment
	lit       []uint32   // blocks with pixels above their limits
	above     [][]uint32 // of each segment: a bit for each pixel above its limit that belongs to no group yet
	doubtful  []doubtful // pixels, in the order of the pass
	open      []bool     // bins that are listed in opened
	opened    []uint16
	values    ring
	pending   []pending
	stack     []uint32  // pixels of a group whose neighbours are still to be seen
	members   []uint32  // the first pixels of a group
	pieces    []sixteen // of a disc
	litOf     []int     // where each segment's begin in lit, and the end
}

func (p *Plan) newFast() *fast {
	t := p.fast()
	f := &fast{p: p, t: t, thresholds: newThresholds(p.Bins), ladder: t.ladder.room(), sample: newSample(p, t),
		survivors: make([]survivor, t.blocks), litOf: make([]int, p.Segments+1), open: make([]bool, p.Bins), values: newRing(p, t.vectors), members: make([]uint32, maxGroup),
		pending: make([]pending, 0, 64), pieces: make([]sixteen, 0, maxDisc*maxDisc/16)}
	if p.Config.Peakfinder8.Statistics == Full {
		f.all = newAll(p, t)
	}
	n := p.Pixels()
	for s := range p.Segments {
		v := view{Pixels: t.views[s], segment: s, bins: p.Bin[s*n : (s+1)*n], codes: t.codes[s], tables: p.Camera.Tables}
		if p.Config.Pixels == Calibrated {
			v.values = make([]int32, n)
		} else if p.Camera.Tables.CommonMode() {
			v.adu = make([]int16, n)
		}
		f.views = append(f.views, v)
		f.above = append(f.above, make([]uint32, t.blocks+2)) // what is read across a block's end is there
	}
	if p.Config.Pixels == Calibrated {
		f.room = p.NewRoom()
	}
	return f
}

// Find looks for the peaks of a frame.
func (f *fast) Find(frame *Frame, r *Result) {
	r.reset()
	t := f.thresholds
	if frame.Carried != nil {
		t = frame.Carried.thresholds(f.carry)
		f.load(frame)
		if f.blocks = t.blocks; f.blocks == nil { // another finder made them
			f.t.ladder.fill(f.ladder, t.Limit)
		}
		f.light(t.Limit, t.Limit, r)
	} else {
		f.load(frame)
		f.own(t)
		f.blocks = nil
		f.t.ladder.fill(f.ladder, t.Least)
		f.light(t.Least, t.Most, r)
		f.settle(t, r)
	}
	r.Summary.Background = t.background(f.p.step)
	f.group(t, r)
	r.decide(&f.p.Config, r.Summary.Peaks)
}

// own makes the thresholds of the frame itself.
func (f *fast) own(t *Thresholds) {
	if f.p.Config.Peakfinder8.Statistics == Full {
		f.full(t)
	} else {
		f.sampled(t)
	}
}

// carry makes the thresholds of a row.
func (f *fast) carry(first *Frame, t *Thresholds) {
	f.load(first)
	f.sampled(t)
	f.t.ladder.fill(f.ladder, t.Limit)
	t.blocks = f.t.leasts(f.ladder)
}

func (f *fast) load(frame *Frame) {
	for s := range frame.Raw {
		v := &f.views[s]
		v.raw = frame.Raw[s][:f.p.Pixels()]
		switch {
		case v.values != nil:
			f.p.Values(v.values, frame, s, f.room)
			v.note(f.room.adu)
		case v.adu != nil:
			v.tables.ADU16(v.adu, v.raw, s)
		}
	}
}
