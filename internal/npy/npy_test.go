package npy_test

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"drp/internal/npy"
)

// file makes an NPY file from a header as it is written in the file.
func file(dict string, data string) []byte {
	return []byte(fmt.Sprintf("\x93NUMPY\x01\x00%c%c%s%s", len(dict)%256, len(dict)/256, dict, data))
}

func encode[T npy.Number](t testing.TB, shape []int, values []T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := npy.Write(&b, shape, values); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestRoundTrip(t *testing.T) {
	try := func(b []byte, shape []int, want any) {
		t.Helper()
		a, err := npy.Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		if fmt.Sprint(a.Shape) != fmt.Sprint(shape) || !reflect.DeepEqual(a.Values, want) {
			t.Errorf("%v of shape %v, want %v of %v", a.Values, a.Shape, want, shape)
		}
		if at := bytes.IndexByte(b, '\n') + 1; at%64 != 0 {
			t.Errorf("the elements begin at %d", at)
		}
	}
	try(encode(t, []int{2, 3}, []float32{1, 2, 3, 4, 5, -6}), []int{2, 3}, []float32{1, 2, 3, 4, 5, -6})
	try(encode(t, []int{2}, []float64{1, math.Inf(1)}), []int{2}, []float64{1, math.Inf(1)})
	try(encode(t, []int{1, 1}, []uint8{7}), []int{1, 1}, []uint8{7})
	try(encode(t, nil, []uint16{7}), nil, []uint16{7})
	try(encode(t, []int{0, 3}, []int16{}), []int{0, 3}, []int16{})
	try(encode(t, []int{1}, []int32{-7}), []int{1}, []int32{-7})
	try(encode(t, []int{1}, []uint32{7}), []int{1}, []uint32{7})
	try(encode(t, []int{1}, []int64{-7}), []int{1}, []int64{-7})
	try(encode(t, []int{1}, []uint64{7}), []int{1}, []uint64{7})
	try(encode(t, []int{1}, []int8{-7}), []int{1}, []int8{-7})
	if err := npy.Write(&bytes.Buffer{}, []int{3}, []uint8{1, 2}); err == nil {
		t.Error("two values were written as three")
	}
}

// TestNumPy reads what NumPy wrote and lets NumPy read what we write.
func TestNumPy(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil || exec.Command(python, "-c", "import numpy").Run() != nil {
		t.Skip("no python3 with NumPy")
	}
	dir := t.TempDir()
	ours := encode(t, []int{2, 2}, []float32{1, 2, 3, 4.5})
	if err := os.WriteFile(filepath.Join(dir, "ours.npy"), ours, 0o600); err != nil {
		t.Fatal(err)
	}
	script := `
import sys, numpy as np
a = np.load("ours.npy", allow_pickle=False)
assert a.dtype == np.float32 and a.tolist() == [[1, 2], [3, 4.5]], a
np.save("same.npy", a)
np.save("big.npy", np.arange(6, dtype=">i4").reshape(2, 3))
np.save("bool.npy", np.array([True, False]))
np.save("fortran.npy", np.asfortranarray(np.zeros((2, 3))))
np.save("text.npy", np.array(["a"]))
np.save("fields.npy", np.zeros(2, dtype=[("x", "f4")]))
with open("two.npy", "wb") as f:
    np.lib.format.write_array(f, np.arange(3.0), version=(2, 0))
`
	cmd := exec.Command(python, "-c", script)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	for _, test := range []struct {
		name string
		want any
		says string
	}{
		{"same", []float32{1, 2, 3, 4.5}, ""}, {"big", []int32{0, 1, 2, 3, 4, 5}, ""}, {"bool", []uint8{1, 0}, ""},
		{"two", []float64{0, 1, 2}, ""}, {"fortran", nil, "ascontiguousarray"}, {"text", nil, `type "<U1"`},
		{"fields", nil, "no simple type"},
	} {
		b, err := os.ReadFile(filepath.Join(dir, test.name+".npy"))
		if err != nil {
			t.Fatal(err)
		}
		a, err := npy.Decode(b)
		if test.says != "" {
			if err == nil || !strings.Contains(err.Error(), test.says) {
				t.Errorf("%s: %v", test.name, err)
			}
			continue
		}
		if err != nil || !reflect.DeepEqual(a.Values, test.want) {
			t.Errorf("%s: %v, %v", test.name, a, err)
		}
		if test.name == "same" && !bytes.Equal(b, ours) {
			t.Error("NumPy writes other bytes than we do")
		}
	}
}

func TestRefused(t *testing.T) {
	const good = "{'descr': '<f4', 'fortran_order': False, 'shape': (2,), }\n"
	for _, test := range []struct {
		name string
		file []byte
		want string
	}{
		{"empty", nil, "no NPY file"},
		{"text", []byte("1 2 3 4 5 6 7 8"), "no NPY file"},
		{"objects", file("{'descr': '|O', 'fortran_order': False, 'shape': (2,), }\n", "12345678"), `type "|O"`},
		{"cut in the header", file(good, "")[:20], "ends in its header"},
		{"cut in the elements", file(good, "12345"), "ends after 5 of 8 bytes"},
		{"more than the elements", file(good, "123456789"), "1 bytes follow"},
		{"many", file("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999,), }\n", "1"), "more than the"},
		{"too many to count", file("{'descr': '<f8', 'fortran_order': False, 'shape': (2147483647, 2147483647, 9), }\n", ""),
			"more elements than fit"},
		{"digits", file("{'descr': '<f8', 'fortran_order': False, 'shape': (99999999999999999999,), }\n", ""), "no sense"},
		{"rank", file("{'descr': '<f8', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }\n", ""), "no sense"},
		{"no shape", file("{'descr': '<f8', 'fortran_order': False}\n", ""), "lacks"},
		{"version", []byte("\x93NUMPY\x09\x00\x00\x00"), "9.0"},
		{"long header", []byte("\x93NUMPY\x02\x00\xff\xff\xff\xff"), "longer than"},
	} {
		t.Run(test.name, func(t *testing.T) {
			if _, err := npy.Decode(test.file); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestMemory shows that a header that promises a gigabyte does not cost one.
func TestMemory(t *testing.T) {
	b := file("{'descr': '<f4', 'fortran_order': False, 'shape': (268435456,), }\n", "few")
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	_, err := npy.Read(bytes.NewReader(b), 1<<31)
	runtime.ReadMemStats(&after)
	if used := after.TotalAlloc - before.TotalAlloc; err == nil || used > 8<<20 {
		t.Errorf("%d bytes were taken: %v", used, err)
	}
}

func TestAs(t *testing.T) {
	got, err := npy.As[float32](&npy.Array{Values: []int32{1, -2}})
	if err != nil || !reflect.DeepEqual(got, []float32{1, -2}) {
		t.Errorf("%v, %v", got, err)
	}
	same := []uint8{1}
	if got, _ := npy.As[uint8](&npy.Array{Values: same}); &got[0] != &same[0] {
		t.Error("the same type was copied")
	}
	nan, err := npy.As[float32](&npy.Array{Values: []float64{math.NaN(), 1e-60}})
	if err != nil || nan[0] == nan[0] || nan[1] != 0 {
		t.Errorf("%v, %v", nan, err)
	}
	for _, values := range []any{[]float64{0.5}, []float64{-1}, []float64{256}, []int32{256}, []int8{-1},
		[]float64{math.NaN()}, []uint64{1 << 40}, []string{"1"}} {
		if got, err := npy.As[uint8](&npy.Array{Values: values}); err == nil {
			t.Errorf("%v became %v", values, got)
		}
	}
	for _, values := range []any{[]uint64{math.MaxUint64}, []float64{1 << 63}} {
		if got, err := npy.As[int64](&npy.Array{Values: values}); err == nil {
			t.Errorf("%v became %v", values, got)
		}
	}
	if got, err := npy.As[float32](&npy.Array{Values: []float64{1e300}}); err == nil {
		t.Errorf("1e300 became %v", got)
	}
}

func FuzzRead(f *testing.F) {
	f.Add(encode(f, []int{2, 3}, []float32{1, 2, 3, 4, 5, 6}))
	f.Add(encode(f, nil, []uint8{1}))
	f.Add(file("{'descr': '>u2', 'fortran_order': False, 'shape': (2,), }\n", "1234"))
	f.Fuzz(func(t *testing.T, b []byte) {
		a, err := npy.Decode(b)
		if err != nil {
			return
		}
		values, err := npy.As[float64](a)
		if err != nil {
			return
		}
		again, err := npy.Decode(encode(t, a.Shape, values))
		if err != nil {
			t.Fatal(err)
		}
		back, _ := npy.As[float64](again)
		if fmt.Sprint(again.Shape) != fmt.Sprint(a.Shape) || fmt.Sprint(back) != fmt.Sprint(values) {
			t.Errorf("%v became %v", a, again)
		}
	})
}
