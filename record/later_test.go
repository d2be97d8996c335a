package record_test

import (
	"slices"
	"testing"

	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

// TestLater: files come with the run whose number they have, and are complete when it is unconfigured.
func TestLater(t *testing.T) {
	testkit.NoLeaks(t)
	dir := t.TempDir()
	r, err := record.New(record.Config{Dir: dir, Expt: "test", Stream: 2, Later: true})
	if err != nil {
		t.Fatal(err)
	}
	time, numbers := uint64(0), []int{12, 13, 40}
	record := func(text string) {
		for _, letter := range []byte(text) {
			time++
			d, run := testkit.Plain(letters[letter], time), -1
			switch letter {
			case 'C':
				d = testkit.Camera{Segments: 1, Rows: 1, Cols: 1}.Configure(time)
			case 'R':
				run, numbers = numbers[0], numbers[1:]
			}
			put(t, r, d, run)
			if _, err := r.Flush(); err != nil {
				t.Fatal(err)
			}
		}
	}
	record("C")
	if n := countFiles(t, dir); n > 0 {
		t.Errorf("%d files before the first run", n)
	}
	record("RSE..esrRSE.esrc")
	if done := r.Files(); len(done) != 4 {
		t.Errorf("unconfigured, and complete are %v", done)
	}
	record("CRSE...")
	closeIt(t, r)
	var got []string
	for _, path := range r.Files() {
		if name, ok := xtc.ParseFileName(path); ok && path[len(path)-len(".smd.xtc2"):] != ".smd.xtc2" {
			got = append(got, name.Data()[len("test-"):len("test-r0000")]+" "+services(readFileLoosely(t, path)))
		}
	}
	if want := []string{"r0012 CRSE..esr", "r0013 CRSE.esrc", "r0040 CRSE..."}; !slices.Equal(got, want) {
		t.Errorf("%v, and not %v", got, want)
	}
}

// TestLaterAndNothing: a recorder that never begins leaves nothing, and is not in anybody's way.
func TestLaterAndNothing(t *testing.T) {
	testkit.NoLeaks(t)
	dir := t.TempDir()
	for _, end := range []func(*record.Recorder) error{(*record.Recorder).Close, (*record.Recorder).Abandon} {
		r, err := record.New(record.Config{Dir: dir, Expt: "test", Later: true})
		if err != nil {
			t.Fatal(err)
		}
		put(t, r, testkit.Camera{}.Configure(1), -1)
		put(t, r, testkit.Plain(xtc.Unconfigure, 2), -1)
		if _, err := r.Flush(); err != nil {
			t.Error(err)
		}
		if err := end(r); err != nil || countFiles(t, dir) > 0 || len(r.Files()) > 0 {
			t.Errorf("%v, %v", err, r.Files())
		}
	}
}
