package correct

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// Geometry is a CrystFEL geometry file, as far as it says where pixels are: see crystfel_geometry(5).
type Geometry struct {
	Panels []Panel
	Bad    []BadRegion
	Energy float64 // of the photons, eV; 0 where the file does not say it, or leaves it to the data
}

// Panel is a rectangle of the data with pixels in rows and columns without gaps. Limits belong to it.
type Panel struct {
	Name                       string
	MinFS, MaxFS, MinSS, MaxSS int
	Index                      int        // of the stack of arrays that it is in; -1 where there is no stack
	FS, SS                     [3]float64 // step of a pixel along x, y and z, in pixels
	CornerX, CornerY           float64    // of the first pixel, in pixels from the beam
	Resolution                 float64    // pixels per metre
	CLen                       string     // camera length: a number, or where the data have it
	COffset                    float64    // m, added to it
}

// BadRegion is a rectangle of the data (of one panel, or of all) or of the laboratory (in pixels from the beam) whose
// pixels are bad.
type BadRegion struct {
	Name  string
	Panel string
	Lab   bool // the limits are those of x and y
	// MinFS to MaxSS, or MinX to MaxY.
	Min1, Max1, Min2, Max2 float64
}

// What a file may hold; it may come from anybody.
const (
	maxGeometryBytes = 16 << 20
	maxPanels        = 1 << 12
	maxCoordinate    = 1 << 20 // pixels
)

// geometryReader holds what has been read.
type geometryReader struct {
	g        Geometry
	defaults panelDraft // for panels that come later
	panels   map[string]int
	bad      map[string]int
	drafts   []panelDraft
	shift    [2]float64 // of the detector, m
}

// panelDraft is a panel and what was said of it so far.
type panelDraft struct {
	Panel
	given uint // bit i tells of required[i]
	dims  [8]string
}

// required is what each panel needs.
var required = []string{"min_fs", "max_fs", "min_ss", "max_ss", "corner_x", "corner_y", "fs", "ss", "res"}

// ParseGeometry reads the text of a geometry file. A value without a panel's name is for all panels that come later. What
// does not say where pixels are is passed over.
func ParseGeometry(text string) (*Geometry, error) {
	if len(text) > maxGeometryBytes {
		return nil, fmt.Errorf("geometry: %d bytes, and at most %d are read", len(text), maxGeometryBytes)
	}
	r := geometryReader{panels: map[string]int{}, bad: map[string]int{}}
	r.defaults.Resolution, r.defaults.Index = -1, -1
	line := 0
	for text := range strings.Lines(text) {
		line++
		text, _, _ = strings.Cut(text, ";")
		key, value, ok := strings.Cut(text, "=")
		if key, value = strings.TrimSpace(key), strings.TrimSpace(value); !ok {
			if key != "" {
				return nil, fmt.Errorf("geometry: line %d: %.40q is neither a comment nor NAME = VALUE", line, key)
			}
			continue
		}
		if err := r.set(key, value); err != nil {
			return nil, fmt.Errorf("geometry: line %d: %s = %.40q: %w", line, key, value, err)
		}
	}
	return r.finish()
}

func (r *geometryReader) set(key, value string) error {
	name, key, panel := cutLast(key)
	switch {
	case !panel && strings.HasPrefix(key, "detector_shift_"):
		return r.setShift(key, value)
	case strings.HasPrefix(name, "bad"):
		return r.setBad(name, key, value)
	case strings.HasPrefix(key, "rigid_group") || strings.HasPrefix(key, "group"):
		return nil
	case !panel:
		r.g.Energy = cmp.Or(energyOf(key, value), r.g.Energy)
		return r.defaults.set(key, value)
	}
	at, known := r.panels[name]
	if !known {
		if at = len(r.drafts); at == maxPanels {
			return fmt.Errorf("more than %d panels", maxPanels)
		}
		d := r.defaults
		d.Name = name
		r.panels[name], r.drafts = at, append(r.drafts, d)
	}
	return r.drafts[at].set(key, value)
}

// cutLast splits a panel's name off, which may itself have slashes.
func cutLast(key string) (name, rest string, found bool) {
	at := strings.LastIndexByte(key, '/')
	if at < 0 {
		return "", key, false
	}
	return key[:at], key[at+1:], true
}

// setShift takes a shift of the whole detector; one that is in the data of each event is not known here.
func (r *geometryReader) setShift(key, value string) error {
	if strings.HasPrefix(value, "/") {
		return nil
	}
	number, unit, _ := strings.Cut(value, " ")
	v, err := finite(number)
	switch unit = strings.TrimSpace(unit); {
	case err != nil:
		return err
	case unit == "mm":
		v /= 1000
	case unit != "" && unit != "m":
		return fmt.Errorf("the unit %q is neither m nor mm", unit)
	}
	switch key {
	case "detector_shift_x":
		r.shift[0] = v
	case "detector_shift_y":
		r.shift[1] = v
	}
	return nil
}

