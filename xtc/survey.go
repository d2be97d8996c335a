package xtc

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
)

// A bigFile is one chunk.
type bigFile struct {
	final    string
	path     string // as it is named now
	size     int64
	good     int64  // bytes up to the end of the last good datagram
	crc      string // file with checksums, if there is one
	dropTail bool   // what follows is one incomplete datagram
}

// survey goes from chunk to chunk, and finds where each ends.
func (r *repairer) survey(name string) error {
	for name != "" {
		final := filepath.Join(r.dir, name)
		if slices.ContainsFunc(r.big, func(b bigFile) bool { return b.final == final }) {
			return fmt.Errorf("the chunks of %s name each other without end", r.big[0].final)
		}
		path, err := r.find(final)
		if len(r.big) > 0 && errors.Is(err, fs.ErrNotExist) {
			r.note("%s, where the run was to go on, is not there", name)
			return nil
		}
		if err != nil {
			return err
		}
		b := bigFile{final: final, path: path}
		next, err := r.scan(&b)
		if err != nil {
			return err
		}
		switch {
		case b.good == 0 && len(r.big) == 0:
			return fmt.Errorf("%s: %w", path, ErrNothingWhole)
		case b.good == 0:
			if path != final {
				r.barren = path
				return nil
			}
			r.note("%s, where the run was to go on, holds no whole datagram: it stays as it is", path)
			return nil
		}
		r.big = append(r.big, b)
		name = next
	}
	return nil
}

func (r *repairer) note(format string, args ...any) {
	r.report.Notes = append(r.report.Notes, fmt.Sprintf(format, args...))
}

// scan finds the last good datagram of a chunk and the chunk that it names. What makes no sense between two good
// datagrams is left where it is.
func (r *repairer) scan(b *bigFile) (next string, err error) {
	f, err := Open(b.path)
	if err != nil {
		if info, statErr := os.Stat(b.path); statErr == nil && info.Size() == 0 {
			return "", nil
		}
		return "", err
	}
	defer f.Close()
	b.size = f.size
	crc, err := openCRC(b.path)
	if err != nil {
		return "", err
	}
	if crc != nil {
		defer func() { _ = crc.Close() }()
		b.crc = crc.path
		_ = crc.begin() // what is wrong with checksums does not matter: they are made anew
	}
	var buf Dgram
	var sig []byte
	bad := 0 // since the last good one
	for {
		_, err := f.Next()
		if err == nil {
			buf, err = f.ReadDgram(buf)
		}
		if err != nil {
			return next, r.endOfScan(b, err, bad)
		}
		if crc != nil && crc.datagram(buf, f.Offset()-int64(len(buf))) == crcMismatch {
			r.note("%s: the datagram before byte %d is not what was written", b.path, f.Offset())
		}
		if buf.Service() == Configure {
			t := NewTable()
			if t.Configure(buf) == nil {
				r.table = t
			}
		}
		if r.table == nil {
			return "", fmt.Errorf("%s: does not begin with a Configure", b.path)
		}
		if sig, err = r.table.Structure(buf, sig[:0]); err != nil {
			bad++
			continue
		}
		if bad > 0 {
			r.note("%s: %d datagrams before byte %d make no sense and stay as they are", b.path, bad, f.Offset())
			bad = 0
		}
		b.good = f.Offset()
		r.count(buf)
		if name, _, ok := ChunkInfo(r.table, buf); ok && buf.Service() == Enable && name == filepath.Base(name) {
			next = name
		}
	}
}

func (r *repairer) count(d Dgram) {
	r.report.LastTime = d.Time()
	if d.Service().IsEvent() {
		r.report.Events++
	} else {
		r.report.Others++
	}
}

// endOfScan sorts out why there is no further datagram.
func (r *repairer) endOfScan(b *bigFile, err error, bad int) error {
	var truncated *TruncatedError
	var format *FormatError
	switch {
	case err == io.EOF:
	case errors.As(err, &truncated):
		b.dropTail = bad == 0
	case errors.As(err, &format):
		r.note("%v; what follows is kept in a file named %s", format, cutSuffix)
	default:
		return err
	}
	if b.path == b.final && b.good < b.size {
		r.note("%s is complete by its name but ends in %d bytes that are no datagram: it stays as it is", b.path, b.size-b.good)
		b.size = b.good
	}
	r.report.CutBytes += b.size - b.good
	return nil
}
