package main

import (
	"encoding/json"
	"strings"
	"testing"

	"drp/drp"
	"drp/hit"
	"drp/internal/testkit"
	"drp/xtc"
)

var spots = testkit.Spots{Segments: 2, Rows: 40, Cols: 60}

// spotGeometry has the second segment above the first one.
const spotGeometry = `res = 10000
clen = 0.1
dim0 = %
dim1 = ss
dim2 = fs
data = /somewhere/else
a/min_fs = 0
a/max_fs = 59
a/min_ss = 0
a/max_ss = 39
a/fs = x
a/ss = -y
a/corner_x = -30
a/corner_y = -2
b/min_fs = 0
b/max_fs = 59
b/min_ss = 40
b/max_ss = 79
b/fs = x
b/ss = -y
b/corner_x = -30
b/corner_y = 42
`

// spotRun makes a file of events with spots, and a store with the constants of their camera.
func spotRun(t *testing.T, events int) (file, store string) {
	t.Helper()
	noEnvironment(t)
	t.Chdir(t.TempDir())
	ones := strings.Repeat(strings.Repeat("100 ", spots.Cols)+"\n", spots.Segments*spots.Rows)
	gains := strings.ReplaceAll(ones, "100", "2")
	mask := strings.Repeat(strings.Repeat("1 ", spots.Cols)+"\n", spots.Segments*spots.Rows)
	ok(t, "calib", "put", "cam", "--mask", write(t, "mask.txt", "0"+mask[1:]), "--store", "store", "--type", "spotcam", "--serials", "M0.M1", "--unit", "ADU", "--pedestals",
		write(t, "pedestals.txt", ones), "--gains", write(t, "gains.txt", gains), "--geometry", write(t, "cam.geom", spotGeometry))
	return testkit.File(t, spots.Run(events)...), "store"
}

const findSpots = "peakfinder8:adc_threshold=100,at_least=3,min_res=0"

func TestHitsLs(t *testing.T) {
	file, store := spotRun(t, 12)
	find := []string{"hits", "ls", file, "--calib", store, "--find", findSpots}
	out := ok(t, find...)
	if lines := strings.Count(out, "\n"); lines != 1+12+1 {
		t.Errorf("%d lines:\n%s", lines, out)
	}
	says(t, out, "   event  time", "6 hits in 12 events (50 %)", "       4  0.000000105")
	out = ok(t, append(find, "--hits", "--from", "4", "-n", "2")...)
	says(t, out, "       4 ", "       6 ", "2 hits in 3 events so far")
	if strings.Contains(out, "\n       8 ") || strings.Contains(out, "\n       2 ") {
		t.Error(out)
	}
	out = ok(t, append(find, "--min-count", "8", "--peaks")...)
	says(t, out, "       4 ", "segment 0 row ")
	if strings.Contains(out, "\n       0 ") {
		t.Error(out)
	}
	n := 0
	for line := range strings.Lines(ok(t, append(find, "--json")...)) {
		var e listedEvent
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Event != int64(n) || int(e.Count) != spots.Spots(n) || len(e.List) != spots.Spots(n) || e.By != "CPU" || e.Time.Raw != uint64(101+n) {
			t.Errorf("%s", line)
		}
		n++
	}
	if n != 12 {
		t.Errorf("%d lines of JSON", n)
	}
}

