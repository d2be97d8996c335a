package xtc

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"syscall"
)

const readBufferBytes = 64 << 10

// A Reader reads the datagrams of one file in order.
//
//	for {
//		hdr, err := r.Next()              // header only: service and size
//		slot := room(hdr.Size())
//		n, err := r.ReadInto(slot)        // straight from the file, apart from what lay in the 64 KiB buffer
//	}
type Reader struct {
	path    string
	src     io.Reader
	file    *os.File // nil if src is no file
	buf     *bufio.Reader
	base    int64 // where in src the reader began
	size    int64 // of the input from there, -1 if not known
	offset  int64 // of the datagram announced, or of the next one
	count   int   // datagrams announced so far
	pending int   // bytes of the datagram announced, 0 when there is none
	err     error // sticks once a datagram was half read
}

// Open opens a file for reading. Folders and empty files are refused.
func Open(path string) (*Reader, error) {
	// Looked at before it is opened: to open a pipe would wait for whoever writes to it.
	info, err := os.Stat(path)
	switch {
	case err != nil:
	case info.IsDir():
		err = &fs.PathError{Op: "open", Path: path, Err: syscall.EISDIR}
	case !info.Mode().IsRegular():
		err = fmt.Errorf("open %s: this is no regular file, as one that was recorded is", path)
	case info.Size() == 0:
		err = fmt.Errorf("open %s: the file is empty: nothing was recorded in it", path)
	}
	if err != nil {
		return nil, fmt.Errorf("xtc: %w", err)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("xtc: %w", err)
	}
	return NewReader(f, path), nil
}

// NewReader reads from r; path is what errors call it. If r can seek, its size is taken and datagrams are skipped by
// seeking.
func NewReader(r io.Reader, path string) *Reader {
	reader := &Reader{path: path, src: r, buf: bufio.NewReaderSize(r, readBufferBytes), size: -1}
	if f, ok := r.(*os.File); ok {
		reader.file = f
	}
	if s, ok := r.(io.Seeker); ok {
		if at, err := s.Seek(0, io.SeekCurrent); err == nil {
			reader.base = at
		}
	}
	reader.size = reader.measure()
	return reader
}

// measure gives the size of the input from where the reader began, or -1. A file may still grow.
func (r *Reader) measure() int64 {
	if r.file != nil {
		if info, err := r.file.Stat(); err == nil && info.Mode().IsRegular() {
			return info.Size() - r.base
		}
		return -1
	}
	s, ok := r.src.(io.Seeker)
	if !ok {
		return -1
	}
	here, err := s.Seek(0, io.SeekCurrent)
	if err != nil {
		return -1
	}
	end, err := s.Seek(0, io.SeekEnd)
	if _, back := s.Seek(here, io.SeekStart); err != nil || back != nil {
		return -1
	}
	return end - r.base
}

// Next goes to the next datagram, past the one announced before if that was not read. It gives the 24-byte header,
// valid until the next call of any method. The error is io.EOF at a clean end, *TruncatedError if the input ends inside
// this datagram, *FormatError if its header is nonsense: nothing after that can be found.
func (r *Reader) Next() (Dgram, error) {
	if r.pending > 0 {
		if err := r.Skip(); err != nil {
			return nil, err
		}
	}
	if r.err != nil {
		return nil, r.err
	}
	b, err := r.buf.Peek(DgramHeaderBytes)
	if err != nil {
		return nil, r.headerError(len(b), err)
	}
	d := Dgram(b)
	if reason := d.implausible(); reason != "" {
		return nil, &FormatError{Path: r.path, Offset: r.offset, Datagram: r.count + 1, Reason: reason}
	}
	if err := r.checkSize(d.Size()); err != nil {
		return nil, err
	}
	r.count++
	r.pending = d.Size()
	return d, nil
}

func (r *Reader) headerError(got int, err error) error {
	switch {
	case !errors.Is(err, io.EOF):
		return fmt.Errorf("xtc: %w", err)
	case got == 0:
		return io.EOF
	}
	return &TruncatedError{Path: r.path, Offset: r.offset, Leftover: int64(got), Need: DgramHeaderBytes}
}

