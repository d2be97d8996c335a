package store_test

import (
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/calib"
	"drp/calib/store"
)

func TestArchive(t *testing.T) {
	for name, write := range map[string]func(string, *calib.Set) error{"folder": store.WriteFolder, "zip": store.WriteZip} {
		t.Run(name, func(t *testing.T) {
			want, path := makeSet("1", "3"), filepath.Join(t.TempDir(), "a.npz")
			if store.IsArchive(path) {
				t.Error("nothing is an archive")
			}
			if err := write(path, want); err != nil {
				t.Fatal(err)
			}
			if !store.IsArchive(path) || store.IsArchive(t.TempDir()) {
				t.Error("an archive is not seen")
			}
			got, err := store.ReadArchive(path)
			if err != nil {
				t.Fatal(err)
			}
			same(t, got, want)
			if err := write(path, want); !errors.Is(err, fs.ErrExist) {
				t.Errorf("it was written over: %v", err)
			}
			bad := makeSet("1")
			bad.Gains[2] = 0
			if err := write(path+"2", bad); err == nil || !strings.Contains(err.Error(), "zero") {
				t.Errorf("%v", err)
			}
			if store.IsArchive(path + "2") {
				t.Error("a bad set was written")
			}
		})
	}
}

func TestDamagedArchive(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a")
	if err := store.WriteFolder(dir, makeSet("1")); err != nil {
		t.Fatal(err)
	}
	spoil(t, filepath.Join(dir, "gains.npy"))
	var refused *calib.RefusedError
	if _, err := store.ReadArchive(dir); !errors.As(err, &refused) || !strings.Contains(err.Error(), "gains.npy") {
		t.Errorf("%v", err)
	}
	if err := os.Remove(filepath.Join(dir, "gains.npy")); err != nil {
		t.Fatal(err)
	}
	if _, err := store.ReadArchive(dir); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("%v", err)
	}
}

// TestNumPyReadsZip has NumPy take it for an .npz.
func TestNumPyReadsZip(t *testing.T) {
	if exec.Command("python3", "-c", "import numpy").Run() != nil {
		t.Skip("no python3 with NumPy")
	}
	path := filepath.Join(t.TempDir(), "a.npz")
	if err := store.WriteZip(path, makeSet("1", "3")); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("python3", "-c", `
import sys, numpy as np
a = np.load(sys.argv[1], allow_pickle=False)
print(a["pedestals"].shape, a["pedestals"][0, 0, 0, 1], a["mask"].dtype)`, path).CombinedOutput()
	if err != nil || strings.TrimSpace(string(out)) != "(7, 2, 3, 4) 1.25 uint8" {
		t.Errorf("%s, %v", out, err)
	}
}
