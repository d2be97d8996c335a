package main

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// notThere refuses to write over a file, and, whatever is forced, over what is no plain one: writing would replace a device, a pipe or a
// link, which others may need.
func notThere(path string, force bool) error {
	info, err := os.Lstat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil
	case err != nil:
		return general(err)
	case !info.Mode().IsRegular():
		return fmt.Errorf("%s is %s, which is not written over: name another file", path, kindOf(info.Mode()))
	case force:
		return nil
	}
	return fmt.Errorf("%s is there already: name another file, or write over it with --force", path)
}

// kindOf says what there is in place of a plain file.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode.IsDir():
		return "a folder"
	case mode&fs.ModeSymlink != 0:
		return "a link"
	case mode&fs.ModeNamedPipe != 0:
		return "a pipe"
	case mode&fs.ModeDevice != 0:
		return "a device"
	}
	return "no plain file"
}

// pictureName refuses the name of a picture of another kind than the one that is written.
func pictureName(flag, path string) error {
	if end := filepath.Ext(path); end != "" && !strings.EqualFold(end, ".png") {
		return fmt.Errorf("%s %s: pictures are written as PNG: give a name that ends in .png", flag, path)
	}
	return nil
}

// newPicture refuses what the picture of -o cannot be written to; without a name there is none yet.
func newPicture(path string, force bool) error {
	if path == "" {
		return nil
	}
	return errors.Join(pictureName("-o", path), notThere(path, force))
}

// writeOver writes a file in the place of the one that is there, where that is wanted. What has come there since it was looked at
// first is looked at again.
func writeOver(path string, force bool, write func(*bufio.Writer) error) error {
	if force {
		if err := notThere(path, true); err != nil {
			return err
		}
		_ = os.Remove(path) // or writeNew says why not
	}
	return writeNew(path, write)
}

func writeNew(path string, write func(*bufio.Writer) error) error {
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(file, 1<<20)
	return errors.Join(write(w), w.Flush(), file.Close())
}
