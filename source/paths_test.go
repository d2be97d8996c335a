package source_test

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/source"
	"drp/xtc"
)

// folderOfRun has two streams with small data, and things that are none.
func folderOfRun(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for i := range 2 {
		f := fakeStream{node: 1, segment: uint32(i), run: 14}
		path := writeFile(t, filepath.Join(dir, streamName(i, 0)), f.wholeRun(10))
		small := strings.TrimSuffix(filepath.Base(path), ".xtc2") + ".smd.xtc2"
		writeFile(t, filepath.Join(dir, "smalldata", small), f.wholeRun(99))
	}
	writeFile(t, filepath.Join(dir, "notes.txt"), nil)
	if err := os.Mkdir(filepath.Join(dir, "folder.xtc2"), 0o750); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestNamesOfFiles(t *testing.T) {
	dir := folderOfRun(t)
	in := func(name string) string { return filepath.Join(dir, name) }
	links := t.TempDir()
	if err := os.Symlink(in(streamName(1, 0)), filepath.Join(links, streamName(1, 0))); err != nil {
		t.Fatal(err)
	}
	brackets := writeFile(t, filepath.Join(t.TempDir(), "run[1].xtc2"), fakeStream{node: 1, segment: 9, run: 14}.wholeRun(10))
	const both = "0:10 1:10 | "
	for _, test := range []struct {
		name  string
		names []string
		want  string
	}{
		{"a file", []string{in(streamName(1, 0))}, "1:10 | "},
		{"a file with its scheme", []string{"file:" + in(streamName(1, 0))}, "1:10 | "},
		{"two files, the wrong way round", []string{in(streamName(1, 0)), in(streamName(0, 0))}, both},
		{"a file twice", []string{in(streamName(0, 0)), in(".") + "/./" + streamName(0, 0)}, "0:10 | "},
		{"a folder", []string{dir}, both},
		{"a folder and a file in it", []string{dir, in(streamName(0, 0))}, both},
		{"a folder of links", []string{links}, "1:10 | "},
		{"a pattern", []string{in("*-s001-*.xtc2")}, "1:10 | "},
		{"a pattern that matches small data", []string{in("*/*-s001-*.xtc2"), in(streamName(0, 0))}, ""},
		{"a pattern that matches folders", []string{filepath.Join(filepath.Dir(dir), filepath.Base(dir)+"*")}, both},
		{"a pattern that matches the folder of small data", []string{in("[sx]*")}, both},
		{"small data by its own name", []string{in("smalldata/" + strings.Replace(streamName(0, 0), ".xtc2", ".smd.xtc2", 1))},
			"0:99 | "},
		{"a file whose name is a pattern", []string{brackets}, "9:10 | "},
	} {
		t.Run(test.name, func(t *testing.T) {
			s, err := source.Open(test.names, source.Options{})
			if test.want == "" {
				if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), "no .xtc2 file is among what this matches") {
					t.Error(err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if got := eventsOf(t, drain(t, s, 2)); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if w := s.Info().Warnings; len(w) > 0 {
				t.Error(w)
			}
		})
	}
}

func TestFilesRefused(t *testing.T) {
	dir := t.TempDir()
	write := func(name string, all []xtc.Dgram) string { return writeFile(t, filepath.Join(dir, name), all) }
	f := fakeStream{node: 1, run: 14}
	good := write("good.xtc2", f.wholeRun(10))
	bad := f.wholeRun(10)
	bad[0].SetSize(15) // an extent of 3
	elsewhen := f.wholeRun(10)
	elsewhen[0].SetTime(0)
	if err := os.Mkdir(filepath.Join(dir, "empty"), 0o750); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name  string
		names []string
		want  string
		errno error
	}{
		{"missing", []string{dir + "/missing.xtc2"}, "missing.xtc2", fs.ErrNotExist},
		{"a pattern without matches", []string{dir + "/*.h5"}, "*.h5", fs.ErrNotExist},
		{"an empty folder", []string{dir + "/empty"}, dir + "/empty: no .xtc2 file is in this folder: name another one, or files", fs.ErrNotExist},
		{"an empty file", []string{write("nothing.xtc2", nil)}, "nothing.xtc2: the file is empty", nil},
		{"text", []string{write("text.xtc2", []xtc.Dgram{[]byte(strings.Repeat("Hello, world! ", 100))})},
			"text.xtc2 is no XTC2 file: its first 24 bytes do not begin a datagram (", nil},
		{"a few bytes", []string{write("short.xtc2", []xtc.Dgram{{1, 2, 3}})}, "short.xtc2 is no XTC2 file, or was cut off before anything was in it: 3 of the 24 bytes of its first datagram are there; name a file", nil},
		{"an extent that cannot be", []string{write("bad.xtc2", bad)}, "bad.xtc2 is no XTC2 file: its first 24 bytes do not begin a datagram (extent 3", nil},
		{"no Configure", []string{write("late.xtc2", f.wholeRun(10)[1:])}, "late.xtc2 starts with BeginRun and not with Configure",
			nil},
		{"another run", []string{good, write("other.xtc2", fakeStream{node: 2, run: 15}.wholeRun(10))},
			"name the streams of one run", nil},
		{"configured at other times", []string{good, write("later.xtc2", elsewhen)}, "they cannot be replayed as one run", nil},
		{"a good one and none", []string{good, dir + "/missing.xtc2"}, "missing.xtc2", fs.ErrNotExist},
		{"a good one and a bad one", []string{good, dir + "/short.xtc2"}, "3 of the 24 bytes", nil},
	}
	before := openFiles(t)
	defer func() {
		if after := openFiles(t); after != before {
			t.Errorf("%d files are open, there were %d", after, before)
		}
	}()
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s, err := source.Open(test.names, source.Options{})
			if err == nil {
				_ = s.Close()
				t.Fatal("it was opened")
			}
			if !strings.Contains(err.Error(), test.want) || !strings.HasPrefix(err.Error(), "source: ") ||
				test.errno != nil && !errors.Is(err, test.errno) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// openFiles counts the files this process has open.
func openFiles(t *testing.T) int {
	t.Helper()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Skip(err)
	}
	return len(entries)
}

func TestFileWithoutPermission(t *testing.T) {
	path := writeFile(t, filepath.Join(t.TempDir(), "secret.xtc2"), fakeStream{node: 1, run: 14}.wholeRun(10))
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	if f, err := os.Open(path); err == nil {
		_ = f.Close()
		t.Skip("this user may read everything")
	}
	if _, err := source.Open([]string{path}, source.Options{}); !errors.Is(err, syscall.EACCES) {
		t.Error(err)
	}
}
