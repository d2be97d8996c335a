package hit

import (
	"fmt"
	"math"
	"slices"
)

// Config says what is looked for, as the section "hits" of the configuration does.
type Config struct {
	Finder   string `yaml:"finder"`   // one of Finders
	Detector string `yaml:"detector"` // the camera; may be empty where there is one only
	Pixels   string `yaml:"pixels"`   // "adu" (default) or "calibrated"

	AtLeast int `yaml:"at_least"` // a hit has at least so many peaks, photons or pixels; the limit belongs to it
	AtMost  int `yaml:"at_most"`  // and at most so many; 0 is no limit

	CrossCheck int `yaml:"cross_check"` // of so many events that a GPU searched, one is searched by the CPU as well; 0 is none

	Peakfinder8 Peakfinder8 `yaml:"peakfinder8"`
	Droplets    Droplets    `yaml:"droplets"`
	Photons     Photons     `yaml:"photons"`
	Threshold   Threshold   `yaml:"threshold"`
	Regions     []Region    `yaml:"regions"` // summed up whatever is found, as is
	Radial      Radial      `yaml:"radial"`

	MaxPeaks int     `yaml:"max_peaks"` // that are kept of a frame; more are counted
	MinRes   float64 `yaml:"min_res"`   // pixels at this distance from the beam or nearer are not used, in pixels
	MaxRes   float64 `yaml:"max_res"`   // nor are those at this one or farther; 0 is no limit
	Center   Center  `yaml:"center"`    // of the beam, for a detector of one segment without a geometry
	Panel    [2]int  `yaml:"panel"`     // rows and columns of a panel, where no geometry says it; 0 is a whole segment
}

// Center is where the beam meets a segment, in pixels; 0, 0 is the centre of the first pixel.
type Center struct {
	Row, Col float64
	Given    bool `yaml:"-"`
}

// Peakfinder8 has the names of CrystFEL and OM. Values are in ADU, or in the unit of the constants.
type Peakfinder8 struct {
	Statistics    string  `yaml:"statistics"` // full, sampled or carried
	ADCThreshold  float64 `yaml:"adc_threshold"`
	MinSNR        float64 `yaml:"min_snr"`
	MinPixCount   int     `yaml:"min_pix_count"`
	MaxPixCount   int     `yaml:"max_pix_count"`
	LocalBGRadius int     `yaml:"local_bg_radius"`
	Refresh       int     `yaml:"refresh"` // carried: thresholds are made anew for every so many events
}

// Droplets has psalgos' names: thresholds, the size of the square, the ring of the background, and the selection, whose
// limits belong to it.
type Droplets struct {
	Low     float64 `yaml:"thr_low"`
	High    float64 `yaml:"thr_high"`
	Rank    int     `yaml:"rank"`
	R0      float64 `yaml:"r0"`
	DR      float64 `yaml:"dr"`
	MinPix  int     `yaml:"npix_min"`
	MaxPix  int     `yaml:"npix_max"`
	MinAmax float64 `yaml:"amax_thr"`
	MinAtot float64 `yaml:"atot_thr"`
	MinSON  float64 `yaml:"son_min"`
	Masked  string  `yaml:"masked"` // values or zeros, which pixels below the mask of the constants have when seeds are looked for
}

// Photons has psana's names.
type Photons struct {
	PerPhoton float64 `yaml:"adu_per_photon"` // in ADU, or in the unit of the constants
	Fraction  float64 `yaml:"thr_fraction"`   // two pixels with so much together share a photon
}

// Threshold counts the pixels above a value.
type Threshold struct {
	Above float64 `yaml:"above"`
}

// Finders are the names of what can be chosen.
var Finders = []string{"peakfinder8", "droplets", "photons", "threshold"}

// The kinds of statistics of peakfinder8: of all pixels; of at most 100 of each bin; and the latter from the first of
// every so many events.
const (
	Full    = "full"
	Sampled = "sampled"
	Carried = "carried"
)

// What masked pixels can have.
const (
	Values = "values"
	Zeros  = "zeros"
)

// What pixels can be.
const (
	ADU        = "adu"
	Calibrated = "calibrated"
)

// Default is a configuration with the parameters that users of CrystFEL and OM start from.
func Default() Config {
	return Config{
		Pixels: ADU, AtLeast: 15, CrossCheck: 1000, MaxPeaks: 2048,
		Peakfinder8: Peakfinder8{Statistics: Sampled, ADCThreshold: 100, MinSNR: 5, MinPixCount: 2, MaxPixCount: 200,
			LocalBGRadius: 4, Refresh: 100},
		Droplets: Droplets{Low: 50, High: 100, Rank: 3, R0: 4, DR: 2, MinPix: 2, MaxPix: 30, MinAmax: 200, MinAtot: 600, MinSON: 7,
			Masked: Values},
		Photons: Photons{Fraction: 0.9},
		Radial:  Radial{Bins: 1024, Width: 1},
	}
}

