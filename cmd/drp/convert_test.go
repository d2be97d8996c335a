package main

import (
	"encoding/json"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib/correct"
	"drp/internal/testkit"
)

// cxiEvent is what CrystFEL's reader sees of an event.
type cxiEvent struct {
	N         int       `json:"n"`
	X         []float64 `json:"peakXPosRaw"`
	Y         []float64 `json:"peakYPosRaw"`
	Total     []float64 `json:"peakTotalIntensity"`
	NPix      []float64 `json:"peakNPixels"`
	Sum       float64   `json:"sum"`
	Energy    float64   `json:"photon_energy_eV"`
	Timestamp uint64    `json:"timestamp"`
	Pulse     uint64    `json:"pulse_id"`
	Number    int       `json:"eventNumber"`
	Nano      int       `json:"machineTimeNanoSeconds"`
	ID        string    `json:"id"`
}

type cxiFile struct {
	Events     []cxiEvent
	Shape      [3]int
	Dtype      string
	Bad        []int
	Distance   float64
	Attributes map[string]string
}

func readCXI(t *testing.T, path string) (f cxiFile) {
	t.Helper()
	script := filepath.Join(testkit.Root(), "cmd", "drp", "testdata", "readcxi.py")
	read := exec.Command(testkit.PythonWith(t, "h5py"), script, path)
	var errs strings.Builder
	read.Stderr = &errs
	out, err := read.Output()
	if err == nil {
		err = json.Unmarshal(out, &f)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, errs.String())
	}
	return f
}

// nothingHalf fails where a file that is not complete was left.
func nothingHalf(t *testing.T, dir string, whole ...string) {
	t.Helper()
	var there []string
	for _, path := range testkit.FilesIn(dir) {
		if name := filepath.Base(path); strings.Contains(name, ".cxi") || strings.HasSuffix(name, ".geom") && name != "cam.geom" {
			there = append(there, name)
		}
	}
	if strings.Join(there, " ") != strings.Join(whole, " ") {
		t.Errorf("there are %q, want %q", there, whole)
	}
}

// converting is the begin of a command line whose Python has our package.
func converting(t *testing.T) []string {
	t.Helper()
	t.Setenv("PYTHONPATH", testkit.PythonPath())
	return []string{"convert", "--python", testkit.PythonWith(t, "h5py")}
}

// TestConvert writes hits, and reads them as CrystFEL does.
func TestConvert(t *testing.T) {
	file, store := spotRun(t, 11)
	convert := append(converting(t), file, "--calib", store, "--find", findSpots)
	out := ok(t, append(convert, "--cxi", "hits.cxi", "--hits-only", "--mask", "--energy", "9500", "--distance", "95mm")...)
	says(t, out, "wrote hits.cxi: 6 events, 6 hits", "wrote hits.geom, the geometry that fits")
	nothingHalf(t, ".", "hits.cxi", "hits.geom")
	f := readCXI(t, "hits.cxi")
	if f.Shape != [3]int{6, 80, 60} || f.Dtype != "<f4" || len(f.Bad) != 1 || f.Bad[0] != 0 || f.Distance != 0.095 || f.Attributes["source_file"] != filepath.Base(file) ||
		!strings.Contains(f.Attributes["hits"], `"adc_threshold":100`) {
		t.Errorf("%+v", f)
	}
	for i := range f.Events {
		e, n := &f.Events[i], 2*i
		sum := spotSum(n, 100, 2, 0)
		if e.Number != n || e.N != spots.Spots(n) || e.Energy != 9500 || e.Timestamp != uint64(101+n) || e.Pulse != uint64(101+n) || e.Nano != 101+n ||
			math.Abs(e.Sum-sum) > 1 {
			t.Errorf("event %d: %+v; %g", n, e, sum)
		}
		for k := range spots.Spots(n) {
			s, row, col := spots.Spot(n, k)
			if !near(e, float64(col), float64(s*spots.Rows+row)) {
				t.Errorf("event %d has no peak at %d, %d: %v %v", n, col, s*spots.Rows+row, e.X, e.Y)
			}
		}
	}
	text := text(t, "hits.geom")
	says(t, text, "data = /entry_1/data_1/data\n", "mask = /entry_1/data_1/mask\n", "photon_energy = /LCLS/photon_energy_eV\n", "clen = 0.095\n",
		"peak_list = /entry_1/result_1\n", "b/min_ss = 40\n")
	if strings.Contains(text, "/somewhere/else") || strings.Contains(text, "clen = 0.1\n") {
		t.Error(text)
	}
	if _, err := correct.ParseGeometry(text); err != nil {
		t.Error(err)
	}
}

