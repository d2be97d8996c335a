package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestGPUFlag has what is decided before a run begins, in a program without a driver. What comes of a drp-cuda that is there
// is shown by the faults F16 of internal/chaos.
func TestGPUFlag(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "roi.py"), "import drp\n")
	file := testkit.File(t, testkit.Camera{}.Run(3)...)
	required := write(t, filepath.Join(dir, "gpu.yaml"), "gpu: required\nhits: peakfinder8\n")
	for _, c := range []struct {
		name string
		args []string
		code int
		says string
	}{
		{"another word", []string{"--gpu=maybe", "--hits", "peakfinder8"}, 2, `"maybe" for "--gpu": give off, on or required`},
		{"a blank", []string{"--gpu", "required", "--hits", "peakfinder8"}, 2, "--gpu required: write --gpu=required"},
		{"no hits", []string{"--gpu"}, 2, "--gpu: nobody looks for hits: give --hits peakfinder8, too"},
		{"no program", []string{"--gpu=required", "--hits", "peakfinder8"}, 7, "make cuda builds it"},
		{"no program, by a file", []string{"--config", required}, 7, "make cuda builds it"},
		{"another finder", []string{"--gpu=required", "--hits", "droplets"}, 7, "and not by droplets in pixels=adu"},
		{"other pixels", []string{"--gpu=required", "--hits", "peakfinder8:pixels=calibrated"}, 7, "in pixels=calibrated"},
	} {
		code, _, stderr := command(t, append([]string{"-p", script, "-s", file}, c.args...)...)
		if code != c.code || !strings.Contains(stderr, c.says) {
			t.Errorf("%s: exit code %d, want %d:\n%s", c.name, code, c.code, stderr)
		}
	}
}

// A program that looks for a GPU and hangs, dies or says nothing is none.
func TestProbe(t *testing.T) {
	path := filepath.Join(t.TempDir(), gpuProgram)
	for _, c := range []struct{ text, says string }{
		{"exit 3", "finds none: exit status 3"},
		{"echo no such library >&2; exit 127", "no such library"},
		{"echo 'drp-cuda: error while loading shared libraries: libcuda.so.1: cannot open shared object file' >&2; exit 127",
			"there is no NVIDIA driver on this machine"},
		{"kill -9 $$", "finds none: signal: killed"},
		{"echo a GPU", "does not say which GPU it finds"},
		{`echo '{"version": "another", "gpu": "x"}'`, "is of version another"},
		{`echo '{"version": "` + version + `", "gpu": "x"}'`, ""},
	} {
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+c.text+"\n"), 0o700); err != nil {
			t.Fatal(err)
		}
		err := probe(path)
		if c.says == "" && err != nil || c.says != "" && (err == nil || !strings.Contains(err.Error(), c.says)) {
			t.Errorf("%s: %v", c.text, err)
		}
	}
}
