package main

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestCalibSaysWhatToDo has one sentence and the exit code for words, addresses and arrays that cannot be meant.
func TestCalibSaysWhatToDo(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	t.Setenv("DRP_CALIB", filepath.Join(dir, "store"))
	ped := numbers(t, dir+"/ped.npy", 1, 7, 1, 2, 3)
	put := func(ped string, more ...string) []string {
		return append([]string{"calib", "put", "cam", "--serials", "A", "--pedestals", ped, "--gains", ped}, more...)
	}
	const untyped = "The type is taken from the name, cam, which is none of jungfrau, epix10ka, epixhr, epix100 and so has one gain range: --type says it"
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"put of nothing", []string{"calib", "put"}, 2, "drp: calib put takes DETECTOR|EXPORT|SIMULATED, and 0 words are given; drp calib put --help says more"},
		{"ls of two", []string{"calib", "ls", "a", "b"}, 2, "calib ls takes [DETECTOR], and 2 words are given"},
		{"diff of one", []string{"calib", "diff", "a"}, 2, "calib diff takes A B, and 1 words are given"},
		{"a word for watch", []string{"calib", "watch", "cam"}, 2, "calib watch takes no words, and 1 words are given"},
		{"no address", []string{"calib", "watch", "--connect", "nonsense"}, 2, `--connect "nonsense": give HOST:PORT, as daq:8766`},
		{"a port of words", []string{"calib", "watch", "--connect", "daq:http"}, 2, `--connect "daq:http": give HOST:PORT`},
		{"a port that there is not", []string{"calib", "watch", "--connect", "daq:99999"}, 2, "with a port from 0 to 65535"},
		{"an address to listen at", []string{"-p", "s.py", "-s", "f.xtc2", "--calib-listen", "nonsense"}, 2, `--calib-listen "nonsense": give HOST:PORT`},
		{"another way to a store", []string{"calib", "ls", "--store", "ftp://x"}, 2, "the store ftp://x: ftp:// is no way to one: give a folder, or the http://"},
		{"the same to put", put(ped, "--store", "ftp://x", "--type", "epixhr_small"), 2, "ftp:// is no way to one"},
		{"seven ranges without a type", put(ped), 3, untyped},
		{"a shape with a type", put(ped, "--type", "other"), 3, "its shape is [7 1 2 3], and [1 1 2 3] is wanted\n"},
		{"a run below 0", put(ped, "--type", "epixhr_small", "--first-run", "-4"), 3, "the first run is -4 and the last 0: runs are counted from 0 on"},
		{"an empty file", put(write(t, dir+"/empty.npy", "")), 3, "empty.npy: it is empty: the file has 0 bytes"},
		{"a missing number", put(write(t, dir+"/a.txt", "1,2,3\n1,2,,3\n")), 3, "a.txt: line 2: a number is missing"},
		{"ragged rows", put(write(t, dir+"/b.txt", "1 2 3\n1 2 3 4\n")), 3, "b.txt: line 2 has 4 numbers, and the lines before it have 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errs := command(t, test.args...)
			if code != test.code || !strings.Contains(errs, test.want) || strings.Count(errs, "\n") != 1 {
				t.Errorf("exit code %d, want %d: %s, want %q", code, test.code, errs, test.want)
			}
		})
	}
}
