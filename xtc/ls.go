package xtc

import (
	"fmt"
	"time"
)

// A Listing is what a file holds, in short: for people and, as JSON, for programs.
type Listing struct {
	Path       string          `json:"path"`
	Bytes      int64           `json:"bytes"`
	Datagrams  int             `json:"datagrams"`
	Count      map[string]int  `json:"count"` // datagrams per transition that occurs
	Damaged    int             `json:"damaged"`
	FirstTime  Timestamp       `json:"first_time"`
	LastTime   Timestamp       `json:"last_time"`
	Experiment string          `json:"experiment,omitempty"` // from runinfo, as is Run
	Run        int             `json:"run,omitempty"`
	NextChunk  string          `json:"next_chunk,omitempty"` // from chunkinfo
	Detectors  []Detector      `json:"detectors"`
	Truncated  *TruncatedError `json:"truncated,omitempty"`
	Note       string          `json:"note,omitempty"` // what could not be found out, and why

	seen listed
}

// A Detector is what several Names say alike: they differ in nothing but segment and id.
type Detector struct {
	Name     string    `json:"name"`
	Type     string    `json:"type"`
	IDs      []string  `json:"ids"` // of each segment, in order
	Alg      string    `json:"alg"`
	Version  Version   `json:"version"`
	Segments []uint32  `json:"segments"`
	NamesIDs []NamesID `json:"names_ids"`
	Fields   []Name    `json:"fields"`
}

// A Timestamp is that of a datagram, and what it means if it is plausible as one of the DAQ.
type Timestamp struct {
	Raw uint64 `json:"raw"`
	UTC string `json:"utc,omitempty"`
}

// Epoch is 1990-01-01, from where the DAQ counts seconds, in those of Unix.
const Epoch = 631152000

// WallTime is the time of day that a raw value stands for.
func WallTime(raw uint64) time.Time { return time.Unix(int64(raw>>32)+Epoch, int64(raw&0xffffffff)) }

// TimestampOf reads the raw value as seconds<<32 | nanoseconds since 1990, which is right for files of the running DAQ
// and for no others: outside the years 2015 to 2060, or with impossible nanoseconds, UTC stays empty.
func TimestampOf(raw uint64) Timestamp {
	t := WallTime(raw).UTC()
	if raw&0xffffffff >= uint64(time.Second) || t.Year() < 2015 || t.Year() > 2060 {
		return Timestamp{Raw: raw}
	}
	return Timestamp{Raw: raw, UTC: t.Format("2006-01-02T15:04:05.000000000Z")}
}

func (t Timestamp) String() string {
	if t.UTC != "" {
		return t.UTC
	}
	return fmt.Sprintf("%d.%09d", t.Raw>>32, t.Raw&0xffffffff)
}

// Ls lists a file. Of the events it reads only headers. A header that makes no sense ends the listing: it comes back
// as far as it got, with a *FormatError.
func Ls(path string) (Listing, error) {
	l := Listing{Path: path, Detectors: []Detector{}, seen: listed{}}
	r, t, err := OpenWithNames(path, "")
	if err == nil {
		r.Close()
		l.Detectors = l.seen.merge(l.Detectors, detectors(t))
	} else {
		l.Note = err.Error()
		t = NewTable()
	}
	s, err := scan(path, func(h *headerScanner, d Dgram) error { return l.visit(h, d, t) })
	l.Bytes, l.Datagrams, l.Damaged, l.Truncated = s.Bytes, s.Datagrams, s.Damaged, s.Truncated
	l.Count = countByName(s.Count)
	l.FirstTime, l.LastTime = TimestampOf(s.FirstTime), TimestampOf(s.LastTime)
	return l, err
}

func countByName(count [NumTransitions]int) map[string]int {
	m := make(map[string]int)
	for id, n := range count {
		if n > 0 {
			m[TransitionID(id).String()] = n
		}
	}
	return m
}

// visit looks for what only the payload of a transition tells. What is wrong there becomes a note.
func (l *Listing) visit(h *headerScanner, d Dgram, t *Table) error {
	if s := d.Service(); d.Size() == DgramHeaderBytes || s != Configure && s != BeginRun && s != Enable {
		return nil
	}
	whole, err := h.whole(d)
	if err != nil {
		return err
	}
	if err := l.transition(whole, t); err != nil && l.Note == "" {
		l.Note = Locate(err, l.Path, 0, h.offset).Error()
	}
	return nil
}

func (l *Listing) transition(d Dgram, t *Table) error {
	switch d.Service() {
	case Configure:
		if err := t.Configure(d); err != nil {
			return err
		}
		l.Detectors = l.seen.merge(l.Detectors, detectors(t))
	case BeginRun:
		if expt, run, ok := RunInfo(t, d); ok && l.Experiment == "" {
			l.Experiment, l.Run = expt, run
		}
	case Enable:
		if next, _, ok := ChunkInfo(t, d); ok {
			l.NextChunk = next
		}
	}
	return nil
}

// A listed tells which detectors a listing has already, by what makes them different.
type listed map[string]bool

// merge adds what a further Configure brought.
func (seen listed) merge(all, more []Detector) []Detector {
	for i := range more {
		key := more[i].key()
		for _, id := range more[i].NamesIDs {
			key = fmt.Appendf(key, " %v", id)
		}
		if !seen[string(key)] {
			seen[string(key)] = true
			all = append(all, more[i])
		}
	}
	return all
}

// detectors puts the Names together that differ in the segment only, in file order.
func detectors(t *Table) []Detector {
	all := []Detector{}
	at := map[string]int{}
	for _, n := range t.All() {
		d := Detector{Name: n.DetName, Type: n.DetType, Alg: n.Alg, Version: n.Version, Fields: n.Entries}
		key := string(d.key())
		i, known := at[key]
		if !known {
			i = len(all)
			at[key] = i
			all = append(all, d)
		}
		all[i].IDs = append(all[i].IDs, n.DetID)
		all[i].Segments = append(all[i].Segments, n.Segment)
		all[i].NamesIDs = append(all[i].NamesIDs, n.ID)
	}
	return all
}

// key is equal for Names that describe the same detector: a file may have ten thousands of them.
func (d *Detector) key() []byte {
	key := fmt.Appendf(nil, "%q %q %q %v", d.Name, d.Type, d.Alg, d.Version)
	for i := range d.Fields {
		f := &d.Fields[i]
		key = fmt.Appendf(key, " %q %d %d %q %v", f.Name, f.Type, f.Rank, f.Alg, f.Version)
	}
	return key
}
