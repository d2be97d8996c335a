package source_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/source"
	"drp/xtc"
)

func FuzzRate(f *testing.F) {
	for _, seed := range []string{"full", "recorded", "", "100", "1e-9", "NaN", "0x1p9", "-1", "1e309", "1_000", "Inf"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		r, err := source.ParseRate(text)
		if err != nil {
			if !strings.Contains(err.Error(), "give full, recorded") {
				t.Error(err)
			}
			return
		}
		if !(r.PerSecond >= 0 && r.PerSecond <= 1e9) || r.Recorded && r.PerSecond != 0 {
			t.Errorf("%q gives %+v", text, r)
		}
	})
}

// FuzzOpen opens sources of any name, in a folder with one file. Names that lead out of it are left alone.
func FuzzOpen(f *testing.F) {
	for _, seed := range []string{"sim:events=5,rows=2,cols=2,segments=1,bank=1", "sim:bank=1,rows=4,cols=4", "a.xtc2", "file:a.xtc2", "*.xtc2", ".",
		"[", "http://x", "a.xtc2:b", "sub", "s*/", "file:", "link"} {
		f.Add(seed)
	}
	stream := fakeStream{node: 1, run: 14}
	dir := f.TempDir()
	writeFile(f, filepath.Join(dir, "a.xtc2"), stream.wholeRun(10, 3))
	if err := os.Mkdir(filepath.Join(dir, "sub"), 0o700); err != nil {
		f.Fatal(err)
	}
	if err := os.Symlink("link", filepath.Join(dir, "link")); err != nil {
		f.Fatal(err)
	}
	f.Chdir(dir)
	f.Fuzz(func(t *testing.T, name string) {
		if path := strings.TrimPrefix(name, "file:"); !strings.HasPrefix(name, "sim:") && path != "" && !filepath.IsLocal(path) {
			t.Skip("somewhere else")
		}
		if rest, ok := strings.CutPrefix(name, "sim:"); ok {
			if p, err := source.ParseSim(rest); err == nil && p.Segments*p.Rows*p.Cols*p.Bank > 1<<16 {
				t.Skip("a large bank takes long to make")
			}
		}
		s, err := source.Open([]string{name}, source.Options{Events: 3})
		if err != nil {
			return
		}
		info := s.Info()
		if info.MaxTransitionBytes < xtc.DgramHeaderBytes || info.MaxEventBytes < 0 {
			t.Errorf("%q: %+v", name, info)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
}
