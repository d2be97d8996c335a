package memdisk

import (
	"cmp"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"drp/xtc"
)

// An Op is an operation on the disk.
type Op int

// The operations, as Fault is told them.
const (
	MakeDir Op = iota
	Create
	Write
	Cut
	Sync
	Publish
	Remove
	SyncDir
	Close
)

func (op Op) String() string {
	return [...]string{"mkdir", "create", "write", "truncate", "sync", "publish", "remove", "syncdir", "close"}[op]
}

// A Disk holds files by their paths. The zero value is not ready: see New.
type Disk struct {
	// Fault may let an operation fail, with an errno as the kernel would give it. bytes is the length of a write, of
	// which allowed bytes are still taken; for other operations both mean nothing. Nil: nothing fails.
	Fault func(op Op, path string, bytes int) (allowed int, err error)
	// Capacity is the number of bytes that all files together may have; 0 is no limit. A write beyond it is taken as
	// far as it fits and fails with ENOSPC.
	Capacity int64

	files map[string]*file
	dirs  map[string]bool
	used  int64
}

// New gives an empty disk with no folders but the root and the present one.
func New() *Disk {
	return &Disk{files: map[string]*file{}, dirs: map[string]bool{".": true, "/": true}}
}

type file struct {
	disk    *Disk
	path    string
	data    []byte
	synced  int // bytes that a power cut leaves
	removed bool
	closed  bool
}

// fault asks the test, and gives the error as the kernel's callers see it.
func (d *Disk) fault(op Op, path string) error {
	if d.Fault == nil {
		return nil
	}
	if _, err := d.Fault(op, path, 0); err != nil {
		return &fs.PathError{Op: op.String(), Path: path, Err: err}
	}
	return nil
}

// MakeDir is part of xtc.Disk, as are the methods below.
func (d *Disk) MakeDir(path string) error {
	if err := d.fault(MakeDir, path); err != nil {
		return err
	}
	for p := filepath.Clean(path); !d.dirs[p]; p = filepath.Dir(p) {
		if d.files[p] != nil {
			return &fs.PathError{Op: "mkdir", Path: p, Err: syscall.ENOTDIR}
		}
		d.dirs[p] = true
	}
	return nil
}

// Create makes a file in a folder that is there.
func (d *Disk) Create(path string) (xtc.DiskFile, error) {
	path = filepath.Clean(path)
	err := d.fault(Create, path)
	switch {
	case err != nil:
		return nil, err
	case !d.dirs[filepath.Dir(path)]:
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrNotExist}
	case d.Exists(path):
		return nil, &fs.PathError{Op: "create", Path: path, Err: fs.ErrExist}
	}
	f := &file{disk: d, path: path}
	d.files[path] = f
	return f, nil
}

// Exists tells whether a file or folder has this name.
func (d *Disk) Exists(path string) bool {
	path = filepath.Clean(path)
	return d.files[path] != nil || d.dirs[path]
}

// Publish renames a file.
func (d *Disk) Publish(path, final string) error {
	path, final = filepath.Clean(path), filepath.Clean(final)
	if err := d.fault(Publish, path); err != nil {
		return err
	}
	f := d.files[path]
	switch {
	case f == nil:
		return &os.LinkError{Op: "link", Old: path, New: final, Err: syscall.ENOENT}
	case d.Exists(final):
		return &os.LinkError{Op: "link", Old: path, New: final, Err: syscall.EEXIST}
	}
	delete(d.files, path)
	f.path, d.files[final] = final, f
	return nil
}

// Remove takes a name away. Whoever has the file open may write on, as on Linux.
func (d *Disk) Remove(path string) error {
	path = filepath.Clean(path)
	if err := d.fault(Remove, path); err != nil {
		return err
	}
	f := d.files[path]
	if f == nil {
		return &fs.PathError{Op: "remove", Path: path, Err: syscall.ENOENT}
	}
	f.removed = true
	d.used -= int64(len(f.data))
	delete(d.files, path)
	return nil
}

