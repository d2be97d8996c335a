package report

import (
	"slices"

	"drp/calib"
)

// Row is the statistics of one array in one gain range of one segment, over the values that are used. Without any of
// those the numbers are 0.
type Row struct {
	Array   string  `json:"array"`
	Range   string  `json:"range,omitempty"` // not of the mask
	Segment string  `json:"segment"`
	Used    int     `json:"used"` // values
	Bad     int     `json:"bad"`  // values that are masked or have a status
	Min     float32 `json:"min"`
	Median  float32 `json:"median"`
	Max     float32 `json:"max"`
}

// Statistics describes pedestals, gains and noise.
func Statistics(s *calib.Set) (rows []Row) {
	model := calib.ModelOf(s.Model)
	n := s.SegmentPixels()
	for _, a := range floats(s) {
		for r, name := range model.Ranges {
			for k, id := range s.Serials {
				start := (r*len(s.Serials) + k) * n
				row := Row{Array: a.name, Range: name, Segment: id}
				row.describe(s, a.values, start, start+n)
				rows = append(rows, row)
			}
		}
	}
	return rows
}

type named struct {
	name   string
	values []float32
}

// floats are the arrays of a set that are there.
func floats(s *calib.Set) (all []named) {
	for _, a := range []named{{"pedestals", s.Pedestals}, {"gains", s.Gains}, {"rms", s.RMS}} {
		if len(a.values) > 0 {
			all = append(all, a)
		}
	}
	return all
}

func (r *Row) describe(s *calib.Set, values []float32, start, end int) {
	good := make([]float32, 0, end-start)
	for i := start; i < end; i++ {
		if used(s, i) {
			good = append(good, values[i])
		}
	}
	r.Used, r.Bad = len(good), end-start-len(good)
	if len(good) == 0 {
		return
	}
	slices.Sort(good)
	r.Min, r.Median, r.Max = good[0], good[len(good)/2], good[len(good)-1]
}

func used(s *calib.Set, i int) bool {
	return (len(s.Mask) == 0 || s.Mask[i%len(s.Mask)] != 0) && (len(s.Status) == 0 || s.Status[i] == 0)
}

// Statuses counts the pixels of each status but good, over all segments, for each gain range.
func Statuses(s *calib.Set) []map[string]int {
	if len(s.Status) == 0 {
		return nil
	}
	all := make([]map[string]int, s.Ranges())
	per := len(s.Status) / len(all)
	for r := range all {
		all[r] = map[string]int{}
		for _, v := range s.Status[r*per : (r+1)*per] {
			if v != 0 {
				all[r][calib.StatusText(v)]++
			}
		}
	}
	return all
}
