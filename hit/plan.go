package hit

import (
	"errors"
	"fmt"
	"math"
	"sync"

	"drp/calib"
	"drp/calib/correct"
)

// Camera is what a plan needs to know of a detector.
type Camera struct {
	Tables   *correct.Tables
	Unit     calib.Unit        // of the constants
	Geometry *correct.Geometry // nil where there is none
	Numbers  []int             // of the segments in the geometry, in the order of the frames
}

// Panel is a rectangle of a segment with pixels that are neighbours of each other.
type Panel struct {
	Segment, Row, Col, Rows, Cols int
}

// Plan is all that finders know before they see a frame. It belongs to all of them, and nobody changes it.
type Plan struct {
	Config               Config
	Camera               Camera
	Segments, Rows, Cols int
	Panels               []Panel // in the order of the search
	Bins                 int
	// Bin is the bin of each pixel, (segments, rows, cols), with Unused set in those that are not used.
	Bin []uint16
	// Sample holds the pixels that stand for a bin in sampled statistics, those of bin b from SampleAt[b] to SampleAt[b+1].
	Sample   []uint32
	SampleAt []uint32
	// Ring holds the pixels of a bin, or 32768 of them, those of bin b from RingAt[b] to RingAt[b+1].
	Ring   []uint32
	RingAt []uint32
	// Pool is how many bins on each side lend a bin their samples' sums.
	Pool int

	regionOf []int // the segment of each region in frames, -1 if it is not there

	step float64          // of a value, in ADU or the constants' unit
	fast func() *fastPlan // of the fast finder, which are made when there is one
}

// Unused marks pixels that are not used.
const Unused = 1 << 15

// maxBins is as many as an entry of Bin can tell.
const maxBins = Unused

// perRing is how many pixels of a ring are in a sample, as CrystFEL and OM have it; perPanel of a panel that is a bin of
// its own. There are few of these, and nothing near lends them any.
const perRing, perPanel = 100, 1024

// pool is how many bins on each side of one lend it their samples' deviations. A hundred values alone tell one to 7 %.
const pool = 2

// NewPlan prepares the search. What is wrong with the configuration or does not fit the camera is an error.
func NewPlan(c Config, camera Camera) (*Plan, error) {
	if err := c.Check(); err != nil {
		return nil, err
	}
	p := &Plan{Config: c, Camera: camera, step: 1}
	if c.Pixels == Calibrated {
		p.step = stepOf(camera.Tables)
	}
	p.Segments, p.Rows, p.Cols = camera.Tables.Shape()
	if n := p.Segments * p.Rows * p.Cols; n < 1 || n > math.MaxInt32 || p.Rows > math.MaxUint16 || p.Cols > math.MaxUint16 {
		return nil, fmt.Errorf("hits: %d segments of %d x %d pixels cannot be searched", p.Segments, p.Rows, p.Cols)
	}
	radius, mask, err := p.place()
	if err != nil {
		return nil, err
	}
	if err := p.bin(radius, mask); err != nil {
		return nil, err
	}
	if err := errors.Join(p.fitRegions(), p.fitRadial(radius)); err != nil {
		return nil, err
	}
	if p.used() == 0 {
		return nil, fmt.Errorf("hits: no pixel is left: all are masked, on no panel, or outside of min_res and max_res")
	}
	if radius != nil { // else bins are panels
		p.Pool = pool
	}
	p.draw()
	p.list()
	p.fast = sync.OnceValue(p.newFastPlan)
	return p, nil
}

// Pixels is the number of pixels of a segment.
func (p *Plan) Pixels() int { return p.Rows * p.Cols }

// Step is the smallest difference of two values, in ADU or the unit of the constants.
func (p *Plan) Step() float64 { return p.step }

