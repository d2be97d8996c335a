package xtc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// cutSuffix ends the names of files with what Repair has cut off, repairSuffix those of files it is writing.
const (
	cutSuffix    = ".cut"
	repairSuffix = ".repair"
)

// A Repaired tells what Repair found and did for the files of one stream of a run.
type Repaired struct {
	Files    []string `json:"files"`    // big files, then the small data, under their final names
	Complete bool     `json:"complete"` // there was nothing to do
	Events   int      `json:"events"`
	Others   int      `json:"transitions"`
	LastTime uint64   `json:"last_time"`
	CutBytes int64    `json:"cut_bytes"`
	Notes    []string `json:"notes,omitempty"`
	Removed  []string `json:"removed,omitempty"` // files in which there was nothing, when nothing was ever written
}

// ErrNothingWhole says of a file that was hardly begun that nothing of it can be recovered.
var ErrNothingWhole = errors.New("no whole datagram is in it: there is nothing to recover, remove it with its small data")

// Repair makes complete files of what an interrupted writer left: the big file is cut behind its last whole datagram,
// the small data is made anew from the big files, and both get their final names. Nothing is made up: a run that lacks
// its EndRun still does. That the run was aborted is noted beside its files, where Check finds it.
//
// path is the first chunk or the small data. An incomplete datagram at the end is dropped, unless keep is set; whatever
// else is cut off is kept in a file named .cut. Files that are being written are refused; those to which nothing was ever
// written are removed. After a failure, or when it is
// interrupted, Repair can be run again.
func Repair(path string, keep bool) (Repaired, error) {
	name, ok := ParseFileName(path)
	if !ok || name.Chunk > 0 {
		return Repaired{}, fmt.Errorf("xtc: repair: %s is not the first chunk of a run, <expt>-r0000-s000-c000.xtc2", path)
	}
	dir := filepath.Dir(path)
	if strings.HasSuffix(strings.TrimSuffix(path, inProgressSuffix), smallSuffix) {
		dir = filepath.Dir(dir)
	}
	r := repairer{dir: dir, keep: keep, small: filepath.Join(dir, name.SmallData())}
	defer r.close()
	if err := r.run(name.Data()); err != nil {
		return r.report, fmt.Errorf("xtc: repair: %w", err)
	}
	return r.report, nil
}

// Unfinished finds what Repair can be asked to do in a folder.
func Unfinished(dir string) (paths []string, err error) {
	for _, pattern := range []string{"*" + dataSuffix + inProgressSuffix, "*" + dataSuffix + repairSuffix} {
		for _, sub := range []string{"", smallDataDir} {
			found, err := filepath.Glob(filepath.Join(escapeGlob(dir), sub, pattern))
			if err != nil {
				return nil, err
			}
			for _, path := range found {
				name, ok := ParseFileName(strings.TrimSuffix(path, repairSuffix))
				name.Chunk = 0
				if first := filepath.Join(dir, name.Data()); ok && !slices.Contains(paths, first) {
					paths = append(paths, first)
				}
			}
		}
	}
	slices.Sort(paths)
	return paths, nil
}

