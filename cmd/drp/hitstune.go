package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"image/png"
	"io"
	"math"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/hit"
	"drp/hit/plot"
	"drp/hit/tune"
)

type hitsTuneFlags struct {
	source  hitSource
	grid    []string
	sample  int
	timed   int
	workers int
	out     string
	force   bool
	asJSON  bool
}

func newHitsTuneCommand() *cobra.Command {
	f := &hitsTuneFlags{}
	cmd := &cobra.Command{
		Use:   "tune FILE",
		Short: "Search some events with many parameters, to choose thresholds",
		Long: `tune takes events from all over a file and searches them with each combination of the parameters of --grid; those
that are not in the grid are as --find says. It prints, and draws with -o, how many events are hits, how many peaks a hit
has (the median), and how long an event takes on one core (the median).`,
		Example: `  drp hits tune run.xtc2 --calib constants --grid min_snr=5,6,7,8 --grid adc_threshold=50,100,200 -o tune.png
  drp hits tune run.xtc2 --find peakfinder8:at_least=10 --grid statistics=full,sampled`,
		Args: aloneFile("drp hits tune run.xtc2 --grid min_snr=5,6,7"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			return f.run(ctx, args[0])
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.StringArrayVar(&f.grid, "grid", nil, "a parameter and the values to try: `NAME=VALUE,…`; may be given several times")
	f.source.addFind(cmd)
	fl.IntVar(&f.sample, "sample", 200, "search at most so many events; fewer where they would not fit in 1 GiB")
	fl.IntVar(&f.timed, "timed", 16, "take the time of so many of them, one after the other")
	fl.IntVarP(&f.workers, "workers", "w", runtime.NumCPU(), "cores that search")
	fl.StringVarP(&f.out, "output", "o", "", "draw a chart: a PNG `file`")
	fl.BoolVar(&f.force, "force", false, "write over a file that is there")
	fl.BoolVar(&f.asJSON, "json", false, "print JSON")
	return cmd
}

func (f *hitsTuneFlags) run(ctx context.Context, path string) error {
	_, base, err := f.source.search()
	if err != nil {
		return err
	}
	if base == nil {
		c := hit.Default()
		c.Finder = hit.Finders[0]
		base = &c
	}
	points, axes, err := f.points(base)
	if err != nil {
		return err
	}
	if err := newPicture(f.out, f.force); err != nil {
		return err
	}
	in := &tune.Input{Workers: f.workers, Timed: f.timed}
	said, err := f.read(ctx, path, in)
	if err != nil {
		return frameError(err)
	}
	bar := newCountBar("searching")
	in.Progress = func(done, total int) { bar.show(int64(done), int64(total)) }
	err = tune.Run(ctx, points, in)
	bar.end()
	if errors.Is(err, context.Canceled) {
		return frameError(err)
	}
	if err != nil {
		return configuration(err)
	}
	if f.out != "" {
		if err := f.draw(points, axes, said); err != nil {
			return general(err)
		}
	}
	if f.asJSON {
		return printJSON(tunedJSON(points, axes, len(in.Frames)))
	}
	printTuned(points, axes, said)
	if f.out != "" {
		printLine("chart:", f.out)
	}
	return nil
}

// points makes the grid.
func (f *hitsTuneFlags) points(base *hit.Config) ([]tune.Point, []tune.Axis, error) {
	if f.sample < 1 || f.timed < 1 || f.workers < 1 {
		return nil, nil, errors.New("--sample, --timed and --workers: give whole numbers from 1 on")
	}
	if len(f.grid) == 0 {
		return nil, nil, errors.New("nothing to try: give --grid NAME=VALUE,…, as --grid min_snr=5,6,7,8")
	}
	var axes []tune.Axis
	for _, text := range f.grid {
		a, err := tune.ParseAxis(text)
		if err != nil {
			return nil, nil, fmt.Errorf("--grid %w", err)
		}
		axes = append(axes, a)
	}
	points, err := tune.Grid(*base, axes)
	if err != nil {
		return nil, nil, fmt.Errorf("--grid: %w", err)
	}
	return points, axes, nil
}

// sampleBytes is what the events may take.
const sampleBytes = 1 << 30

// read takes events from all over the file.
func (f *hitsTuneFlags) read(ctx context.Context, path string, in *tune.Input) (said string, err error) {
	total, err := drp.CountFrames(path)
	if err != nil {
		return "", err
	}
	if total == 0 {
		return "", fmt.Errorf("%s: there is no event in it", path)
	}
	wanted := min(int64(f.sample), total, max(1, sampleBytes/max(1, drp.FrameBytes(path)/total)))
	f.source.skip = func(number int64) bool { return (number+1)*wanted/total == number*wanted/total }
	frames, err := f.source.open(ctx, path)
	if err != nil {
		return "", err
	}
	defer f.source.close(frames)
	var first *drp.FrameConstants
	for {
		e := &drp.Frame{} // the frame stays
		if err := frames.Next(e); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", err
		}
		if err := mustHaveConstants(frames, e); err != nil {
			return "", err
		}
		if first == nil {
			first = e.Constants
		}
		if e.Constants != first {
			warn(fmt.Sprintf("the constants change before event %d: the events before it are used", e.Number))
			break
		}
		if e.Complete() {
			in.Frames = append(in.Frames, hit.Frame{Raw: e.Raw})
		}
	}
	if len(in.Frames) == 0 {
		return "", fmt.Errorf("%s: no event has all pixels of %s: they were left out of the record, or never there", path, frames.Name())
	}
	in.Camera = first.Camera
	return fmt.Sprintf("%d of %d events of %s in %s", len(in.Frames), total, frames.Name(), filepath.Base(path)), nil
}

func printTuned(points []tune.Point, axes []tune.Axis, said string) {
	printLine(said)
	for _, a := range axes {
		printf("%14s ", shortName(a.Name))
	}
	printf("%9s %9s %11s %13s %9s\n", "hits", "hit rate", "peaks/hit", "peaks/event", "ms/event")
	for i := range points {
		p := &points[i]
		for _, v := range p.Values {
			printf("%14s ", v)
		}
		if p.Err != nil {
			printf("  %v\n", p.Err)
			continue
		}
		more := ""
		if p.Truncated > 0 {
			more = fmt.Sprintf("  %d events have more peaks than are kept", p.Truncated)
		}
		printf("%9d %7.2f %% %11.4g %13.4g %9.3f%s\n", p.Hits, 100*p.HitRate(), p.PeaksPerHit, p.PeaksPerFrame,
			float64(p.Time)/float64(time.Millisecond), more)
	}
}

// shortName is a parameter's without that of its finder.
func shortName(name string) string { return name[strings.LastIndexByte(name, '.')+1:] }

// tunedPoint is a point as JSON.
type tunedPoint struct {
	Parameters    map[string]string `json:"parameters"`
	Error         string            `json:"error,omitempty"`
	Frames        int               `json:"events"`
	Hits          int               `json:"hits"`
	HitRate       float64           `json:"hit_rate"`
	PeaksPerHit   float64           `json:"peaks_per_hit"`
	PeaksPerFrame float64           `json:"peaks_per_event"`
	Truncated     int               `json:"truncated"`
	Seconds       float64           `json:"seconds_per_event"`
}

func tunedJSON(points []tune.Point, axes []tune.Axis, frames int) any {
	all := []tunedPoint{}
	for i := range points {
		p := &points[i]
		t := tunedPoint{Parameters: map[string]string{}, Frames: p.Frames, Hits: p.Hits, HitRate: p.HitRate(), PeaksPerHit: p.PeaksPerHit,
			PeaksPerFrame: p.PeaksPerFrame, Truncated: p.Truncated, Seconds: p.Time.Seconds()}
		for k, a := range axes {
			t.Parameters[a.Name] = p.Values[k]
		}
		if p.Err != nil {
			t.Error = p.Err.Error()
		}
		all = append(all, t)
	}
	return map[string]any{"events": frames, "points": all}
}

// draw draws a line for each combination of all parameters but the last, which goes across.
func (f *hitsTuneFlags) draw(points []tune.Point, axes []tune.Axis, said string) error {
	last := axes[len(axes)-1]
	c := &plot.Chart{Title: said, Across: last.Name, Ticks: last.Values, Rows: []plot.ChartRow{{Name: "hit rate, %"},
		{Name: "peaks per hit, median"}, {Name: "ms per event on one core, median"}}}
	for from := 0; from < len(points); from += len(last.Values) {
		var name []string
		for k, a := range axes[:len(axes)-1] {
			name = append(name, shortName(a.Name)+" "+points[from].Values[k])
		}
		c.Lines = append(c.Lines, strings.Join(name, ", "))
		var rate, peaks, ms []float64
		for i := range points[from : from+len(last.Values)] {
			p := &points[from+i]
			values := [3]float64{100 * p.HitRate(), p.PeaksPerHit, float64(p.Time) / float64(time.Millisecond)}
			if p.Err != nil {
				values = [3]float64{math.NaN(), math.NaN(), math.NaN()}
			}
			rate, peaks, ms = append(rate, values[0]), append(peaks, values[1]), append(ms, values[2])
		}
		for i, line := range [][]float64{rate, peaks, ms} {
			c.Rows[i].Values = append(c.Rows[i].Values, line)
		}
	}
	img := plot.DrawChart(c)
	return writeOver(f.out, f.force, func(w *bufio.Writer) error { return png.Encode(w, img) })
}
