package drp

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"unsafe"

	"drp/calib"
	"drp/calib/correct"
	"drp/xtc"
)

// camera is a detector with raw pixels, as the Configure that holds has it, and what its pixels are corrected with. Only
// the dispatcher changes it, while all workers are idle.
type camera struct {
	name    string
	detType string
	names   []*xtc.Names // of its raw data, by segment
	serials []string     // of its segments
	numbers []int        // of these in the detector
	configs []correct.Config

	ready         // its set lies in memory that all processes share; nil when there is none for this run
	reason string // why there is no set
}

// camerasOf finds the detectors with raw pixels in a Configure.
func camerasOf(t *xtc.Table, d xtc.Dgram) []*camera {
	var all []*camera
	for _, n := range t.All() {
		i := n.Index("raw")
		if n.Alg != "raw" || i < 0 || n.Entries[i].Type != xtc.UInt16 || n.Entries[i].Rank < 2 || n.Entries[i].Rank > 3 {
			continue
		}
		at := slices.IndexFunc(all, func(c *camera) bool { return c.name == n.DetName })
		if at < 0 {
			at = len(all)
			all = append(all, &camera{name: n.DetName, detType: n.DetType})
		}
		all[at].names = append(all[at].names, n)
	}
	for _, c := range all {
		slices.SortStableFunc(c.names, func(a, b *xtc.Names) int { return int(a.Segment) - int(b.Segment) })
		for _, n := range c.names {
			for k, id := range serialsOf(n) {
				c.serials, c.numbers = append(c.serials, id), append(c.numbers, int(n.Segment)+k)
			}
		}
		c.tellApart()
		c.configure(t, d)
	}
	return all
}

// tellApart adds the numbers of segments to ids that are not unique.
func (c *camera) tellApart() {
	unique := map[string]bool{}
	for _, id := range c.serials {
		unique[id] = true
	}
	for i := 0; len(unique) < len(c.serials) && i < len(c.serials); i++ {
		c.serials[i] += "-" + strconv.Itoa(c.numbers[i])
	}
}

var notInSerials = regexp.MustCompile(`[^A-Za-z0-9_-]`)

// serialsOf gives the ids of the segments that a Names describes. One that has several panels has their ids joined by
// '_', as psana does it; one without an id goes by its number.
func serialsOf(n *xtc.Names) []string {
	id := notInSerials.ReplaceAllString(n.DetID, "-")
	if strings.Trim(id, "-_") == "" {
		return []string{strconv.Itoa(int(n.Segment))}
	}
	if n.Entries[n.Index("raw")].Rank == 3 {
		return strings.Split(id, "_")
	}
	return []string{id}
}

// configure takes the configuration of the pixels from a transition, where it brings any; it tells whether it changed.
func (c *camera) configure(t *xtc.Table, d xtc.Dgram) (changed bool) {
	for it := t.Blocks(d); it.Next(); {
		b := it.Block()
		at := slices.IndexFunc(c.names, func(n *xtc.Names) bool { return n.Segment == b.Names.Segment })
		if b.Names.DetName != c.name || b.Names.Alg != "config" || at < 0 {
			continue
		}
		pixels, ok := b.FieldNamed("asicPixelConfig")
		bits, also := b.FieldNamed("trbit")
		if !ok || !also || pixels.Type != xtc.UInt8 || bits.Type != xtc.UInt8 {
			continue
		}
		next := correct.Config{Pixels: slices.Clone(pixels.Data)}
		copy(next.TRBits[:], bits.Data)
		if c.configs == nil {
			c.configs = make([]correct.Config, len(c.names))
		}
		if !bytes.Equal(next.Pixels, c.configs[at].Pixels) || next.TRBits != c.configs[at].TRBits {
			c.configs[at], changed = next, true
		}
	}
	return changed
}

// ready is constants that a camera can use, with what its pixels are corrected with.
type ready struct {
	set      *calib.Set
	tables   *correct.Tables
	geometry *correct.Geometry // nil without one
	layout   *correct.Layout   // the same
	places   []int             // of the segments in the geometry, by number; those in the detector without one

	noImage string // why there is no layout in spite of a geometry
}

// suits tells whether a set is of this camera, and reduces it. The mask then says for every pixel whether it can be used.
func (c *camera) suits(s *calib.Set) (ready, error) {
	refuse := func(format string, args ...any) (ready, error) {
		return ready{}, &calib.RefusedError{Detector: c.name, Reason: fmt.Sprintf(format, args...)}
	}
	switch {
	case s.Detector != c.name:
		return refuse("they are those of %s", s.Detector)
	case calib.ModelOf(s.Model).Name != calib.ModelOf(c.detType).Name:
		return refuse("they are of the type %s, and the data of the type %s", s.Model, c.detType)
	case !slices.Equal(s.Serials, c.serials):
		return refuse("they are of the segments %s, and the data of %s", calib.Serial(s.Serials), calib.Serial(c.serials))
	}
	tables, err := correct.NewTables(s, c.configs)
	if err != nil {
		return refuse("%v", err)
	}
	got := ready{set: s, tables: tables, places: c.numbers}
	if s.Geometry != "" {
		if err := got.place(); err != nil { // pixels can be corrected without it
			got.noImage = err.Error()
		}
	}
	whole, n := *s, s.SegmentPixels()
	whole.Mask = make([]uint8, len(s.Serials)*n)
	for i := range s.Serials {
		tables.Mask(whole.Mask[i*n:(i+1)*n], i)
	}
	whole.Seal()
	got.set = &whole
	return got, nil
}