func (r *geometryReader) setBad(name, key, value string) error {
	at, known := r.bad[name]
	if !known {
		if at = len(r.g.Bad); at == maxPanels {
			return fmt.Errorf("more than %d bad regions", maxPanels)
		}
		all := math.Inf(1)
		r.bad[name] = at
		r.g.Bad = append(r.g.Bad, BadRegion{Name: name, Min1: -all, Max1: all, Min2: -all, Max2: all})
	}
	b := &r.g.Bad[at]
	if key == "panel" {
		b.Panel = value
		return nil
	}
	limit := map[string]*float64{"min_fs": &b.Min1, "max_fs": &b.Max1, "min_ss": &b.Min2, "max_ss": &b.Max2,
		"min_x": &b.Min1, "max_x": &b.Max1, "min_y": &b.Min2, "max_y": &b.Max2}[key]
	if limit == nil {
		return nil
	}
	v, err := finite(value)
	*limit, b.Lab = v, strings.HasSuffix(key, "x") || strings.HasSuffix(key, "y")
	return err
}

// set takes what is said of a panel. A key that says nothing of places is passed over.
func (d *panelDraft) set(key, value string) (err error) {
	whole := map[string]*int{"min_fs": &d.MinFS, "max_fs": &d.MaxFS, "min_ss": &d.MinSS, "max_ss": &d.MaxSS}
	numbers := map[string]*float64{"corner_x": &d.CornerX, "corner_y": &d.CornerY, "res": &d.Resolution}
	switch {
	case whole[key] != nil:
		*whole[key], err = coordinate(value)
	case numbers[key] != nil:
		*numbers[key], err = finite(value)
	case key == "fs":
		d.FS, err = direction(value)
	case key == "ss":
		d.SS, err = direction(value)
	case key == "clen":
		d.CLen = value
	case key == "coffset":
		d.COffset, _ = finite(value) // it may be a place in the data
	case len(key) == 4 && strings.HasPrefix(key, "dim") && key[3] >= '0' && key[3] <= '7':
		d.dims[key[3]-'0'] = value
	}
	if at := slices.Index(required, key); at >= 0 {
		d.given |= 1 << at
	}
	return err
}

// finish checks that all panels are known well enough.
func (r *geometryReader) finish() (*Geometry, error) {
	if len(r.drafts) == 0 {
		return nil, fmt.Errorf("geometry: there is no panel")
	}
	for i := range r.drafts {
		if err := r.drafts[i].check(); err != nil {
			return nil, fmt.Errorf("geometry: panel %s: %w", r.drafts[i].Name, err)
		}
		p := r.drafts[i].Panel
		p.CornerX += r.shift[0] * p.Resolution
		p.CornerY += r.shift[1] * p.Resolution
		r.g.Panels = append(r.g.Panels, p)
	}
	for _, b := range r.g.Bad {
		if _, known := r.panels[b.Panel]; b.Panel != "" && !known {
			return nil, fmt.Errorf("geometry: the bad region %s is on the panel %s, which there is not", b.Name, b.Panel)
		}
	}
	return &r.g, nil
}

func (d *panelDraft) check() error {
	for i, key := range required {
		if d.given&(1<<i) == 0 {
			return fmt.Errorf("%s is not given", key)
		}
	}
	if d.MaxFS < d.MinFS || d.MaxSS < d.MinSS {
		return fmt.Errorf("fs from %d to %d and ss from %d to %d hold no pixel", d.MinFS, d.MaxFS, d.MinSS, d.MaxSS)
	}
	if d.Resolution <= 0 {
		return fmt.Errorf("res = %g is not above 0", d.Resolution)
	}
	if d.FS[0]*d.SS[1] == d.FS[1]*d.SS[0] {
		return fmt.Errorf("fs and ss point the same way")
	}
	seen := false // ss comes before fs
	for _, dim := range d.dims {
		switch dim {
		case "ss":
			seen = true
		case "fs":
			if !seen {
				return fmt.Errorf("the data have fs before ss, which is not supported")
			}
		case "", "%":
		default:
			at, err := coordinate(dim)
			if err != nil {
				return fmt.Errorf("dim %.40q: %w", dim, err)
			}
			d.Index = at
		}
	}
	return nil
}

// finite reads a number.
func finite(text string) (float64, error) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil || math.IsNaN(v) || math.Abs(v) > 1e12 {
		return 0, fmt.Errorf("is no number that makes sense")
	}
	return v, nil
}

// coordinate reads a whole number of pixels, which some write with a point.
func coordinate(text string) (int, error) {
	v, err := finite(text)
	if err == nil && (v != math.Trunc(v) || v < 0 || v > maxCoordinate) {
		err = fmt.Errorf("is no whole number from 0 to %d", maxCoordinate)
	}
	return int(v), err
}

// direction reads a vector such as "-0.0057x +1.0y", "x" or "0.1x - y".
func direction(text string) (v [3]float64, err error) {
	rest := strings.Join(strings.Fields(text), "")
	if rest == "" {
		return v, fmt.Errorf("is no direction")
	}
	for rest != "" {
		at := strings.IndexAny(rest, "xyz")
		if at < 0 {
			return v, fmt.Errorf("%.20q has no x, y or z", rest)
		}
		number := rest[:at]
		switch number {
		case "", "+":
			number = "1"
		case "-":
			number = "-1"
		}
		n, err := finite(number)
		if err != nil || math.Abs(n) > 1e3 {
			return v, fmt.Errorf("%.20q is no number of pixels", number)
		}
		v[rest[at]-'x'] += n
		rest = rest[at+1:]
	}
	return v, nil
}