// Sizes that a search is made for.
const (
	maxRadius   = 16      // of the local background, pixels
	maxRank     = 16      // of droplets
	maxGroup    = 4096    // pixels of a peak
	maxPeakList = 1 << 16 // peaks of a frame that are kept

	// Of a photon in values: an eV, where they are keV, and less would be counted of noise alone; and more than any pixel holds.
	minPerPhoton, maxPerPhoton = 1e-3, 1e9
)

// Check tells the first thing that is wrong, by the name that users know it by.
func (c *Config) Check() error {
	if !slices.Contains(Finders, c.Finder) {
		return fmt.Errorf("hits: the finder %q is not known: give one of %v", c.Finder, Finders)
	}
	if c.Pixels != ADU && c.Pixels != Calibrated {
		return fmt.Errorf("hits: pixels %q: give adu or calibrated", c.Pixels)
	}
	if c.Finder == "peakfinder8" && !slices.Contains([]string{Full, Sampled, Carried}, c.Peakfinder8.Statistics) {
		return fmt.Errorf("hits: statistics %q: give full, sampled or carried", c.Peakfinder8.Statistics)
	}
	if c.Finder == "droplets" && c.Droplets.Masked != Values && c.Droplets.Masked != Zeros {
		return fmt.Errorf("hits: masked %q: give values or zeros", c.Droplets.Masked)
	}
	p, d := &c.Peakfinder8, &c.Droplets
	for _, l := range []limit{
		{"at_least", float64(c.AtLeast), 0, math.MaxInt32}, {"at_most", float64(c.AtMost), 0, math.MaxInt32},
		{"cross_check", float64(c.CrossCheck), 0, math.MaxInt32},
		{"max_peaks", float64(c.MaxPeaks), 1, maxPeakList},
		{"min_res", c.MinRes, 0, maxBins}, {"max_res", c.MaxRes, 0, math.MaxInt32},
		{"peakfinder8.adc_threshold", p.ADCThreshold, -1e6, 1e9}, {"peakfinder8.min_snr", p.MinSNR, 0, 1e6},
		{"peakfinder8.min_pix_count", float64(p.MinPixCount), 1, maxGroup},
		{"peakfinder8.max_pix_count", float64(p.MaxPixCount), 1, maxGroup},
		{"peakfinder8.local_bg_radius", float64(p.LocalBGRadius), 1, maxRadius},
		{"peakfinder8.refresh", float64(p.Refresh), 1, math.MaxInt32},
		{"droplets.thr_low", d.Low, 0, 1e9}, {"droplets.thr_high", d.High, d.Low, 1e9},
		{"droplets.rank", float64(d.Rank), 1, maxRank}, {"droplets.r0", d.R0, 0, maxRank}, {"droplets.dr", d.DR, 0, maxRank},
		{"droplets.npix_min", float64(d.MinPix), 1, maxGroup}, {"droplets.npix_max", float64(d.MaxPix), 1, maxGroup},
		{"droplets.amax_thr", d.MinAmax, -1e9, 1e9}, {"droplets.atot_thr", d.MinAtot, -1e9, 1e9},
		{"droplets.son_min", d.MinSON, -1e9, 1e9},
		{"photons.thr_fraction", c.Photons.Fraction, 0.5, 2}, {"threshold.above", c.Threshold.Above, -32000, 1e9},
		{"radial.every", float64(c.Radial.Every), 0, math.MaxInt32}, {"radial.bins", float64(c.Radial.Bins), 1, maxRadial},
		{"radial.width", float64(c.Radial.Width), 1, maxBins},
	} {
		if !(l.value >= l.low && l.value <= l.high) {
			return fmt.Errorf("hits: %s is %g: give a number from %g to %g", l.name, l.value, l.low, l.high)
		}
	}
	switch center := c.Center.Row + c.Center.Col; {
	case math.IsNaN(center) || math.IsInf(center, 0):
		return fmt.Errorf("hits: center is %g:%g: give two numbers, as 255.5:511.5", c.Center.Row, c.Center.Col)
	case c.AtMost != 0 && c.AtMost < c.AtLeast:
		return fmt.Errorf("hits: at_most %d is below at_least %d: nothing would be a hit", c.AtMost, c.AtLeast)
	case c.MaxRes != 0 && c.MaxRes <= c.MinRes:
		return fmt.Errorf("hits: max_res %g is not above min_res %g: no pixel would be used", c.MaxRes, c.MinRes)
	case p.MaxPixCount < p.MinPixCount || d.MaxPix < d.MinPix:
		return fmt.Errorf("hits: a peak cannot have more pixels at least than at most")
	case c.Finder == "photons" && c.Photons.PerPhoton == 0:
		return fmt.Errorf("hits: photons need adu_per_photon, the value of a pixel that one photon hit")
	case c.Finder == "photons" && !(c.Photons.PerPhoton >= minPerPhoton && c.Photons.PerPhoton <= maxPerPhoton):
		return fmt.Errorf("hits: photons.adu_per_photon is %g: give a number from %g to %g", c.Photons.PerPhoton, minPerPhoton, maxPerPhoton)
	}
	return checkRegions(c.Regions)
}

type limit struct {
	name             string
	value, low, high float64
}
