package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/npy"
	"drp/internal/testkit"
)

// numbers writes an array of NPY whose values count up.
func numbers(t *testing.T, path string, from float32, axes ...int) string {
	t.Helper()
	n := 1
	for _, k := range axes {
		n *= k
	}
	values := make([]float32, n)
	for i := range values {
		values[i] = from + float32(i)
	}
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	if err := npy.Write(f, axes, values); err != nil {
		t.Fatal(err)
	}
	return path
}

// ok runs a command that must succeed.
func ok(t *testing.T, args ...string) string {
	t.Helper()
	code, out, errs := command(t, args...)
	if code != 0 {
		t.Fatalf("%v: exit code %d: %s", args, code, errs)
	}
	return out
}

func says(t *testing.T, text string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

// TestCalibRoundTrip puts, looks, exports, and puts into another store.
func TestCalibRoundTrip(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	t.Setenv("DRP_CALIB", filepath.Join(dir, "one"))
	ped := write(t, dir+"/ped.txt", "# dark\n1 2 3\n4 5 6\n7 8 9\n10 11 12\n") // two segments below each other
	gains := numbers(t, dir+"/gains.npy", 1, 2, 2, 3)
	put := []string{"calib", "put", "cam", "--type", "epix100_small", "--serials", "A.B", "--pedestals", ped, "--gains", gains,
		"--unit", "ADU", "--comment", "first", "--common-mode", "median:rows:100:10"}
	says(t, ok(t, append(put, "--first-run", "5")...), "cam (epix100_small) A.B, runs from 5 on, ADU")
	says(t, ok(t, append(put, "--first-run", "1", "--comment", "second")...), "for runs from 5 on the set", "goes before it")
	says(t, ok(t, "calib", "ls"), "A.B", "runs from 1 on", "second")
	says(t, ok(t, "calib", "show", "cam", "--run", "7"), "comment  first", "common mode  median:rows:100:10",
		"pedestals  -      1        6     7    10      12", "ped.txt")
	var list []struct{ ID, Detector string }
	if err := json.Unmarshal([]byte(ok(t, "calib", "ls", "--json", "cam")), &list); err != nil || len(list) != 2 {
		t.Fatalf("%v, %v", list, err)
	}
	for _, out := range []string{"set.npz", "folder"} {
		path := filepath.Join(dir, out)
		says(t, ok(t, "calib", "export", list[1].ID[:8], "-o", path), "wrote")
		other := filepath.Join(dir, "other-"+out)
		says(t, ok(t, "calib", "put", path, "--store", other), "put "+list[1].ID[:12])
		says(t, ok(t, "calib", "show", "cam", "--run", "7", "--store", other), "comment  first")
		says(t, ok(t, "calib", "diff", path, list[1].ID), "they are the same")
	}
	code, _, errs := command(t, "calib", "get", "cam", "--run", "7", "--serials", "C", "-o", dir+"/none")
	if code != 1 || !strings.HasSuffix(errs, " has them of A.B\n") {
		t.Errorf("two sets of the same segments: exit code %d: %s", code, errs)
	}
	code, out, errs := command(t, "calib", "diff", list[0].ID, list[1].ID)
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	if errs != "" {
		t.Errorf("more is said: %s", errs)
	}
	says(t, out, "first run: 1 and 5", "the arrays are the same")
	says(t, ok(t, "calib", "get", "cam", "--run", "1", "--serials", "B", "-o", dir+"/got"), "cam B")
	f, err := os.Open(dir + "/got/pedestals.npy")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	a, err := npy.Read(f, 1<<20)
	if err != nil || a.Values.([]float32)[0] != 7 {
		t.Errorf("%v, %v", a, err)
	}
}

// TestCalibMistakes has one sentence and the exit code for each.
func TestCalibMistakes(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	t.Setenv("DRP_CALIB", filepath.Join(dir, "store"))
	ped, gains := numbers(t, dir+"/ped.npy", 1, 2, 3), numbers(t, dir+"/gains.npy", 1, 2, 3)
	zero := numbers(t, dir+"/zero.npy", -3, 2, 3)
	put := func(more ...string) []string {
		return append([]string{"calib", "put", "cam", "--serials", "A", "--pedestals", ped, "--gains", gains}, more...)
	}
	ok(t, put("--last-run", "9")...)
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no verb", []string{"calib", "putt"}, 2, `calib has no verb "putt"`},
		{"no arrays", []string{"calib", "put", "cam"}, 2, "--pedestals and --gains are needed"},
		{"no serials", []string{"calib", "put", "cam", "--pedestals", ped, "--gains", gains}, 2, "--serials is needed"},
		{"a word for filling", put("--fill-gains", "mean"), 2, `--fill-gains "mean": give median`},
		{"a word for common mode", put("--common-mode", "median"), 2, "METHOD:WHAT:MAX:MIN"},
		{"a missing file", put("--rms", "missing.npy"), 3, "--rms: open missing.npy: no such file"},
		{"a wrong shape", put("--type", "jungfrau"), 3, "pedestals: " + ped + ": its shape is [2 3], and [3 1 512 1024] is wanted"},
		{"a gain of zero", put("--gains", zero), 3, "row 1 column 0 is zero, and the pixel is not masked (--mask"},
		{"a name of a path", []string{"calib", "put", "../cam", "--serials", "A", "--pedestals", ped, "--gains", gains}, 3, "name"},
		{"a geometry that is none", put("--geometry", write(t, dir+"/a.geom", "import numpy\n")), 3, `line 1: "import numpy" is neither`},
		{"a geometry of one segment for two", []string{"calib", "put", "cam", "--serials", "A.B", "--pedestals", ped, "--gains", gains,
			"--geometry", write(t, dir+"/b.geom", "res=1\np/min_fs=0\np/max_fs=2\np/min_ss=0\np/max_ss=0\np/fs=x\np/ss=y\np/corner_x=0\np/corner_y=0\n")},
			3, "b.geom: calib: the constants of cam are refused: geometry: it has places for 1 of the 2 segments A.B of 1 x 3 pixels\n"},
		{"an odd unit", put("--unit", "MeV"), 3, "the unit \"MeV\": give ADU, keV or photon\n"},
		{"the last run first", put("--first-run", "5", "--last-run", "3"), 3, "from run 5 to run 3"},
		{"an export that is none", []string{"calib", "put", dir}, 3, "constants.json"},
		{"a comment on an export", []string{"calib", "put", dir, "--comment", "x"}, 2, "leave --comment out"},
		{"get without a run", []string{"calib", "get", "cam", "-o", dir + "/x"}, 2, "--run and -o are needed"},
		{"another run", []string{"calib", "get", "cam", "--run", "10", "-o", dir + "/x"}, 1, "the only set in the store "},
		{"another segment", []string{"calib", "get", "cam", "--run", "1", "--serials", "B", "-o", dir + "/x"}, 1, "has them of A"},
		{"an id of nothing", []string{"calib", "show", "ffff"}, 1, `no constants with the id "ffff"`},
		{"a folder with something", []string{"calib", "get", "cam", "--run", "1", "-o", dir}, 3, "is not empty"},
		{"no store", []string{"calib", "ls", "--store", dir + "/none"}, 3, "drp calib put makes one"},
		{"no such address", []string{"calib", "ls", "--store", "http://"}, 3, "is no address of a store"},
		{"nobody there", []string{"calib", "ls", "--store", "http://127.0.0.1:1"}, 3, "connection refused"},
		{"a token that is missing", []string{"calib", "serve", "--token-file", dir + "/token"}, 3, "openssl rand"},
		{"a token for all", []string{"calib", "serve", "--token-file", open644(t, dir+"/open")}, 3, "chmod 600"},
		{"a token that is short", []string{"calib", "serve", "--token-file", write(t, dir+"/short", "abc")}, 3, "has 3 characters"},
		{"an address in use", []string{"calib", "serve", "--listen", "nowhere.invalid:1"}, 3, "serve the store"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errs := command(t, test.args...)
			if code != test.code || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit code %d, want %d: %s, want %q", code, test.code, errs, test.want)
			}
		})
	}
	if list := ok(t, "calib", "ls"); strings.Count(list, "\n") != 1 {
		t.Errorf("more was put than the first set:\n%s", list)
	}
}

