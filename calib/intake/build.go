package intake

import (
	"errors"
	"fmt"
	"strconv"
	"strings"

	"drp/calib"
)

// Request is what people say of a set.
type Request struct {
	Detector, Type    string
	Serials           []string
	FirstRun, LastRun int
	Unit              calib.Unit
	CommonMode        *calib.CommonMode
	Geometry          string // a file
	Pedestals, Gains  []Part
	RMS, Status, Mask []Part
	FillGains         bool
	MaskUnknown       bool
}

// Build makes a set and checks it. What it had to do to the constants it says.
func Build(r *Request) (s *calib.Set, said []string, err error) {
	s = &calib.Set{Detector: r.Detector, Model: strings.ToLower(r.Type), Serials: r.Serials, FirstRun: r.FirstRun,
		LastRun: r.LastRun, Unit: r.Unit, CommonMode: r.CommonMode}
	if len(r.Pedestals) == 0 || len(r.Gains) == 0 {
		return nil, nil, errors.New("pedestals and gains are needed")
	}
	model := calib.ModelOf(r.Type)
	s.Rows, s.Cols = model.Rows, model.Cols
	if s.Rows == 0 {
		axes := r.Pedestals[0].Array.Shape
		var ok bool
		if s.Rows, s.Cols, ok = SegmentSize(axes, len(s.Serials)); !ok {
			return nil, nil, fmt.Errorf("%s: its shape is %v, and rows and columns are wanted", r.Pedestals[0].From, axes)
		}
	}
	if err := r.join(s, len(model.Ranges)); err != nil {
		return nil, nil, err
	}
	if r.Geometry != "" {
		if s.Geometry, err = readGeometry(r.Geometry); err != nil {
			return nil, nil, err
		}
	}
	if err := CheckGeometry(s); err != nil {
		return nil, nil, fmt.Errorf("%s: %w", r.Geometry, err)
	}
	if r.MaskUnknown { // first, so that what is marked is not filled
		said = MaskUnknown(s)
	}
	if r.FillGains {
		filled, err := FillGains(s)
		if err != nil {
			return nil, nil, err
		}
		said = append(said, filled...)
	}
	return s, said, s.Check()
}

func (r *Request) join(s *calib.Set, ranges int) (err error) {
	shape := Shape{Ranges: ranges, Segments: len(s.Serials), Rows: s.Rows, Cols: s.Cols}
	flat := shape
	flat.Ranges = 0
	if s.Pedestals, err = Join[float32](r.Pedestals, shape); err != nil {
		return fmt.Errorf("pedestals: %w", err)
	}
	if s.Gains, err = Join[float32](r.Gains, shape); err != nil {
		return fmt.Errorf("gains: %w", err)
	}
	if len(r.RMS) > 0 {
		if s.RMS, err = Join[float32](r.RMS, shape); err != nil {
			return fmt.Errorf("rms: %w", err)
		}
	}
	if len(r.Status) > 0 {
		if s.Status, err = Join[uint16](r.Status, shape); err != nil {
			return fmt.Errorf("status: %w", err)
		}
	}
	if len(r.Mask) > 1 {
		return fmt.Errorf("mask: %d files are given, and it is the same for all ranges", len(r.Mask))
	}
	if len(r.Mask) > 0 {
		if s.Mask, err = Join[uint8](r.Mask, flat); err != nil {
			return fmt.Errorf("mask: %w", err)
		}
	}
	return nil
}

// ParseCommonMode reads METHOD:WHAT:MAX:MIN, as in median:rows+cols:100:10.
func ParseCommonMode(text string) (*calib.CommonMode, error) {
	wrong := fmt.Errorf("%q: give METHOD:WHAT:MAX:MIN, as in median:rows+cols:100:10; methods are median and clipped-mean, "+
		"WHAT is rows, cols and banks, MAX the largest correction in ADU, MIN the fewest pixels", text)
	words := strings.Split(text, ":")
	if len(words) != 4 {
		return nil, wrong
	}
	c := &calib.CommonMode{Method: calib.Method(words[0])}
	for what := range strings.SplitSeq(words[1], "+") {
		switch what {
		case "rows":
			c.Rows = true
		case "cols":
			c.Cols = true
		case "banks":
			c.Banks = true
		default:
			return nil, wrong
		}
	}
	largest, err := strconv.ParseFloat(words[2], 32)
	fewest, err2 := strconv.Atoi(words[3])
	if err != nil || err2 != nil || c.Method != calib.Median && c.Method != calib.ClippedMean || !(largest > 0) || fewest < 0 {
		return nil, wrong
	}
	c.MaxADU, c.MinPixels = float32(largest), fewest
	return c, nil
}
