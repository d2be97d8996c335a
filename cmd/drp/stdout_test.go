package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// unprinted runs a command line whose standard output takes nothing, as a full disk does.
func unprinted(t *testing.T, args ...string) (code int, stderr string) {
	t.Helper()
	path := write(t, filepath.Join(t.TempDir(), "stdout"), "")
	out, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	errs, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	oldOut, oldErr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = out, errs
	defer func() { os.Stdout, os.Stderr = oldOut, oldErr }()
	code = execute(args)
	readBack(t, out)
	return code, readBack(t, errs)
}

// TestNobodyCanRead: a verb whose words are lost fails, and says so, whatever it had to say.
func TestNobodyCanRead(t *testing.T) {
	file, store := spotRun(t, 6)
	bad := write(t, "bad.xtc2", text(t, file)+"a rest")
	find := []string{"--calib", store, "--find", findSpots}
	for _, words := range []string{"xtc ls FILE", "xtc ls FILE --json", "xtc dump FILE", "xtc dump FILE --json", "xtc check FILE", "xtc check " + bad,
		"hits ls FILE FIND", "hits ls FILE FIND --json", "hits tune FILE FIND --grid min_snr=5", "hits tune FILE FIND --grid min_snr=5 --json",
		"hits plot FILE FIND -e 0 -o a.png", "calib ls --store store", "calib ls --store store --json", "calib show cam --run 5 --store store",
		"calib show cam --run 5 --store store --json", "calib get cam --run 5 --store store -o out", "version", "--help", "hits",
		"xtc ls --help", "completion bash"} {
		var args []string
		for _, word := range strings.Fields(words) {
			switch word {
			case "FILE":
				args = append(args, file)
			case "FIND":
				args = append(args, find...)
			default:
				args = append(args, word)
			}
		}
		code, errs := unprinted(t, args...)
		if code != 1 {
			t.Errorf("%s: exit code %d: %s", words, code, errs)
		}
		says(t, errs, "what was to be printed is not all there: write ", "bad file descriptor; make room")
		if code, _, errs := command(t, "version"); code != 0 {
			t.Errorf("and then one that can print: %d %s", code, errs)
		}
	}
}

// TestTroubleBesideWords: other trouble is what is told.
func TestTroubleBesideWords(t *testing.T) {
	file := testkit.File(t, spots.Run(1)...)
	code, errs := unprinted(t, "xtc", "ls", file, "missing.xtc2")
	if code != 4 {
		t.Errorf("exit code %d", code)
	}
	says(t, errs, "missing.xtc2: no such file")
	o := output{lost: os.ErrPermission}
	other := errors.New("other")
	for _, test := range []struct{ err, want error }{{nil, os.ErrPermission}, {errDiffer, os.ErrPermission}, {errSilent, os.ErrPermission},
		{fmt.Errorf("of it: %w", &lostWords{os.ErrClosed}), os.ErrPermission}, {other, other}} {
		if got := o.verdict(test.err); !errors.Is(got, test.want) {
			t.Errorf("%v: %v", test.err, got)
		}
	}
	o.begin()
	if err := o.verdict(nil); err != nil {
		t.Error(err)
	}
}

// TestAllPrintThere: what prints elsewhere would not be missed. Terminals and children need the file itself.
func TestAllPrintThere(t *testing.T) {
	itself := map[string]bool{"stdout.go": true, "monitorplot.go": true, "top.go": true, "topseveral.go": true, "trial.go": true}
	past := regexp.MustCompile(`\bfmt\.Print|\bos\.Stdout\b`)
	paths, err := filepath.Glob("*.go")
	if err != nil || len(paths) < 50 {
		t.Fatal(err, len(paths))
	}
	for _, path := range paths {
		found := past.FindString(text(t, path))
		if found != "" && !strings.HasSuffix(path, "_test.go") && (found != "os.Stdout" || !itself[path]) {
			t.Errorf("%s uses %s: print with printf, printLine or printText", path, found)
		}
	}
}