func escapeGlob(s string) string {
	return strings.NewReplacer(`\`, `\\`, "*", `\*`, "?", `\?`, "[", `\[`).Replace(s)
}

// A repairer holds the locks of the files it works on.
type repairer struct {
	dir    string
	keep   bool
	small  string
	report Repaired
	big    []bigFile
	locked []*os.File
	table  *Table
	index  smallIndex
	barren string // the last chunk, when no whole datagram is in it
}

func (r *repairer) close() {
	for _, f := range r.locked {
		_ = f.Close()
	}
}

func (r *repairer) run(first string) error {
	small, missing := r.find(r.small)
	if missing != nil && !errors.Is(missing, fs.ErrNotExist) {
		return missing
	}
	if err := r.survey(first); err != nil {
		if whole := filepath.Join(r.dir, first); errors.Is(err, ErrNothingWhole) && r.hardlyBegun(whole) {
			return r.discard(whole)
		}
		return err
	}
	unfinished := missing != nil || small != r.small || r.barren != ""
	for _, b := range r.big {
		r.report.Files = append(r.report.Files, b.final)
		unfinished = unfinished || b.path != b.final
	}
	r.report.Files = append(r.report.Files, r.small)
	if !unfinished {
		r.report.Complete = true
		_ = os.Remove(r.small + repairSuffix) // of a repair that was interrupted at its very end
		return nil
	}
	if err := r.makeSmall(); err != nil {
		return err
	}
	if err := r.leaveNotes(); err != nil {
		return err
	}
	for i := range r.big {
		if err := r.complete(&r.big[i]); err != nil {
			return err
		}
	}
	if err := r.completeSmall(small); err != nil {
		return err
	}
	return r.putAway()
}

// find gives the present name of a file, which is locked if it is unfinished.
func (r *repairer) find(final string) (string, error) {
	path := final + inProgressSuffix
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if errors.Is(err, fs.ErrNotExist) {
		_, err = os.Lstat(final)
		return final, err
	}
	if err != nil {
		return "", err
	}
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == syscall.EWOULDBLOCK {
		_ = f.Close()
		return "", whoseInProgress(path)
	}
	r.locked = append(r.locked, f)
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if other, err := os.Stat(final); err == nil {
		if !os.SameFile(info, other) {
			return "", takenError(fmt.Sprintf("both %s and %s are there: move one of them away", path, filepath.Base(final)))
		}
		return final, os.Remove(path) // the writer was killed between the two steps of giving the final name
	}
	return path, nil
}

// makeSmall writes the small data anew, beside what there is of it.
func (r *repairer) makeSmall() (err error) {
	if err := os.MkdirAll(filepath.Dir(r.small), outputDirMode); err != nil {
		return err
	}
	f, err := os.OpenFile(r.small+repairSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, outputFileMode)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, gatherBufferBytes)
	for i := range r.big {
		if err == nil {
			err = r.smallOf(w, &r.big[i])
		}
	}
	if err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = f.Sync()
	}
	return errors.Join(err, f.Close())
}

func (r *repairer) smallOf(w io.Writer, b *bigFile) error {
	f, err := Open(b.path)
	if err != nil {
		return err
	}
	defer f.Close()
	var buf Dgram
	for end := int64(0); end < b.good; {
		hdr, err := f.Next()
		if err != nil {
			return err
		}
		offset := f.Offset()
		end = offset + int64(hdr.Size())
		small := []byte(hdr)
		if s := hdr.Service(); s != EndRun && !s.IsEvent() {
			if buf, err = f.ReadDgram(buf); err != nil {
				return err
			}
			small = buf
		}
		if small, err = r.index.form(small, offset); err != nil {
			return Locate(err, b.path, f.Count(), offset)
		}
		if _, err := w.Write(small); err != nil {
			return err
		}
	}
	return nil
}

// complete cuts an unfinished big file and gives it its final name. Then come its checksums, if it has any.
func (r *repairer) complete(b *bigFile) error {
	if b.path != b.final {
		if err := r.completeBig(b); err != nil {
			return err
		}
	} else if b.crc == b.final+crcSuffix {
		return nil // it was complete before
	}
	if b.crc == "" {
		return nil
	}
	if err := makeCRC(b); err != nil {
		return err
	}
	return osDisk{}.SyncDir(r.dir)
}

func (r *repairer) completeBig(b *bigFile) error {
	f, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	if b.good < b.size {
		if !b.dropTail || r.keep {
			if err := keepTail(f, b); err != nil {
				return err
			}
		}
		if err := f.Truncate(b.good); err != nil {
			return err
		}
	}
	if err := f.Sync(); err != nil {
		return err
	}
	if err := (osDisk{}).Publish(b.path, b.final); err != nil {
		return err
	}
	return osDisk{}.SyncDir(r.dir)
}

// keepTail copies what will be cut off.
func keepTail(f *os.File, b *bigFile) error {
	tail, err := os.OpenFile(b.final+cutSuffix, os.O_WRONLY|os.O_CREATE|os.O_TRUNC, outputFileMode)
	if err != nil {
		return err
	}
	_, err = io.Copy(tail, io.NewSectionReader(f, b.good, b.size-b.good))
	if err == nil {
		err = tail.Sync()
	}
	return errors.Join(err, tail.Close())
}

// completeSmall puts the new small data in the place of the old.
func (r *repairer) completeSmall(old string) error {
	if old == r.small+inProgressSuffix {
		var err error
		if r.keep {
			err = os.Rename(old, r.small+cutSuffix)
		} else {
			err = os.Remove(old)
		}
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if old == r.small {
		if err := os.Remove(old); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // it was complete when its big file was not: it is the same
		}
	}
	if err := (osDisk{}).Publish(r.small+repairSuffix, r.small); err != nil {
		return err
	}
	return osDisk{}.SyncDir(filepath.Dir(r.small))
}
