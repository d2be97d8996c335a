package source

import (
	"io"

	"drp/xtc"
)

// stream reads the chunks of one stream, one after the other, over and over when it loops.
type stream struct {
	survey *survey
	loop   bool

	r     *xtc.Reader
	chunk int    // index of the open file
	count int    // datagrams announced in this pass
	pass  int    // how often the files were gone through
	shift uint64 // added to the time of what is announced, nanoseconds
	lap   uint64 // by which it grows from pass to pass
	head  xtc.Dgram
	err   error // what ended the stream
	remap map[xtc.NamesID]xtc.NamesID
}

// advance announces the stream's next datagram in head; at the end head is nil and err says why.
func (s *stream) advance() {
	s.head = nil
	for s.err == nil {
		d, err := s.next()
		if err != nil {
			s.err = err
			return
		}
		s.count++
		if s.loop && (s.count > s.survey.untilTail || s.pass > 0 && !repeats(d.Service())) {
			s.err = s.r.Skip()
			continue
		}
		s.head = d
		return
	}
}

func (s *stream) next() (xtc.Dgram, error) {
	for {
		if s.r == nil {
			r, err := xtc.Open(s.survey.files[s.chunk])
			if err != nil {
				return nil, err
			}
			s.r = r
		}
		d, err := s.r.Next()
		if err != io.EOF {
			return d, err
		}
		if err := s.r.Close(); err != nil {
			return nil, err
		}
		s.r = nil
		if s.chunk++; s.chunk < len(s.survey.files) {
			continue
		}
		if !s.loop || s.survey.events == 0 {
			return nil, io.EOF
		}
		s.chunk, s.count = 0, 0
		s.pass++
		s.shift += s.lap
	}
}

// time is that of the announced datagram.
func (s *stream) time() uint64 {
	if s.shift == 0 {
		return s.head.Time()
	}
	return timestamp(nanoseconds(s.head.Time()) + s.shift)
}

// overlap is how much of the announced datagram's header goes when it is put behind others. Only of a corrupted one is
// the Xtc header kept: it becomes a Parent inside the whole, which nobody looks into, and the others stay readable.
func (s *stream) overlap() int {
	if s.head.Damage().Has(xtc.DamageCorrupted) {
		return xtc.DgramHeaderBytes - xtc.XtcHeaderBytes
	}
	return xtc.DgramHeaderBytes
}

// read puts the announced datagram into dst, whole.
func (s *stream) read(dst []byte) (xtc.Dgram, error) {
	time := s.time()
	n, err := s.r.ReadInto(dst)
	if err != nil {
		return nil, err
	}
	d := xtc.Dgram(dst[:n])
	d.SetTime(time)
	return d, nil
}

func (s *stream) skip() error { return s.r.Skip() }

func (s *stream) close() error {
	if s.r == nil {
		return nil
	}
	return s.r.Close()
}
