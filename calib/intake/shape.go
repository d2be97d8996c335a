package intake

import (
	"fmt"
	"slices"

	"drp/internal/npy"
)

// Shape is that of an array of a set; Ranges is 0 where the array has none, as the mask.
type Shape struct{ Ranges, Segments, Rows, Cols int }

func (s Shape) axes() []int {
	axes := []int{s.Segments, s.Rows, s.Cols}
	if s.Ranges > 0 {
		axes = append([]int{s.Ranges}, axes...)
	}
	return axes
}

// Part is an array and where it comes from.
type Part struct {
	From  string
	Array *npy.Array
}

// Join makes one array of those given: one of all ranges, or one for each range. The axis of segments may be missing
// where there is one segment, that of ranges where there is one range. Flat arrays of the right length are taken as well.
// Of one segment below the other, as cameras are often written, it makes segments.
func Join[T npy.Number](parts []Part, shape Shape) ([]T, error) {
	if len(parts) == 1 {
		return take[T](parts[0], shape)
	}
	if len(parts) != shape.Ranges {
		return nil, fmt.Errorf("%d files are given, and there are %d gain ranges: give one file for each, or one for all",
			len(parts), shape.Ranges)
	}
	var all []T
	one := shape
	one.Ranges = 0
	for _, p := range parts {
		values, err := take[T](p, one)
		if err != nil {
			return nil, err
		}
		all = append(all, values...)
	}
	return all, nil
}

func take[T npy.Number](p Part, shape Shape) ([]T, error) {
	if !shape.fits(p.Array.Shape) {
		return nil, fmt.Errorf("%s: its shape is %v, and %v is wanted", p.From, p.Array.Shape, shape.axes())
	}
	values, err := npy.As[T](p.Array)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", p.From, err)
	}
	return values, nil
}

// fits leaves out axes of length 1 on both sides, so that only what has a length must agree.
func (s Shape) fits(have []int) bool {
	want := s.axes()
	stacked := slices.Concat(want[:len(want)-3], []int{s.Segments * s.Rows, s.Cols})
	flat := s.Segments * s.Rows * s.Cols * max(1, s.Ranges)
	return slices.Equal(long(have), long(want)) || slices.Equal(long(have), long(stacked)) ||
		len(have) == 1 && have[0] == flat
}

func long(axes []int) (all []int) {
	for _, n := range axes {
		if n != 1 {
			all = append(all, n)
		}
	}
	return all
}

// SegmentSize finds rows and columns of a segment from the last axes of an array. A stack of segments below each other is
// cut into as many as there are.
func SegmentSize(axes []int, segments int) (rows, cols int, ok bool) {
	n := len(axes)
	if n < 2 {
		return 0, 0, false
	}
	rows, cols = axes[n-2], axes[n-1]
	if n == 2 && rows%segments == 0 {
		rows /= segments
	}
	return rows, cols, true
}
