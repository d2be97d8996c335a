package hit

// Exact gives tests the definition.
type Exact = exact

// NewExact makes one.
func (p *Plan) NewExact() *Exact { return p.newExact() }

// SetValues replaces the values of the pixels.
func (e *exact) SetValues(at int, unit float64) { e.values[at] = whole(unit / e.p.step) }

// Load computes the values of a frame, and Search finds the peaks in them.
func (e *exact) Load(f *Frame) { e.load(f) }

// Search finds the peaks in the values.
func (e *exact) Search(r *Result) {
	e.own()
	e.search(r)
}

// NewDroplets gives tests the finder of droplets.
//
//revive:disable-next-line:unexported-return
func (p *Plan) NewDroplets() *droplets { return p.newDroplets() }

// Load computes the values of a frame of one segment; they can then be replaced.
func (d *droplets) Load(f *Frame) { d.field.load(f, 0) }

// SetValues replaces the value of a pixel.
func (d *droplets) SetValues(at int, unit float64) { d.field.values[at] = whole(unit / d.p.step) }

// Search finds the droplets in the values.
func (d *droplets) Search(r *Result) {
	r.reset()
	d.search(r)
}

// Mask makes pixels unused that have values all the same, as a geometry does. 1 is good.
func (p *Plan) Mask(mask []uint8) {
	for i, good := range mask {
		if good == 0 {
			p.Bin[i] |= Unused
		}
	}
}

// Plain makes the fast finder without assembly, and Narrow that without AVX-512, where the machine has it.
func (p *Plan) Plain() Finder  { return p.newFastWith(noVectors) }
func (p *Plan) Narrow() Finder { return p.newFastWith(min(machine(), avx2)) }

func (p *Plan) newFastWith(v vectors) Finder {
	own, plan := *p.fast(), *p
	own.vectors = v
	plan.fast = func() *fastPlan { return &own }
	return plan.newFast()
}

// Unuse makes one such.
func (p *Plan) Unuse(i int) { p.Bin[i] |= Unused }

// Slower makes the configured finder without AVX-512, or without assembly at all.
func (p *Plan) Slower(plain bool) Finder {
	with := min(machine(), avx2)
	if plain {
		with = noVectors
	}
	g := p.NewFinder().(*guarded)
	switch f := g.finder.(type) {
	case *droplets:
		f.field.with = with
	case *photons:
		f.field.with = with
	case *threshold:
		f.field.with = with
	default:
		g.finder = p.newFastWith(with)
	}
	return g
}
