package source

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/xtc"
)

// firstChunks finds the files that are meant, sorted. Small data that a folder or pattern brings along is left out.
// So are later chunks, which are followed from the first; they are returned apart.
func firstChunks(names []string) (first, later []string, err error) {
	var paths []string
	for _, name := range names {
		meant, err := meantBy(strings.TrimPrefix(name, "file:"))
		if err != nil {
			return nil, nil, fmt.Errorf("source: %w", err)
		}
		paths = append(paths, meant...)
	}
	if len(paths) == 0 {
		return nil, nil, errors.New("source: no file is named")
	}
	slices.Sort(paths)
	paths = slices.Compact(paths)
	for _, path := range paths {
		if named, ok := xtc.ParseFileName(path); ok && named.Chunk > 0 {
			later = append(later, path)
		} else {
			first = append(first, path)
		}
	}
	if len(first) == 0 { // what is wrong with them is said when they are opened
		return later, nil, nil
	}
	return first, later, nil
}

// meantBy finds what one name stands for: a file, the files in a folder, or what a pattern matches.
func meantBy(name string) ([]string, error) {
	info, err := os.Stat(name)
	switch {
	case err == nil && info.IsDir():
		paths, err := inFolder(name)
		if err == nil && len(paths) == 0 {
			err = missing("%s: no .xtc2 file is in this folder: name another one, or files", name)
		}
		return paths, err
	case err == nil:
		return []string{filepath.Clean(name)}, nil
	}
	matches, bad := filepath.Glob(name)
	switch {
	case bad == nil && len(matches) > 0:
	case errors.Is(err, fs.ErrNotExist):
		return nil, missing("%s: no such file or directory", name)
	default:
		return nil, err
	}
	var paths []string
	for _, match := range matches {
		info, err := os.Stat(match)
		if err != nil {
			return nil, err
		}
		if !info.IsDir() && !isSmallData(match) {
			paths = append(paths, filepath.Clean(match))
		}
		if info.IsDir() {
			inside, err := inFolder(match)
			if err != nil {
				return nil, err
			}
			paths = append(paths, inside...)
		}
	}
	if len(paths) == 0 {
		return nil, missing("%s: no .xtc2 file is among what this matches", name)
	}
	return paths, nil
}

// inFolder lists the data files of a folder, also where they are links.
func inFolder(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var paths []string
	for _, e := range entries {
		if !e.IsDir() && strings.HasSuffix(e.Name(), ".xtc2") && !isSmallData(e.Name()) {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	return paths, nil
}

func isSmallData(path string) bool { return strings.Contains(filepath.Base(path), ".smd.xtc2") }