func open644(t *testing.T, path string) string {
	t.Helper()
	write(t, path, "0123456789abcdef")
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestCalibPutWarns of what is taken and looks like a mistake, and of nothing else.
func TestCalibPutWarns(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	mask := func(text string) string { return write(t, dir+"/mask"+strings.ReplaceAll(text, " ", "")+".txt", text) }
	ped := numbers(t, dir+"/ped.npy", 1, 3, 1, 5)
	one := numbers(t, dir+"/one.npy", 1, 1, 5)
	up, down := numbers(t, dir+"/up.npy", 1, 3, 1, 5), numbers(t, dir+"/down.npy", -20, 3, 1, 5)
	for _, test := range []struct {
		name   string
		detail []string
		wants  []string
	}{
		{"nothing", []string{"--type", "jungfrau_small", "--gains", down, "--mask", mask("1 1 0 1 1")}, nil},
		{"a mask of bad pixels", []string{"--type", "jungfrau_small", "--gains", down, "--mask", mask("0 0 0 1 0")},
			[]string{"4 of 5 pixels are masked: in a mask 1 is good"}},
		{"gains of the wrong sign", []string{"--type", "jungfrau_small", "--gains", up},
			[]string{"5 of 5 gains of range G1 are positive", "5 of 5 gains of range G2 are positive"}},
		{"a type that is not known", []string{"--type", "jungfra", "--gains", one, "--pedestals", one},
			[]string{`"jungfra" is not known, and is taken as a detector with one gain range; known are jungfrau, epix10ka, epixhr, epix100`}},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errs := command(t, append([]string{"calib", "put", "cam", "--serials", "A", "--pedestals", ped,
				"--store", dir + "/store"}, test.detail...)...)
			if code != 0 || strings.Count(errs, "drp: warning: ") != len(test.wants) || strings.Count(errs, "\n") != len(test.wants) {
				t.Errorf("exit code %d: %s", code, errs)
			}
			says(t, errs, test.wants...)
		})
	}
}

