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
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"drp/calib"
	"drp/calib/correct"
	"drp/drp"
	"drp/hit"
	"drp/hit/plot"
	"drp/xtc"
)

type hitsPlotFlags struct {
	source   hitSource
	event    int64
	out      string
	energy   float64
	distance string
	center   string
	rings    []float64
	contrast string
	force    bool
}

func newHitsPlotCommand() *cobra.Command {
	f := &hitsPlotFlags{}
	cmd := &cobra.Command{
		Use:   "plot FILE",
		Short: "Draw an event with its peaks circled and rings of resolution",
		Long: `plot draws the corrected pixels of an event, assembled by the geometry of the constants, or its segments below each
other where there is none; without constants, the raw pixels. Peaks are circled in red. Rings around the beam are blue;
they tell their radius in pixels and, where the photon energy and the distance are known, their resolution in angstrom.`,
		Example: `  drp hits plot run.xtc2 -e 17 -o event17.png --energy 9500 --distance 95mm
  drp hits plot run.xtc2 --calib constants --find peakfinder8:min_snr=6 -e 17 -o event17.png`,
		Args: aloneFile("drp hits plot run.xtc2 -e 17"),
		RunE: func(cmd *cobra.Command, args []string) error {
			ctx, stop := interruptible(cmd.Context())
			defer stop()
			if cmd.Flags().Changed("event") {
				if err := fromZero("-e", f.event); err != nil {
					return err
				}
			}
			if err := newPicture(f.out, f.force); err != nil {
				return err
			}
			return f.run(ctx, args[0])
		},
	}
	fl := cmd.Flags()
	fl.SortFlags = false
	fl.Int64VarP(&f.event, "event", "e", -1, "which event; the first one is 0 (default: the first hit)")
	fl.StringVarP(&f.out, "output", "o", "", "PNG `file` (default: NAME-eN.png in the present folder)")
	f.source.addFind(cmd)
	fl.Var((*energyFlag)(&f.energy), "energy", "of the photons: 9500 (`eV`) or 9.5keV (default: what the event says, or the geometry)")
	fl.StringVar(&f.distance, "distance", "", "from the sample to the detector: 0.095 (`m`) or 95mm (default: what the geometry says)")
	fl.StringVar(&f.center, "center", "", "`ROW:COL` of the beam, where there is no geometry")
	fl.Float64SliceVar(&f.rings, "rings", nil, "radii of the rings, `pixels` (default: round ones)")
	fl.StringVar(&f.contrast, "contrast", "2:99.8", "percentiles of the pixels that are white and black")
	fl.BoolVar(&f.force, "force", false, "write over a file that is there")
	return cmd
}

func (f *hitsPlotFlags) run(ctx context.Context, path string) error {
	search, config, err := f.source.search()
	if err != nil {
		return err
	}
	p := &plot.Frame{}
	if p.Low, p.High, err = twoNumbers("--contrast", f.contrast); err != nil || p.Low < 0 || p.Low >= p.High || p.High > 100 {
		return fmt.Errorf("--contrast %s: give two percentiles from 0 to 100, as 2:99.8", f.contrast)
	}
	for _, r := range f.rings {
		if !(r > 0 && r <= math.MaxInt32) {
			return fmt.Errorf("--rings %g: give radii above 0, in pixels", r)
		}
	}
	f.source.skip = func(number int64) bool { return number < f.event }
	frames, err := f.source.open(ctx, path)
	if err != nil {
		return err
	}
	defer f.source.close(frames)
	if err := mustHaveHits(frames, search != nil); err != nil {
		return err
	}
	e, err := f.pick(frames, search)
	if err != nil {
		return frameError(err)
	}
	if f.out == "" {
		name, _, _ := strings.Cut(filepath.Base(path), ".xtc2")
		f.out = fmt.Sprintf("%s-e%d.png", name, e.Number)
	}
	if err := newPicture(f.out, f.force); err != nil {
		return err
	}
	if err := f.fill(p, frames, e); err != nil {
		return err
	}
	if err := f.aim(p, e, config); err != nil {
		return err
	}
	img := plot.Draw(p)
	if err := writeOver(f.out, f.force, func(w *bufio.Writer) error { return png.Encode(w, img) }); err != nil {
		return general(err)
	}
	printf("wrote %s: %s\n", f.out, p.Title)
	return nil
}

// pick reads the event that is meant, with its hits.
func (f *hitsPlotFlags) pick(frames *drp.Frames, search *drp.FrameSearch) (*drp.Frame, error) {
	var e drp.Frame
	var finder drp.FrameFinder
	for {
		err := frames.Next(&e)
		if errors.Is(err, io.EOF) && f.event >= 0 {
			return nil, fmt.Errorf("%s has %d events, the first one is 0, and %d is not there", frames.Path(), frames.Events(), f.event)
		}
		if errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("%s: none of its %d events is a hit: choose one with -e", frames.Path(), frames.Events())
		}
		if err != nil {
			return nil, err
		}
		if f.event >= 0 && e.Number != f.event {
			continue
		}
		if search != nil {
			if err := errors.Join(mustHaveConstants(frames, &e), search.Assign(&e)); err != nil {
				return nil, err
			}
			finder.Find(&e)
		}
		if f.event >= 0 || e.Recorded && e.Hits.Hit {
			return &e, nil
		}
	}
}

