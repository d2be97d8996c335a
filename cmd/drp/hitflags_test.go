package main

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"drp/drp"
	"drp/hit"
)

// searchOf reads what flags, environment and file say about hits.
func searchOf(t *testing.T, args []string, env map[string]string, yaml string) (*drp.Hits, error) {
	t.Helper()
	flags, err := settled(t, args, env, yaml)
	if err != nil {
		return nil, err
	}
	f := hitFlags{search: *flags.Lookup("hits").Value.(*hitsFlag), fexOn: flags.Lookup("fex-on").Value.String(),
		keepRaw: flags.Lookup("keep-raw").Value.String()}
	return f.complete()
}

const hitsSection = `
hits:
  at_least: 4
  finder: peakfinder8
  center: [700, 511.5]
  peakfinder8:
    min_snr: 6
    statistics: carried
  droplets: {rank: 2}
fex-on: hits
`

func TestHitSettings(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  map[string]string
		file string
		want string // the configuration in words
	}{
		{"the section", nil, nil, hitsSection, "peakfinder8 6 carried 4 2 100 only"},
		{"the environment over it", nil, map[string]string{"DRP_HITS": ":min_snr=7"}, hitsSection, "peakfinder8 7 carried 4 2 100 only"},
		{"the flag over both", []string{"--hits", "peakfinder8:min_snr=8,adc_threshold=50"}, map[string]string{"DRP_HITS": ":min_snr=7,at_least=5"},
			hitsSection, "peakfinder8 8 carried 5 2 50 only"},
		{"another finder", []string{"--hits", "droplets", "--fex-on", "all"}, nil, hitsSection, "droplets 6 carried 4 2 100"},
		{"one value in the file", nil, nil, "hits: peakfinder8:min_snr=9\n", "peakfinder8 9 sampled 15 3 100"},
		{"its own name for a parameter, before the finder", nil, nil, "hits: {min_snr: 9, finder: peakfinder8}\n", "peakfinder8 9 sampled 15 3 100"},
		{"the flag alone, twice", []string{"--hits", "peakfinder8", "--hits", ":at_least=2"}, nil, "", "peakfinder8 5 sampled 2 3 100"},
		{"none over the file", []string{"--hits", "none", "--fex-on", "all"}, nil, hitsSection, "none"},
		{"none takes back what needs it", []string{"--hits", "none"}, nil, hitsSection + "keep-raw: hits\n", "none"},
		{"none of the environment, too", nil, map[string]string{"DRP_HITS": "none"}, hitsSection, "none"},
		{"regions", nil, nil, "hits:\n  finder: peakfinder8\n  min_snr: 4\n  radial: {every: 100}\n  regions:\n    - {name: ring, segment: 2, rows: [100, 140], cols: [0, 384]}\n" +
			"    - name: b\n      rows: [0, 1]\n      cols: [2, 3]\n", "peakfinder8 4 sampled 15 3 100 ring/2/100-140/0-384+b/0/0-1/2-3 100"},
		{"nothing", nil, nil, "workers: 2\n", "none"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := searchOf(t, tt.args, tt.env, tt.file)
			if err != nil {
				t.Fatal(err)
			}
			if got := inWords(h); got != tt.want {
				t.Errorf("%s, not %s", got, tt.want)
			}
		})
	}
}

func inWords(h *drp.Hits) string {
	if h == nil {
		return "none"
	}
	var words []string
	for _, p := range h.Parameters() {
		switch p.Name {
		case "finder", "peakfinder8.min_snr", "peakfinder8.statistics", "at_least", "droplets.rank", "peakfinder8.adc_threshold":
			words = append(words, p.Value())
		}
	}
	finder, atLeast, statistics, threshold, snr, rank := words[0], words[1], words[2], words[3], words[4], words[5]
	text := strings.Join([]string{finder, snr, statistics, atLeast, rank, threshold}, " ")
	if len(h.Regions) > 0 {
		text += fmt.Sprintf(" %v+%v %d", &h.Regions[0], &h.Regions[1], h.Radial.Every)
	}
	if h.Only {
		text += " only"
	}
	return text
}

