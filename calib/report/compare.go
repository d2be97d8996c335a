package report

import (
	"fmt"
	"math"
	"slices"

	"drp/calib"
)

// Comparison is how two sets differ.
type Comparison struct {
	Fields   []string     `json:"fields"`   // "first run: 1 and 5"
	Segments []string     `json:"segments"` // that both have, of which the arrays are compared
	Arrays   []Difference `json:"arrays"`   // that differ, by gain range
}

// Difference is that of one array in one gain range.
type Difference struct {
	Array  string  `json:"array"`
	Range  string  `json:"range,omitempty"`
	Pixels int     `json:"pixels"` // that differ
	Of     int     `json:"of"`
	Median float64 `json:"median"` // of the differences of these, without sign; of finite ones
	Max    float64 `json:"max"`
	Where  string  `json:"where"`          // the largest one is
	NaN    int     `json:"nan"`            // of the pixels, those that are a finite number in one set only
	Only   string  `json:"only,omitempty"` // "first" or "second", of an array that the other has not got
}

// Same tells that nothing differs.
func (c *Comparison) Same() bool { return len(c.Fields) == 0 && len(c.Arrays) == 0 }

// Compare compares two sets, array by array in the segments that both have. Sets of different kinds of detectors, and
// those without a common segment, differ in their fields only.
func Compare(a, b *calib.Set) *Comparison {
	c := &Comparison{Fields: []string{}, Segments: []string{}, Arrays: []Difference{}}
	field := func(name string, x, y any) {
		if x, y := fmt.Sprint(x), fmt.Sprint(y); x != y {
			c.Fields = append(c.Fields, fmt.Sprintf("%s: %s and %s", name, x, y))
		}
	}
	field("detector", a.Detector, b.Detector)
	field("type", a.Model, b.Model)
	field("segments", calib.Serial(a.Serials), calib.Serial(b.Serials))
	field("first run", a.FirstRun, b.FirstRun)
	field("last run", a.LastRun, b.LastRun)
	field("unit", a.Unit, b.Unit)
	field("size", fmt.Sprintf("%d x %d", a.Rows, a.Cols), fmt.Sprintf("%d x %d", b.Rows, b.Cols))
	field("common mode", commonMode(a.CommonMode), commonMode(b.CommonMode))
	if a.Geometry != b.Geometry {
		c.Fields = append(c.Fields, fmt.Sprintf("geometry: %d and %d characters", len(a.Geometry), len(b.Geometry)))
	}
	if a.Geometry != "" && b.Geometry != "" && a.Places != nil && b.Places != nil {
		field("places in the geometry", a.Places, b.Places)
	}
	for _, id := range a.Serials {
		if slices.Contains(b.Serials, id) {
			c.Segments = append(c.Segments, id)
		}
	}
	if a.Ranges() != b.Ranges() || a.Rows != b.Rows || a.Cols != b.Cols || len(c.Segments) == 0 {
		return c
	}
	x, y := a.Subset(c.Segments), b.Subset(c.Segments)
	compare(c, x, pair[float32]{"pedestals", x.Pedestals, y.Pedestals})
	compare(c, x, pair[float32]{"gains", x.Gains, y.Gains})
	compare(c, x, pair[float32]{"rms", x.RMS, y.RMS})
	compare(c, x, pair[uint16]{"status", x.Status, y.Status})
	compare(c, x, pair[uint8]{"mask", x.Mask, y.Mask})
	return c
}

func commonMode(c *calib.CommonMode) string {
	if c == nil {
		return "none"
	}
	return c.String()
}

type pair[T float32 | uint16 | uint8] struct {
	name string
	a, b []T
}

func compare[T float32 | uint16 | uint8](c *Comparison, s *calib.Set, p pair[T]) {
	switch {
	case len(p.a) == 0 && len(p.b) == 0:
		return
	case len(p.b) == 0:
		c.Arrays = append(c.Arrays, Difference{Array: p.name, Only: "first"})
		return
	case len(p.a) == 0:
		c.Arrays = append(c.Arrays, Difference{Array: p.name, Only: "second"})
		return
	}
	model := calib.ModelOf(s.Model)
	per := len(s.Serials) * s.SegmentPixels()
	for r := range len(p.a) / per {
		d := Difference{Array: p.name, Of: per}
		if len(p.a) > per || len(model.Ranges) == 1 && p.name != "mask" {
			d.Range = model.Ranges[r]
		}
		d.measure(s, floats64(p.a[r*per:(r+1)*per]), floats64(p.b[r*per:(r+1)*per]))
		if d.Pixels > 0 {
			c.Arrays = append(c.Arrays, d)
		}
	}
}

func floats64[T float32 | uint16 | uint8](values []T) []float64 {
	all := make([]float64, len(values))
	for i, v := range values {
		all[i] = float64(v)
	}
	return all
}

// measure compares values; two that are no number are alike.
func (d *Difference) measure(s *calib.Set, a, b []float64) {
	var differences []float64
	largest := -1.0
	for i := range a {
		if a[i] == b[i] || math.IsNaN(a[i]) && math.IsNaN(b[i]) {
			continue
		}
		d.Pixels++
		by := math.Abs(a[i] - b[i])
		if math.IsNaN(by) || math.IsInf(by, 0) {
			by = 0
			d.NaN++
		} else {
			differences = append(differences, by)
		}
		if by > largest {
			largest = by
			n := s.SegmentPixels()
			d.Where = fmt.Sprintf("segment %s row %d column %d: %g and %g", s.Serials[i/n], i%n/s.Cols, i%s.Cols, a[i], b[i])
		}
	}
	if len(differences) > 0 {
		slices.Sort(differences)
		d.Median, d.Max = differences[len(differences)/2], differences[len(differences)-1]
	}
}
