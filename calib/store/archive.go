package store

import (
	"archive/zip"
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"drp/calib"
)

// documentName is the file of an archive that says what its arrays are.
const documentName = "constants.json"

// WriteFolder writes a set into a folder that does not exist or is empty: a file for each array, and last the document.
func WriteFolder(dir string, s *calib.Set) error {
	if err := os.MkdirAll(dir, folderMode); err != nil {
		return fmt.Errorf("calib: write constants: %w", err)
	}
	if there, err := os.ReadDir(dir); err != nil || len(there) > 0 {
		return fmt.Errorf("calib: write constants: the folder %s is not empty: %w", dir, errors.Join(fs.ErrExist, err))
	}
	return writeArchive(s, func(name string) (io.WriteCloser, error) {
		return os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, fileMode)
	})
}

// WriteZip writes a set as one file that does not exist. numpy.load reads it as an .npz; nothing in it is compressed.
func WriteZip(path string, s *calib.Set) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL|syscall.O_NOFOLLOW, fileMode)
	if err != nil {
		return fmt.Errorf("calib: write constants: %w", err)
	}
	out := bufio.NewWriterSize(f, 1<<20)
	z := zip.NewWriter(out)
	err = writeArchive(s, func(name string) (io.WriteCloser, error) {
		w, err := z.CreateHeader(&zip.FileHeader{Name: name, Method: zip.Store, Modified: s.Provenance.When})
		return unclosed{w}, err
	})
	if err := errors.Join(err, z.Close(), out.Flush(), f.Sync(), f.Close()); err != nil {
		return errors.Join(fmt.Errorf("calib: write constants: %w", err), os.Remove(path))
	}
	return nil
}

type unclosed struct{ io.Writer }

func (unclosed) Close() error { return nil }

func writeArchive(s *calib.Set, create func(string) (io.WriteCloser, error)) error {
	given := *s
	d, err := prepare(&given)
	if err != nil {
		return err
	}
	for _, a := range d.Arrays {
		if err := writeFile(create, a.Name+".npy", func(w io.Writer) error { return WriteArray(w, s, a.Name) }); err != nil {
			return err
		}
	}
	return writeFile(create, documentName, func(w io.Writer) error {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return e.Encode(d)
	})
}

func writeFile(create func(string) (io.WriteCloser, error), name string, write func(io.Writer) error) error {
	f, err := create(name)
	if err != nil {
		return err
	}
	return errors.Join(write(f), f.Close())
}

// IsArchive tells whether a path is a folder or file that ReadArchive may be asked to read.
func IsArchive(path string) bool {
	if info, err := os.Stat(filepath.Join(path, documentName)); err == nil {
		return info.Mode().IsRegular()
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return false
	}
	defer func() { _ = z.Close() }()
	_, err = fs.Stat(z, documentName)
	return err == nil
}

// ReadArchive reads what WriteFolder or WriteZip wrote. A set that is not what it was then is a *calib.RefusedError.
func ReadArchive(path string) (*calib.Set, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("calib: read constants: %w", err)
	}
	if info.IsDir() {
		return readArchive(path, os.DirFS(path))
	}
	z, err := zip.OpenReader(path)
	if err != nil {
		return nil, fmt.Errorf("calib: read constants of %s: %w", path, err)
	}
	defer func() { _ = z.Close() }()
	return readArchive(path, z)
}

func readArchive(path string, files fs.FS) (*calib.Set, error) {
	f, err := files.Open(documentName)
	if err != nil {
		return nil, fmt.Errorf("calib: read constants of %s: %w", path, err)
	}
	defer func() { _ = f.Close() }()
	text, err := io.ReadAll(io.LimitReader(f, maxDocumentBytes+1))
	if err != nil {
		return nil, fmt.Errorf("calib: read constants of %s: %w", path, err)
	}
	d, err := ParseDocument(text)
	if err != nil {
		return nil, fmt.Errorf("calib: read constants of %s: %w", path, err)
	}
	s := d.Set()
	for _, a := range d.Arrays {
		f, err := files.Open(a.Name + ".npy")
		if err != nil {
			return nil, fmt.Errorf("calib: read constants of %s: %w", path, err)
		}
		err = readArray(f, s, a)
		_ = f.Close()
		if err != nil {
			return nil, refused(d.Detector, "%s.npy of %s: %v", a.Name, path, err)
		}
	}
	return s, verify(s)
}
