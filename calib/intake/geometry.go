package intake

import (
	"fmt"
	"maps"
	"os"
	"slices"

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

// CheckGeometry refuses a geometry that no picture of the set's segments can be made with. Which of its segments these are
// is only known with the data; so it must have places for as many as the set has, and may have more.
func CheckGeometry(s *calib.Set) error {
	if s.Geometry == "" || s.Rows < 1 { // without a shape it is refused anyway
		return nil
	}
	refuse := func(why string) error { return &calib.RefusedError{Detector: s.Detector, Reason: why} }
	g, err := correct.ParseGeometry(s.Geometry)
	if err != nil {
		return refuse(err.Error())
	}
	numbers := slices.Sorted(maps.Keys(placed(g, s.Rows)))
	if len(numbers) < len(s.Serials) {
		return refuse(fmt.Sprintf("geometry: it has places for %d of the %d segments %s of %d x %d pixels", len(numbers),
			len(s.Serials), calib.Serial(s.Serials), s.Rows, s.Cols))
	}
	if _, err = g.Layout(correct.Segments{Numbers: numbers[:len(s.Serials)], Rows: s.Rows, Cols: s.Cols}); err != nil {
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
	pixels := placed(g, s.Rows)
	for _, n := range pixels {
		have += n
	}
	if all := len(pixels) * s.SegmentPixels(); float64(all-have) > maxMasked*float64(all) {
		said = append(said, fmt.Sprintf("the geometry has no place for %d of %d pixels of its %d segments: is it that of this "+
			"detector?", all-have, all, len(pixels)))
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

// placed counts the pixels that a geometry has places for, by the number of the segment in the detector.
func placed(g *correct.Geometry, rows int) map[int]int {
	pixels := map[int]int{}
	for i := range g.Panels {
		p := &g.Panels[i]
		wide := p.MaxFS - p.MinFS + 1
		if p.Index >= 0 {
			pixels[p.Index] += wide * (p.MaxSS - p.MinSS + 1)
			continue
		}
		for n := p.MinSS / rows; n <= p.MaxSS/rows; n++ {
			pixels[n] += wide * (min(p.MaxSS, n*rows+rows-1) - max(p.MinSS, n*rows) + 1)
		}
	}
	return pixels
}