// TestCalibServe starts the verb as users do, puts with its token, and ends it.
func TestCalibServe(t *testing.T) {
	if os.Getenv("DRP_TEST_SERVE") != "" {
		os.Exit(execute(strings.Fields(os.Getenv("DRP_TEST_SERVE"))))
	}
	noEnvironment(t)
	dir := t.TempDir()
	token := write(t, dir+"/token", "0123456789abcdef\n")
	cmd := exec.Command(os.Args[0], "-test.run=^TestCalibServe$")
	cmd.Env = append(os.Environ(), "DRP_TEST_SERVE=calib serve --listen 127.0.0.1:0 --store "+dir+"/s --token-file "+token)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	_, address, _ := strings.Cut(strings.TrimSpace(line), " at ")
	ped, gains := numbers(t, dir+"/ped.npy", 1, 2, 3), numbers(t, dir+"/gains.npy", 1, 2, 3)
	put := []string{"calib", "put", "cam", "--serials", "A", "--pedestals", ped, "--gains", gains, "--store", address}
	code, _, errs := command(t, put...)
	if code != 3 || !strings.Contains(errs, "$DRP_CALIB_TOKEN") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	t.Setenv("DRP_CALIB_TOKEN", "0123456789abcdef")
	says(t, ok(t, put...), "put ")
	says(t, ok(t, "calib", "get", "cam", "--run", "3", "--store", address, "-o", dir+"/got"), "cam A")
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Process.Signal(os.Interrupt); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("the server ends with %v", err)
	}
}

