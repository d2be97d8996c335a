package darks

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"

	"drp/calib"
)

// Limits say when a pixel is bad, in robust standard deviations (1.4826 times the median distance from the median) of
// all pixels of the segment in the same range.
type Limits struct {
	Noise     float64 // the noise is so far above the median; 0 means 8
	Pedestal  float64 // the pedestal is so far away from the median; 0 means 12
	MinFrames int     // fewer values than that are not enough; 0 means 10
}

// Options say what to make.
type Options struct {
	Detector string   // by name; empty: the only one that there is
	Serials  []string // ids of the segments in place of those in the files
	Limits   Limits
	Progress func(done, total int64) // bytes read; may be nil
}

// Result is what was found. Its set has no gains; where a gain range did not occur, the pedestal is NaN and the status
// says few frames.
type Result struct {
	Set      *calib.Set
	Segments []uint32 // numbers in the detector
	Runs     []int    // that the files are of
	Frames   []int    // events that pixels had each range in: the largest number of any pixel
	Reached  []int    // pixels that had each range in any event
	Needed   int      // values of a pixel, or its status says few frames
	Events   int      // that were used
	Left     int      // that were left out, since they are damaged or make no sense
	Cut      []string // files that end inside a datagram; all before it was used
	Clipped  int64    // values that were left out as too far away
	Special  int64    // raw pixels that are codes and no values
}

// maxPixels bounds the memory: 100 bytes for each pixel and range that occurs.
const maxPixels = 100 << 20

// Make reads the files and finds pedestals, noise and status.
func Make(ctx context.Context, files []string, o Options) (*Result, error) {
	if o.Limits.Noise == 0 {
		o.Limits.Noise = 8
	}
	if o.Limits.Pedestal == 0 {
		o.Limits.Pedestal = 12
	}
	if o.Limits.MinFrames == 0 {
		o.Limits.MinFrames = 10
	}
	w := &walk{ctx: ctx, files: files, detector: o.Detector, progress: o.Progress, segments: map[uint32]*segment{}}
	if err := w.measure(); err != nil {
		return nil, err
	}
	if err := w.pass(sampling); err != nil {
		return nil, err
	}
	if len(w.segments) == 0 || w.events == 0 {
		return nil, fmt.Errorf("no event of %s is good: %d were left out, since they are damaged or make no sense",
			w.detector, w.left)
	}
	for _, s := range w.segments {
		for _, a := range s.ranges {
			if a != nil {
				a.centre()
			}
		}
	}
	if err := w.pass(clipping); err != nil {
		return nil, err
	}
	return w.result(o)
}

// result puts the segments together, in the order of their numbers.
func (w *walk) result(o Options) (*Result, error) {
	r := &Result{Events: w.events, Cut: w.cut, Left: w.left, Special: w.special, Runs: w.runs, Frames: make([]int, len(w.model.Ranges)),
		Reached: make([]int, len(w.model.Ranges)), Needed: max(2, o.Limits.MinFrames)}
	for number := range w.segments {
		r.Segments = append(r.Segments, number)
	}
	slices.Sort(r.Segments)
	s := &calib.Set{Detector: w.detector, Model: w.model.Name, Rows: w.rows, Cols: w.cols, Serials: o.Serials}
	n := s.SegmentPixels()
	all := len(w.model.Ranges) * len(r.Segments) * n
	s.Pedestals, s.RMS, s.Status = make([]float32, all), make([]float32, all), make([]uint16, all)
	if len(o.Serials) == 0 {
		for _, number := range r.Segments {
			s.Serials = append(s.Serials, w.segments[number].id)
		}
	} else if len(o.Serials) != len(r.Segments) {
		return nil, fmt.Errorf("%d ids are given, and %s has the %d segments %v", len(o.Serials), w.detector, len(r.Segments),
			r.Segments)
	}
	if twice := repeated(s.Serials); twice != "" {
		return nil, fmt.Errorf("several segments of %s have the id %q in the files: name all %d segments %v with --serials",
			w.detector, twice, len(r.Segments), r.Segments)
	}
	for g := range w.model.Ranges {
		for k, number := range r.Segments {
			at := (g*len(r.Segments) + k) * n
			v := view{pedestals: s.Pedestals[at : at+n], rms: s.RMS[at : at+n], status: s.Status[at : at+n]}
			a := w.segments[number].ranges[g]
			if a == nil {
				for i := range n {
					v.pedestals[i], v.status[i] = float32(math.NaN()), calib.StatusFew
				}
				continue
			}
			r.Clipped += a.finish(v, r.Needed)
			r.Frames[g] = max(r.Frames[g], int(slices.Max(a.count)))
			r.Reached[g] += a.reached()
			v.judge(o.Limits, w.model.DataBits)
		}
	}
	r.Set = s
	return r, nil
}

func repeated(ids []string) string {
	for i, id := range ids {
		if id == "" || slices.Contains(ids[:i], id) {
			return id
		}
	}
	return ""
}

// String says in a line what was read.
func (r *Result) String() string {
	var ranges []string
	for g, name := range calib.ModelOf(r.Set.Model).Ranges {
		if r.Frames[g] > 0 {
			ranges = append(ranges, fmt.Sprintf("%s %d", name, r.Frames[g]))
		}
	}
	return fmt.Sprintf("%d events of %s, %d segments of %d x %d; frames in each range: %s", r.Events, r.Set.Detector,
		len(r.Segments), r.Set.Rows, r.Set.Cols, strings.Join(ranges, ", "))
}
