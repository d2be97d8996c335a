package record

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"syscall"
	"time"

	"drp/xtc"
)

// A stall is the state of a recorder whose disk takes nothing.
//
//	recording --a write fails--> stalled --a probe works--> on trial --an event is in the file--> recording
//
// A probe writes the transitions that wait. Only an event that is in the file ends the trial, so that a disk with room
// for a transition and for nothing else is reported once and not every second.
type stall struct {
	stalled  *StalledError // nil: the disk takes what comes
	cause    error         // of the last stall
	trial    bool
	untold   bool      // Flush has not told of it yet, see there
	spoilt   bool      // the files cannot be written on
	beside   bool      // others must be opened for the same run
	reported bool      // Stopped was told, and Resumed was not
	lost     int64     // events since then
	tried    time.Time // the last probe
	looked   time.Time // when the names of the files were last looked at
}

// Stalled tells why nothing is recorded at present: a *StalledError, or nil.
func (r *Recorder) Stalled() error {
	if r == nil || r.stalled == nil {
		return nil
	}
	return r.stalled
}

// stop stalls the recorder if the error is about the disk. Events that were not written yet are lost, transitions wait.
func (r *Recorder) stop(err error) bool {
	var full *xtc.WriteError
	if !errors.As(err, &full) {
		return false
	}
	if r.w != nil {
		r.settle()
		r.w.Drop()
	}
	r.lost += r.appended - r.inFiles
	r.missed += r.appended - r.inFiles
	if r.taken > 0 {
		r.next = "" // the Enable that names it is not in the file
	}
	r.appended, r.taken, r.lastTime, r.trial = r.inFiles, 0, r.seen.Last, false
	r.spoilt = r.spoilt || full.Unknown
	r.afterFull = r.inFiles > r.before
	r.tried = r.cfg.Now()
	r.stalled = &StalledError{Since: r.tried, Cause: err}
	r.cause, r.untold = err, true
	if r.reported {
		return true
	}
	r.reported = true
	r.cfg.News(News{Kind: Stopped, File: r.file(), Err: err})
	return true
}

// probe tries to go on, if it is time. It gives the reason if the recorder stays stalled.
func (r *Recorder) probe() error {
	now := r.cfg.Now()
	if r.untold || now.Sub(r.tried) < r.cfg.Retry {
		return r.stalled
	}
	old := r.stalled
	r.stalled, r.tried, r.trial = nil, now, true
	err := r.repair()
	if err == nil {
		err = r.advance() // a transition that no file takes is left out
	}
	if r.stalled == nil && (err == nil || !r.stop(err)) {
		if err = r.flush(); err != nil {
			r.stop(err)
		}
	}
	if r.stalled == nil {
		r.overdue = r.due(0)
		return nil
	}
	r.stalled.Since = old.Since
	return r.stalled
}

// repair leaves files that nobody can write on, and begins others with the transitions that hold.
func (r *Recorder) repair() error {
	if r.spoilt && r.w != nil {
		r.held = append(r.settled.again(r.chunkInfo), r.held...)
		r.beside = !r.settled.over // or else what comes belongs to other files anyway
		if r.begun {
			r.leave(errors.Join(r.cause, r.w.Abort()))
		} else {
			_ = r.discard()
		}
		r.settled, r.next = position{}, ""
	}
	r.spoilt = false
	if r.beside {
		if err := r.openPart(2); err != nil {
			return &xtc.WriteError{Op: "begin other files", Err: err}
		}
		r.beside = false
	}
	return nil
}

// openPart opens files for the present run. Where a name is taken, as by files that cannot be written on, they go to the
// folder part2, or the next that will do: a stream of another number in the same folder would be one of the same run to
// psana, which matches all of them by time and stops where the shortest does.
func (r *Recorder) openPart(part int) error {
	const tries = 9
	var err error
	for end := part + tries; part < end; part++ {
		dir := r.cfg.Dir
		if part > 1 {
			dir = filepath.Join(dir, fmt.Sprintf("part%d", part))
		}
		if err = r.open(dir); !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return err
}

// look finds out now and then whether somebody has removed a file that is written to.
func (r *Recorder) look() {
	now := r.cfg.Now()
	if r.w == nil || now.Sub(r.looked) < r.cfg.Retry {
		return
	}
	r.looked = now
	if r.w.Removed() {
		r.stop(&xtc.WriteError{Op: "write", Err: fmt.Errorf("%s was removed: %w", r.file(), syscall.ENOENT), Unknown: true})
	}
}

// resumed ends a trial.
func (r *Recorder) resumed() {
	r.trial = false
	if r.reported {
		r.cfg.News(News{Kind: Resumed, File: r.file(), Lost: r.lost})
	}
	r.reported, r.lost = false, 0
}

// file is the name of the big file, for messages.
func (r *Recorder) file() string {
	if r.w == nil {
		return ""
	}
	files := r.w.Files()
	return files[len(files)-2]
}