// TestCalibHDF5 reads arrays with the h5py of the interpreter, and says what is missing where it has none.
func TestCalibHDF5(t *testing.T) {
	noEnvironment(t)
	python := testkit.Python(t)
	t.Setenv("PYTHONPATH", testkit.PythonPath())
	dir := t.TempDir()
	gains := numbers(t, dir+"/gains.npy", 1, 2, 3)
	put := func(ped string, more ...string) []string {
		return append([]string{"calib", "put", "cam", "--serials", "A", "--pedestals", ped, "--gains", gains, "--python", python,
			"--store", dir + "/store"}, more...)
	}
	bare := write(t, t.TempDir()+"/h5py.py", "raise ImportError\n") // not in dir: that will be the present folder
	t.Setenv("PYTHONPATH", filepath.Dir(bare)+string(os.PathListSeparator)+testkit.PythonPath())
	code, _, errs := command(t, put(dir+"/a.h5:/x/ped")...)
	if code != 3 || !strings.Contains(errs, "reading HDF5 needs h5py: ") || strings.Count(errs, "\n") != 1 {
		t.Errorf("exit code %d: %s", code, errs)
	}
	t.Chdir(dir)
	if err := os.Symlink(filepath.Dir(filepath.Dir(python)), "env"); err != nil {
		t.Fatal(err)
	}
	relative := filepath.Join("env", filepath.Base(filepath.Dir(python)), filepath.Base(python))
	if code, _, errs := command(t, put(dir+"/a.h5:/x/ped", "--python", relative)...); code != 3 ||
		!strings.Contains(errs, "reading HDF5 needs h5py: ") {
		t.Errorf("an interpreter named from here: exit code %d: %s", code, errs)
	}
	t.Setenv("PYTHONPATH", testkit.PythonPath())
	if out, err := exec.Command(python, "-c", "import h5py").CombinedOutput(); err != nil {
		if !strings.Contains(string(out), "ModuleNotFoundError: No module named 'h5py'") {
			t.Fatalf("h5py is there and cannot be used: %v: %s", err, out)
		}
		t.Skip("the interpreter has no h5py: make test installs it into .venv")
	}
	script := "import h5py, numpy as np, sys\nwith h5py.File(sys.argv[1], 'w') as f:\n" +
		"    f['x/ped'] = np.arange(6.0).reshape(2, 3); f['x/text'] = 'abc'\n"
	if out, err := exec.Command(python, "-c", script, dir+"/a.h5").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	says(t, ok(t, put(dir+"/a.h5:/x/ped")...), "put ")
	says(t, ok(t, "calib", "show", "cam", "--run", "1", "--store", dir+"/store"), "a.h5:/x/ped", "0    3       5")
	for ped, want := range map[string]string{
		dir + "/a.h5:/x/pod":  "there is no array '/x/pod'; it has x/ped, x/text",
		dir + "/a.h5:/x/text": "and numbers are wanted",
		dir + "/b.h5:/x/ped":  "b.h5",
		dir + "/a.h5":         "say which array of it",
	} {
		code, _, errs := command(t, put(ped)...)
		if code != 3 || !strings.Contains(errs, want) || strings.Count(errs, "\n") != 1 {
			t.Errorf("%s: exit code %d: %s", ped, code, errs)
		}
	}
}

// A simulated camera is a store of its constants, from which others get them as they are.
func TestCalibOfASimulatedCamera(t *testing.T) {
	noEnvironment(t)
	store := t.TempDir() + "/store"
	says(t, ok(t, "calib", "put", "sim:segments=2,seed=5,name=cam", "--store", store), "cam (epix10ka)", "runs from 0 on, keV")
	for _, from := range []string{store, "sim:segments=2,seed=5,name=cam"} {
		out := ok(t, "calib", "ls", "--store", from)
		says(t, out, "cam", "(2 segments)")
		says(t, ok(t, "calib", "show", strings.Fields(out)[0], "--store", from), "from sim:segments=2,seed=5,name=cam", "16.4")
	}
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"constants that are not its own", []string{"put", "sim:", "--unit", "ADU", "--store", store}, 2, "is put as it is"},
		{"of a shape that has none", []string{"put", "sim:rows=8", "--store", store}, 3, "of 352 x 384 pixels, and not of 8 x 384"},
		{"of none that can be", []string{"put", "sim:colour=red", "--store", store}, 3, `no parameter "colour"`},
		{"in one that cannot be", []string{"ls", "--store", "sim:colour=red"}, 3, `no parameter "colour"`},
		{"put into one", []string{"put", "sim:", "--store", "sim:"}, 3, "nothing can be put there"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errs := command(t, append([]string{"calib"}, test.args...)...)
			if code != test.code {
				t.Errorf("exit code %d, want %d", code, test.code)
			}
			says(t, errs, test.want)
		})
	}
}
