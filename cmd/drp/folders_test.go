package main

import (
	"path/filepath"
	"sync"
	"testing"
)

// TestSeveralTryAFolder: processes that share a new folder each find that they can write there.
func TestSeveralTryAFolder(t *testing.T) {
	dir := t.TempDir()
	var trying sync.WaitGroup
	for range 4 {
		trying.Go(func() {
			for range 500 {
				if err := tryFolder("--output", filepath.Join(dir, "a", "b")); err != nil {
					t.Error(err)
					return
				}
			}
		})
	}
	trying.Wait()
	if err := tryFolder("--output", "/proc/none"); err == nil {
		t.Error("nobody can write there")
	}
}
