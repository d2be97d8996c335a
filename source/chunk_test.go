package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/source"
	"drp/xtc"
)

// writeChunks writes a run of three chunks, each announced by the Enable before it.
func writeChunks(t *testing.T, dir string, f fakeStream) (paths []string, all []xtc.Dgram) {
	t.Helper()
	stream := int(f.segment)
	second := "data-r0001-s00" + string(rune('0'+stream)) + "-c001.xtc2" // as LCLS has them: of another name
	parts := [][]xtc.Dgram{
		join(f.begin(), f.events(10, 11), []xtc.Dgram{f.dgram(xtc.Disable, 12, nil), f.enable(13, second)}),
		join(f.events(20), []xtc.Dgram{f.dgram(xtc.Disable, 21, nil), f.enable(22, streamName(stream, 2))}),
		join(f.events(30, 31), f.end(1000)),
	}
	for i, name := range []string{streamName(stream, 0), second, streamName(stream, 2)} {
		paths = append(paths, writeFile(t, filepath.Join(dir, name), parts[i]))
	}
	return paths, join(parts...)
}

func TestChunks(t *testing.T) {
	dir := t.TempDir()
	f := fakeStream{node: 1, run: 14}
	paths, want := writeChunks(t, dir, f)
	for name, names := range map[string][]string{
		"from the first":    {paths[0]},
		"all of them named": paths,
		"the folder":        {dir},
		"a pattern":         {dir + "/*"},
	} {
		t.Run(name, func(t *testing.T) {
			s := openSource(t, source.Options{}, names...)
			info := s.Info()
			if !equal(drain(t, s, 2), want) {
				t.Error("the datagrams differ")
			}
			if info.Events != 5 || len(info.Warnings) > 0 {
				t.Errorf("%+v", info)
			}
		})
	}
}

func TestChunksOfSeveralStreams(t *testing.T) {
	dir := t.TempDir()
	for i := range uint32(2) {
		writeChunks(t, dir, fakeStream{node: 1, segment: i, run: 14})
	}
	all := replay(t, source.Options{}, dir)
	if got := eventsOf(t, all); got != "0:10 1:10 | 0:11 1:11 | 0:20 1:20 | 0:30 1:30 | 0:31 1:31 | " {
		t.Error(got)
	}
	if got := services(all); got != "CRSE..eE.eE..esr" {
		t.Error(got)
	}
}

func TestMissingChunk(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	paths, want := writeChunks(t, t.TempDir(), f)
	if err := os.Remove(paths[2]); err != nil {
		t.Fatal(err)
	}
	s := openSource(t, source.Options{}, paths[0])
	warnings := s.Info().Warnings
	if len(warnings) != 1 || warnings[0] != "the run goes on in "+paths[2]+", which is not there" {
		t.Error(warnings)
	}
	if !equal(drain(t, s, 1), want[:len(want)-5]) {
		t.Error("the datagrams before it differ")
	}
}

// TestEmptyChunk is what a run leaves that ended where a chunk begins.
func TestEmptyChunk(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	paths, want := writeChunks(t, t.TempDir(), f)
	writeFile(t, paths[2], nil)
	s := openSource(t, source.Options{}, paths[0])
	warnings := s.Info().Warnings
	if len(warnings) != 1 || warnings[0] != "the run goes on in "+paths[2]+", which is empty" {
		t.Error(warnings)
	}
	if !equal(drain(t, s, 1), want[:len(want)-5]) {
		t.Error("the datagrams before it differ")
	}
}

// TestChunkWithoutFirst has the first chunk of one of two streams taken away.
func TestChunkWithoutFirst(t *testing.T) {
	dir := t.TempDir()
	for i := range uint32(2) {
		writeChunks(t, dir, fakeStream{node: 1, segment: i, run: 14})
	}
	if err := os.Remove(filepath.Join(dir, streamName(1, 0))); err != nil {
		t.Fatal(err)
	}
	warnings := openSource(t, source.Options{}, dir).Info().Warnings
	if len(warnings) != 2 || !strings.HasSuffix(warnings[0], "-s001-c001.xtc2 is a later chunk that no first chunk leads to: "+
		"it is left out") {
		t.Errorf("%q", warnings)
	}
}

func TestLaterChunkAlone(t *testing.T) {
	dir := t.TempDir()
	paths, _ := writeChunks(t, dir, fakeStream{node: 1, run: 14})
	open := func(names ...string) string {
		_, err := source.Open(names, source.Options{})
		if err == nil {
			t.Fatal("it was opened")
		}
		return err.Error()
	}
	want := "source: " + paths[1] + " starts with L1Accept and not with Configure: give the first chunk, " + paths[0] +
		", instead: later ones are followed from there"
	if got := open(paths[1]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got := open(paths[1], paths[2]); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if err := os.Remove(paths[0]); err != nil {
		t.Fatal(err)
	}
	if got := open(paths[1]); !strings.Contains(got, "give the first chunk of the run instead") {
		t.Error(got)
	}
}

// TestChunksInACircle name each other, or themselves, or what is no file.
func TestChunksInACircle(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	naming := func(next string) []xtc.Dgram { return join(f.begin()[:3], []xtc.Dgram{f.enable(4, next)}) }
	for _, test := range []struct{ name, next, want string }{
		{"itself", "first.xtc2", "its chunks name each other without end"},
		{"one that names the first", "second.xtc2", "its chunks name each other without end"},
		{"the folder", "..", "is a directory"},
	} {
		t.Run(test.name, func(t *testing.T) {
			dir := t.TempDir()
			first := writeFile(t, filepath.Join(dir, "first.xtc2"), naming(test.next))
			writeFile(t, filepath.Join(dir, "second.xtc2"), naming("first.xtc2"))
			_, err := source.Open([]string{first}, source.Options{})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
			}
		})
	}
}

// TestChunkElsewhere names a file outside the folder, which is looked for inside.
func TestChunkElsewhere(t *testing.T) {
	f := fakeStream{node: 1, run: 14}
	outside := writeFile(t, filepath.Join(t.TempDir(), "outside.xtc2"), f.events(20))
	dir := t.TempDir()
	first := writeFile(t, filepath.Join(dir, "first.xtc2"), join(f.begin()[:3], []xtc.Dgram{f.enable(4, outside)}))
	warnings := openSource(t, source.Options{}, first).Info().Warnings
	if len(warnings) != 1 || !strings.Contains(warnings[0], filepath.Join(dir, "outside.xtc2")) {
		t.Error(warnings)
	}
}
