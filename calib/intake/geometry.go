package intake

import (
	"fmt"
	"os"

	"drp/calib"
	"drp/calib/correct"
)

// maxGeometryBytes is more than the geometry of any detector has.
const maxGeometryBytes = 3 << 20

func readGeometry(path string) (string, error) {
	info, err := os.Stat(path)
	if err != nil {
		return "", fmt.Errorf("geometry: %w", err)
	}
	if info.Size() > maxGeometryBytes {
		return "", fmt.Errorf("geometry: %s has %d bytes, and %d are allowed", path, info.Size(), maxGeometryBytes)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return "", fmt.Errorf("geometry: %w", err)
	}
	if len(text) == 0 {
		return "", fmt.Errorf("geometry: %s is empty", path)
	}
	return string(text), nil
}

// CheckGeometry refuses a geometry that no picture of the set's segments can be made with.
func CheckGeometry(s *calib.Set) error {
	if s.Geometry == "" || s.Rows < 1 { // without a shape it is refused anyway
		return nil
	}
	refuse := func(why string) error { return &calib.RefusedError{Detector: s.Detector, Reason: why} }
	g, err := correct.ParseGeometry(s.Geometry)
	if err != nil {
		return refuse(err.Error())
	}
	numbers, err := g.NumbersOf(s)
	if err != nil {
		return refuse(err.Error())
	}
	if _, err = g.Layout(correct.Segments{Numbers: numbers, Rows: s.Rows, Cols: s.Cols}); err != nil {
		return refuse(fmt.Sprintf("%v (%s has segments of %d x %d pixels)", err, s.Model, s.Rows, s.Cols))
	}
	return nil
}

// doubtGeometry says what makes it likely that a geometry is another detector's: many pixels of its segments have no place,
// or a panel is made of pieces of two segments.
func doubtGeometry(s *calib.Set) (said []string) {
	g, err := correct.ParseGeometry(s.Geometry)
	if err != nil {
		return nil // none, or refused
	}
	have := 0
	pixels := g.Placed(s.Rows)
	for _, n := range pixels {
		have += n
	}
	if all := len(pixels) * s.SegmentPixels(); float64(all-have) > maxMasked*float64(all) {
		said = append(said, fmt.Sprintf("the geometry has no place for %d of %d pixels of its %d segments: is it that of this "+
			"detector?", all-have, all, len(pixels)))
	}
	if len(s.Places) == 0 && len(pixels) > len(s.Serials) {
		said = append(said, fmt.Sprintf("the geometry has places for %d segments, of which the first %d are taken for %s, in this "+
			"order: put the constants of all segments, or a geometry of these alone", len(pixels), len(s.Serials), calib.Serial(s.Serials)))
	}
	for i := range g.Panels {
		p := &g.Panels[i]
		first, beyond := p.MinSS%s.Rows, (p.MaxSS+1)%s.Rows
		if p.Index < 0 && p.MinSS/s.Rows != p.MaxSS/s.Rows && (first != 0 || beyond != 0) {
			said = append(said, fmt.Sprintf("the geometry's panel %s goes from ss %d to %d, over an end of a segment, which has %d "+
				"rows: is it that of this detector?", p.Name, p.MinSS, p.MaxSS, s.Rows))
			break
		}
	}
	return said
}
