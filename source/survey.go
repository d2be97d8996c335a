package source

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"

	"drp/xtc"
)

// survey is what one pass over the headers of a stream's files tells.
type survey struct {
	files      []string // the chunks in order
	expt       string
	run        int
	events     int
	configured []uint64 // the times of its Configures
	untilTail  int      // datagrams before the transitions that end what was begun
	datagrams  int
	maxEvent   int
	maxOther   int
	repeated   span // what a loop repeats: events and SlowUpdates
	warnings   []string
}

// surveyStream follows a stream from its first chunk on.
func surveyStream(first string) (*survey, error) {
	s := &survey{run: -1}
	table := xtc.NewTable()
	for path := first; path != ""; {
		s.files = append(s.files, path)
		next, err := s.chunk(path, table)
		if err != nil {
			return nil, err
		}
		if next != "" {
			next = filepath.Join(filepath.Dir(first), filepath.Base(next))
			if slices.Contains(s.files, next) {
				return nil, fmt.Errorf("source: %s: its chunks name each other without end", first)
			}
			if trouble := absent(next); trouble != "" {
				s.warnings = append(s.warnings, fmt.Sprintf("the run goes on in %s, which is %s", next, trouble))
				next = ""
			}
		}
		path = next
	}
	return s, nil
}

// absent tells why there is nothing to follow in a file, if so: a run that was cut short may leave its last chunk empty.
func absent(path string) string {
	switch info, err := os.Stat(path); {
	case err != nil:
		return "not there"
	case info.Mode().IsRegular() && info.Size() == 0:
		return "empty"
	}
	return ""
}

// chunk passes over one file and returns the name of the next chunk, if the file names one that exists.
func (s *survey) chunk(path string, table *xtc.Table) (next string, err error) {
	r, err := xtc.Open(path)
	if err != nil {
		return "", fmt.Errorf("source: %w", err)
	}
	defer func() { err = errors.Join(err, r.Close()) }()
	var buf []byte
	for {
		d, err := r.Next()
		if err != nil {
			// What is wrong further on is met again, and reported, when the replay comes to it.
			if err != io.EOF && s.datagrams == 0 {
				return "", &StrangeError{path, err}
			}
			return next, nil
		}
		if s.datagrams == 0 && d.Service() != xtc.Configure {
			return "", notFirst(path, d.Service())
		}
		s.add(d)
		switch d.Service() {
		case xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable:
			whole, err := r.ReadDgram(buf)
			if err != nil {
				return next, nil
			}
			buf = whole
			s.look(whole, table, &next)
		default:
			if err := r.Skip(); err != nil {
				return next, nil
			}
		}
	}
}

// look reads what a transition says about the run and about the next chunk.
func (s *survey) look(d xtc.Dgram, table *xtc.Table, next *string) {
	if d.Service() == xtc.Configure {
		_ = table.Configure(d) // a Configure that makes no sense is reported when it is replayed
	}
	if expt, run, ok := xtc.RunInfo(table, d); ok && s.run < 0 {
		s.expt, s.run = expt, run
	}
	if name, _, ok := xtc.ChunkInfo(table, d); ok && d.Service() == xtc.Enable {
		*next = name
	}
}

func (s *survey) add(d xtc.Dgram) {
	s.datagrams++
	if d.Service().IsEvent() {
		s.events++
		s.maxEvent = max(s.maxEvent, d.Size())
	} else {
		s.maxOther = max(s.maxOther, d.Size())
	}
	if d.Service() == xtc.Configure {
		s.configured = append(s.configured, d.Time())
	}
	switch {
	case repeats(d.Service()):
		s.untilTail = s.datagrams
		s.repeated.add(nanoseconds(d.Time()))
	case s.repeated.count == 0 && d.Service()%2 == 0: // an id that begins something is even
		s.untilTail = s.datagrams
	}
}

// configuredWith tells whether two streams are configured at the same times, as those of one run are. One of them may
// end early.
func (s *survey) configuredWith(other *survey) bool {
	n := min(len(s.configured), len(other.configured))
	return slices.Equal(s.configured[:n], other.configured[:n])
}

func notFirst(path string, starts xtc.TransitionID) error {
	hint := "give the first chunk of the run instead: later ones are followed from there"
	if first, err := xtc.FindFirstChunk(path); err == nil {
		hint = fmt.Sprintf("give the first chunk, %s, instead: later ones are followed from there", first)
	}
	return fmt.Errorf("source: %s starts with %v and not with Configure: %s", path, starts, hint)
}
