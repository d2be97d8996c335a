package hit

import (
	"cmp"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Parameter is a value of a configuration that users choose, by the name that they know it by.
type Parameter struct {
	Name string // those of a finder have its name in front: peakfinder8.min_snr
	Unit string // of the value; "values" are ADU, or the unit of the constants where pixels are calibrated
	Help string

	value any // *int, *float64, *string, *Center, *[2]int or *[]Region
}

// Parameters are those of a configuration, in the order in which they are told.
func (c *Config) Parameters() []Parameter {
	p, d := &c.Peakfinder8, &c.Droplets
	return []Parameter{
		{"finder", "", "peakfinder8, droplets, photons or threshold", &c.Finder},
		{"detector", "", "the camera that is searched; may be left out where there is one", &c.Detector},
		{"pixels", "", "adu: ADU less pedestal and common mode; calibrated: in the unit of the constants", &c.Pixels},
		{"at_least", "peaks, photons or pixels", "a hit has so many or more", &c.AtLeast},
		{"at_most", "peaks, photons or pixels", "and so many or fewer; 0 is no limit", &c.AtMost},
		{"cross_check", "events", "of so many that a GPU searched, one is searched by the CPU as well; 0 is none", &c.CrossCheck},
		{"max_peaks", "peaks", "that are kept of an event; all are counted", &c.MaxPeaks},
		{"min_res", "pixels", "nearer to the beam, and at this distance, pixels are not used", &c.MinRes},
		{"max_res", "pixels", "nor farther from it, or at this distance; 0 is no limit", &c.MaxRes},
		{"center", "pixels", "ROW:COLUMN of the beam, for a detector of one segment without a geometry", &c.Center},
		{"panel", "pixels", "ROWSxCOLUMNS of a panel, where no geometry says it; 0x0 is a whole segment", &c.Panel},
		{"regions", "pixels", "rectangles that are summed up, NAME/SEGMENT/ROW-ROW/COLUMN-COLUMN and + between them; the second ones are not in it", &c.Regions},
		{"radial.every", "events", "a radial profile is made of those whose number this divides; 0 is none", &c.Radial.Every},
		{"radial.bins", "", "of the profile", &c.Radial.Bins},
		{"radial.width", "pixels", "of a bin", &c.Radial.Width},
		{"peakfinder8.statistics", "", "full: of all pixels; sampled: of 100 of each ring, with those of the rings nearby; carried: the latter, of one event in `refresh`", &p.Statistics},
		{"peakfinder8.adc_threshold", "values", "a pixel of a peak is above this", &p.ADCThreshold},
		{"peakfinder8.min_snr", "", "pixels of a peak are above the mean of their ring by so many deviations, and the peak is so many or more", &p.MinSNR},
		{"peakfinder8.min_pix_count", "pixels", "a peak has so many or more", &p.MinPixCount},
		{"peakfinder8.max_pix_count", "pixels", "and so many or fewer", &p.MaxPixCount},
		{"peakfinder8.local_bg_radius", "pixels", "the background is taken from a disc of twice this radius", &p.LocalBGRadius},
		{"peakfinder8.refresh", "events", "carried: thresholds are made anew for every so many", &p.Refresh},
		{"droplets.thr_low", "values", "a pixel of a droplet has this or more", &d.Low},
		{"droplets.thr_high", "values", "its highest pixel has this or more", &d.High},
		{"droplets.rank", "pixels", "it is the highest within so many rows and columns, and the droplet stays in there", &d.Rank},
		{"droplets.r0", "pixels", "inner radius of the ring of the background", &d.R0},
		{"droplets.dr", "pixels", "and its width", &d.DR},
		{"droplets.npix_min", "pixels", "a droplet has so many or more", &d.MinPix},
		{"droplets.npix_max", "pixels", "and so many or fewer", &d.MaxPix},
		{"droplets.amax_thr", "values", "its highest pixel is so much or more above the background", &d.MinAmax},
		{"droplets.atot_thr", "values", "and all its pixels together so much or more", &d.MinAtot},
		{"droplets.son_min", "", "signal over noise: so much or more", &d.MinSON},
		{"droplets.masked", "", "values: pixels that the mask leaves out forbid lower seeds beside them, as any; zeros: they do not", &d.Masked},
		{"photons.adu_per_photon", "values", "of a pixel that one photon hit; must be given, 0.001 to 1e9", &c.Photons.PerPhoton},
		{"photons.thr_fraction", "photons", "two pixels with so much together share a photon", &c.Photons.Fraction},
		{"threshold.above", "values", "pixels above this count", &c.Threshold.Above},
	}
}

// Apply takes what users write: "FINDER", "FINDER:name=value,name=value" or ":name=value". The names of the finder's own
// parameters may stand without its name. What is not named stays as it is.
func (c *Config) Apply(text string) error {
	finder, rest, some := strings.Cut(text, ":")
	if finder = strings.TrimSpace(finder); finder != "" {
		if !slices.Contains(Finders, finder) {
			return fmt.Errorf("hits: the finder %q is not known: give one of %s", finder, strings.Join(Finders, ", "))
		}
		c.Finder = finder
	}
	if some && strings.TrimSpace(rest) == "" {
		return fmt.Errorf("hits: %q: behind the colon parameters are wanted, as in %s:%s", text, Finders[0], "min_snr=7")
	}
	for pair := range strings.SplitSeq(rest, ",") {
		name, value, found := strings.Cut(pair, "=")
		if rest == "" {
			break
		}
		if !found {
			return fmt.Errorf("hits: %q is no parameter: give name=value", strings.TrimSpace(pair))
		}
		if err := c.Set(strings.TrimSpace(name), strings.TrimSpace(value)); err != nil {
			return err
		}
	}
	return nil
}

// Set gives a parameter its value, as it is written.
func (c *Config) Set(name, text string) error {
	all := c.Parameters()
	at := slices.IndexFunc(all, func(p Parameter) bool { return p.Name == name || p.Name == c.Finder+"."+name })
	if at < 0 {
		return fmt.Errorf("hits: %s has no parameter %q: there are %s", cmp.Or(c.Finder, "a finder"), name, c.known())
	}
	if !all[at].set(text) {
		return fmt.Errorf("hits: %s=%s: give %s", name, text, all[at].wanted())
	}
	return nil
}

// known names the parameters that can be set without the name of a finder.
func (c *Config) known() string {
	var names []string
	for _, p := range c.Parameters() {
		name := strings.TrimPrefix(p.Name, c.Finder+".")
		if p.Name != "finder" && (c.Finder == "" || !p.ofAnother(c)) {
			names = append(names, name)
		}
	}
	return strings.Join(names, ", ")
}

// ofAnother tells a parameter of a finder that is not chosen.
func (p *Parameter) ofAnother(c *Config) bool {
	finder, _, own := strings.Cut(p.Name, ".")
	return own && finder != c.Finder && slices.Contains(Finders, finder)
}

// set reads a value; it tells whether it is one.
func (p *Parameter) set(text string) bool {
	var err error
	switch v := p.value.(type) {
	case *string:
		*v = text
	case *int:
		*v, err = strconv.Atoi(text)
	case *float64:
		*v, err = strconv.ParseFloat(text, 64)
	case *Center:
		row, col, two := strings.Cut(text, ":")
		var err1, err2 error
		v.Row, err1 = strconv.ParseFloat(row, 64)
		v.Col, err2 = strconv.ParseFloat(col, 64)
		v.Given = true
		return two && err1 == nil && err2 == nil
	case *[]Region:
		*v, err = parseRegions(text)
	case *[2]int:
		rows, cols, two := strings.Cut(strings.ReplaceAll(text, ":", "x"), "x")
		var err1, err2 error
		v[0], err1 = strconv.Atoi(rows)
		v[1], err2 = strconv.Atoi(cols)
		return two && err1 == nil && err2 == nil
	}
	return err == nil
}

// wanted says what a value looks like.
func (p *Parameter) wanted() string {
	switch p.value.(type) {
	case *int:
		return "a whole number"
	case *float64:
		return "a number"
	case *Center:
		return "two numbers, as 255.5:511.5"
	case *[]Region:
		return "rectangles, as ring/0/100-140/0-384+rim/0/0-10/0-384"
	}
	return "two whole numbers, as 256x256"
}

// Value is the value as it is written; empty where there is none.
func (p *Parameter) Value() string {
	switch v := p.value.(type) {
	case *string:
		return *v
	case *int:
		return strconv.Itoa(*v)
	case *float64:
		return strconv.FormatFloat(*v, 'g', -1, 64)
	case *Center:
		if v.Given {
			return fmt.Sprintf("%g:%g", v.Row, v.Col)
		}
	case *[2]int:
		return fmt.Sprintf("%dx%d", v[0], v[1])
	case *[]Region:
		var all []string
		for _, r := range *v {
			all = append(all, r.String())
		}
		return strings.Join(all, "+")
	}
	return ""
}

// JSON is every parameter of the finder by its name, as the record has it.
func (c *Config) JSON() string {
	values := map[string]any{}
	for _, p := range c.Parameters() {
		name := strings.TrimPrefix(p.Name, c.Finder+".")
		if p.ofAnother(c) {
			continue
		}
		if center, ok := p.value.(*Center); ok {
			values[name] = nil
			if center.Given {
				values[name] = [2]float64{center.Row, center.Col}
			}
			continue
		}
		values[name] = p.value
	}
	text, err := json.Marshal(values)
	if err != nil { // a number that is none, which Check refuses
		return "{}"
	}
	return string(text)
}

// String is how users write a region.
func (r *Region) String() string {
	return fmt.Sprintf("%s/%d/%d-%d/%d-%d", r.Name, r.Segment, r.Rows[0], r.Rows[1], r.Cols[0], r.Cols[1])
}

// parseRegions reads NAME/SEGMENT/ROW-ROW/COLUMN-COLUMN with + between them.
func parseRegions(text string) (all []Region, err error) {
	for one := range strings.SplitSeq(text, "+") {
		parts := strings.Split(one, "/")
		if len(parts) != 4 {
			return nil, fmt.Errorf("%q is no region", one)
		}
		r := Region{Name: parts[0]}
		if r.Segment, err = strconv.Atoi(parts[1]); err != nil {
			return nil, err
		}
		for i, to := range []*[2]int{&r.Rows, &r.Cols} {
			first, end, _ := strings.Cut(parts[2+i], "-")
			var err1, err2 error
			to[0], err1 = strconv.Atoi(first)
			to[1], err2 = strconv.Atoi(end)
			if err1 != nil || err2 != nil {
				return nil, fmt.Errorf("%q is no range", parts[2+i])
			}
		}
		all = append(all, r)
	}
	return all, nil
}