// place finds the places of the pixels by the geometry.
func (r *ready) place() error {
	g, err := correct.ParseGeometry(r.set.Geometry)
	if err != nil {
		return err
	}
	r.geometry = g
	numbers, err := g.NumbersOf(r.set)
	if err != nil {
		return err
	}
	r.places = numbers
	r.layout, err = g.Layout(correct.Segments{Numbers: numbers, Rows: r.set.Rows, Cols: r.set.Cols})
	return err
}

// drop forgets the constants.
func (c *camera) drop(reason string) { c.ready, c.reason = ready{}, reason }

// calibMaker makes the corrected pixels of a camera.
type calibMaker struct {
	c     *camera
	table *xtc.Table
}

func (m *calibMaker) shape() [3]int {
	segments, rows, cols := m.c.tables.Shape()
	return [3]int{segments, rows, cols}
}

func (m *calibMaker) make(dst []float32, d xtc.Dgram) (there bool) {
	segments, rows, cols := m.c.tables.Shape()
	n := rows * cols
	done := 0
	for it := m.table.Blocks(d); it.Next(); {
		b := it.Block()
		at := slices.Index(m.c.names, b.Names)
		if at < 0 {
			continue
		}
		raw, ok := b.FieldNamed("raw")
		if !ok {
			continue
		}
		panels := len(raw.Data) / (2 * n)
		if len(m.c.names) == segments {
			panels = min(panels, 1)
		} else {
			at = 0 // one Names for all panels
		}
		if len(raw.Data) != 2*n*max(panels, 1) || at+panels > segments {
			continue // of another shape than the constants
		}
		for k := range panels {
			pixels := words(raw.Data[2*n*k : 2*n*(k+1)])
			m.c.tables.Float32(dst[(at+k)*n:(at+k+1)*n], pixels, at+k)
		}
		done += panels
	}
	if done < segments {
		m.clearMissing(dst, d)
	}
	return done > 0
}

// clearMissing clears the segments that an event lacks: what lies there is of another event.
func (m *calibMaker) clearMissing(dst []float32, d xtc.Dgram) {
	segments, rows, cols := m.c.tables.Shape()
	there := make([]bool, segments)
	for it := m.table.Blocks(d); it.Next(); {
		if at := slices.Index(m.c.names, it.Block().Names); at >= 0 && len(m.c.names) == segments {
			if raw, ok := it.Block().FieldNamed("raw"); ok && len(raw.Data) == 2*rows*cols {
				there[at] = true
			}
		}
	}
	for i, ok := range there {
		if !ok {
			clear(dst[i*rows*cols : (i+1)*rows*cols])
		}
	}
}

// words views the bytes of a uint16 array. Data in a datagram may lie at any address.
func words(b []byte) []uint16 {
	if uintptr(unsafe.Pointer(&b[0]))%2 == 0 {
		return unsafe.Slice((*uint16)(unsafe.Pointer(&b[0])), len(b)/2)
	}
	w := make([]uint16, len(b)/2)
	for i := range w {
		w[i] = binary.LittleEndian.Uint16(b[2*i:])
	}
	return w
}

// imageMaker assembles the corrected pixels of a camera to a picture. Several workers do so at the same time.
type imageMaker struct {
	calibMaker
	pixels sync.Pool // of *[]float32
}

func (m *imageMaker) shape() [3]int {
	rows, cols := m.c.layout.Shape()
	return [3]int{1, rows, cols}
}

func (m *imageMaker) make(dst []float32, d xtc.Dgram) (there bool) {
	segments, rows, cols := m.c.tables.Shape()
	pixels, _ := m.pixels.Get().(*[]float32)
	if pixels == nil {
		made := make([]float32, segments*rows*cols)
		pixels = &made
	}
	there = m.calibMaker.make(*pixels, d)
	m.c.layout.Image(dst, *pixels)
	m.pixels.Put(pixels)
	return there
}

// maker gives what makes a kind of corrected data of a camera.
func (c *camera) maker(kind uint32, table *xtc.Table) (maker, error) {
	switch {
	case c.set == nil:
		return nil, fmt.Errorf("pixels of %s cannot be corrected: %s", c.name, c.reason)
	case kind == wantImage && c.noImage != "":
		return nil, fmt.Errorf("the geometry of %s does not fit its pixels: %s", c.name, c.noImage)
	case kind == wantImage && c.layout == nil:
		return nil, fmt.Errorf("the constants of %s have no geometry, so there is no image: put one with drp calib put "+
			"--geometry", c.name)
	case kind == wantImage:
		return &imageMaker{calibMaker: calibMaker{c, table}}, nil
	case kind == wantCalib:
		return &calibMaker{c, table}, nil
	}
	return nil, fmt.Errorf("drp makes nothing of kind %d", kind)
}