func TestHitSettingsRefused(t *testing.T) {
	tests := []struct {
		name string
		args []string
		env  map[string]string
		file string
		kind drp.Kind // 0 is usage
		want string
	}{
		{"no such finder", []string{"--hits", "peakfinder9"}, nil, "", 0, `--hits: the finder "peakfinder9" is not known`},
		{"out of range", []string{"--hits", "peakfinder8:min_snr=-1"}, nil, "", 0, "peakfinder8.min_snr is -1: give a number from 0 to"},
		{"no parameter, in the environment", nil, map[string]string{"DRP_HITS": "peakfinder8:snr=1"}, "", drp.Configuration,
			`environment variable DRP_HITS: peakfinder8 has no parameter "snr"`},
		{"no parameter, in the file", nil, nil, "workers: 2\nhits:\n  finder: peakfinder8\n  snr: 5\n", drp.Configuration, `drp.yaml:4: peakfinder8 has no parameter "snr"`},
		{"no value", nil, nil, "hits:\n  finder: peakfinder8\n  peakfinder8:\n    min_snr: {a: b}\n", drp.Configuration,
			"drp.yaml:4: hits: peakfinder8.min_snr: a single value is wanted"},
		{"a list", nil, nil, "hits: [peakfinder8]\n", drp.Configuration, "drp.yaml:1: hits: names of parameters with their values are wanted"},
		{"a region without rows", nil, nil, "hits:\n  finder: peakfinder8\n  regions: [{name: a, cols: [1, 2]}]\n", drp.Configuration, "drp.yaml:3: hits: regions: give rectangles, as {name: ring"},
		{"a region with a typo", nil, nil, "hits:\n  finder: peakfinder8\n  regions:\n    - {name: a, segmnt: 1, rows: [1, 2], cols: [1, 2]}\n", drp.Configuration, "drp.yaml:4: hits: regions: give rectangles, as {name: ring"},
		{"a region before the first row", nil, nil, "hits:\n  finder: peakfinder8\n  regions: [{name: a, rows: [-1, 2], cols: [1, 2]}]\n", drp.Configuration, "drp.yaml:3: hits: regions: give rectangles, as {name: ring"},
		{"no finder", nil, nil, "hits: {at_least: 5}\n", drp.Configuration, "drp.yaml:1: no finder is named: give one of peakfinder8"},
		{"no finder in the flag", []string{"--hits", ":at_least=5"}, nil, "", 0, "--hits: no finder is named: give one of peakfinder8"},
		{"a center that is none", []string{"--hits", "peakfinder8:center=nan:3"}, nil, "", 0, "center is NaN:3: give two numbers"},
		{"an infinite one", []string{"--hits", "peakfinder8:center=3:-Inf"}, nil, "", 0, "center is 3:-Inf: give two numbers"},
		{"fex-on without", []string{"--fex-on", "hits"}, nil, "", 0, "nobody looks for hits: give --hits peakfinder8, too"},
		{"keep-raw without", []string{"--keep-raw", "hits"}, nil, "", 0, "nobody looks for hits: give --hits peakfinder8, too"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := searchOf(t, tt.args, tt.env, tt.file)
			var f *drp.Failure
			if err == nil || !strings.Contains(err.Error(), tt.want) || errors.As(err, &f) != (tt.kind != 0) || f != nil && f.Kind != tt.kind {
				t.Errorf("%v, not %s", err, tt.want)
			}
		})
	}
}

// TestHitsAreNamed: the help names the first finder, which is one.
func TestHitsAreNamed(t *testing.T) {
	if usage := newRunCommand().Flags().Lookup("hits").Usage; !strings.Contains(usage, hit.Finders[0]) {
		t.Error(usage)
	}
}
