package source

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// SimParams describes the simulated camera and its run. The same parameters always give the same datagrams.
type SimParams struct {
	Seed     uint64
	Segments int     // 1..16
	First    int     // number of the first segment, where others have those before it
	Rows     int     // of a segment
	Cols     int     // of a segment
	Events   int     // of each step; 0 is without end
	Steps    int     // of each run
	Runs     int     // of each Configure
	Configs  int     // how often the camera is configured
	Hertz    float64 // of the timestamps, and so of --rate recorded
	Hits     float64 // fraction of frames with peaks, 0..1
	Peaks    int     // in a hit
	Noise    float64 // rms, ADU, where there is no background
	Rings    float64 // height of the ring of background, ADU; with a background b the noise is sqrt(Noise^2 + 2b)
	Bad      float64 // fraction of pixels that are stuck
	Switched float64 // fraction of pixels in low gain, beside those that peaks drive there
	Slow     int     // events from one SlowUpdate to the next; 0 is none
	Bank     int     // different frames; with 1 a slot is written once and then only stamped
	Name     string  // of the detector
}

// DefaultSim is a 2.16-megapixel ePix10ka-type camera of 16 segments at 25 kHz.
func DefaultSim() SimParams {
	return SimParams{Seed: 1, Segments: 16, Rows: 352, Cols: 384, Events: 1000, Steps: 1, Runs: 1, Configs: 1,
		Hertz: 25000, Hits: 0.1, Peaks: 40, Noise: 3, Rings: 60, Bad: 1e-3, Switched: 1e-5, Slow: 1000, Bank: 16, Name: "epixhr"}
}

// simKeys is what may stand in a sim: source, with its bounds.
var simKeys = map[string]struct {
	set      func(*SimParams, float64)
	min, max float64
	whole    bool
}{
	"seed":     {func(p *SimParams, v float64) { p.Seed = uint64(v) }, 0, 1 << 53, true},
	"segments": {func(p *SimParams, v float64) { p.Segments = int(v) }, 1, 16, true},
	"first":    {func(p *SimParams, v float64) { p.First = int(v) }, 0, 255, true},
	"rows":     {func(p *SimParams, v float64) { p.Rows = int(v) }, 1, 8192, true},
	"cols":     {func(p *SimParams, v float64) { p.Cols = int(v) }, 1, 8192, true},
	"events":   {func(p *SimParams, v float64) { p.Events = int(v) }, 0, 1e15, true},
	"steps":    {func(p *SimParams, v float64) { p.Steps = int(v) }, 1, 1e6, true},
	"runs":     {func(p *SimParams, v float64) { p.Runs = int(v) }, 1, 9999, true},
	"configs":  {func(p *SimParams, v float64) { p.Configs = int(v) }, 1, 9999, true},
	"hz":       {func(p *SimParams, v float64) { p.Hertz = v }, 1e-3, 1e9, false},
	"hits":     {func(p *SimParams, v float64) { p.Hits = v }, 0, 1, false},
	"peaks":    {func(p *SimParams, v float64) { p.Peaks = int(v) }, 0, 1e5, true},
	"noise":    {func(p *SimParams, v float64) { p.Noise = v }, 0, 1000, false},
	"rings":    {func(p *SimParams, v float64) { p.Rings = v }, 0, 1000, false},
	"bad":      {func(p *SimParams, v float64) { p.Bad = v }, 0, 1, false},
	"switched": {func(p *SimParams, v float64) { p.Switched = v }, 0, 1, false},
	"slow":     {func(p *SimParams, v float64) { p.Slow = int(v) }, 0, 1e15, true},
	"bank":     {func(p *SimParams, v float64) { p.Bank = int(v) }, 1, 1024, true},
}

// ParseSim reads "key=value,…" as it stands behind "sim:".
func ParseSim(text string) (SimParams, error) {
	p := DefaultSim()
	given := map[string]bool{}
	for field := range strings.FieldsFuncSeq(text, func(r rune) bool { return r == ',' || r == '&' || r == '?' }) {
		key, value, ok := strings.Cut(field, "=")
		if !ok {
			return p, fmt.Errorf("source: sim:%s: %q is not key=value", text, field)
		}
		if given[key] {
			return p, fmt.Errorf("source: sim: %s is given twice", key)
		}
		given[key] = true
		if key == "name" {
			if !validDetName(value) {
				return p, fmt.Errorf("source: sim: name=%q: a detector name has letters, digits and _", value)
			}
			if value == "epics" || value == "scan" || value == "runinfo" {
				return p, fmt.Errorf("source: sim: name=%s: the simulator has other data of that name", value)
			}
			p.Name = value
			continue
		}
		k, known := simKeys[key]
		if !known {
			return p, fmt.Errorf("source: sim: there is no parameter %q; there are name, %s", key, knownKeys())
		}
		v, err := strconv.ParseFloat(value, 64)
		if err != nil || !(v >= k.min && v <= k.max) || k.whole && v != float64(int64(v)) {
			kind := "number"
			if k.whole {
				kind = "whole number"
			}
			return p, fmt.Errorf("source: sim: %s=%s: give a %s from %g to %g", key, value, kind, k.min, k.max)
		}
		k.set(&p, v)
	}
	return p, p.check()
}

// maxSimEvents bounds the number of events, so that it can be counted.
const maxSimEvents = 1e15

// check refuses what would not fit in memory, or could not be counted.
func (p *SimParams) check() error {
	bytes := p.Segments * p.Rows * p.Cols * 2
	switch {
	case bytes > 1<<30:
		return fmt.Errorf("source: sim: frames of %d bytes are too large: 1 GiB at most", bytes)
	case bytes*p.Bank > 16<<30:
		return fmt.Errorf("source: sim: %d different frames of %d bytes are too many: 16 GiB at most, give a lower bank",
			p.Bank, bytes)
	case float64(p.Events)*float64(p.Steps)*float64(p.Runs)*float64(p.Configs) > maxSimEvents:
		return fmt.Errorf("source: sim: %d events x %d steps x %d runs x %d configs: %g events at most", p.Events, p.Steps,
			p.Runs, p.Configs, maxSimEvents)
	}
	return nil
}

func knownKeys() string {
	var keys []string
	for k := range simKeys {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return strings.Join(keys, ", ")
}

func validDetName(s string) bool {
	bad := func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'A' && r <= 'Z' || r >= 'a' && r <= 'z' || r == '_')
	}
	return s != "" && len(s) <= 64 && !strings.ContainsFunc(s, bad)
}
