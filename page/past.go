package page

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sort"
	"time"

	"drp/internal/settings"
	"drp/watch"
	"drp/xtc"
)

// past is the status that was recorded of a run, read where it is needed. Without a record it is empty. It is used under
// the mutex of its player, but for reach, which its goroutine alone calls.
type past struct {
	file    *os.File
	lines   []pastLine
	said    int // lines before this one were told of
	journal *Journal

	cached int // line of status
	status *watch.Status

	listed  int // lines that listing knows
	listing settings.Listing
}

// pastLine is where a line is, and how many events of the run had been recorded by then.
type pastLine struct {
	at       int64
	bytes    int
	events   int64
	time     int64 // of a status, nanoseconds since 1970
	isStatus bool
	settings bool // it tells of them
}

// mostPastBytes is how long a line may be.
const mostPastBytes = 4 << 20

// openPast looks for the record of the first of some files. What cannot be read is as if it were not there, with a word in
// the journal.
func openPast(files []string, journal *Journal) *past {
	p := &past{journal: journal, cached: -1, listed: -1}
	for _, path := range files {
		name, ok := xtc.ParseFileName(path)
		if !ok {
			continue
		}
		file, err := os.Open(filepath.Join(filepath.Dir(path), StatusName(name.Expt, name.Run, name.Stream)))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			if info, wrong := file.Stat(); wrong != nil || !info.Mode().IsRegular() {
				err = errors.Join(wrong, file.Close(), errors.New("it is no file"))
			}
		}
		if err == nil {
			p.file = file
			err = p.index()
		}
		if err != nil {
			journal.note("warn", fmt.Sprintf("what was recorded of the run's status cannot be read: %v", err))
		}
		return p
	}
	return p
}

// index reads all lines once. Those that make no sense are left out.
func (p *past) index() error {
	r := bufio.NewReaderSize(p.file, 1<<20)
	at, base, events := int64(0), int64(0), int64(0)
	for len(p.lines) < mostRecorded {
		text, err := readLine(r)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		var l struct {
			Base   *int64    `json:"base"`
			Time   time.Time `json:"time"`
			Status *struct {
				Events struct {
					Recorded int64 `json:"recorded"`
				} `json:"events"`
			} `json:"status"`
			Settings *struct{} `json:"settings"`
			Declared *[]any    `json:"declared"`
		}
		if json.Unmarshal(text, &l) == nil {
			if l.Base != nil {
				base = *l.Base
			}
			if l.Status != nil {
				events = max(events, l.Status.Events.Recorded-base)
			}
			p.lines = append(p.lines, pastLine{at, len(text), events, l.Time.UnixNano(), l.Status != nil, l.Settings != nil || l.Declared != nil})
		}
		at += int64(len(text))
	}
	return nil
}

// readLine reads one, with its end.
func readLine(r *bufio.Reader) (text []byte, err error) {
	for {
		part, err := r.ReadSlice('\n')
		text = append(text, part...)
		switch {
		case len(text) > mostPastBytes:
			return nil, fmt.Errorf("a line has more than %d bytes", mostPastBytes)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case errors.Is(err, io.EOF) && len(text) > 0: // the last line has no end: it is being written
			return nil, io.EOF
		}
		return text, err
	}
}

// find is the line of the status when an event was recorded, or soon after; -1 without one.
func (p *past) find(number int64) int {
	i := sort.Search(len(p.lines), func(i int) bool { return p.lines[i].events > number })
	for ; i < len(p.lines); i++ {
		if p.lines[i].isStatus {
			return i
		}
	}
	for i = len(p.lines) - 1; i >= 0; i-- {
		if p.lines[i].isStatus {
			return i
		}
	}
	return -1
}

// at is the status of that time, nil without one.
func (p *past) at(number int64) *watch.Status {
	i := p.find(number)
	if i < 0 {
		return nil
	}
	if i != p.cached {
		var l recorded
		if p.read(i, &l) != nil || l.Status == nil {
			return nil
		}
		p.cached, p.status = i, l.Status
	}
	return p.status
}

func (p *past) read(i int, to *recorded) error {
	text := make([]byte, p.lines[i].bytes)
	if _, err := p.file.ReadAt(text, p.lines[i].at); err != nil {
		return err
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber() // for values of settings, of which float64 has not all digits
	return d.Decode(to)
}

// explain says which events the numbers of a replay count, where the run counted others.
func (p *past) explain() {
	for i := len(p.lines) - 1; i >= 0; i-- {
		var l recorded
		if !p.lines[i].isStatus || p.read(i, &l) != nil || l.Status == nil {
			continue
		}
		if e := &l.Status.Events; e.Received > e.Recorded {
			p.journal.note("info", fmt.Sprintf("events are counted here as they lie in the files, from 0 on; the run and its log counted all %d "+
				"that came, of which %d were recorded: find them by pulse or time", e.Received, e.Recorded))
		}
		return
	}
}

// source is where the run had its data from, empty where that was not recorded.
func (p *past) source() string {
	if s := p.at(-1); s != nil {
		return s.Source
	}
	return ""
}

// when is the time when an event was recorded, in nanoseconds since 1970: as if events had come evenly from one status to
// the next. It is 0 where that is not known.
func (p *past) when(number int64) uint64 {
	i := sort.Search(len(p.lines), func(i int) bool { return p.lines[i].events > number })
	for i < len(p.lines) && !p.lines[i].isStatus {
		i++
	}
	if i == len(p.lines) {
		return 0
	}
	to := &p.lines[i]
	from := &pastLine{time: to.time - int64(seldom)}
	for i--; i >= 0; i-- {
		if p.lines[i].isStatus && p.lines[i].events <= number {
			from = &p.lines[i]
			break
		}
	}
	if to.time < from.time {
		return 0
	}
	part := float64(number-from.events) / float64(to.events-from.events)
	return uint64(from.time) + uint64(part*float64(to.time-from.time))
}

// reach tells of what was logged, and which settings were changed, up to an event, and no more of what was after it.
func (p *past) reach(number int64) {
	if p.said > 0 && p.lines[p.said-1].events > number+1 {
		p.said = 0
		p.journal.rewind()
	}
	for ; p.said < len(p.lines) && p.lines[p.said].events <= number+1; p.said++ {
		var l recorded
		if p.lines[p.said].isStatus || p.read(p.said, &l) != nil {
			continue
		}
		switch {
		case l.Log != nil:
			l.Log.past = true
			p.journal.add(*l.Log)
		case l.Settings != nil:
			p.journal.add(line{l.Time, "info", "settings: " + l.Settings.String(), true})
		}
	}
}

func (p *past) close() error {
	if p.file == nil {
		return nil
	}
	return p.file.Close()
}