// SyncDir does nothing: names are durable at once.
func (d *Disk) SyncDir(path string) error { return d.fault(SyncDir, path) }

// Used is the number of bytes in all files that have a name.
func (d *Disk) Used() int64 { return d.used }

// Put makes a file as it might have been there before.
func (d *Disk) Put(path string, data []byte) {
	path = filepath.Clean(path)
	if old := d.files[path]; old != nil {
		d.used -= int64(len(old.data))
	}
	d.files[path] = &file{disk: d, path: path, data: slices.Clone(data), synced: len(data), closed: true}
	d.used += int64(len(data))
}

// A File is what Files shows of one.
type File struct {
	Path   string
	Data   []byte // not to be changed
	Synced int    // bytes of it that a power cut leaves for certain
	Open   bool
}

// Files gives all files in the order of their paths.
func (d *Disk) Files() []File {
	var all []File
	for f := range maps.Values(d.files) {
		all = append(all, File{Path: f.path, Data: f.data, Synced: f.synced, Open: !f.closed})
	}
	slices.SortFunc(all, func(a, b File) int { return cmp.Compare(a.Path, b.Path) })
	return all
}

// Save writes all files below a real folder. keep chooses how many bytes of each, as a power cut would: between
// f.Synced and len(f.Data), or below for a disk that lies. Nil keeps all.
func (d *Disk) Save(folder string, keep func(f File) int) error {
	for _, f := range d.Files() {
		n := len(f.Data)
		if keep != nil {
			n = min(max(keep(f), 0), n)
		}
		path := filepath.Join(folder, f.Path)
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			return err
		}
		if err := os.WriteFile(path, f.Data[:n], 0o640); err != nil {
			return err
		}
	}
	return nil
}

// WriteParts is part of xtc.DiskFile, as are the methods below.
func (f *file) WriteParts(parts [][]byte) error {
	bytes := 0
	for _, p := range parts {
		bytes += len(p)
	}
	allowed, err := bytes, error(nil)
	if f.closed {
		allowed, err = 0, fs.ErrClosed
	} else if f.disk.Fault != nil {
		if n, failed := f.disk.Fault(Write, f.path, bytes); failed != nil {
			allowed, err = min(max(n, 0), bytes), failed
		}
	}
	if room := f.disk.Capacity - f.disk.used; f.disk.Capacity > 0 && int64(allowed) > room {
		allowed, err = int(max(room, 0)), syscall.ENOSPC
	}
	if !f.removed {
		f.disk.used += int64(allowed)
	}
	for _, p := range parts {
		n := min(len(p), allowed)
		f.data = append(f.data, p[:n]...)
		allowed -= n
	}
	if err != nil {
		return &fs.PathError{Op: "writev", Path: f.path, Err: err}
	}
	return nil
}

func (f *file) Cut(bytes int64) error {
	if err := f.disk.fault(Cut, f.path); err != nil {
		return err
	}
	if bytes > int64(len(f.data)) {
		return &fs.PathError{Op: "truncate", Path: f.path, Err: syscall.EINVAL} // the writer never makes files longer
	}
	if !f.removed {
		f.disk.used -= int64(len(f.data)) - bytes
	}
	f.data = f.data[:bytes:bytes]
	f.synced = min(f.synced, int(bytes))
	return nil
}

func (f *file) Sync() error {
	if err := f.disk.fault(Sync, f.path); err != nil {
		return err
	}
	f.synced = len(f.data)
	return nil
}

func (f *file) Removed() bool { return f.removed }

func (f *file) Close() error {
	if f.closed {
		return &fs.PathError{Op: "close", Path: f.path, Err: fs.ErrClosed}
	}
	f.closed = true // as close(2): the file is closed even when it says it failed
	return f.disk.fault(Close, f.path)
}
