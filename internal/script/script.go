// Package script looks at a user's script before it is run: whether it is a file that only its owner decides about, and
// what exactly is in it. The script runs with all rights of the user who runs it, so that whoever can write to it can do
// whatever that user can.
package script

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// Info is what is known of a script.
type Info struct {
	Path     string   // absolute, without links
	SHA256   string   // of its bytes, in hexadecimal
	Bytes    int64    // its size
	Warnings []string // sentences for the log
}

const othersMayWrite = 0o002

// Examine looks at the file itself, through links, and opens it once, so that what is judged is what is read. A file that
// others may write to is a warning when it belongs to this user or to root, since then that is their own carelessness,
// and refused when it belongs to somebody else.
func Examine(path string) (Info, error) {
	full, err := filepath.EvalSymlinks(path)
	if err != nil {
		return Info{}, fmt.Errorf("script: %w", err)
	}
	if full, err = filepath.Abs(full); err != nil {
		return Info{}, fmt.Errorf("script: %w", err)
	}
	file, err := os.OpenFile(full, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0) // a pipe would be waited for
	if err != nil {
		return Info{}, fmt.Errorf("script: %w", err)
	}
	defer func() { _ = file.Close() }()
	info, err := file.Stat()
	if err != nil {
		return Info{}, fmt.Errorf("script: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Info{}, fmt.Errorf("script %s: not a regular file", path)
	}
	result := Info{Path: full}
	if result.Warnings, err = rights(full, info); err != nil {
		return Info{}, err
	}
	sum := sha256.New()
	if result.Bytes, err = io.Copy(sum, file); err != nil {
		return Info{}, fmt.Errorf("script: %w", err)
	}
	result.SHA256 = hex.EncodeToString(sum.Sum(nil))
	return result, nil
}

// rights judges who may change the script, or put a module beside it, since its folder comes first when it imports.
func rights(path string, file fs.FileInfo) (warnings []string, err error) {
	owner, err := ownerOf(file)
	if err != nil {
		return nil, fmt.Errorf("script %s: %w", path, err)
	}
	if file.Mode().Perm()&othersMayWrite != 0 {
		if !trusted(owner) {
			return nil, fmt.Errorf("script %s: it belongs to another user (%d) and can be written by everybody: "+
				"make a copy of your own", path, owner)
		}
		warnings = append(warnings, fmt.Sprintf("script %s can be written by everybody on this machine: chmod o-w %s", path,
			path))
	}
	dir := filepath.Dir(path)
	folder, err := os.Stat(dir)
	if err != nil {
		return nil, fmt.Errorf("script: %w", err)
	}
	if folder.Mode().Perm()&othersMayWrite != 0 {
		warnings = append(warnings, fmt.Sprintf("script %s lies in a folder that everybody can write to, so that everybody "+
			"can put modules there that it may import: move it to a folder of your own", path))
	}
	return warnings, nil
}

func trusted(uid int) bool { return uid == 0 || uid == os.Geteuid() }

func ownerOf(info fs.FileInfo) (int, error) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, errors.New("the system does not say whose it is")
	}
	return int(st.Uid), nil
}
