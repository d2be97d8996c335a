package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

var spots = testkit.Spots{Segments: 2, Rows: 60, Cols: 80, Apart: 10}

const findSpots = "peakfinder8:adc_threshold=100,at_least=3"

// spotStore puts constants of the camera with the spots.
func spotStore(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	table := func(name, value string) string {
		path := filepath.Join(dir, name)
		testkit.WriteFile(t, path, strings.Repeat(strings.Repeat(value+" ", spots.Cols)+"\n", spots.Segments*spots.Rows))
		return path
	}
	put := prepare(t, nil, "calib", "put", "cam", "--store", dir+"/store", "--type", "spotcam", "--serials", "M0.M1", "--unit", "ADU",
		"--pedestals", table("pedestals.txt", "100"), "--gains", table("gains.txt", "2")).start().finish()
	if put.code != 0 {
		t.Fatal(put.stderr)
	}
	return dir + "/store"
}

// hitsVerb runs a verb that looks at hits, or converts them.
func hitsVerb(t *testing.T, args ...string) *invocation {
	t.Helper()
	return prepare(t, nil, args...)
}

// searching makes a run ready that searches and records the spots.
func searching(t *testing.T, store, dir string, events int, more ...string) *invocation {
	t.Helper()
	script := testkit.Script(t, "from drp import DataSource\nfor run in DataSource().runs():\n    for evt in run.events():\n        pass\n")
	return pipeline(t, append([]string{"-s", testkit.File(t, spots.Run(events)...), "-p", script, "-w", "2", "--calib", store, "--hits",
		findSpots, "-o", dir}, more...)...)
}

const firstChunk = "test-r0005-s000-c000.xtc2"

// TestRecordedHits: what a run records is what a search of its file finds, over all chunks.
func TestRecordedHits(t *testing.T) {
	t.Parallel()
	const events = 60
	store, dir := spotStore(t), t.TempDir()
	if r := searching(t, store, dir, events, "--chunk-bytes", "300KB").start().finish(); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if chunks := testkit.FilesIn(dir); len(chunks) < 4 {
		t.Fatalf("%q", chunks)
	}
	file := filepath.Join(dir, firstChunk)
	recorded := hitsVerb(t, "hits", "ls", file, "--json", "--calib", "nowhere").start().finish() // where no constants are needed
	searched := hitsVerb(t, "hits", "ls", file, "--json", "--calib", store, "--find", findSpots).start().finish()
	if recorded.code != 0 || recorded.stdout != searched.stdout || recorded.stderr != "" {
		t.Errorf("recorded:\n%.2000s\nsearched:\n%.2000s\n%s", recorded.stdout, searched.stdout, recorded.stderr)
	}
	n := 0
	for line := range strings.Lines(recorded.stdout) {
		var e struct {
			Count int
			Hit   bool
		}
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		if e.Count != spots.Spots(n) || e.Hit != (e.Count >= 3) {
			t.Errorf("event %d: %s", n, line)
		}
		n++
	}
	if n != events {
		t.Errorf("%d events", n)
	}
	plot := hitsVerb(t, "hits", "plot", file, "-o", dir+"/hit.png", "--calib", store).start().finish()
	if plot.code != 0 || !strings.Contains(plot.stdout, "cam event 0 ") {
		t.Errorf("%d: %s%s", plot.code, plot.stdout, plot.stderr)
	}
}

// countCXI gives how many events a CXI file has, and their peaks in all.
func countCXI(t *testing.T, path string) (events, peaks int) {
	t.Helper()
	const count = "import h5py, sys\nf = h5py.File(sys.argv[1])\nn = f['/entry_1/result_1/nPeaks'][:]\n" +
		"assert len(f['/entry_1/data_1/data']) == len(n)\nprint(len(n), n.sum())"
	out, err := exec.Command(testkit.PythonWith(t, "h5py"), "-c", count, path).CombinedOutput()
	if err == nil {
		_, err = fmt.Sscan(string(out), &events, &peaks)
	}
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return events, peaks
}

// TestFollowedHits converts while the run goes on, over all chunks: every hit is in the file when the run has ended.
func TestFollowedHits(t *testing.T) {
	t.Parallel()
	const events = 60
	python := testkit.PythonWith(t, "h5py")
	store, dir := spotStore(t), t.TempDir()
	run := searching(t, store, dir, events, "--chunk-bytes", "300KB", "--rate", "40").start()
	file, cxi := filepath.Join(dir, firstChunk), filepath.Join(t.TempDir(), "live.cxi")
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(file + ".inprogress"); return err == nil || run.Over() }) {
		t.Fatal(run.LastWords())
	}
	convert := hitsVerb(t, "convert", "--cxi", cxi, "--hits-only", "--follow", file, "--calib", store, "--python", python).start().finish()
	if r := run.finish(); r.code != 0 {
		t.Fatal(r.stderr)
	}
	if convert.code != 0 || !strings.Contains(convert.stdout, "live.cxi: 30 events, 30 hits") {
		t.Fatalf("%d: %s%s", convert.code, convert.stdout, convert.stderr)
	}
	want := 0
	for i := range events {
		want += spots.Spots(i)
	}
	if n, peaks := countCXI(t, cxi); n != 30 || peaks != want {
		t.Errorf("%d events with %d peaks, want %d", n, peaks, want)
	}
}

// TestConvertInterrupted: what is interrupted or killed leaves no file and no process.
func TestConvertInterrupted(t *testing.T) {
	t.Parallel()
	python := testkit.PythonWith(t, "h5py")
	store, dir := spotStore(t), t.TempDir()
	run := searching(t, store, dir, 100, "--rate", "100", "--loop").start()
	file := filepath.Join(dir, firstChunk)
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(file + ".inprogress"); return err == nil || run.Over() }) {
		t.Fatal(run.LastWords())
	}
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		out := t.TempDir()
		cxi := filepath.Join(out, "live.cxi")
		convert := hitsVerb(t, "convert", "--cxi", cxi, "--follow", file, "--calib", store, "--python", python).start()
		grown := func() bool { info, err := os.Stat(cxi + ".part"); return err == nil && info.Size() > 100000 }
		if !testkit.Within(testkit.Patience, func() bool { return grown() || convert.Over() }) || convert.Over() {
			t.Fatal(convert.LastWords())
		}
		second := hitsVerb(t, "convert", "--cxi", cxi, "--follow", file, "--calib", store, "--python", python).start().finish()
		if second.code != 1 || !strings.Contains(second.stderr, "live.cxi.part is being written by another drp") {
			t.Errorf("%d: %s", second.code, second.stderr)
		}
		convert.Signal(sig)
		r := convert.finish()
		if sig != syscall.SIGKILL && (r.code != 130 || strings.TrimSpace(r.stderr) != "drp: interrupted") {
			t.Errorf("%v: exit code %d: %s", sig, r.code, r.stderr)
		}
		if !testkit.Within(testkit.Patience, func() bool { return len(testkit.FilesIn(out)) == 0 }) {
			t.Errorf("%v: there are %q", sig, testkit.FilesIn(out))
		}
		convert.NothingLeft()
	}
	run.Signal(syscall.SIGINT)
	run.finish()
}
