package cuda

import (
	"fmt"
	"math"

	"drp/calib/correct"
	"drp/hit"
)

// Unsupported tells what of a plan only the CPU does, nil if the GPU can do it all.
func Unsupported(p *hit.Plan) error {
	c := &p.Config
	switch {
	case c.Finder != "peakfinder8":
		return fmt.Errorf("the finder is %s, and a GPU finds by peakfinder8 only", c.Finder)
	case c.Pixels != hit.ADU:
		return fmt.Errorf("pixels are %s, and a GPU searches in adu only", c.Pixels)
	case p.Camera.Tables.CommonMode():
		return fmt.Errorf("the constants ask for a common mode, which a GPU does not correct")
	case len(p.Panels) > math.MaxUint16:
		return fmt.Errorf("%d panels are more than a GPU is told of", len(p.Panels))
	}
	first := p.Camera.Tables.Conversion(0)
	for s := range p.Segments {
		v := p.Camera.Tables.Conversion(s)
		if v.Pick != first.Pick || v.Bias != first.Bias || v.DataMask != first.DataMask || v.Special != first.Special {
			return fmt.Errorf("segment %d tells its gain ranges in another way than segment 0", s)
		}
	}
	_, err := panelOf(p)
	return err
}

// panelOf gives the panel of each pixel; what is on none is never asked for.
func panelOf(p *hit.Plan) ([]uint16, error) {
	of, on := make([]uint16, stride(p)), make([]bool, stride(p))
	for k := range p.Panels {
		panel := &p.Panels[k]
		for row := panel.Row; row < panel.Row+panel.Rows; row++ {
			for col := panel.Col; col < panel.Col+panel.Cols; col++ {
				i := panel.Segment*p.Pixels() + row*p.Cols + col
				if on[i] {
					return nil, fmt.Errorf("two panels have the same pixels, in segment %d at row %d, column %d", panel.Segment, row, col)
				}
				of[i], on[i] = uint16(k), true
			}
		}
	}
	return of, nil
}

// stride is how many pixels lie from one frame to the next: a whole number of loads.
func stride(p *hit.Plan) int { return (p.Segments*p.Pixels() + eight - 1) / eight * eight }

// tables are the constants of a plan as they go to the device.
type tables struct {
	params    Params // with what needs no address
	pedestal  []int16
	codes     []uint16 // empty where Params.Code serves all
	pedestals []float32
	factors   []float32
	bin       []uint16
	panelOf   []uint16
	panels    []Panel
}

func newTables(p *hit.Plan, most Limits) *tables {
	c, n, all := &p.Config.Peakfinder8, p.Pixels(), stride(p)
	t := &tables{pedestal: make([]int16, all), bin: make([]uint16, all)}
	first := p.Camera.Tables.Conversion(0)
	t.params = Params{ADCThreshold: c.ADCThreshold / p.Step(), MinSNR: c.MinSNR, Doubt: p.Doubt(), Step: p.Step(), NoSigma: hit.NoSigma / p.Step(),
		Total: int32(p.Segments * n), Stride: int32(all), Pixels: int32(n), Cols: int32(p.Cols), Bins: int32(p.Bins),
		Code: int32(first.Codes[0]), Bias: int32(first.Bias), DataMask: int32(first.DataMask),
		MinPix: int32(c.MinPixCount), MaxPix: int32(c.MaxPixCount), Radius: int32(c.LocalBGRadius),
		MaxCandidates: int32(most.Candidates), MaxGroups: int32(most.Groups), MaxPeaks: int32(most.Peaks), OutBytes: int32(most.outBytes()),
		Pool: int32(p.Pool)}
	if first.Special {
		t.params.Special = 1
	}
	for i, r := range first.Pick {
		t.params.Pick[i] = int32(r)
	}
	for i := range all {
		t.pedestal[i], t.bin[i] = correct.BadPedestal, hit.Unused
	}
	copy(t.bin, p.Bin)
	t.panelOf, _ = panelOf(p)
	for _, panel := range p.Panels {
		t.panels = append(t.panels, Panel{int32(panel.Segment), int32(panel.Row), int32(panel.Col), int32(panel.Rows), int32(panel.Cols)})
	}
	t.convert(p)
	return t
}

// convert takes over how raw pixels become values.
func (t *tables) convert(p *hit.Plan) {
	n, total, ranges, uniform := p.Pixels(), p.Segments*p.Pixels(), 0, true
	for s := range p.Segments {
		v := p.Camera.Tables.Conversion(s)
		ranges = max(ranges, len(v.Factors))
		uniform = uniform && v.Wrap >= 0 && int32(v.Codes[0]) == t.params.Code
	}
	t.pedestals, t.factors = make([]float32, ranges*total), make([]float32, ranges*total)
	if !uniform {
		t.codes = make([]uint16, stride(p))
	}
	for s := range p.Segments {
		v := p.Camera.Tables.Conversion(s)
		copy(t.pedestal[s*n:], v.Pedestal)
		for r := range v.Factors {
			copy(t.pedestals[r*total+s*n:], v.Pedestals[r])
			copy(t.factors[r*total+s*n:], v.Factors[r])
		}
		for i := range n {
			if !uniform {
				t.codes[s*n+i] = v.Codes[i&v.Wrap]
			}
		}
	}
}
