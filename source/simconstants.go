package source

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"drp/calib"
)

// Gains of an ePix10ka, ADU per keV: psana's GAIN_EPIX10KA (UtilsEpix10ka).
const (
	highADUPerKeV   = 16.4
	mediumADUPerKeV = 5.466
	lowADUPerKeV    = highADUPerKeV / lowGainRatio
)

// simRanges are the gain ranges of an ePix10ka in the order of calib.Model. Frames only use AHL_H and AHL_L.
var simRanges = []struct {
	gain float32
	low  bool
}{{highADUPerKeV, false}, {mediumADUPerKeV, false}, {lowADUPerKeV, true}, {highADUPerKeV, false}, {mediumADUPerKeV, false},
	{lowADUPerKeV, true}, {lowADUPerKeV, true}}

// Constants are what the pixels of the simulated camera are corrected with: exactly what they were made with. The gain
// ranges of segments are known in the shape of an ePix10ka's only.
func (p *SimParams) Constants() (*calib.Set, error) {
	if !p.HasConstants() {
		return nil, fmt.Errorf("source: sim: there are constants of segments of %d x %d pixels, and not of %d x %d: leave rows "+
			"and cols out", epixRows, epixCols, p.Rows, p.Cols)
	}
	n := p.Segments * p.Rows * p.Cols
	s := &calib.Set{Detector: p.Name, Model: simType, Unit: calib.KeV, Rows: p.Rows, Cols: p.Cols, Geometry: p.geometry(),
		Mask: make([]uint8, n), Provenance: calib.Provenance{Who: "drp", When: time.Unix(simStartUnix, 0).UTC(), From: "sim:"}}
	for segment := range p.Segments {
		s.Serials = append(s.Serials, simSerial(p.First+segment))
	}
	noise := p.noise()
	high := make([]float32, n)
	for i := range high {
		high[i] = p.pedestal(i, noise)
		if _, stuck := p.stuck(i); !stuck {
			s.Mask[i] = 1
		}
	}
	low := slices.Repeat([]float32{lowPedestalADU}, n)
	s.Pedestals, s.Gains = make([]float32, 0, len(simRanges)*n), make([]float32, 0, len(simRanges)*n)
	for _, r := range simRanges {
		pedestals := high
		if r.low {
			pedestals = low
		}
		s.Pedestals = append(s.Pedestals, pedestals...)
		s.Gains = append(s.Gains, slices.Repeat([]float32{r.gain}, n)...)
	}
	s.Seal() // without Check, which is for what comes from outside and takes longer than the rest: a test does it
	return s, nil
}

// geometry is a CrystFEL geometry file of the segments side by side, with the beam in the middle.
func (p *SimParams) geometry() string {
	var b strings.Builder
	b.WriteString("; the simulated camera\nclen = 0.1\nphoton_energy = 9500 eV\nadu_per_eV = 0.001\nres = 10000\n" +
		"data = /entry_1/data_1/data\ndim0 = %\ndim2 = ss\ndim3 = fs\n")
	side := p.mosaic()
	for s := range p.Segments {
		fmt.Fprintf(&b, "\np%d/dim1 = %d\np%d/min_fs = 0\np%d/max_fs = %d\np%d/min_ss = 0\np%d/max_ss = %d\np%d/fs = +1.0x\n"+
			"p%d/ss = +1.0y\np%d/corner_x = %g\np%d/corner_y = %g\n", s, s, s, s, p.Cols-1, s, s, p.Rows-1, s, s,
			s, float64(s%side*p.Cols)-float64(side*p.Cols)/2, s, float64(s/side*p.Rows)-float64(side*p.Rows)/2)
	}
	return b.String()
}
