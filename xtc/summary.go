package xtc

import (
	"errors"
	"fmt"
	"io"
	"os"
)

// A Summary is what the headers of a file tell.
type Summary struct {
	Path               string
	Bytes              int64
	Datagrams          int
	Count              [NumTransitions]int
	MaxEventBytes      int // of the largest event and of the largest other datagram
	MaxTransitionBytes int
	FirstTime          uint64
	LastTime           uint64
	FirstService       TransitionID
	Damaged            int             // datagrams with any damage bit
	Truncated          *TruncatedError // nil if the file ends where a datagram does
}

// Scan reads only headers, so that a file of many terabytes takes no longer than its count of datagrams asks for. When
// it comes to a header that makes no sense it returns what it had until then and a *FormatError.
func Scan(path string) (Summary, error) {
	return scan(path, func(*headerScanner, Dgram) error { return nil })
}

// scan also calls visit for each header, which may read more of that datagram.
func scan(path string, visit func(*headerScanner, Dgram) error) (Summary, error) {
	r, err := Open(path)
	if err != nil {
		return Summary{Path: path}, err
	}
	defer r.Close()
	s := Summary{Path: path, Bytes: max(r.size, 0)}
	if r.size < 0 {
		return s, fmt.Errorf("xtc: scan %s: not a regular file", path)
	}
	h := headerScanner{f: r.file, size: r.size}
	for {
		d, err := h.next()
		if err == nil {
			s.add(d)
			size := d.Size() // visit may move the window below d
			err = visit(&h, d)
			if err == nil {
				h.offset += int64(size)
				continue
			}
		}
		if err == io.EOF {
			return s, nil
		}
		if t := (*TruncatedError)(nil); errors.As(err, &t) {
			t.Path, s.Truncated = path, t
			return s, nil
		}
		return s, Locate(err, path, s.Datagrams+1, h.offset)
	}
}

func (s *Summary) add(d Dgram) {
	if s.Datagrams == 0 {
		s.FirstTime, s.FirstService = d.Time(), d.Service()
	}
	s.LastTime = d.Time()
	s.Datagrams++
	s.Count[d.Service()]++
	if d.Damage() != 0 {
		s.Damaged++
	}
	if d.Service().IsEvent() {
		s.MaxEventBytes = max(s.MaxEventBytes, d.Size())
	} else {
		s.MaxTransitionBytes = max(s.MaxTransitionBytes, d.Size())
	}
}

// Events counts the datagrams that are events.
func (s *Summary) Events() int { return s.Count[L1Accept] + s.Count[L1AcceptEndOfBatch] }

// A headerScanner reads headers by pread. Small datagrams lie close together and one read catches many of them; for
// large ones it reads little more than the header.
type headerScanner struct {
	f            *os.File
	size, offset int64
	window       []byte
	base         int64 // of window in the file
	buf          [readBufferBytes]byte
}

// next gives the header at offset.
func (h *headerScanner) next() (Dgram, error) {
	offset := h.offset
	left := h.size - offset
	if left <= 0 {
		return nil, io.EOF
	}
	if left < DgramHeaderBytes {
		return nil, &TruncatedError{Offset: offset, Leftover: left, Need: DgramHeaderBytes}
	}
	if offset+DgramHeaderBytes > h.base+int64(len(h.window)) {
		if err := h.fill(offset); err != nil {
			return nil, err
		}
	}
	d := Dgram(h.window[offset-h.base:][:DgramHeaderBytes])
	if err := d.Check(); err != nil {
		return nil, err
	}
	if int64(d.Size()) > left {
		return nil, &TruncatedError{Offset: offset, Leftover: left, Need: int64(d.Size())}
	}
	return d, nil
}

// fill reads a window from offset, small if the last jump went far beyond the old one.
func (h *headerScanner) fill(offset int64) error {
	want := len(h.buf)
	if far := offset - (h.base + int64(len(h.window))); far > int64(len(h.buf)) {
		want = DgramHeaderBytes
	}
	n, err := h.f.ReadAt(h.buf[:min(int64(want), h.size-offset)], offset)
	if n < DgramHeaderBytes {
		if err == io.EOF {
			err = io.ErrUnexpectedEOF // it was cut while being scanned
		}
		return fmt.Errorf("xtc: %w", err)
	}
	h.window, h.base = h.buf[:n], offset
	return nil
}

// whole reads the datagram whose header next gave.
func (h *headerScanner) whole(d Dgram) (Dgram, error) {
	b := make([]byte, d.Size())
	if _, err := h.f.ReadAt(b, h.offset); err != nil {
		return nil, fmt.Errorf("xtc: %w", err)
	}
	return b, nil
}