func TestHitsMistakes(t *testing.T) {
	file, store := spotRun(t, 3)
	taken := write(t, "taken.png", "x")
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no verb", []string{"lss"}, 2, `hits has no verb "lss"`},
		{"no file", []string{"ls"}, 2, "name one file, and not 0, as in: drp hits ls"},
		{"a file that is missing", []string{"ls", "missing.xtc2"}, 4, "missing.xtc2: no such file"},
		{"nothing recorded", []string{"ls", file}, 2, "no hits of cam are recorded in it: record a run with --hits, or search now: --find"},
		{"another camera", []string{"ls", file, "--detector", "dog"}, 4, "it has no camera dog, but cam"},
		{"an unknown finder", []string{"ls", file, "--find", "peakfinder9"}, 2, `"peakfinder9" is not known`},
		{"no constants", []string{"ls", file, "--calib", "none", "--find", "peakfinder8"}, 3, "the constants of cam are needed"},
		{"no store", []string{"ls", file, "--calib", "nowhere", "--find", "peakfinder8"}, 3, "nowhere"},
		{"no such event", []string{"plot", file, "--calib", store, "--find", findSpots, "-e", "3"}, 4, "has 3 events, the first one is 0, and 3 is not there"},
		{"no hit", []string{"plot", file, "--calib", store, "--find", "peakfinder8:at_least=99"}, 4, "none of its 3 events is a hit: choose one with -e"},
		{"a picture that is there", []string{"plot", file, "--calib", store, "--find", findSpots, "-o", taken}, 2, "is there already"},
		{"no contrast", []string{"plot", file, "--contrast", "9:5"}, 2, "give two percentiles"},
		{"no distance", []string{"plot", file, "--calib", store, "--find", findSpots, "--distance", "far"}, 2, "--distance far: give a length"},
		{"a distance in millimetres", []string{"plot", file, "--calib", store, "--find", findSpots, "--distance", "95"}, 2, "give the unit, too, as 95mm"},
		{"no energy", []string{"plot", file, "--calib", store, "--find", findSpots, "--energy", "-5"}, 2, `"-5" for "--energy": give electronvolts`},
		{"no center", []string{"plot", file, "--calib", "none", "--center", "5"}, 2, "no hits of cam"},
		{"no folder for a picture", []string{"plot", file, "--calib", store, "--find", findSpots, "-o", "no/x.png"}, 1, "no/x.png"},
		{"an event below 0", []string{"plot", file, "-e", "-1"}, 2, "-e -1: give a whole number from 0 on"},
		{"to begin before the first", []string{"ls", file, "--from", "-3"}, 2, "--from -3: give a whole number from 0 on"},
		{"fewer lines than none", []string{"ls", file, "-n", "-5"}, 2, "-n -5: give a whole number from 0 on"},
		{"a picture of another kind", []string{"plot", file, "-o", "a.jpg"}, 2, "-o a.jpg: pictures are written as PNG"},
		{"a chart of another kind", []string{"tune", file, "--grid", "min_snr=5", "-o", "a.pdf"}, 2, "-o a.pdf: pictures are written as PNG"},
		{"photons of next to nothing", []string{"ls", file, "--calib", store, "--find", "photons:adu_per_photon=1e-8"}, 2,
			"photons.adu_per_photon is 1e-08: give a number from 0.001 to 1e+09"},
		{"photons without end", []string{"ls", file, "--calib", store, "--find", "photons:adu_per_photon=inf"}, 2,
			"photons.adu_per_photon is +Inf: give a number from 0.001 to 1e+09"},
		{"photons of no size", []string{"ls", file, "--calib", store, "--find", "photons"}, 2, "need adu_per_photon"},
		{"no grid", []string{"tune", file}, 2, "nothing to try: give --grid"},
		{"half a grid", []string{"tune", file, "--grid", "min_snr"}, 2, `--grid "min_snr": give a parameter and its values`},
		{"no sample", []string{"tune", file, "--grid", "min_snr=5", "--sample", "0"}, 2, "--sample, --timed and --workers"},
		{"a grid of nonsense", []string{"tune", file, "--calib", store, "--grid", "min_snr=-1"}, 3, "no point of the grid makes sense"},
		{"tune without constants", []string{"tune", file, "--calib", "none", "--grid", "min_snr=5"}, 3, "the constants of cam are needed"},
	} {
		code, _, errs := command(t, append([]string{"hits"}, test.args...)...)
		if code != test.code {
			t.Errorf("%s: exit code %d: %s", test.name, code, errs)
		}
		says(t, errs, test.want)
	}
}

func TestHitsPlot(t *testing.T) {
	file, store := spotRun(t, 6)
	find := []string{"hits", "plot", file, "--calib", store, "--find", findSpots}
	out := ok(t, append(find, "-e", "4", "-o", "four.png", "--energy", "9500", "--distance", "95mm")...)
	says(t, out, "wrote four.png: cam event 4 0.000000105: 8 peaks, count 8")
	picture(t, "four.png")
	says(t, ok(t, find...), "test-r0005-s000-c000-e0.png: cam event 0")
	picture(t, "test-r0005-s000-c000-e0.png")
	says(t, ok(t, append(find, "-e", "1", "-o", "four.png", "--force", "--rings", "5,10")...), "event 1", "0 peaks")
}

