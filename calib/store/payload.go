package store

import (
	"bufio"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"drp/calib"
)

const (
	folderMode = 0o750
	fileMode   = 0o640
	// unfinished begins the name of a file that is being written.
	unfinished = ".new-"
)

// payloads is the folder of the arrays.
type payloads struct{ dir string }

func (p payloads) path(digest string) string {
	return filepath.Join(p.dir, digest[:2], digest+".npy")
}

// add writes an array under its digest, unless it is there already and good. It is synced when it has its name.
// Only who failed removes the unfinished file: once it has its name, that of the unfinished one is another's to take.
func (p payloads) add(s *calib.Set, a Array) error {
	path := p.path(a.SHA256)
	if p.read(&calib.Set{}, a) == nil {
		return nil
	}
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return err
	}
	f, err := createNew(dir)
	if err != nil {
		return err
	}
	w := bufio.NewWriter(f)
	err = errors.Join(WriteArray(w, s, a.Name), w.Flush(), f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return errors.Join(syncDir(dir), syncDir(p.dir))
}

// createNew makes a file of a name that nobody has.
func createNew(dir string) (*os.File, error) {
	for n := 0; ; n++ {
		name := filepath.Join(dir, fmt.Sprintf("%s%d-%d", unfinished, os.Getpid(), n))
		f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, fileMode)
		if !errors.Is(err, fs.ErrExist) {
			return f, err
		}
	}
}

// read reads an array into a set.
func (p payloads) read(s *calib.Set, a Array) error {
	f, err := os.OpenFile(p.path(a.SHA256), os.O_RDONLY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	return readArray(f, s, a)
}

// clean removes what is not needed.
func (p payloads) clean(needed map[string]bool) error {
	return filepath.WalkDir(p.dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		digest, isArray := strings.CutSuffix(e.Name(), ".npy")
		if strings.HasPrefix(e.Name(), unfinished) || isArray && isDigest(digest) && !needed[digest] {
			return os.Remove(path)
		}
		return nil
	})
}

func syncDir(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

// digester counts and hashes what passes.
type digester struct {
	w     io.Writer
	hash  hash.Hash
	bytes int64
}

func newDigester(w io.Writer) *digester { return &digester{w: w, hash: sha256.New()} }

func (d *digester) Write(b []byte) (int, error) {
	n, err := d.w.Write(b)
	d.hash.Write(b[:n])
	d.bytes += int64(n)
	return n, err
}

func (d *digester) sum() string { return fmt.Sprintf("%x", d.hash.Sum(nil)) }
