package calib

import (
	"slices"
	"strings"
)

// Model is a kind of detector: the shape of its segments, its gain ranges, and where a raw pixel says in which of them
// it was taken. The gain ranges and bank sizes are those of psana's detector classes (UtilsEpix10ka, UtilsJungfrau,
// UtilsCommonMode).
type Model struct {
	Name       string // the detector type of its Names: "jungfrau"
	Rows, Cols int    // of a segment; 0 is whatever its data have
	Ranges     []string
	Coding     Coding
	DataBits   int // of a raw pixel, the lowest ones
	BankRows   int // of a readout bank, which shares one common mode; 0 is the whole segment
	BankCols   int
}

// Coding is how a raw pixel and the configuration of the detector tell the gain range.
type Coding int

const (
	// OneRange has no gain ranges.
	OneRange Coding = iota
	// TwoBits above the data name the range: 00 the first, 01 the second, 11 the third; 10 is bad (JUNGFRAU).
	TwoBits
	// Configured ranges follow from the pixel's configuration word and one bit above the data (ePix10ka, ePixHR).
	Configured
)

// models are the detectors known by name; a new one is a line here.
var models = []Model{
	{Name: "jungfrau", Rows: 512, Cols: 1024, Ranges: []string{"G0", "G1", "G2"}, Coding: TwoBits, DataBits: 14,
		BankRows: 256, BankCols: 64},
	{Name: "epix10ka", Rows: 352, Cols: 384, Ranges: epixRanges, Coding: Configured, DataBits: 14, BankRows: 176,
		BankCols: 48},
	{Name: "epixhr", Rows: 288, Cols: 384, Ranges: epixRanges, Coding: Configured, DataBits: 14, BankRows: 144,
		BankCols: 48},
	{Name: "epix100", Rows: 704, Cols: 768, Ranges: oneRange, DataBits: 16, BankRows: 352, BankCols: 96},
}

var (
	// epixRanges are fixed high, medium and low, automatic high and medium, and what these switch to.
	epixRanges = []string{"FH", "FM", "FL", "AHL_H", "AML_M", "AHL_L", "AML_L"}
	oneRange   = []string{"-"}
)

// ModelOf gives the model of a detector type; variants carry the name of their family at the front ("epixhr2x2",
// "epix10kaquad"). A type that is not known has one range, 16 data bits and any shape.
func ModelOf(detType string) Model {
	name := strings.ToLower(detType)
	for _, m := range models {
		if strings.HasPrefix(name, m.Name) {
			if name != m.Name {
				m.Rows, m.Cols = 0, 0 // the family's, but perhaps not the variant's
			}
			m.Name = name
			return m
		}
	}
	return Model{Name: name, Ranges: oneRange, DataBits: 16}
}

// Families are the names of the detectors that are known.
func Families() (names []string) {
	for _, m := range models {
		names = append(names, m.Name)
	}
	return names
}

// Known tells whether it is one of them, or a variant.
func (m *Model) Known() bool {
	return slices.ContainsFunc(models, func(f Model) bool { return strings.HasPrefix(m.Name, f.Name) })
}

// GainBit is the bit above the data of a Configured model: 14 in ePix10ka, 15 in ePixHR, whose lower one says nothing.
func (m *Model) GainBit() int {
	if strings.HasPrefix(m.Name, "epixhr") {
		return 15
	}
	return 14
}

// CommonModeRanges are the gain ranges whose pixels take part in the common mode: high and medium gain.
func (m *Model) CommonModeRanges() []int {
	if m.Coding == Configured {
		return []int{0, 1, 3, 4}
	}
	return []int{0}
}