func TestHitsTune(t *testing.T) {
	file, store := spotRun(t, 20)
	tune := []string{"hits", "tune", file, "--calib", store, "--find", "peakfinder8:at_least=3", "--grid", "adc_threshold=100,5000",
		"--grid", "min_snr=4,5,6"}
	out := ok(t, append(tune, "-o", "tune.png")...)
	says(t, out, "20 of 20 events of cam", "chart: tune.png")
	if n := strings.Count(out, " 50.00 %"); n != 3 {
		t.Errorf("%d points with half of the events:\n%s", n, out)
	}
	picture(t, "tune.png")
	var found struct {
		Events int
		Points []tunedPoint
	}
	if err := json.Unmarshal([]byte(ok(t, append(tune, "--json", "--sample", "5")...)), &found); err != nil {
		t.Fatal(err)
	}
	if found.Events != 5 || len(found.Points) != 6 || found.Points[1].Parameters["min_snr"] != "5" || found.Points[0].Seconds <= 0 {
		t.Errorf("%+v", found)
	}
}

// TestHitsOfOneOfTwoCameras: a camera need not be named where hits of one only are recorded, unless it is to be searched now.
func TestHitsOfOneOfTwoCameras(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	run := spots.Run(4)
	raw, searched := spots.Names(0), spots.Names(0)
	raw.DetName, raw.ID = "dog", xtc.NewNamesID(1, 30)
	searched.Alg, searched.ID, searched.Entries = hit.Alg, xtc.NewNamesID(1, 31), []xtc.Name{{Name: "count", Type: xtc.UInt32}}
	both := append([]byte{}, run[0][xtc.DgramHeaderBytes:]...)
	for _, n := range []*xtc.Names{raw, searched} {
		var err error
		if both, err = n.AppendTo(both); err != nil {
			t.Fatal(err)
		}
	}
	run[0] = testkit.Plain(xtc.Configure, 1, both...)
	file := testkit.File(t, run...)
	says(t, ok(t, "hits", "ls", file), "4 events have nothing about hits")
	code, _, errs := command(t, "hits", "plot", file, "--calib", "none", "-e", "9")
	if code != 4 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, "9 is not there")
	code, _, errs = command(t, "hits", "ls", file, "--calib", "none", "--find", findSpots)
	if code != 4 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, "it has the cameras cam, dog: name one with --detector")
}

// TestHitsPlotWarns of what it cannot use, and of what it lacks.
func TestHitsPlotWarns(t *testing.T) {
	file, store := spotRun(t, 3)
	for _, test := range []struct {
		args []string
		want string
	}{
		{[]string{"--calib", store, "--find", findSpots + ",center=3:4"}, "center is ignored: the geometry of the constants"},
		{[]string{"--calib", store, "--find", findSpots, "--center", "3:4"}, "--center is ignored: the geometry of the constants"},
	} {
		code, _, errs := command(t, append([]string{"hits", "plot", file, "-e", "0", "-o", "a.png", "--force"}, test.args...)...)
		if code != 0 {
			t.Errorf("exit code %d", code)
		}
		says(t, errs, "drp: warning: "+test.want)
	}
	ok(t, "calib", "put", "cam", "--store", "bare", "--type", "spotcam", "--serials", "M0.M1", "--unit", "ADU", "--pedestals", "pedestals.txt",
		"--gains", "gains.txt")
	code, _, errs := command(t, "hits", "plot", file, "-e", "0", "-o", "a.png", "--force", "--calib", "bare", "--find", findSpots,
		"--energy", "9500", "--distance", "95mm", "--center", "40:30")
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, "rings have no angstrom, since the size of a pixel is not known")
	out := ok(t, append(converting(t), file, "--calib", "bare", "--find", findSpots, "--cxi", "bare.cxi")...)
	says(t, out, "the constants have no geometry", "the distance of the detector is not known", "the photon energy is not in the data")
}

// TestWhyNoPixels: only what was searched had pixels for certain.
func TestWhyNoPixels(t *testing.T) {
	says(t, whyNoPixels(&drp.Frame{Recorded: true}), "it was searched, and they were left out")
	says(t, whyNoPixels(&drp.Frame{}), "it came without them")
}
