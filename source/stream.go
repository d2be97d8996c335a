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
		if s.loop && (s.count > s.survey.untilTail || s.pass > 0 && !d.Service().IsEvent() && d.Service() != xtc.SlowUpdate) {
			s.err = s.r.Skip() // in a loop the run neither ends nor begins again
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
		s.shift += s.survey.lastNS - s.survey.firstNS + max(1, s.period())
	}
}

// period is the mean time between two events, by which one pass follows another.
func (s *stream) period() uint64 {
	return (s.survey.lastNS - s.survey.firstNS) / uint64(max(1, s.survey.events-1))
}

// time is that of the announced datagram.
func (s *stream) time() uint64 {
	if s.shift == 0 {
		return s.head.Time()
	}
	return timestamp(nanoseconds(s.head.Time()) + s.shift)
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
