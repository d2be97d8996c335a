package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"drp/drp"
)

// folders are some that were not there, those above before those within.
type folders []string

// absent lists those of a path, which is itself one, that would have to be made.
func absent(path string) (missing folders) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil
	}
	for {
		if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) || filepath.Dir(path) == path {
			slices.Reverse(missing)
			return missing
		}
		missing = append(missing, path)
		path = filepath.Dir(path)
	}
}

// removeEmpty removes what is empty of folders that were made meanwhile: a run that did not begin leaves none.
func (f folders) removeEmpty() {
	for _, dir := range slices.Backward(f) {
		_ = os.Remove(dir) // which fails for what holds something
	}
}

// tryFolder finds out before the run whether files can be written to a folder during it.
func tryFolder(flag, path string) error {
	if path == "" {
		return nil
	}
	defer absent(path).removeEmpty()
	err := tryFile(path)
	for range 100 { // another process that tries it may make it, and remove it, in between
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, fs.ErrExist) {
			break
		}
		err = tryFile(path)
	}
	if err != nil {
		return &drp.Failure{Kind: drp.Configuration, Err: fmt.Errorf("%s: files cannot be written to %s: %w", flag, path, err)}
	}
	return nil
}

// tryFile makes a folder, and a file in it that does not stay.
func tryFile(path string) error {
	if err := os.MkdirAll(path, 0o750); err != nil {
		return err
	}
	file, err := os.CreateTemp(path, ".drp-")
	if err != nil {
		return err
	}
	return errors.Join(file.Close(), os.Remove(file.Name()))
}