// checkSize finds out before any memory is taken for it that a datagram is longer than the rest of the file.
func (r *Reader) checkSize(size int) error {
	if r.size < 0 || int64(size) <= r.size-r.offset {
		return nil
	}
	r.size = r.measure() // a file in progress grows
	if r.size < 0 || int64(size) <= r.size-r.offset {
		return nil
	}
	return &TruncatedError{Path: r.path, Offset: r.offset, Leftover: r.size - r.offset, Need: int64(size)}
}

// ReadInto reads the whole datagram announced by Next into dst. If dst is too small the error is io.ErrShortBuffer and
// the datagram remains to be read.
func (r *Reader) ReadInto(dst []byte) (int, error) {
	if err := r.announced(); err != nil {
		return 0, err
	}
	if len(dst) < r.pending {
		return 0, io.ErrShortBuffer
	}
	n, err := io.ReadFull(r.buf, dst[:r.pending])
	if err != nil {
		return n, r.brokeOff(int64(n), err)
	}
	r.done()
	return n, nil
}

// ReadDgram reads the datagram announced by Next into buf, which it replaces by a larger one if need be. From an input
// of unknown size it takes memory only as the bytes arrive.
func (r *Reader) ReadDgram(buf []byte) (Dgram, error) {
	const step = 1 << 20
	if err := r.announced(); err != nil {
		return nil, err
	}
	if r.size >= 0 && cap(buf) < r.pending {
		buf = make([]byte, r.pending)
	}
	if cap(buf) >= r.pending {
		n, err := r.ReadInto(buf[:r.pending])
		return Dgram(buf[:n]), err
	}
	buf = buf[:0]
	for len(buf) < r.pending {
		at := len(buf)
		buf = append(buf, make([]byte, min(step, r.pending-at))...)
		if n, err := io.ReadFull(r.buf, buf[at:]); err != nil {
			return nil, r.brokeOff(int64(at+n), err)
		}
	}
	r.done()
	return Dgram(buf), nil
}

func (r *Reader) announced() error {
	switch {
	case r.err != nil:
		return r.err
	case r.pending == 0:
		return errors.New("xtc: no datagram was announced by Next")
	}
	return nil
}

func (r *Reader) done() {
	r.offset += int64(r.pending)
	r.pending = 0
}

func (r *Reader) brokeOff(got int64, err error) error {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		r.err = &TruncatedError{Path: r.path, Offset: r.offset, Leftover: got, Need: int64(r.pending)}
	} else {
		r.err = fmt.Errorf("xtc: %w", err)
	}
	r.pending = 0
	return r.err
}

// Skip passes over the datagram announced by Next.
func (r *Reader) Skip() error {
	if err := r.announced(); err != nil {
		return err
	}
	if r.size >= 0 && r.pending > r.buf.Buffered() {
		if s, ok := r.src.(io.Seeker); ok {
			return r.seekPast(s)
		}
	}
	if n, err := r.buf.Discard(r.pending); err != nil {
		return r.brokeOff(int64(n), err)
	}
	r.done()
	return nil
}

func (r *Reader) seekPast(s io.Seeker) error {
	if _, err := s.Seek(int64(r.pending-r.buf.Buffered()), io.SeekCurrent); err != nil {
		return r.brokeOff(0, err)
	}
	r.buf.Reset(r.src)
	r.done()
	return nil
}

// Offset is where the datagram announced by Next begins; after it was read, where the next one does.
func (r *Reader) Offset() int64 { return r.offset }

// Count is the number of datagrams announced so far: that of the present one, counted from 1.
func (r *Reader) Count() int { return r.count }

// Path is the name given to Open or NewReader.
func (r *Reader) Path() string { return r.path }

// Rewind goes back to the first datagram.
func (r *Reader) Rewind() error {
	s, ok := r.src.(io.Seeker)
	if !ok {
		return fmt.Errorf("xtc: rewind %s: the input cannot seek", r.path)
	}
	if _, err := s.Seek(r.base, io.SeekStart); err != nil {
		return fmt.Errorf("xtc: rewind: %w", err)
	}
	r.buf.Reset(r.src)
	r.offset, r.count, r.pending, r.err = 0, 0, 0, nil
	return nil
}

// Close closes the input if it can be closed.
func (r *Reader) Close() error {
	if c, ok := r.src.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
