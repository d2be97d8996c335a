package main

import (
	"image/png"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib/store"
	"drp/internal/npy"
	"drp/internal/testkit"
)

// TestCalibPedestals makes pedestals of a camera that counts up by 7 from event to event.
func TestCalibPedestals(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	t.Chdir(dir)
	t.Setenv("DRP_CALIB", "store")
	empty, err := store.Create("other")
	if err != nil {
		t.Fatal(err)
	}
	if err := empty.Close(); err != nil {
		t.Fatal(err)
	}
	file := testkit.File(t, testkit.Camera{}.Run(21)...)
	gains := numbers(t, "gains.npy", 1, 2, 4, 6)
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"nothing", nil, 2, "requires at least 1 arg"},
		{"a limit", []string{file, "--noise-limit", "-1"}, 2, "give numbers above 0"},
		{"no such file", []string{"missing.xtc2", "--gains", gains}, 4, "missing.xtc2"},
		{"no file of ours", []string{gains, "-o", "x"}, 4, "gains.npy"},
		{"one id for two segments", []string{file, "-o", "x"}, 4, "with --serials"},
		{"no gains", []string{file, "--serials", "A.B"}, 3, "give --gains, or --from"},
		{"no gains in the store", []string{file, "--serials", "A.B", "--store", "other"}, 3, "has no earlier constants; the gains are"},
		{"gains that are not there, before files are read", []string{"missing.xtc2", "--gains", "none.npy"}, 3, "--gains: open none.npy"},
		{"constants that are not there", []string{"missing.xtc2", "--store", "other", "--from", "ffff"}, 3, `no constants with the id "ffff"`},
		{"gains that are not known", []string{file, "--serials", "A.B", "--gains", numbers(t, "zero.npy", -3, 2, 4, 6)}, 3,
			"is zero, and the pixel is not masked (--mask-unknown leaves out"},
		{"gains of a wrong shape", []string{file, "--serials", "A.B", "--gains", numbers(t, "g.npy", 1, 3)}, 3, "is wanted"},
		{"a folder with something", []string{file, "-o", "."}, 3, "is not empty"},
	} {
		code, _, errs := command(t, append([]string{"calib", "pedestals"}, test.args...)...)
		if code != test.code {
			t.Errorf("%s: exit code %d: %s", test.name, code, errs)
		}
		says(t, errs, test.want)
	}
	out := ok(t, "calib", "pedestals", file, "--serials", "A.B", "-o", "darks")
	says(t, out, "21 events of cam, 2 segments of 4 x 6; frames in each range: - 21", "to darks; segments A.B")
	f, err := os.Open("darks/pedestals.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	a, err := npy.Read(f, 1<<20)
	if err != nil {
		t.Fatal(err)
	}
	c := testkit.Camera{}
	for i, v := range a.Values.([]float32) {
		if want := float32(c.Pixel(10, i/24, i%24/6, i%6)); v != want { // that of the middle event
			t.Errorf("pixel %d: %g, want %g", i, v, want)
		}
	}
	picture(t, "darks/pedestals.png")

	out = ok(t, "calib", "pedestals", file, "--serials", "A.B", "--gains", gains, "--unit", "ADU", "--comment", "first")
	says(t, out, "runs from 5 on, ADU", "picture: cam-r0005-pedestals.png")
	picture(t, "cam-r0005-pedestals.png")
	out = ok(t, "calib", "pedestals", file, "--serials", "B.A", "--comment", "again")
	says(t, out, "gains, mask, common mode and geometry are those of the earlier constants")
	says(t, ok(t, "calib", "show", "cam", "--run", "5"), "segment  0: B", "comment  again", filepath.Base(file))
	out = ok(t, "calib", "pedestals", file, "--serials", "A.B", "--gains", gains, "--store", "store", "--first-run", "9")
	says(t, out, "  mask, common mode and geometry are those of the earlier constants")
	// The gains go with the ids: segment B had the second half of them.
	says(t, ok(t, "calib", "show", "cam", "--run", "5"), "gains      -      0        24    25       37       48")
}

// TestCalibPedestalsOfTooFewFrames are not put, since they would leave nothing of a run.
func TestCalibPedestalsOfTooFewFrames(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	file := testkit.File(t, testkit.Camera{}.Run(2)...)
	gains := numbers(t, "gains.npy", 1, 2, 4, 6)
	dark := []string{"calib", "pedestals", file, "--serials", "A.B", "--gains", gains, "--store", "store"}
	const want = "range -: 48 of 48 pixels had too few frames: there are 2, and each pixel needs 10"
	code, _, errs := command(t, dark...)
	if code != 3 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, want, "take more darks")
	if code, _, errs := command(t, "calib", "ls", "--store", "store"); code != 3 {
		t.Errorf("something was put: exit code %d: %s", code, errs)
	}
	code, _, errs = command(t, append(dark, "-o", "darks")...)
	if code != 0 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, "drp: warning: "+want)
	says(t, ok(t, append(dark, "--min-frames", "2")...), "range -: 48 pixels good\n")
}

// TestCalibPedestalsOfOddFiles names a file twice, under two names, and one that was cut off.
func TestCalibPedestalsOfOddFiles(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	file := testkit.File(t, testkit.Camera{}.Run(21)...)
	if err := os.Symlink(file, "other.xtc2"); err != nil {
		t.Fatal(err)
	}
	code, _, errs := command(t, "calib", "pedestals", file, "other.xtc2", "--serials", "A.B", "-o", "x")
	if code != 2 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, file+" and other.xtc2 are the same file")
	all, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range []struct {
		name string
		less int
	}{{"header.xtc2", 4}, {"payload.xtc2", 300}} {
		cut := write(t, test.name, string(all[:len(all)-test.less]))
		code, _, errs = command(t, "calib", "pedestals", cut, "--serials", "A.B", "-o", test.name+".out")
		if code != 0 || strings.Count(errs, "\n") != 1 {
			t.Errorf("exit code %d: %s", code, errs)
		}
		says(t, errs, "drp: warning: "+cut+" ends inside a datagram; the events before it are used")
	}
}

// TestCalibPedestalsOfSomeRanges says what becomes of the others.
func TestCalibPedestalsOfSomeRanges(t *testing.T) {
	noEnvironment(t)
	t.Chdir(t.TempDir())
	file := testkit.Data(t, "xtc2/detector/test_epix_calib.xtc2") // in fixed low gain
	gains := numbers(t, "gains.npy", 1, 7, 4, 352, 384)
	out := ok(t, "calib", "pedestals", file, "--gains", gains, "--min-frames", "2", "--store", "store")
	says(t, out, "frames in each range: FL 2", "range FH did not occur, and there are no earlier constants",
		"epixquad (epix10ka)", "runs from 109 on")
	if strings.Contains(out, "range FL did not") {
		t.Error(out)
	}
	says(t, ok(t, "calib", "pedestals", file, "--min-frames", "2", "--store", "store"),
		"range FH did not occur: its pedestals are those of the earlier constants")
}

func picture(t *testing.T, path string) {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if _, err := png.Decode(f); err != nil {
		t.Error(err)
	}
}
