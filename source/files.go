package source

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"drp/pebble"
	"drp/xtc"
)

// Files replays one or several streams of a run. Datagrams of equal time and kind become one, with the blocks of all
// streams side by side in the order of the names of the files; NamesIds that two streams use for different Names are
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
	paths, left, err := firstChunks(names)
	if err != nil {
		return nil, err
	}
	f := &Files{info: Info{Name: strings.Join(names, " "), Run: -1}}
	for _, path := range paths {
		s, err := surveyStream(path)
		if err != nil {
			return nil, err
		}
		if err := f.addStream(path, s); err != nil {
			return nil, err
		}
	}
	f.warnOfChunks(left)
	if o.Loop {
		if err := loopStreams(f.streams); err != nil {
			return nil, err
		}
		f.info.Events = -1
	}
	for _, s := range f.streams {
		s.advance()
	}
	return f, nil
}

// addStream adds what a survey found to what is known of the run.
func (f *Files) addStream(path string, s *survey) error {
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
	if len(f.streams) > 0 && !s.configuredWith(f.streams[0].survey) {
		return fmt.Errorf("source: %s is configured at other times than %s: they cannot be replayed as one run", path,
			f.streams[0].survey.files[0])
	}
	f.info.Events = max(f.info.Events, s.events)
	f.info.MaxEventBytes += s.maxEvent
	f.info.MaxTransitionBytes += s.maxOther
	f.info.Warnings = append(f.info.Warnings, s.warnings...)
	f.streams = append(f.streams, &stream{survey: s})
	return nil
}

// warnOfChunks tells of files that were left out because they are later chunks, and that no first chunk led to.
func (f *Files) warnOfChunks(left []string) {
	for _, path := range left {
		if !slices.ContainsFunc(f.streams, func(s *stream) bool { return slices.Contains(s.survey.files, path) }) {
			f.info.Warnings = append(f.info.Warnings, path+" is a later chunk that no first chunk leads to: it is left out")
		}
	}
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
	f.header = Header{Service: first.head.Service(), Time: first.time(), Bytes: 0}
	for _, s := range f.streams {
		if s.head != nil && s.time() == f.header.Time && s.head.Service() == f.header.Service {
			f.group = append(f.group, s)
		}
	}
	f.soundFirst()
	for i, s := range f.group {
		f.header.Bytes += s.head.Size()
		if i > 0 {
			f.header.Bytes -= s.overlap()
		}
	}
	return f.header, nil
}

// soundFirst sees to it that the datagram that gives its header to all is not a corrupted one, if there is a choice:
// it would hide the others.
func (f *Files) soundFirst() {
	sound := slices.IndexFunc(f.group, func(s *stream) bool { return !s.head.Damage().Has(xtc.DamageCorrupted) })
	if sound > 0 {
		f.group[0], f.group[sound] = f.group[sound], f.group[0]
	}
}

// Fill implements Source.
func (f *Files) Fill(loan *pebble.Loan) (int, error) {
	dst := loan.Bytes()
	loan.SetResident(0)
	if f.header.Bytes > len(dst) {
		return 0, fmt.Errorf("source: the %v of %d bytes does not fit in a slot of %d: give a larger %s", f.header.Service,
			f.header.Bytes, len(dst), slotFlag(f.header.Service))
	}
	n := 0
	for i, s := range f.group {
		var err error
		if i == 0 {
			n, err = f.lead(dst, s)
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

// lead reads the first stream's datagram, which gives its header to the whole.
func (f *Files) lead(dst []byte, s *stream) (int, error) {
	d, err := s.read(dst)
	if err != nil {
		return 0, err
	}
	if f.header.Service == xtc.Configure {
		s.remap = nil
	}
	if len(s.remap) > 0 && !d.Damage().Has(xtc.DamageCorrupted) {
		renumber(d.Payload(), s.remap)
	}
	return len(d), nil
}

// join reads a stream's datagram behind the n bytes that are there. It is read whole, header first, so that what is not
// wanted of the header falls on the last bytes of the one before, which are put back.
func (f *Files) join(dst []byte, n int, s *stream) (int, error) {
	overlap := s.overlap()
	at := n - overlap
	copy(f.saved[:], dst[at:n])
	d, err := s.read(dst[at:])
	if err != nil {
		return 0, err
	}
	end := at + len(d)
	env, damage := d.Env(), d.Damage()
	if overlap < xtc.DgramHeaderBytes {
		damage &^= xtc.DamageCorrupted // it is that of the Parent
	}
	copy(dst[at:n], f.saved[:])
	added := dst[n:end]
	if f.header.Service == xtc.Configure {
		if err := s.chooseIDs(xtc.Dgram(dst[:n]), added); err != nil {
			return 0, err
		}
	}
	whole := xtc.Dgram(dst[:end])
	whole.SetEnv(whole.Env() | env&0xffff) // readout groups
	whole.SetDamage(whole.Damage() | damage)
	whole.SetSize(end)
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
