package replay_test

import (
	"fmt"
	"strings"
	"testing"

	"drp/teb"
)

// runs records one of each of the times for a contributor, with the Configure of the first repeated, as a process does that
// goes through several.
func runs(t *testing.T, dir, name string, times ...uint64) (paths []string) {
	t.Helper()
	for _, at := range times {
		f := record(t, 1, "a,b", name, "n")
		f.run(at, at/1000)
		for n := range uint64(500) {
			f.event(at+1+n, then{}, 6)
		}
		paths = append(paths, f.file(dir, fmt.Sprint(name, at, ".xtc2")))
	}
	return paths
}

// TestRunsOfOneConfigure follow each other, though all their files begin with the same Configure.
func TestRunsOfOneConfigure(t *testing.T) {
	dir := t.TempDir()
	a, b := runs(t, dir, "a", 1000, 2000, 3000), runs(t, dir, "b", 1000, 2000, 3000)
	r := mustPlay(t, []teb.Rule{{Name: "both", When: "sum(c.n) == 12", Persist: true}}, a[2], b[0], a[0], b[2], b[1], a[1])
	if r.Events != 1500 || r.Kept != 1500 || r.Incomplete+r.Again != 0 || len(r.warned) != 0 {
		t.Errorf("%+v, %q", r.Report, r.warned)
	}
	if _, err := play(t, large, a[0], a[1], a[0]); err == nil || !strings.Contains(err.Error(), "name one of them") {
		t.Errorf("the same run twice: %v", err)
	}
}

// TestRunsThatDoNotMeet are not joined; who was not there in one of several is missing there.
func TestRunsThatDoNotMeet(t *testing.T) {
	dir := t.TempDir()
	a, b := runs(t, dir, "a", 1000, 2000), runs(t, dir, "b", 1000, 2000)
	if _, err := play(t, large, a[1], b[0]); err == nil || !strings.Contains(err.Error(), "contributor b in exp r0001, and the files of the others are of exp r0002") {
		t.Errorf("%v", err)
	}
	r := mustPlay(t, large, a[0], a[1], b[0])
	if r.Events != 1000 || r.Incomplete != 500 || len(r.warned) != 1 || !strings.Contains(r.warned[0], "contributor b has no file of exp r0002") {
		t.Errorf("%+v, %q", r.Report, r.warned)
	}
}
