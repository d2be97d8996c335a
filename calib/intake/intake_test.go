package intake_test

import (
	"bytes"
	"errors"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/intake"
	"drp/internal/npy"
)

func write(t testing.TB, name string, text []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestReadFile(t *testing.T) {
	var array bytes.Buffer
	if err := npy.Write(&array, []int{2, 1}, []int16{4, -5}); err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name, text string
		shape      []int
		values     any
		says       string
	}{
		{"npy", array.String(), []int{2, 1}, []int16{4, -5}, ""},
		{"a table", "# dark\n1 2 3\n4,5, 6e1 # end\n\n", []int{2, 3}, []float64{1, 2, 3, 4, 5, 60}, ""},
		{"a list", "1\n2\n", []int{2, 1}, []float64{1, 2}, ""},
		{"ragged", "1 2\n3\n", []int{3}, []float64{1, 2, 3}, ""},
		{"one line", "1 -2\r\n", []int{2}, []float64{1, -2}, ""},
		{"words", "1 2\n3 four\n", nil, nil, `line 2: "four" is no number`},
		{"nothing", "# nothing\n", nil, nil, "no number in it"},
		{"HDF5", "\x89HDF\r\n\x1a\n....", nil, nil, "which array"},
		{"a zip", "PK\x03\x04....", nil, nil, "unpack it"},
		{"half an array", array.String()[:array.Len()-1], nil, nil, "ends after 3 of 4 bytes"},
	} {
		t.Run(test.name, func(t *testing.T) {
			path := write(t, "a", []byte(test.text))
			a, err := intake.ReadFile(path)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) || !strings.Contains(err.Error(), path) {
					t.Errorf("%v, want %q", err, test.says)
				}
				return
			}
			if err != nil || !reflect.DeepEqual(a.Shape, test.shape) || !reflect.DeepEqual(a.Values, test.values) {
				t.Errorf("%v, %v", a, err)
			}
		})
	}
	if _, err := intake.ReadFile(t.TempDir()); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("%v", err)
	}
}

// part counts up from a number.
func part(from float64, axes ...int) intake.Part {
	n := 1
	for _, k := range axes {
		n *= k
	}
	values := make([]float64, n)
	for i := range values {
		values[i] = from + float64(i)
	}
	return intake.Part{From: "f", Array: &npy.Array{Shape: axes, Values: values}}
}

func TestJoin(t *testing.T) {
	two := intake.Shape{Ranges: 3, Segments: 2, Rows: 2, Cols: 4}
	one := intake.Shape{Ranges: 3, Segments: 1, Rows: 2, Cols: 4}
	mask := intake.Shape{Segments: 1, Rows: 2, Cols: 4}
	for _, test := range []struct {
		name  string
		shape intake.Shape
		parts []intake.Part
		says  string
	}{
		{"whole", two, []intake.Part{part(0, 3, 2, 2, 4)}, ""},
		{"flat", two, []intake.Part{part(0, 48)}, ""},
		{"below each other", two, []intake.Part{part(0, 3, 4, 4)}, ""},
		{"per range", two, []intake.Part{part(0, 2, 2, 4), part(16, 2, 2, 4), part(32, 4, 4)}, ""},
		{"one segment", one, []intake.Part{part(0, 3, 2, 4)}, ""},
		{"one segment per range", one, []intake.Part{part(0, 2, 4), part(8, 1, 2, 4), part(16, 8)}, ""},
		{"a mask", mask, []intake.Part{part(0, 2, 4)}, ""},
		{"turned", one, []intake.Part{part(0, 3, 4, 2)}, "shape is [3 4 2], and [3 1 2 4] is wanted"},
		{"two files", one, []intake.Part{part(0, 2, 4), part(0, 2, 4)}, "2 files are given, and there are 3 gain ranges"},
		{"one range", one, []intake.Part{part(0, 2, 4)}, "is wanted"},
		{"ranges behind", two, []intake.Part{part(0, 2, 3, 2, 4)}, "is wanted"},
	} {
		t.Run(test.name, func(t *testing.T) {
			got, err := intake.Join[float32](test.parts, test.shape)
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v, want %q", err, test.says)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, v := range got {
				if v != float32(i) {
					t.Fatalf("value %d is %g", i, v)
				}
			}
		})
	}
}

func request() *intake.Request {
	return &intake.Request{Detector: "cam", Type: "epix10ka_small", Serials: []string{"1"}, FirstRun: 3, Unit: calib.ADU,
		Pedestals: []intake.Part{part(100, 7, 2, 4)}, Gains: []intake.Part{part(1, 7, 2, 4)}}
}