// fill takes the pixels and the peaks.
func (f *hitsPlotFlags) fill(p *plot.Frame, frames *drp.Frames, e *drp.Frame) error {
	pixels, unit := framePixels(frames, e)
	if pixels == nil {
		return fileError(fmt.Errorf("%s: event %d has no pixels of %s: %s", frames.Path(), e.Number, frames.Name(), whyNoPixels(e)))
	}
	p.Unit, p.Pixels, p.Rows, p.Cols = unit, pixels, len(e.Raw)*frames.Rows, frames.Cols
	var layout *correct.Layout
	if e.Constants != nil && e.Constants.Layout != nil {
		layout = e.Constants.Layout
		p.Rows, p.Cols = layout.Shape()
		p.Pixels = assembled(layout, pixels)
	}
	p.Title = fmt.Sprintf("%s event %d %v", frames.Name(), e.Number, xtc.TimestampOf(e.Time))
	if !e.Recorded {
		p.Title += ": not searched"
		return nil
	}
	p.Title += fmt.Sprintf(": %d peaks, count %d", e.Hits.Summary.Peaks, e.Hits.Count)
	for i := range e.Hits.Peaks {
		at := &e.Hits.Peaks[i]
		s := plot.Spot{Row: float64(at.Row) + float64(int(at.Segment)*frames.Rows), Col: float64(at.Col),
			Radius: math.Sqrt(float64(at.NPix)/math.Pi) + 2}
		if layout != nil {
			row, col, there := layout.Place(int(at.Segment), float64(at.Row), float64(at.Col))
			if !there {
				continue
			}
			s.Row, s.Col = row, col
		}
		p.Spots = append(p.Spots, s)
	}
	return nil
}

// whyNoPixels is what the file tells of pixels that it has not.
func whyNoPixels(e *drp.Frame) string {
	if e.Recorded { // who was searched had pixels
		return "it was searched, and they were left out of the record then"
	}
	return "it came without them, or a script removed them"
}

// framePixels are those of all segments, corrected where there are constants; NaN where there is no good pixel, and nil where
// the event has none at all.
func framePixels(frames *drp.Frames, e *drp.Frame) (pixels []float32, unit string) {
	n := frames.Rows * frames.Cols
	pixels, unit = make([]float32, len(e.Raw)*n), string(calib.ADU)
	none := float32(math.NaN())
	some := false
	for s, raw := range e.Raw {
		to := pixels[s*n : (s+1)*n]
		some = some || raw != nil
		switch k := e.Constants; {
		case raw == nil:
			for i := range to {
				to[i] = none
			}
		case k != nil:
			unit = string(k.Set.Unit)
			k.Camera.Tables.Float32(to, raw, s)
			for i, good := range k.Set.Mask[s*n : (s+1)*n] {
				if good == 0 {
					to[i] = none
				}
			}
		default:
			for i, v := range raw {
				to[i] = float32(v)
			}
		}
	}
	if !some {
		return nil, ""
	}
	return pixels, unit
}

// assembled is the picture by the geometry, NaN where no pixel is.
func assembled(l *correct.Layout, pixels []float32) []float32 {
	rows, cols := l.Shape()
	img, there := make([]float32, rows*cols), make([]float32, rows*cols)
	ones := make([]float32, len(pixels))
	for i := range ones {
		ones[i] = 1
	}
	l.Image(img, pixels)
	l.Image(there, ones)
	for i, v := range there {
		if v == 0 {
			img[i] = float32(math.NaN())
		}
	}
	return img
}

// aim finds the beam, and what is needed for the resolution.
func (f *hitsPlotFlags) aim(p *plot.Frame, e *drp.Frame, config *hit.Config) error {
	b := &plot.Beam{Rings: f.rings}
	energy := f.energy
	if energy == 0 && e.Energy > 0 {
		energy = e.Energy
	}
	if k := e.Constants; energy == 0 && k != nil && k.Camera.Geometry != nil {
		energy = k.Camera.Geometry.Energy
	}
	if energy > 0 {
		b.Wavelength = correct.HC / energy
	}
	metres, err := f.metres(e)
	if err != nil {
		return err
	}
	switch {
	case e.Constants != nil && e.Constants.Layout != nil:
		if f.center != "" {
			warn("--center is ignored: the geometry of the constants says where the beam is")
		}
		warnOfCenter(config, e.Constants)
		b.Row, b.Col = e.Constants.Layout.Beam()
		b.Distance = metres * e.Constants.Camera.Geometry.Panels[0].Resolution
	case f.center != "":
		if b.Row, b.Col, err = twoNumbers("--center", f.center); err != nil {
			return err
		}
	case config != nil && config.Center.Given && len(e.Raw) == 1:
		b.Row, b.Col = config.Center.Row, config.Center.Col
	default:
		return nil // no rings, since nobody knows around what
	}
	if b.Distance == 0 && (f.distance != "" || metres > 0) {
		warn("rings have no angstrom, since the size of a pixel is not known: give the constants a geometry (drp calib put --geometry)")
	}
	p.Beam = b
	return nil
}

// metres is how far the detector is away, 0 where that is not known.
func (f *hitsPlotFlags) metres(e *drp.Frame) (float64, error) {
	if f.distance != "" {
		return givenDistance(f.distance)
	}
	if e.Constants == nil || e.Constants.Camera.Geometry == nil {
		return 0, nil
	}
	d, err := e.Constants.Camera.Geometry.Distance()
	if err != nil {
		return 0, nil //nolint:nilerr // the geometry leaves it to the data, and rings go without resolution
	}
	return d, nil
}

func twoNumbers(flag, text string) (a, b float64, err error) {
	first, second, two := strings.Cut(text, ":")
	a, err1 := strconv.ParseFloat(first, 64)
	b, err2 := strconv.ParseFloat(second, 64)
	if !two || err1 != nil || err2 != nil || math.IsNaN(a+b) || math.IsInf(a+b, 0) {
		return 0, 0, fmt.Errorf("%s %s: give two numbers, as 255.5:511.5", flag, text)
	}
	return a, b, nil
}
