package xtc

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Aborted lists the runs in a folder whose writer is dead and whose files are unfinished: of each stream the first big
// file under its final name, which Repair takes.
func Aborted(dir string) (paths []string, err error) {
	found, err := Unfinished(dir)
	for _, path := range found {
		if !beingWritten(path) {
			paths = append(paths, path)
		}
	}
	return paths, err
}

// beingWritten tells whether a file of a run is locked by its writer.
func beingWritten(first string) bool {
	stem := strings.TrimSuffix(filepath.Base(first), "000"+dataSuffix) // of all chunks
	for _, sub := range []string{"", smallDataDir} {
		pattern := filepath.Join(escapeGlob(filepath.Dir(first)), sub, escapeGlob(stem)+"*"+inProgressSuffix)
		found, _ := filepath.Glob(pattern) // the pattern is a good one
		for _, path := range found {
			if locked(path) {
				return true
			}
		}
	}
	return false
}

func locked(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }()
	return errors.Is(syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB), syscall.EWOULDBLOCK)
}