func TestBuild(t *testing.T) {
	r := request()
	r.Geometry = write(t, "g.geom", []byte("res = 1e4\np0/min_fs = 0\np0/max_fs = 3\np0/min_ss = 0\np0/max_ss = 1\np0/fs = x\np0/ss = y\n"+
		"p0/corner_x = 0\np0/corner_y = 0\n"))
	r.Mask = []intake.Part{{From: "m", Array: &npy.Array{Shape: []int{2, 4}, Values: []uint8{1, 1, 1, 1, 1, 1, 1, 0}}}}
	s, said, err := intake.Build(r)
	if err != nil || len(said) > 0 || s.Rows != 2 || s.Cols != 4 || s.Geometry == "" || s.Digest == "" || s.Mask[7] != 0 {
		t.Errorf("%+v, %v, %v", s, said, err)
	}
	for text, want := range map[string]string{
		"import numpy\n":   `line 1: "import numpy" is neither a comment`,
		"":                 "is empty",
		"p0/min_fs = 0\n":  "p0",
		"p0/min_fs = one ": "line 1: p0/min_fs",
	} {
		r.Geometry = write(t, "wrong.geom", []byte(text))
		if _, _, err := intake.Build(r); err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), r.Geometry) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	r.Geometry = "missing.geom"
	if _, _, err := intake.Build(r); err == nil || !strings.Contains(err.Error(), "geometry: ") {
		t.Errorf("%v", err)
	}
}

func TestUnknown(t *testing.T) {
	spoilt := func() *intake.Request {
		r := request()
		r.Gains[0].Array.Values.([]float64)[2] = 0          // FH
		r.Gains[0].Array.Values.([]float64)[9] = math.NaN() // FM
		r.Pedestals[0].Array.Values.([]float64)[4] = math.NaN()
		return r
	}
	var refused *calib.RefusedError
	if _, _, err := intake.Build(spoilt()); !errors.As(err, &refused) {
		t.Errorf("%v", err)
	}
	r := spoilt()
	r.FillGains = true // does not know the pedestal either
	if _, _, err := intake.Build(r); !errors.As(err, &refused) || !strings.Contains(err.Error(), "pedestal") {
		t.Errorf("%v", err)
	}
	r = spoilt()
	r.MaskUnknown = true
	s, said, err := intake.Build(r)
	if err != nil || len(said) != 2 || !strings.Contains(said[0], "range FH: 2 pixels") || s.Status[2] != calib.StatusUnknown ||
		s.Status[4] != calib.StatusUnknown || s.Status[9] != calib.StatusUnknown || s.Status[3] != 0 {
		t.Errorf("%v, %v, %v", s, said, err)
	}
	r = spoilt()
	r.FillGains = true
	r.Pedestals[0].Array.Values.([]float64)[4] = 1
	s, said, err = intake.Build(r)
	// The known gains of FH are 1, 2, 4, 5, 6, 7, 8, of FM 9, 11, ..., 16.
	if err != nil || len(said) != 2 || s.Gains[2] != 5 || s.Gains[9] != 13 || s.Status != nil {
		t.Errorf("%v, %v, %v", s, said, err)
	}
}

func TestParseCommonMode(t *testing.T) {
	c, err := intake.ParseCommonMode("median:rows+banks:100.5:10")
	if want := (calib.CommonMode{Method: calib.Median, Rows: true, Banks: true, MaxADU: 100.5, MinPixels: 10}); err != nil || *c != want {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{"", "median", "mode:rows:1:1", "median::1:1", "median:rows:x:1", "median:rows:0:1",
		"median:rows:NaN:1", "median:rows:1:-1", "median:rows:1:1:1", "median:asics:1:1"} {
		if c, err := intake.ParseCommonMode(text); err == nil {
			t.Errorf("%q is %+v", text, c)
		}
	}
}

func FuzzReadFile(f *testing.F) {
	f.Add([]byte("1 2\n3 4\n"))
	f.Add([]byte("\x93NUMPY\x01\x00"))
	path := filepath.Join(f.TempDir(), "a")
	f.Fuzz(func(t *testing.T, text []byte) {
		if err := os.WriteFile(path, text, 0o600); err != nil {
			t.Fatal(err)
		}
		if a, err := intake.ReadFile(path); err == nil {
			_, _ = npy.As[float32](a)
		}
	})
}
