package hit_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"drp/hit"
	"drp/internal/testkit"
)

func TestApply(t *testing.T) {
	for _, tt := range []struct {
		name  string
		texts []string
		want  func(c *hit.Config)
	}{
		{"a finder", []string{"droplets"}, func(c *hit.Config) { c.Finder = "droplets" }},
		{"its own and others' parameters", []string{"peakfinder8: min_snr = 7 ,adc_threshold=-1e2,at_least=3,droplets.rank=2"}, func(c *hit.Config) {
			c.Finder, c.Peakfinder8.MinSNR, c.Peakfinder8.ADCThreshold, c.AtLeast, c.Droplets.Rank = "peakfinder8", 7, -100, 3, 2
		}},
		{"center and panel", []string{"threshold:above=5,center=-700:511.5,panel=256x128"}, func(c *hit.Config) {
			c.Finder, c.Threshold.Above, c.Panel = "threshold", 5, [2]int{256, 128}
			c.Center = hit.Center{Row: -700, Col: 511.5, Given: true}
		}},
		{"one over another", []string{"peakfinder8:min_snr=7,min_res=5", ":min_snr=8"}, func(c *hit.Config) {
			c.Finder, c.Peakfinder8.MinSNR, c.MinRes = "peakfinder8", 8, 5
		}},
		{"regions and profiles", []string{"threshold:regions=ring/3/100-140/0-384+b/0/0-1/2-3,radial.every=100"}, func(c *hit.Config) {
			c.Finder, c.Radial.Every = "threshold", 100
			c.Regions = []hit.Region{{Name: "ring", Segment: 3, Rows: [2]int{100, 140}, Cols: [2]int{0, 384}},
				{Name: "b", Rows: [2]int{0, 1}, Cols: [2]int{2, 3}}}
		}},
		{"words", []string{"peakfinder8:statistics=carried,refresh=10,detector=jungfrau,pixels=calibrated"}, func(c *hit.Config) {
			c.Finder, c.Detector, c.Pixels = "peakfinder8", "jungfrau", "calibrated"
			c.Peakfinder8.Statistics, c.Peakfinder8.Refresh = "carried", 10
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, want := hit.Default(), hit.Default()
			for _, text := range tt.texts {
				if err := got.Apply(text); err != nil {
					t.Fatal(err)
				}
			}
			if tt.want(&want); !reflect.DeepEqual(got, want) {
				t.Errorf("%+v, not %+v", got, want)
			}
		})
	}
}

func TestApplyRefuses(t *testing.T) {
	for text, want := range map[string]string{
		"peakfinder9":                   `the finder "peakfinder9" is not known: give one of peakfinder8, `,
		"peakfinder8:min_snr":           `"min_snr" is no parameter: give name=value`,
		"peakfinder8:":                  "behind the colon parameters are wanted",
		"peakfinder8:snr=5":             `peakfinder8 has no parameter "snr": there are detector, pixels, at_least, `,
		"peakfinder8:thr_low=5":         `peakfinder8 has no parameter "thr_low"`,
		"peakfinder8:min_snr=five":      "min_snr=five: give a number",
		"peakfinder8:min_pix_count=2.5": "min_pix_count=2.5: give a whole number",
		"peakfinder8:center=5":          "center=5: give two numbers, as 255.5:511.5",
		"peakfinder8:regions=a/5":       "regions=a/5: give rectangles, as ring/0/100-140/0-384",
		"peakfinder8:regions=a/0/1/2":   "give rectangles, as",
		"peakfinder8:panel=5":           "panel=5: give two whole numbers, as 256x256",
	} {
		c := hit.Default()
		if err := c.Apply(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, not %s", text, err, want)
		}
	}
}

// Values are as they were given when they are written and read again, and JSON has those of the finder.
func TestParametersRoundTrip(t *testing.T) {
	c := hit.Default()
	if err := c.Apply("peakfinder8:min_snr=7.25,center=1.5:2,panel=3x4,max_res=0.1,regions=ring/3/100-140/0-384+b/0/0-1/2-3"); err != nil {
		t.Fatal(err)
	}
	again := hit.Default()
	for _, p := range c.Parameters() {
		if p.Value() == "" {
			continue
		}
		if err := again.Set(p.Name, p.Value()); err != nil {
			t.Error(err)
		}
	}
	if !reflect.DeepEqual(again, c) {
		t.Errorf("%+v, not %+v", again, c)
	}
	var values map[string]any
	if err := json.Unmarshal([]byte(c.JSON()), &values); err != nil {
		t.Fatal(err)
	}
	if values["min_snr"] != 7.25 || values["finder"] != "peakfinder8" || !reflect.DeepEqual(values["center"], []any{1.5, 2.}) ||
		values["thr_low"] != nil || len(values) != 22 {
		t.Errorf("%v", values)
	}
}

// The documents name every parameter with its unit and its default.
func TestParametersAreInTheDocuments(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "docs", "hits.md"))
	if err != nil {
		t.Fatal(err)
	}
	c := hit.Default()
	for _, p := range c.Parameters() {
		cells := []string{"`" + p.Name + "`", p.Value(), p.Unit, p.Help}
		row := strings.ReplaceAll("| "+strings.Join(cells, " | ")+" |", "  |", " |") // where cells are empty
		if !strings.Contains(string(text), row) {
			t.Errorf("docs/hits.md lacks the row\n%s", row)
		}
	}
}