// place finds the panels, and how far pixels are from the beam; radius is nil where that is not known.
func (p *Plan) place() (radius []float32, mask []uint8, err error) {
	if n := len(p.Camera.Numbers); n != p.Segments && (n > 0 || p.Camera.Geometry != nil) {
		return nil, nil, fmt.Errorf("hits: the numbers %v are not those of %d segments", p.Camera.Numbers, p.Segments)
	}
	if g := p.Camera.Geometry; g != nil {
		layout, err := g.Layout(correct.Segments{Numbers: p.Camera.Numbers, Rows: p.Rows, Cols: p.Cols})
		if err != nil {
			return nil, nil, err
		}
		p.panelsOf(g)
		return layout.Radius(), layout.Mask(), nil
	}
	if err := p.cut(); err != nil {
		return nil, nil, err
	}
	center := p.Config.Center
	if !center.Given {
		return nil, nil, nil
	}
	if p.Segments != 1 {
		return nil, nil, fmt.Errorf("hits: center is for a detector of one segment, and this one has %d: give a geometry", p.Segments)
	}
	radius = make([]float32, p.Pixels())
	for i := range radius {
		radius[i] = float32(math.Hypot(float64(i/p.Cols)-center.Row, float64(i%p.Cols)-center.Col))
	}
	return radius, nil, nil
}

func (p *Plan) panelsOf(g *correct.Geometry) {
	for held, number := range p.Camera.Numbers {
		for i := range g.Panels {
			from, base := &g.Panels[i], 0
			if from.Index < 0 { // segments below each other, of which a panel may cover several
				base = number * p.Rows
			} else if from.Index != number {
				continue
			}
			first, last := max(from.MinSS-base, 0), min(from.MaxSS-base, p.Rows-1)
			if first <= last {
				p.Panels = append(p.Panels, Panel{held, first, from.MinFS, last - first + 1, from.MaxFS - from.MinFS + 1})
			}
		}
	}
}

// cut makes panels of equal size.
func (p *Plan) cut() error {
	rows, cols := p.Config.Panel[0], p.Config.Panel[1]
	if rows == 0 && cols == 0 {
		rows, cols = p.Rows, p.Cols
	}
	if rows < 1 || cols < 1 || p.Rows%rows != 0 || p.Cols%cols != 0 {
		return fmt.Errorf("hits: panels of %d x %d pixels do not fill a segment of %d x %d", rows, cols, p.Rows, p.Cols)
	}
	for s := range p.Segments {
		for row := 0; row < p.Rows; row += rows {
			for col := 0; col < p.Cols; col += cols {
				p.Panels = append(p.Panels, Panel{s, row, col, rows, cols})
			}
		}
	}
	return nil
}

// bin gives pixels their bins. Where no distance is known, each panel is a bin of its own.
func (p *Plan) bin(radius []float32, mask []uint8) error {
	n, c := p.Pixels(), &p.Config
	p.Bin = make([]uint16, p.Segments*n)
	for i := range p.Bin {
		p.Bin[i] = Unused
	}
	good := make([]uint8, n)
	for at := range p.Panels {
		panel := &p.Panels[at]
		p.Camera.Tables.Mask(good, panel.Segment)
		for row := panel.Row; row < panel.Row+panel.Rows; row++ {
			for col := panel.Col; col < panel.Col+panel.Cols; col++ {
				i := row*p.Cols + col
				all := panel.Segment*n + i
				bin, r := at, math.Inf(1)
				if radius != nil {
					r = float64(radius[all])
					ring := math.RoundToEven(r)
					if !(ring < maxBins) { // nor is it a number, where places of a geometry are too large for one
						return fmt.Errorf("hits: there are pixels %g pixels from the beam, and at most %d are possible: look at the geometry, or at center", ring, maxBins-1)
					}
					bin = int(ring)
				} else if bin >= maxBins {
					return fmt.Errorf("hits: there are more than %d panels", maxBins)
				}
				p.Bins = max(p.Bins, bin+1)
				p.Bin[all] = uint16(bin)
				if good[i] == 0 || mask != nil && mask[all] == 0 || radius != nil && (r <= c.MinRes && c.MinRes > 0 || c.MaxRes > 0 && r >= c.MaxRes) {
					p.Bin[all] |= Unused
				}
			}
		}
	}
	if radius == nil && (c.MinRes > 0 || c.MaxRes > 0) {
		return fmt.Errorf("hits: min_res and max_res need a geometry, or the center for a detector of one segment")
	}
	return nil
}

// rings tells whether bins are rings around the beam; else they are panels.
func (p *Plan) rings() bool { return p.Pool > 0 }

func (p *Plan) used() (n int) {
	for _, b := range p.Bin {
		if b < Unused {
			n++
		}
	}
	return n
}
