package xtc

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

const (
	outputFileMode = 0o640
	outputDirMode  = 0o750
)

// createOutput makes <final>.inprogress, locked for as long as this process holds it: whoever finds the file can tell
// a live writer from one that was killed.
func createOutput(final string) (*gatherFile, error) {
	if _, err := os.Lstat(final); err == nil {
		return nil, takenError(final + " exists already: take another folder or run number")
	}
	f, err := os.OpenFile(final+inProgressSuffix, os.O_WRONLY|os.O_CREATE|os.O_EXCL, outputFileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil, whoseInProgress(final + inProgressSuffix)
	}
	if err != nil {
		return nil, err
	}
	// Nobody else holds a lock on a file made just now for longer than it takes to ask who does. Some network file
	// systems have no locks; then only the explanation above is poorer.
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
	return &gatherFile{file: f, final: final, buf: make([]byte, 0, gatherBufferBytes),
		parts: make([][]byte, 0, maxIovecs), iovecs: make([]syscall.Iovec, 0, maxIovecs)}, nil
}

// A takenError is a sentence that says why a name cannot be had; it counts as fs.ErrExist.
type takenError string

func (e takenError) Error() string { return string(e) }

// Is makes errors.Is find fs.ErrExist.
func (e takenError) Is(target error) bool { return target == fs.ErrExist }

// whoseInProgress explains a file in progress that is in the way.
func whoseInProgress(path string) error {
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("%s is in the way: %w", path, err)
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_SH|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		who := "another drp"
		if pid := lockHolder(f); pid > 0 {
			who += fmt.Sprintf(" (pid %d)", pid)
		}
		return takenError(who + " is writing " + path)
	}
	return takenError(path + " was left by a run that did not finish: move it away or take another run number")
}

// lockHolder looks the holder of a flock up in the table of the kernel, or gives 0: flock itself does not say.
//
//	1: FLOCK  ADVISORY  WRITE 4711 08:01:123456 0 EOF
func lockHolder(f *os.File) int {
	var st syscall.Stat_t
	if syscall.Fstat(int(f.Fd()), &st) != nil {
		return 0
	}
	locks, err := os.ReadFile("/proc/locks")
	if err != nil {
		return 0
	}
	inode := ":" + strconv.FormatUint(st.Ino, 10)
	for line := range strings.Lines(string(locks)) {
		w := strings.Fields(line)
		if len(w) > 5 && w[1] == "FLOCK" && strings.HasSuffix(w[5], inode) {
			pid, _ := strconv.Atoi(w[4])
			return pid
		}
	}
	return 0
}

// publish gives the file its final name unless that is taken. A link fails where a rename would overwrite.
func (g *gatherFile) publish() error {
	old := g.file.Name()
	err := os.Link(old, g.final)
	if err == nil {
		return os.Remove(old)
	}
	if errors.Is(err, fs.ErrExist) || !noLinks(err) {
		return err
	}
	if _, err := os.Lstat(g.final); err == nil {
		return &os.LinkError{Op: "rename", Old: old, New: g.final, Err: fs.ErrExist}
	}
	return os.Rename(old, g.final)
}

// noLinks tells that a file system has no hard links.
func noLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS)
}

// syncDir makes names in a folder durable.
func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer d.Close()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}

// discard removes a file that was made in vain.
func (g *gatherFile) discard() {
	g.file.Close()
	os.Remove(g.file.Name())
}

// createPair makes the folders and both files, or nothing.
func createPair(dir string, name FileName) (big, small *gatherFile, err error) {
	if err := name.check(); err != nil {
		return nil, nil, err
	}
	if err := os.MkdirAll(filepath.Join(dir, smallDataDir), outputDirMode); err != nil {
		return nil, nil, err
	}
	if big, err = createOutput(filepath.Join(dir, name.Data())); err != nil {
		return nil, nil, err
	}
	if small, err = createOutput(filepath.Join(dir, name.SmallData())); err != nil {
		big.discard()
		return nil, nil, err
	}
	return big, small, nil
}
