package intake_test

import (
	"bytes"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"reflect"
	"strconv"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/intake"
	"drp/internal/npy"
	"drp/internal/testkit"
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
		{"a list in lines", "1 2\n3 4\n5\n", []int{5}, []float64{1, 2, 3, 4, 5}, ""},
		{"a short line", "1 2\n3\n4 5\n", nil, nil, "line 2 has another length than the lines before it, which have 2 numbers"},
		{"a long line", "# a\n1 2\n3 4 5\n", nil, nil, "line 3 has 3 numbers, and the lines before it have 2"},
		{"a missing number", "1,2,3\n4, ,6\n", nil, nil, "line 2: a number is missing before or between commas"},
		{"a missing number at the start", ",2,3\n", nil, nil, "line 1: a number is missing"},
		{"commas at the ends", "1,2,\n3,4,\n", []int{2, 2}, []float64{1, 2, 3, 4}, ""},
		{"an empty file", "", nil, nil, "it is empty: the file has 0 bytes"},
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

// panel is one of a geometry, with the beam at its first pixel.
func panel(name, dim string, fs, ss0, ss1 int) string {
	return fmt.Sprintf("%[1]s/dim0 = %[2]s\n%[1]s/dim1 = ss\n%[1]s/dim2 = fs\n%[1]s/res = 1e4\n%[1]s/min_fs = 0\n%[1]s/max_fs = %[3]d\n"+
		"%[1]s/min_ss = %[4]d\n%[1]s/max_ss = %[5]d\n%[1]s/fs = x\n%[1]s/ss = y\n%[1]s/corner_x = 0\n%[1]s/corner_y = %[4]d\n",
		name, dim, fs, ss0, ss1)
}

// TestGeometryOfTheSegments: each segment of a set of two, of 2 x 4 pixels, must have a place.
func TestGeometryOfTheSegments(t *testing.T) {
	for _, test := range []struct {
		name, text, refused, doubted string
	}{
		{"one panel below the other", panel("a", "%", 3, 0, 1) + panel("b", "%", 3, 2, 3), "", ""},
		{"one panel of both", panel("a", "%", 3, 0, 3), "", ""},
		{"a stack, as of two segments of a larger detector", panel("a", "5", 3, 0, 1) + panel("b", "7", 3, 0, 1), "", ""},
		{"more segments", panel("a", "%", 3, 0, 15), "", "places for 8 segments, of which the first 2 are taken for 1.2"},
		{"half of the columns", panel("a", "%", 1, 0, 3), "", "no place for 8 of 16 pixels of its 2 segments"},
		{"a panel of pieces", panel("a", "%", 3, 0, 2) + panel("b", "%", 3, 3, 3), "", "panel a goes from ss 0 to 2, over an end"},
		{"one segment", panel("a", "%", 3, 0, 1), "places for 1 of the 2 segments 1.2 of 2 x 4 pixels", ""},
		{"one of a stack", panel("a", "5", 3, 0, 1), "places for 1 of the 2 segments", ""},
		{"too many columns", panel("a", "%", 4, 0, 3), "panel a: fs goes to 4, and a segment has 4 columns (epix100_small has segments of 2 x 4 pixels)", ""},
		{"too many rows", panel("a", "0", 3, 0, 2) + panel("b", "1", 3, 0, 1), "panel a: ss goes to 2, and a segment has 2 rows", ""},
		{"a pixel twice", panel("a", "%", 3, 0, 3) + panel("b", "%", 3, 1, 1), "panel b: the pixel at fs 0 and ss 1 is on another one too", ""},
		{"panels that are far apart", panel("a", "0", 3, 0, 1) + panel("b", "1", 3, 0, 1) + "b/corner_x = 100000\n", "the picture of 16 pixels", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := request()
			r.Type, r.Serials = "epix100_small", []string{"1", "2"}
			r.Pedestals, r.Gains = []intake.Part{part(1, 2, 2, 4)}, []intake.Part{part(1, 2, 2, 4)}
			r.Geometry = write(t, "g.geom", []byte(test.text))
			s, _, err := intake.Build(r)
			var refused *calib.RefusedError
			if test.refused != "" {
				if !errors.As(err, &refused) || !strings.Contains(err.Error(), test.refused) {
					t.Errorf("%v, want %q", err, test.refused)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if said := strings.Join(intake.Doubts(s), "\n"); said != "" && test.doubted == "" || !strings.Contains(said, test.doubted) {
				t.Errorf("%q is said, want %q", said, test.doubted)
			}
		})
	}
}

func TestGeometriesOfRealDetectors(t *testing.T) {
	for _, test := range []struct {
		file, model          string
		segments, rows, cols int
		refused, doubted     string
	}{
		{"om_epix10k2M.geom", "epix10ka", 16, 352, 384, "", ""},
		{"om_epix10k2M.geom", "epix10ka", 2, 352, 384, "", "places for 16 segments"},
		{"om_epix10k2M.geom", "epix10ka", 17, 352, 384, "places for 16 of the 17 segments", ""},
		{"om_epix10k2M.geom", "epixhr", 1, 288, 384, "", "panel p0a2 goes from ss 176 to 351, over an end of a segment, which has 288"},
		{"crystfel_simple.geom", "jungfrau", 2, 512, 1024, "", ""},
		{"crystfel_jf-swissfel-16M.geom", "jungfrau", 32, 512, 1024, "fs goes to 1029, and a segment has 1024 columns", ""},
	} {
		t.Run(fmt.Sprintf("%s, %d of %s", test.file, test.segments, test.model), func(t *testing.T) {
			text, err := os.ReadFile(testkit.Data(t, "geom/"+test.file))
			if err != nil {
				t.Fatal(err)
			}
			s := &calib.Set{Detector: "cam", Model: test.model, Rows: test.rows, Cols: test.cols, Geometry: string(text)}
			for i := range test.segments {
				s.Serials = append(s.Serials, strconv.Itoa(i))
			}
			if err := intake.CheckGeometry(s); (err == nil) != (test.refused == "") || err != nil && !strings.Contains(err.Error(), test.refused) {
				t.Errorf("%v, want %q", err, test.refused)
			}
			s.Gains = make([]float32, s.Ranges()) // Doubts looks at them
			if said := strings.Join(intake.Doubts(s), "\n"); test.refused == "" && (said != "" && test.doubted == "" || !strings.Contains(said, test.doubted)) {
				t.Errorf("%q is said, want %q", said, test.doubted)
			}
		})
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
