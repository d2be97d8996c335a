package source_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"drp/source"
	"drp/xtc"
)

func FuzzParseSim(f *testing.F) {
	for _, seed := range []string{"", "segments=4,rows=2&cols=3?hits=0.1", "seed=1e300", "name=a,name=b", "hz=0x1p-2", "=,=",
		"bank=1024,rows=8192,cols=8192", "events=1e15,steps=1e6,runs=9999"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := source.ParseSim(text)
		if err != nil {
			return
		}
		bytes := p.Segments * p.Rows * p.Cols * 2
		if p.Segments < 1 || p.Segments > 16 || bytes < 2 || bytes > 1<<30 || p.Bank < 1 || bytes*p.Bank > 16<<30 ||
			p.Events < 0 || p.Slow < 0 || p.Steps < 1 || p.Runs < 1 || p.Configs < 1 || !(p.Hertz > 0) ||
			!(p.Hits >= 0 && p.Hits <= 1) || !(p.Switched >= 0 && p.Switched <= 1) || !(p.Noise >= 0) || p.Name == "" {
			t.Errorf("%q gives %+v", text, p)
		}
	})
}

// FuzzFiles opens a file of any bytes, alone and beside a good one, once and in a loop, and reads what there is.
func FuzzFiles(f *testing.F) {
	stream := fakeStream{node: 1, run: 14}
	var good []byte
	for _, d := range stream.wholeRun(10, 20) {
		good = append(good, d...)
	}
	f.Add(good)
	f.Add(good[:len(good)-9])
	f.Add(append(bytes.Clone(good), good...))
	var circle []byte
	for _, d := range join(stream.begin()[:3], []xtc.Dgram{stream.enable(4, "fuzz.xtc2")}, stream.events(7)) {
		circle = append(circle, d...)
	}
	f.Add(circle)
	dir := f.TempDir()
	path := filepath.Join(dir, "fuzz.xtc2")
	beside := writeFile(f, filepath.Join(dir, "good.xtc2"), stream.wholeRun(10, 20))
	p := openSlots(f, 2, 1<<17, 1<<17)
	f.Fuzz(func(t *testing.T, b []byte) {
		if len(b) > 1<<16 {
			t.Skip("more than a slot holds")
		}
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Skip(err)
		}
		for _, names := range [][]string{{path}, {path, beside}} {
			for _, loop := range []bool{false, true} {
				s, err := source.OpenFiles(names, source.Options{Loop: loop})
				if err != nil {
					continue
				}
				limit := 2*len(b)/xtc.DgramHeaderBytes + 100 // every byte twice, and the good file
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				all, _ := read(p, s, limit)
				runtime.ReadMemStats(&after)
				if len(all) == limit && !loop {
					t.Errorf("%d datagrams of %d bytes", len(all), len(b))
				}
				// A pass opens each file, with a buffer of 64 KiB.
				if used := after.TotalAlloc - before.TotalAlloc; used > uint64(len(all)+10)*200<<10 {
					t.Errorf("%d bytes were allocated for %d datagrams", used, len(all))
				}
				if err := s.Close(); err != nil {
					t.Error(err)
				}
			}
		}
	})
}