// TestConvertEnergyOfTheGeometry: where the data do not tell the photon energy, and the geometry does, that is what the file has.
func TestConvertEnergyOfTheGeometry(t *testing.T) {
	file, _ := spotRun(t, 5)
	ok(t, "calib", "put", "cam", "--store", "lit", "--type", "spotcam", "--serials", "M0.M1", "--unit", "ADU", "--pedestals", "pedestals.txt",
		"--gains", "gains.txt", "--geometry", write(t, "lit.geom", "photon_energy = 12300 eV\n"+spotGeometry))
	convert := append(converting(t), file, "--calib", "lit", "--find", findSpots)
	for _, test := range []struct {
		name, said string
		energy     float64
		more       []string
	}{
		{"a.cxi", "the photon energy, 12300 eV, is that of the geometry for 5 events, which have none: --energy gives another", 12300, nil},
		{"b.cxi", "wrote b.cxi: 5 events", 9500, []string{"--energy", "9.5keV"}},
	} {
		out := ok(t, append(append(convert, "--cxi", test.name), test.more...)...)
		says(t, out, test.said)
		if strings.Contains(out, "is not in the data") || test.more != nil && strings.Contains(out, "photon energy") {
			t.Error(out)
		}
		for _, e := range readCXI(t, test.name).Events {
			if e.Energy != test.energy {
				t.Errorf("%s: event %d has %g eV", test.name, e.Number, e.Energy)
			}
		}
		geometry := text(t, geometryName(test.name))
		says(t, geometry, "photon_energy = /LCLS/photon_energy_eV\n")
		if strings.Contains(geometry, "12300") {
			t.Error(geometry)
		}
	}
}

// spotSum is that of all pixels of an event; the first one is bad, and has a value of its own where there are constants.
func spotSum(event int, pedestal, gain, bad float64) (sum float64) {
	for s := range spots.Segments {
		for i, v := range spots.Pixels(event, s) {
			if s == 0 && i == 0 && pedestal > 0 {
				sum += bad
				continue
			}
			sum += (float64(v) - pedestal) / gain
		}
	}
	return sum
}

func near(e *cxiEvent, x, y float64) bool {
	for i := range e.X {
		if math.Hypot(e.X[i]-x, e.Y[i]-y) < 0.7 {
			return true
		}
	}
	return false
}

// TestConvertPixels writes each kind of pixel, all events.
func TestConvertPixels(t *testing.T) {
	file, store := spotRun(t, 5)
	for _, test := range []struct {
		args  []string
		dtype string
		scale float64
		from  float64
		bad   float64
	}{
		{[]string{"--raw", "--calib", "none"}, "<u2", 1, 0, 0},
		{[]string{"--calib", "none"}, "<u2", 1, 0, 0},
		{[]string{"--adu", "--calib", store}, "<i2", 1, 100, -32768},
		{[]string{"--calib", store, "--find", findSpots, "--calibrated"}, "<f4", 2, 100, 0},
	} {
		code, _, errs := command(t, append(append(converting(t), file, "--cxi", "all.cxi", "--force"), test.args...)...)
		if code != 0 {
			t.Fatalf("%v: exit code %d: %s", test.args, code, errs)
		}
		f := readCXI(t, "all.cxi")
		if len(f.Events) != 5 || f.Dtype != test.dtype {
			t.Errorf("%v: %d events of %s", test.args, len(f.Events), f.Dtype)
		}
		for n := range f.Events {
			sum := spotSum(n, test.from, test.scale, test.bad)
			if math.Abs(f.Events[n].Sum-sum) > 1 {
				t.Errorf("%v: event %d has %g, want %g", test.args, n, f.Events[n].Sum, sum)
			}
		}
	}
}

