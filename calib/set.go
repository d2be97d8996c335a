package calib

import (
	"fmt"
	"strings"
	"time"
)

// Set is the constants of one detector, or of some of its segments, for a range of runs. Arrays are row major; R is the
// number of gain ranges of the model, S that of segments. Those that may be missing are nil.
type Set struct {
	Detector   string   // its name in the data: "epixquad"
	Model      string   // its detector type: "epix10ka"
	Serials    []string // the unique id of each segment, in the order of the arrays
	FirstRun   int      // the set is valid from this run on
	LastRun    int      // and up to this one; 0 is until a newer set takes over
	Unit       Unit     // of what the gains lead to
	Rows, Cols int      // of a segment

	Pedestals []float32 // (R, S, Rows, Cols), ADU
	Gains     []float32 // (R, S, Rows, Cols), ADU per unit, negative where a range counts downwards; 0 and NaN: not known
	RMS       []float32 // (R, S, Rows, Cols), ADU, noise of the pedestal; may be missing
	Status    []uint16  // (R, S, Rows, Cols), 0 is good; may be missing
	Mask      []uint8   // (S, Rows, Cols), 1 is good, 0 is bad; may be missing

	CommonMode *CommonMode // may be missing
	Geometry   string      // a CrystFEL geometry file; may be empty
	// Places are those of the segments in the whole set that the geometry is for, whose first segment is that with the
	// lowest number in the geometry, and so on. nil is 0, 1, 2, ...: this is the whole set. Subset fills them in.
	Places []int

	ID         string // in the store it comes from; empty elsewhere
	Provenance Provenance
	Digest     string // SHA-256 of all the above but id and provenance, in hexadecimal; filled in by Seal
}

// Unit is what a calibrated pixel is counted in.
type Unit string

const (
	ADU    Unit = "ADU"
	KeV    Unit = "keV"
	Photon Unit = "photon"
)

// Provenance says where a set comes from.
type Provenance struct {
	Who     string    `json:"who"`
	When    time.Time `json:"when"`
	From    string    `json:"from"` // files, or a command
	Comment string    `json:"comment,omitempty"`
}

// CommonMode says how the common mode of banks is taken off, as psana's parameters (7, mode, max correction, min
// pixels) do.
type CommonMode struct {
	Method    Method  `json:"method"`
	Rows      bool    `json:"rows"`  // each row of each bank; mode bit 1
	Cols      bool    `json:"cols"`  // each column of each bank; mode bit 2
	Banks     bool    `json:"banks"` // whole banks; mode bit 4
	MaxADU    float32 `json:"max_adu"`
	MinPixels int     `json:"min_pixels"`
}

// String is how the command line spells it: "median:rows+cols:100:10".
func (c *CommonMode) String() string {
	var what []string
	for _, w := range []struct {
		on   bool
		name string
	}{{c.Rows, "rows"}, {c.Cols, "cols"}, {c.Banks, "banks"}} {
		if w.on {
			what = append(what, w.name)
		}
	}
	return fmt.Sprintf("%s:%s:%g:%d", c.Method, strings.Join(what, "+"), c.MaxADU, c.MinPixels)
}

// Method is how the middle of some pixels is found.
type Method string

const (
	Median      Method = "median"
	ClippedMean Method = "clipped-mean"
)

// Ranges is the number of gain ranges the arrays have.
func (s *Set) Ranges() int {
	m := ModelOf(s.Model)
	return len(m.Ranges)
}

// SegmentPixels is the number of pixels of a segment.
func (s *Set) SegmentPixels() int { return s.Rows * s.Cols }

// Place is that of a segment in the whole set.
func (s *Set) Place(segment int) int {
	if len(s.Places) == 0 {
		return segment
	}
	return s.Places[segment]
}
