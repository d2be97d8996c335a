package replay

import (
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"slices"

	"drp/teb"
	"drp/xtc"
)

// errNothing says that a file does not have what is needed.
var errNothing = errors.New("it has no contributions: record it with --trigger or --teb, and with --trigger-keep-all to have those of " +
	"all events")

// errSmall says that a file has places of events, and not events.
var errSmall = errors.New("it is small data: name the data file, in the folder above")

// item is what a stream has next: an event with its contribution, a Configure after which other things may be contributed, or
// a BeginRun.
type item struct {
	service xtc.TransitionID
	time    uint64
	pulse   uint64
	groups  uint16
	row     []byte
	was     Outcome
}

// stream is what one contributor has recorded: its files, in the order of their times, and the chunks of each.
type stream struct {
	files []input // that are left
	runs  []string
	warn  func(string)
	known *record
	head  item
	ended bool

	begins uint64 // time of the file that is open
	within uint64 // time of the last event of those before
	began  uint64 // time of the latest BeginRun
	r      *xtc.Reader
	next   string   // chunk
	seen   []string // chunks of this file
	last   uint64   // time of an event
	pulse  uint64   // of the event before; none has 0
	events int64
	lacks  int64 // events without a contribution
	again  int64 // events whose pulse ID is no larger than that of one before
	buf    xtc.Dgram
}

// input is a file whose Configure was read.
type input struct {
	path   string
	time   uint64 // of what comes behind the Configure, which a later run of a process has from the first one
	first  uint64 // of its first event: a process that was started again has the transitions of before, and later events
	run    string // experiment and number; empty where the file does not say
	record *record
}

// openInput reads the Configure of a file.
func openInput(path string) (input, error) {
	in := input{path: path}
	r, err := xtc.Open(path)
	if err != nil {
		return in, err
	}
	defer func() { _ = r.Close() }()
	d, err := r.Next()
	switch {
	case errors.Is(err, io.EOF):
		return in, fmt.Errorf("%s: there is nothing in it", path)
	case err != nil:
		return in, err
	case d.Service() != xtc.Configure:
		return in, fmt.Errorf("%s begins with %v, as later chunks do: name the first chunk of the run", path, d.Service())
	}
	if d, err = r.ReadDgram(nil); err != nil {
		return in, err
	}
	if in.record, err = newRecord(d); err != nil {
		return in, fmt.Errorf("%s: %w", path, err)
	}
	in.begin(r)
	return in, nil
}

// begin reads what comes behind the Configure. Where that cannot be read, it is found when it is its turn.
func (in *input) begin(r *xtc.Reader) {
	in.time, in.first = math.MaxUint64, math.MaxUint64
	d, err := r.Next()
	if err != nil {
		return
	}
	in.time, in.first = d.Time(), d.Time()
	if d.Service() == xtc.BeginRun {
		if d, err = r.ReadDgram(nil); err != nil {
			return
		}
		if expt, run, ok := xtc.RunInfo(in.record.table, d); ok {
			in.run = fmt.Sprintf("%s r%04d", expt, run)
		}
		d, err = r.Next()
	}
	for err == nil && !d.Service().IsEvent() {
		if err = r.Skip(); err == nil {
			d, err = r.Next()
		}
	}
	if err == nil {
		in.first = d.Time()
	}
}

// open begins with the next file.
func (s *stream) open() error {
	in := s.files[0]
	s.files, s.seen, s.begins, s.within = s.files[1:], nil, in.time, s.last
	return s.chunk(in.path)
}

func (s *stream) chunk(path string) (err error) {
	s.next, s.seen = "", append(s.seen, filepath.Base(path))
	s.r, err = xtc.Open(path)
	return err
}

// close closes the file that is open.
func (s *stream) close() {
	if s.r != nil {
		_ = s.r.Close()
	}
	s.r = nil
}

// advance goes to the next item, or notes that there is none.
func (s *stream) advance() error {
	for {
		if s.r == nil {
			if s.ended = len(s.files) == 0; s.ended {
				return nil
			}
			if err := s.open(); err != nil {
				return err
			}
		}
		d, err := s.r.Next()
		switch cut := (*xtc.TruncatedError)(nil); {
		case errors.As(err, &cut):
			s.warn(fmt.Sprintf("%s ends inside a datagram; the events before it are used", s.r.Path()))
			s.close()
			continue
		case errors.Is(err, io.EOF):
			if err := s.goOn(); err != nil {
				return err
			}
			continue
		case err != nil:
			return err
		}
		found, err := s.datagram(d.Service())
		if found || err != nil {
			return err
		}
	}
}

// goOn opens the next chunk, if there is one.
func (s *stream) goOn() error {
	path := s.r.Path()
	s.close()
	if s.next == "" {
		return nil
	}
	next := filepath.Join(filepath.Dir(path), filepath.Base(s.next))
	if slices.Contains(s.seen, filepath.Base(next)) {
		return fmt.Errorf("%s goes on in %s, which came before it", path, next)
	}
	err := s.chunk(next)
	if errors.Is(err, os.ErrNotExist) {
		s.warn(fmt.Sprintf("%s goes on in %s, which is not there", path, next))
		return nil
	}
	return err
}

// datagram takes the one that was announced; it tells whether it is an item.
func (s *stream) datagram(service xtc.TransitionID) (found bool, err error) {
	if service != xtc.Configure && service != xtc.BeginRun && service != xtc.Enable && service != xtc.L1Accept {
		return false, s.r.Skip()
	}
	if service == xtc.L1Accept {
		s.buf, err = s.r.ReadWanted(s.buf[:0], s.known.wants)
	} else {
		s.buf, err = s.r.ReadDgram(s.buf[:0])
	}
	if err != nil {
		return false, err
	}
	s.head.service, s.head.time = service, s.buf.Time()
	switch service {
	case xtc.Configure:
		s.head.time = max(s.head.time, s.begins)
		if s.known, err = newRecord(s.buf); err != nil {
			return false, fmt.Errorf("%s: %w", s.r.Path(), err)
		}
		s.head.row = make([]byte, s.known.schema.RowBytes())
	case xtc.Enable:
		if name, _, ok := xtc.ChunkInfo(s.known.table, s.buf); ok {
			s.next = name
		}
		return false, nil
	case xtc.BeginRun:
		found = s.head.time > s.began // or else it is that of the file before, of the same run
		s.began = max(s.began, s.head.time)
		return found, nil
	case xtc.L1Accept:
		if s.head.time <= s.within {
			return false, fmt.Errorf("%s has an event at %v, before the file before it ends (%v), and both are of contributor %s: name one of them",
				s.r.Path(), xtc.TimestampOf(s.head.time), xtc.TimestampOf(s.within), s.known.schema.Name())
		}
		s.last = max(s.last, s.head.time)
		return s.event(), nil
	}
	return true, nil
}

func (s *stream) event() (found bool) {
	s.events++
	switch {
	case !s.known.read(s.buf, &s.head):
		s.lacks++
		return false
	case s.head.pulse <= s.pulse, s.head.pulse == math.MaxUint64, s.head.time == math.MaxUint64:
		s.again++
		return false
	}
	s.pulse = s.head.pulse
	return true
}

// schema is what is contributed now.
func (s *stream) schema() *teb.Schema { return s.known.schema }
