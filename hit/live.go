package hit

import (
	"slices"
	"strings"
)

// live are the parameters that a search does not prepare for: they can change from one frame to the next.
var live = []string{"at_least", "at_most", "peakfinder8.adc_threshold", "peakfinder8.min_snr", "peakfinder8.min_pix_count",
	"peakfinder8.max_pix_count", "droplets.thr_low", "droplets.thr_high", "droplets.npix_min", "droplets.npix_max", "droplets.amax_thr",
	"droplets.atot_thr", "droplets.son_min", "photons.adu_per_photon", "photons.thr_fraction", "threshold.above"}

// Live gives those of the parameters of the finder, and of all, that can change while it searches.
func (c *Config) Live() []Parameter {
	return slices.DeleteFunc(c.Parameters(), func(p Parameter) bool {
		finder, _, of := strings.Cut(p.Name, ".")
		return !slices.Contains(live, p.Name) || of && finder != c.Finder
	})
}

// Short is the name without that of the finder.
func (p *Parameter) Short() string { return p.Name[strings.IndexByte(p.Name, '.')+1:] }

// Number gives the value of one that can change: an int64 or a float64.
func (p *Parameter) Number() any {
	switch v := p.value.(type) {
	case *int:
		return int64(*v)
	case *float64:
		return *v
	}
	return nil
}

// SetNumber gives one that can change another value.
func (p *Parameter) SetNumber(v any) {
	switch to := p.value.(type) {
	case *int:
		*to = int(v.(int64))
	case *float64:
		*to = v.(float64)
	}
}

// With is the plan for a configuration that differs in what can change while it searches, and in nothing else. Both share all
// that was prepared.
func (p *Plan) With(c Config) *Plan {
	other := *p
	other.Config = c
	return &other
}