func TestConvertMistakes(t *testing.T) {
	file, store := spotRun(t, 3)
	taken := write(t, "taken.cxi", "x")
	bare := filepath.Join(t.TempDir(), "h5py.py")
	write(t, bare, "raise ImportError\n")
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no file", []string{"--cxi", "a.cxi"}, 2, "name one file, and not 0"},
		{"nothing to write", []string{file}, 2, "Give --cxi OUT.cxi"},
		{"a name that CrystFEL does not know", []string{file, "--cxi", "a.h5"}, 2, "give one that ends in .cxi"},
		{"two kinds of pixels", []string{file, "--cxi", "a.cxi", "--raw", "--adu"}, 2, "give one of them"},
		{"an energy below 0", []string{file, "--cxi", "a.cxi", "--energy", "-1"}, 2, `"-1" for "--energy": give electronvolts, from 100 to 1000000`},
		{"a distance that is none", []string{file, "--cxi", "a.cxi", "--distance", "x"}, 2, "--distance x"},
		{"a distance in millimetres", []string{file, "--cxi", "a.cxi", "--distance", "95"}, 2, "--distance 95: that would be 95 m: give the unit, too, as 95mm or 95m"},
		{"a file that is there", []string{file, "--cxi", taken}, 2, "taken.cxi is there already: name another file, or write over it with --force"},
		{"a run that is missing", []string{"missing.xtc2", "--cxi", "a.cxi"}, 4, "missing.xtc2"},
		{"hits where there are none", []string{file, "--cxi", "a.cxi", "--hits-only"}, 2, "no hits of cam are recorded in it"},
		{"corrected without constants", []string{file, "--cxi", "a.cxi", "--calib", "none", "--calibrated"}, 3, "the constants of cam are needed"},
		{"a folder that is missing", []string{file, "--cxi", "no/a.cxi", "--calib", store}, 1, "no/a.cxi"},
		{"a run that is not being written", []string{file, "--cxi", "a.cxi", "--follow", "--detector", "dog"}, 4, "no camera dog"},
		{"nothing to follow", []string{"missing.xtc2", "--cxi", "a.cxi", "--follow"}, 4, "missing.xtc2.inprogress: no such file"},
		{"a Python without h5py", []string{file, "--cxi", "a.cxi", "--calib", store}, 3, "writing CXI needs h5py: "},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Setenv("PYTHONPATH", testkit.PythonPath())
			if test.code == 3 && strings.Contains(test.want, "h5py") {
				t.Setenv("PYTHONPATH", testkit.PythonPath()+":"+filepath.Dir(bare))
			}
			code, _, errs := command(t, append([]string{"convert", "--python", testkit.Python(t)}, test.args...)...)
			if code != test.code {
				t.Errorf("exit code %d: %s", code, errs)
			}
			says(t, errs, test.want)
			nothingHalf(t, ".", "taken.cxi")
		})
	}
	if got := text(t, taken); got != "x" {
		t.Errorf("the file that was there is %q", got)
	}
}

// TestConvertOverTheRest finds what a kill has left.
func TestConvertOverTheRest(t *testing.T) {
	file, store := spotRun(t, 3)
	write(t, "a.cxi.part", strings.Repeat("rest", 1<<20))
	ok(t, append(converting(t), file, "--cxi", "a.cxi", "--calib", store, "--find", findSpots)...)
	nothingHalf(t, ".", "a.cxi", "a.geom")
	if info, err := os.Stat("a.cxi"); err != nil || info.Size() >= 4<<20 || len(readCXI(t, "a.cxi").Events) != 3 {
		t.Errorf("%v, %v", info, err)
	}
}
