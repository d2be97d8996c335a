package page

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"syscall"
	"time"

	"drp/internal/settings"
	"drp/watch"
)

// RecordOptions say what is written, and where.
type RecordOptions struct {
	Dir     string
	Stream  int
	Status  func() watch.Status
	Journal *Journal // whose lines are written, too
	Log     *slog.Logger
	// Changes gives those of the settings, from the one after a generation on; nil where there are none.
	Changes func(after int64) []settings.Change
	// Declared gives them as they are; nil where there are none.
	Declared func() settings.Listing
}

// Record writes, beside the files of a run, its status each second, warnings and errors of its log, and changes of its
// settings. A run does not wait for it, and goes on without it where it cannot be written.
type Record struct {
	o       RecordOptions
	stop    chan struct{}
	running sync.WaitGroup
	notes   chan recorded // lines that are to be written

	file   *os.File // nil before a run has begun, and when it cannot be written
	key    recordKey
	failed bool
	lines  int
	last   watch.Status
	set    int64  // generation of the settings that the file knows
	params []byte // which there are, as the file knows
}

// recordKey is what a file is of.
type recordKey struct {
	expt string
	run  int
}

// recorded is a line of the file: one of what it can hold.
type recorded struct {
	Time time.Time `json:"time"`
	// Base is how many events were recorded before the run, in the first line of a file.
	Base     *int64           `json:"base,omitempty"`
	Status   *watch.Status    `json:"status,omitempty"`
	Log      *line            `json:"log,omitempty"`
	Settings *settings.Change `json:"settings,omitempty"`
	// Declared is what can be set from here on, with the values that it has.
	Declared []settings.Setting `json:"declared,omitempty"`
}

// mostRecorded is a day of lines, and some more for what happens.
const mostRecorded = 24*3600 + 10_000

// StatusName is the file's name.
func StatusName(expt string, run, stream int) string {
	return fmt.Sprintf("%s-r%04d-s%03d-status.jsonl", expt, run, stream)
}

// NewRecord begins to write, as soon as a run has begun. Close ends it.
func NewRecord(o RecordOptions) *Record {
	const waiting = 256
	r := &Record{o: o, stop: make(chan struct{}), notes: make(chan recorded, waiting)}
	o.Journal.tell(func(l line) { r.note(recorded{Time: l.Time, Log: &l}) })
	r.running.Go(r.run)
	return r
}

// note hands a line over. When too many wait, it is left out.
func (r *Record) note(what recorded) {
	select {
	case r.notes <- what:
	default:
	}
}

// Close writes the last status.
func (r *Record) Close() {
	if r == nil {
		return
	}
	r.o.Journal.tell(nil)
	close(r.stop)
	r.running.Wait()
}

func (r *Record) run() {
	tick := time.NewTicker(seldom)
	defer tick.Stop()
	var early []recorded // before a run has begun
	for {
		select {
		case <-tick.C:
			r.status()
		case n := <-r.notes:
			if r.file == nil {
				early = append(early[max(0, len(early)-mostLines):], n)
			} else {
				r.write(&n)
			}
		case <-r.stop:
			for len(r.notes) > 0 {
				early = append(early, <-r.notes)
			}
			r.status()
			r.flush(early)
			r.end()
			return
		}
		if r.file != nil {
			r.flush(early)
			early = nil
		}
	}
}

func (r *Record) flush(early []recorded) {
	for i := range early {
		r.write(&early[i])
	}
}

// status writes the present one, unless nothing happens; then one in ten is enough.
func (r *Record) status() {
	s := r.o.Status()
	begun := s.State == "running" || s.State == "stepping" || s.State == "enabled" || s.Events.Received > 0
	if !begun || s.Experiment == "" || s.Run == 0 { // a run that never begins leaves nothing
		return
	}
	key := recordKey{s.Experiment, s.Run}
	before, base := r.last.Events.Recorded, (*int64)(nil)
	if key != r.key {
		r.end()
		r.begin(key)
		base = &before
	} else if r.changes(); s.Events == r.last.Events && s.State == r.last.State && s.Time.Sub(r.last.Time) < 10*seldom {
		return
	}
	r.last = s
	r.write(&recorded{Time: s.Time, Base: base, Status: without(s)})
	if base != nil { // which is in the first line
		r.changes()
	}
}

// changes writes what was set since the status before, and in a new file all that had been.
func (r *Record) changes() {
	r.declared()
	if r.o.Changes == nil {
		return
	}
	for _, c := range r.o.Changes(r.set) {
		r.set = c.Generation
		r.write(&recorded{Time: c.Time, Settings: &c})
	}
}

// declared writes what can be set, where that is not what the file has.
func (r *Record) declared() {
	if r.o.Declared == nil {
		return
	}
	all := r.o.Declared()
	params := make([]settings.Parameter, len(all.Settings))
	for i := range all.Settings {
		params[i] = all.Settings[i].Parameter
	}
	text, err := json.Marshal(params)
	if err != nil || len(params) == 0 || bytes.Equal(text, r.params) {
		return
	}
	r.params = text
	r.write(&recorded{Time: time.Now(), Declared: all.Settings})
}

// without is a status without what it would be too long with: the buckets of its histograms, of which the quantiles stay.
func without(s watch.Status) *watch.Status {
	s.Bounds = []float64{}
	s.Stages = append([]watch.Stage{}, s.Stages...)
	for i := range s.Stages {
		s.Stages[i].Latency.Counts = []uint64{}
	}
	for _, all := range []*[]watch.Worker{&s.Workers, &s.Post} {
		*all = append((*all)[:0:0], *all...)
		for i := range *all {
			(*all)[i].Script.Counts = []uint64{}
		}
	}
	if s.Trigger != nil {
		t := *s.Trigger
		t.Latency.Counts = []uint64{}
		s.Trigger = &t
	}
	return &s
}

// begin makes the file of a run.
func (r *Record) begin(key recordKey) {
	r.key, r.lines, r.set, r.params = key, 0, 0, nil
	if r.failed {
		return
	}
	path := filepath.Join(r.o.Dir, StatusName(key.expt, key.run, r.o.Stream))
	file, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND|os.O_CREATE|syscall.O_NOFOLLOW, 0o640)
	if err != nil {
		r.fail(err)
		return
	}
	r.file = file
}

func (r *Record) end() {
	if r.file == nil {
		return
	}
	if err := r.file.Close(); err != nil {
		r.fail(err)
	}
	r.file = nil
}

// write writes a line at once, so that no reader sees half of one.
func (r *Record) write(what *recorded) {
	if r.file == nil || r.lines >= mostRecorded {
		return
	}
	text, err := json.Marshal(what)
	if err == nil {
		_, err = r.file.Write(append(text, '\n'))
	}
	if r.lines++; err != nil {
		r.fail(err)
	}
}

// fail goes on without the file.
func (r *Record) fail(err error) {
	if path := (*os.PathError)(nil); errors.As(err, &path) {
		err = path.Err
	}
	if !r.failed {
		r.o.Log.Warn(fmt.Sprintf("the status of the run is not recorded any more in %s: %v; whether the data are is told apart", r.o.Dir, err))
	}
	r.failed = true
	if r.file != nil {
		_ = r.file.Close()
		r.file = nil
	}
}
