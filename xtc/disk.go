package xtc

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"syscall"
	"unsafe"
)

// A Disk is what a Writer needs of the operating system. The real one is the default; a test has one of its own, on
// which writes fail where it wants them to.
type Disk interface {
	// MakeDir makes a folder and those above it. That it is there already is no error.
	MakeDir(path string) error
	// Create makes a file, locked for as long as it is open: whoever finds the file can tell a live writer from one
	// that was killed. A name that is taken is an error that counts as fs.ErrExist and says by whom.
	Create(path string) (DiskFile, error)
	Exists(path string) bool
	// Publish gives a file another name in the same folder. A name that is taken is never overwritten: that is an error
	// that counts as fs.ErrExist.
	Publish(path, final string) error
	Remove(path string) error
	// SyncDir makes the names in a folder durable.
	SyncDir(path string) error
}

// A DiskFile is a file that is being written.
type DiskFile interface {
	// WriteParts appends all parts. After an error any number of the bytes may be there.
	WriteParts(parts [][]byte) error
	// Cut leaves the first so many bytes; the next write goes behind them.
	Cut(bytes int64) error
	Sync() error
	// Removed tells that no name leads to the file any more: what is written to it is lost with Close.
	Removed() bool
	Close() error
}

const (
	outputFileMode = 0o640
	outputDirMode  = 0o750
	maxIovecs      = 1024 // IOV_MAX of Linux
)

// SystemDisk is that of the machine.
func SystemDisk() Disk { return osDisk{} }

type osDisk struct{}

func (osDisk) MakeDir(path string) error { return os.MkdirAll(path, outputDirMode) }

func (osDisk) Create(path string) (DiskFile, error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, outputFileMode)
	if errors.Is(err, fs.ErrExist) {
		return nil, whoseInProgress(path)
	}
	if err != nil {
		return nil, err
	}
	// Nobody else holds a lock on a file made just now for longer than it takes to ask who does. Some network file
	// systems have no locks; then only the explanation above is poorer.
	for syscall.Flock(int(f.Fd()), syscall.LOCK_EX) == syscall.EINTR {
	}
	return &osFile{File: f, iovecs: make([]syscall.Iovec, 0, maxIovecs)}, nil
}

func (osDisk) Exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Publish links, because a link fails where a rename would overwrite.
func (d osDisk) Publish(path, final string) error {
	err := os.Link(path, final)
	if err == nil {
		return os.Remove(path)
	}
	if errors.Is(err, fs.ErrExist) || !noLinks(err) {
		return err
	}
	if d.Exists(final) {
		return &os.LinkError{Op: "rename", Old: path, New: final, Err: fs.ErrExist}
	}
	return os.Rename(path, final)
}

// noLinks tells that a file system has no hard links.
func noLinks(err error) bool {
	return errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.ENOTSUP) || errors.Is(err, syscall.ENOSYS)
}

func (osDisk) Remove(path string) error { return os.Remove(path) }

func (osDisk) SyncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	defer func() { _ = d.Close() }()
	if err := d.Sync(); err != nil && !errors.Is(err, syscall.EINVAL) { // some file systems cannot
		return err
	}
	return nil
}

// An osFile writes with writev: large parts go from the memory of their owner to the kernel, without a copy in between.
type osFile struct {
	*os.File
	iovecs []syscall.Iovec
}

func (f *osFile) WriteParts(parts [][]byte) error {
	done := 0 // bytes of parts[0] that are written
	for len(parts) > 0 {
		n, err := f.writev(parts[:min(len(parts), maxIovecs)], done)
		if err != nil {
			return err
		}
		done += n
		for len(parts) > 0 && done >= len(parts[0]) {
			done -= len(parts[0])
			parts = parts[1:]
		}
	}
	return nil
}

// writev writes parts, of which the first skip bytes are written already, and returns how far the kernel came.
func (f *osFile) writev(parts [][]byte, skip int) (int, error) {
	f.iovecs = f.iovecs[:0]
	for i, p := range parts {
		if i == 0 {
			p = p[skip:]
		}
		v := syscall.Iovec{Base: unsafe.SliceData(p)}
		v.SetLen(len(p))
		f.iovecs = append(f.iovecs, v)
	}
	defer clear(f.iovecs)
	for {
		n, _, errno := syscall.Syscall(syscall.SYS_WRITEV, f.Fd(), uintptr(unsafe.Pointer(&f.iovecs[0])),
			uintptr(len(f.iovecs)))
		switch {
		case errno == syscall.EINTR:
		case errno != 0:
			return 0, &os.PathError{Op: "writev", Path: f.Name(), Err: errno}
		case n == 0:
			return 0, &os.PathError{Op: "writev", Path: f.Name(), Err: io.ErrShortWrite}
		default:
			return int(n), nil
		}
	}
}

func (f *osFile) Cut(bytes int64) error {
	if err := f.Truncate(bytes); err != nil {
		return err
	}
	_, err := f.Seek(bytes, io.SeekStart)
	return err
}

func (f *osFile) Removed() bool {
	var st syscall.Stat_t
	return syscall.Fstat(int(f.Fd()), &st) == nil && st.Nlink == 0
}
