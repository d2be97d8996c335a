package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"drp/pebble"
	"drp/xtc"
)

// Files replays one or several streams of a run. Datagrams of equal time and kind become one, with the blocks of all
// streams side by side in the order the streams were given; NamesIds that two streams use for different Names are
// changed in the later stream. With one stream every datagram is delivered as it is, byte for byte.
type Files struct {
	info    Info
	streams []*stream
	group   []*stream // whose heads make up the announced datagram
	header  Header
	saved   [xtc.DgramHeaderBytes]byte
}

// OpenFiles opens files, folders (all first chunks in them) and patterns. All streams must be of one run.
func OpenFiles(names []string, o Options) (*Files, error) {
	paths, err := firstChunks(names)
	if err != nil {
		return nil, err
	}
	f := &Files{info: Info{Name: strings.Join(names, " "), Run: -1}}
	for _, path := range paths {
		s, err := surveyStream(path)
		if err != nil {
			return nil, err
		}
		if err := f.addStream(path, s, o.Loop); err != nil {
			return nil, err
		}
	}
	if o.Loop {
		f.info.Events = -1
	}
	for _, s := range f.streams {
		s.advance()
	}
	return f, nil
}

// addStream adds what a survey found to what is known of the run.
func (f *Files) addStream(path string, s *survey, loop bool) error {
	if named, ok := xtc.ParseFileName(path); ok {
		if s.run < 0 {
			s.expt, s.run = named.Expt, named.Run
		}
		if len(f.streams) == 0 {
			f.info.Stream = named.Stream
		}
	}
	switch {
	case f.info.Run < 0:
		f.info.Expt, f.info.Run = s.expt, s.run
	case s.run >= 0 && (s.run != f.info.Run || s.expt != f.info.Expt):
		return fmt.Errorf("source: %s is of %s run %d, the others are of %s run %d: name the streams of one run",
			path, s.expt, s.run, f.info.Expt, f.info.Run)
	}
	f.info.Events = max(f.info.Events, s.events)
	f.info.MaxEventBytes += s.maxEvent
	f.info.MaxTransitionBytes += s.maxOther
	f.info.Warnings = append(f.info.Warnings, s.warnings...)
	f.streams = append(f.streams, &stream{survey: s, loop: loop})
	return nil
}

// firstChunks finds the files that are meant. Small data is left out, and so are later chunks that a folder or
// pattern brings along: they are followed from the first.
func firstChunks(names []string) ([]string, error) {
	var paths []string
	for _, name := range names {
		name = strings.TrimPrefix(name, "file:")
		matches, err := filepath.Glob(name)
		if err != nil || len(matches) == 0 {
			matches = []string{name}
		}
		for _, match := range matches {
			info, err := os.Stat(match)
			if err != nil {
				return nil, fmt.Errorf("source: %w", err)
			}
			if info.IsDir() {
				inside, err := inFolder(match)
				if err != nil {
					return nil, err
				}
				paths = append(paths, inside...)
			} else {
				paths = append(paths, match)
			}
		}
	}
	if len(paths) > 1 {
		paths = slices.DeleteFunc(paths, isLaterChunk)
	}
	slices.Sort(paths)
	return slices.Compact(paths), nil
}

func inFolder(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("source: %w", err)
	}
	var paths []string
	for _, e := range entries {
		if e.Type().IsRegular() && strings.HasSuffix(e.Name(), ".xtc2") && !strings.HasSuffix(e.Name(), ".smd.xtc2") {
			paths = append(paths, filepath.Join(dir, e.Name()))
		}
	}
	if len(paths) == 0 {
		return nil, fmt.Errorf("source: %w", &fs.PathError{Op: "find .xtc2 files in", Path: dir, Err: fs.ErrNotExist})
	}
	return paths, nil
}

func isLaterChunk(path string) bool {
	named, ok := xtc.ParseFileName(path)
	return ok && named.Chunk > 0
}

// Info implements Source.
func (f *Files) Info() Info { return f.info }

// Next announces the earliest datagram of all streams.
func (f *Files) Next(context.Context) (Header, error) {
	f.group = f.group[:0]
	var first *stream
	for _, s := range f.streams {
		if s.head == nil {
			if s.err != io.EOF {
				return Header{}, fmt.Errorf("source: %w", s.err)
			}
			continue
		}
		if first == nil || s.time() < first.time() {
			first = s
		}
	}
	if first == nil {
		return Header{}, io.EOF
	}
	f.header = Header{Service: first.head.Service(), Time: first.time(), Bytes: xtc.DgramHeaderBytes}
	for _, s := range f.streams {
		if s.head != nil && s.time() == f.header.Time && s.head.Service() == f.header.Service {
			f.group = append(f.group, s)
			f.header.Bytes += s.head.Size() - xtc.DgramHeaderBytes
		}
	}
	return f.header, nil
}

// Fill implements Source.
func (f *Files) Fill(loan *pebble.Loan) (int, error) {
	dst := loan.Bytes()
	loan.SetResident(0)
	if f.header.Bytes > len(dst) {
		return 0, fmt.Errorf("source: a %v of %d bytes does not fit in a slot of %d: give a larger %s", f.header.Service,
			f.header.Bytes, len(dst), slotFlag(f.header.Service))
	}
	n := 0
	for i, s := range f.group {
		var err error
		if i == 0 {
			var d xtc.Dgram
			d, err = s.read(dst)
			n = len(d)
		} else {
			n, err = f.join(dst, n, s)
		}
		if err != nil {
			return 0, fmt.Errorf("source: %w", err)
		}
		s.advance()
	}
	return n, nil
}

func slotFlag(service xtc.TransitionID) string {
	if service.IsEvent() {
		return "--buf-bytes"
	}
	return "--transition-bytes"
}

// join reads a stream's datagram behind the n bytes that are there. It is read whole, header first, so that the header
// falls on the last bytes of the one before, which are put back.
func (f *Files) join(dst []byte, n int, s *stream) (int, error) {
	at := n - xtc.DgramHeaderBytes
	copy(f.saved[:], dst[at:n])
	d, err := s.read(dst[at:])
	if err != nil {
		return 0, err
	}
	end := at + len(d)
	env, damage := d.Env(), d.Damage()
	copy(dst[at:n], f.saved[:])
	whole := xtc.Dgram(dst[:end])
	whole.SetEnv(whole.Env() | env&0xffff) // readout groups
	whole.SetDamage(whole.Damage() | damage)
	whole.SetSize(end)
	added := dst[n:end]
	if f.header.Service == xtc.Configure {
		if err := s.chooseIDs(xtc.Dgram(dst[:n]), added); err != nil {
			return 0, err
		}
	}
	if len(s.remap) > 0 {
		renumber(added, s.remap)
	}
	return end, nil
}

// Skip implements Source.
func (f *Files) Skip() error {
	for _, s := range f.group {
		if err := s.skip(); err != nil {
			return fmt.Errorf("source: %w", err)
		}
		s.advance()
	}
	return nil
}

// Close implements Source.
func (f *Files) Close() error {
	var errs []error
	for _, s := range f.streams {
		errs = append(errs, s.close())
	}
	return errors.Join(errs...)
}
