package source_test

import (
	"fmt"
	"io"
	"path/filepath"
	"strings"
	"testing"

	"drp/source"
	"drp/xtc"
)

// looped reads the first datagrams of files that begin again and again.
func looped(t *testing.T, n int, names ...string) []xtc.Dgram {
	t.Helper()
	s := openSource(t, source.Options{Loop: true}, names...)
	if s.Info().Events != -1 {
		t.Errorf("%d events are announced", s.Info().Events)
	}
	all, err := read(openPool(t, s, 2), s, n)
	if err != nil {
		t.Fatal(err)
	}
	checkRising(t, all)
	return all
}

func TestLoop(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	slow := func(ns uint64) []xtc.Dgram { return []xtc.Dgram{f.dgram(xtc.SlowUpdate, ns, nil)} }
	step := []xtc.Dgram{f.dgram(xtc.Disable, 50, nil), f.dgram(xtc.EndStep, 51, nil), f.dgram(xtc.BeginStep, 52, nil),
		f.enable(53, "")}
	for _, test := range []struct {
		name  string
		parts [][]xtc.Dgram
		want  string
	}{
		{"one event", [][]xtc.Dgram{f.events(10)}, "CRSE....."},
		{"three events", [][]xtc.Dgram{f.events(10, 20, 30)}, "CRSE....."},
		{"slow updates", [][]xtc.Dgram{slow(5), f.events(10, 20), slow(200)}, "CRSE~..~~..~~.."},
		{"two steps", [][]xtc.Dgram{f.events(10, 20), step, f.events(60)}, "CRSE..esSE......"},
		{"a step without events", [][]xtc.Dgram{f.events(10, 20), step}, "CRSE......"},
		{"equal times", [][]xtc.Dgram{f.events(10)}, "CRSE...."},
	} {
		t.Run(test.name, func(t *testing.T) {
			all := join(f.begin(), join(test.parts...), f.end(1000))
			path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), all)
			if got := services(looped(t, len(test.want), path)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestLoopTimes has the distances of the first pass in every other, and over a full second.
func TestLoopTimes(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	all := join(f.begin(), f.events(100, 400_000_100, 999_999_900), f.end(2e9))
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), all)
	got := ofService(looped(t, 4+9, path), xtc.L1Accept)
	const lap = 999_999_800 + 999_999_800/2
	for i, d := range got {
		want := []uint64{100, 400_000_100, 999_999_900}[i%3] + uint64(i/3)*lap
		if ns := d.Time()>>32*1e9 + d.Time()&0xffffffff; ns != want {
			t.Errorf("event %d is at %d, want %d", i, ns, want)
		}
	}
	if !equal(got[:3], all[4:7]) {
		t.Error("the first pass is not as in the file")
	}
}

// TestLoopOfSeveralStreams keeps together what belongs together, whatever the rates.
func TestLoopOfSeveralStreams(t *testing.T) {
	dir := t.TempDir()
	for i, times := range [][]uint64{{10, 20, 30, 40, 50, 60}, {20, 50}, {}} {
		f := fakeStream{node: 1, segment: uint32(i), run: 14}
		writeFile(t, filepath.Join(dir, streamName(i, 0)), f.wholeRun(times...))
	}
	all := looped(t, 4+6*5, dir)
	if got := services(all); got != "CRSE"+strings.Repeat(".", 30) {
		t.Error(got)
	}
	if got, want := eventsOf(t, all), strings.Repeat("0:10 | 0:20 1:20 | 0:30 | 0:40 | 0:50 1:50 | 0:60 | ", 5); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if again := all[4+6]; again.Time() != 60+10 { // a pass later, at the distance of the faster stream
		t.Errorf("the second pass begins at %d", again.Time())
	}
	if got := len(checkStructure(t, all).Find("cam", "raw")); got != 3 {
		t.Errorf("%d segments are named, want 3", got)
	}
}

func TestLoopOfChunks(t *testing.T) {
	paths, _ := writeChunks(t, t.TempDir(), fakeStream{node: 1, run: 14})
	all := looped(t, 40, paths[0])
	if got, want := services(all), "CRSE..eE.eE.."+strings.Repeat(".....", 6); !strings.HasPrefix(got, want[:40]) {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestLoopOfNothing has no event to repeat: it is delivered once.
func TestLoopOfNothing(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), f.wholeRun())
	s := openSource(t, source.Options{Loop: true}, path)
	all, err := read(openPool(t, s, 1), s, 100)
	if got := services(all); got != "CRSEesr" || err != io.EOF {
		t.Error(got, err)
	}
}

func TestLoopRefuses(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), join(f.wholeRun(10), f.wholeRun(20)))
	_, err := source.Open([]string{path}, source.Options{Loop: true})
	want := fmt.Sprintf("source: %s is configured 2 times: only a single Configure can be looped over", path)
	if err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// TestLoopOfATruncatedFile ends where the file does.
func TestLoopOfATruncatedFile(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	all := f.wholeRun(10, 20)
	all = append(all[:6], all[6][:10])
	path := writeFile(t, filepath.Join(t.TempDir(), "run.xtc2"), all)
	s := openSource(t, source.Options{Loop: true}, path)
	got, err := read(openPool(t, s, 1), s, 100)
	if !equal(got, all[:6]) || err == nil || !strings.Contains(err.Error(), "10 of 24 bytes are there") {
		t.Errorf("%d datagrams, %v", len(got), err)
	}
}
