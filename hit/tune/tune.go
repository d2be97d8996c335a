package tune

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"drp/hit"
)

// Point is one choice of parameters, and what it leads to.
type Point struct {
	Values []string // of each axis
	Config hit.Config
	Err    error // the choice makes no sense, and nothing was searched

	Frames        int
	Hits          int
	Truncated     int           // frames with more peaks than are kept
	PeaksPerHit   float64       // the median
	PeaksPerFrame float64       // the median of all frames
	Time          time.Duration // for a frame on one core, the median
	Counts        []uint32      // of each frame
}

// HitRate is the part of the frames that are hits.
func (p *Point) HitRate() float64 { return float64(p.Hits) / float64(max(1, p.Frames)) }

// Input is what is searched.
type Input struct {
	Camera   hit.Camera
	Frames   []hit.Frame
	Workers  int
	Timed    int                   // frames that the time is taken of, at most
	Progress func(done, total int) // points; may be nil
}

// Run fills in all points.
func Run(ctx context.Context, points []Point, in *Input) error {
	good := 0
	for i := range points {
		p := &points[i]
		plan, err := hit.NewPlan(p.Config, in.Camera)
		if p.Err = err; err == nil {
			good++
			p.search(ctx, plan, in)
			p.measure(ctx, plan, in)
		}
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if in.Progress != nil {
			in.Progress(i+1, len(points))
		}
	}
	if good == 0 && len(points) > 0 {
		return fmt.Errorf("no point of the grid makes sense; the first one: %w", points[0].Err)
	}
	return nil
}

// search looks for hits in all frames, on all cores.
func (p *Point) search(ctx context.Context, plan *hit.Plan, in *Input) {
	frames := carried(plan, in.Frames)
	results := make([]hit.Summary, len(frames))
	var next atomic.Int64
	var under sync.WaitGroup
	for range min(in.Workers, len(frames)) {
		under.Go(func() {
			finder := plan.NewFinder()
			var r hit.Result
			for i := int(next.Add(1)) - 1; i < len(frames) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				finder.Find(&frames[i], &r)
				results[i] = r.Summary
			}
		})
	}
	under.Wait()
	p.count(results)
}

// carried gives frames the thresholds of those before them, where the configuration says so.
func carried(plan *hit.Plan, frames []hit.Frame) []hit.Frame {
	c := &plan.Config
	if c.Finder != "peakfinder8" || c.Peakfinder8.Statistics != hit.Carried {
		return frames
	}
	with := slices.Clone(frames)
	for i := range with {
		if i%c.Peakfinder8.Refresh == 0 {
			with[i].Carried = plan.NewCarry(&frames[i])
		} else {
			with[i].Carried = with[i-1].Carried
		}
	}
	return with
}

func (p *Point) count(results []hit.Summary) {
	p.Frames = len(results)
	var all, ofHits []uint32
	for i := range results {
		s := &results[i]
		all, p.Counts = append(all, s.Peaks), append(p.Counts, s.Count)
		if s.Truncated {
			p.Truncated++
		}
		if s.Hit {
			p.Hits++
			ofHits = append(ofHits, s.Peaks)
		}
	}
	p.PeaksPerFrame, p.PeaksPerHit = median(all), median(ofHits)
}

// measure takes the time of some frames, one after the other.
func (p *Point) measure(ctx context.Context, plan *hit.Plan, in *Input) {
	n := min(max(1, in.Timed), len(in.Frames))
	finder := plan.NewFinder()
	var r hit.Result
	var times []time.Duration
	for round := range 2 { // the first one makes room and is not counted
		frames := carried(plan, in.Frames)
		for k := range n {
			if ctx.Err() != nil {
				return
			}
			start := time.Now()
			finder.Find(&frames[k], &r)
			if round > 0 {
				times = append(times, time.Since(start))
			}
		}
	}
	p.Time = time.Duration(median(times))
}

func median[T uint32 | time.Duration](values []T) float64 {
	if len(values) == 0 {
		return 0
	}
	slices.Sort(values)
	k := len(values)
	return (float64(values[(k-1)/2]) + float64(values[k/2])) / 2
}
