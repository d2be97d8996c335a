package hit

import "fmt"

// guarded is a finder whose frames have the size they must have, and whose results have the summaries too.
type guarded struct {
	p         *Plan
	finder    Finder
	summaries *Summaries
}

func (p *Plan) guard(finder Finder) Finder { return &guarded{p, finder, p.NewSummaries()} }

// Find fills a result.
func (g *guarded) Find(f *Frame, r *Result) {
	g.p.must(f)
	g.finder.Find(f, r)
	g.summaries.Add(f, r)
}

// Summaries are what is told of a frame whatever is found in it: the sums of regions, and the radial profile. NewFinder's
// finders have them; others, as those of a GPU, add them. They belong to one goroutine.
type Summaries struct {
	field   *field      // nil where nothing is summed up
	regions *regionSums // nil without regions
	profile *profile    // nil without profiles
}

// NewSummaries prepares those that the configuration asks for.
func (p *Plan) NewSummaries() *Summaries {
	s := &Summaries{}
	if len(p.Config.Regions) > 0 {
		s.regions = p.newRegionSums()
	}
	if p.Config.Radial.Every > 0 {
		s.profile = p.newProfile()
	}
	if s.regions != nil || s.profile != nil {
		s.field = p.newField()
	}
	return s
}

// Add adds them to the result of a frame, which fits the plan.
func (s *Summaries) Add(f *Frame, r *Result) {
	if s.regions != nil {
		s.regions.add(s.field, f, r)
	}
	if s.profile != nil {
		s.profile.add(s.field, f, r)
	}
}

// Fits tells what is wrong with the size of a frame. Frames come from outside: whoever takes them in asks, since a finder
// panics instead of reading what is not there.
func (p *Plan) Fits(f *Frame) error {
	if len(f.Raw) != p.Segments {
		return fmt.Errorf("hits: a frame has %d segments, and the constants are for %d", len(f.Raw), p.Segments)
	}
	for s, raw := range f.Raw {
		if len(raw) != p.Pixels() {
			return fmt.Errorf("hits: segment %d of a frame has %d pixels, and the constants are for %d x %d", s, len(raw), p.Rows, p.Cols)
		}
	}
	return nil
}

func (p *Plan) must(f *Frame) {
	if err := p.Fits(f); err != nil {
		panic(err)
	}
}
