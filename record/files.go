package record

import (
	"errors"
	"fmt"

	"drp/xtc"
)

// endFiles completes the files of a run that has ended. Whatever their end is, the recording goes on.
func (r *Recorder) endFiles() error {
	if err := r.flush(); err != nil {
		return err
	}
	r.complete()
	return nil
}

// complete gives the files their final names, or removes them when the disk took nothing of them.
func (r *Recorder) complete() {
	if r.w.Written() == (xtc.Counts{}) {
		r.late = errors.Join(r.late, r.discard())
		r.ended = false
		return
	}
	r.leave(r.w.Close())
}

// leave notes what became of files that were closed, with this error or none.
func (r *Recorder) leave(err error) {
	r.settle()
	r.w.Drop() // what was not flushed by now is lost
	r.bytes += r.w.Bytes()
	for _, path := range r.w.Files() {
		if r.cfg.Disk.Exists(path + inProgress) {
			path += inProgress
		}
		r.former = append(r.former, path)
	}
	if err != nil {
		r.late = errors.Join(r.late, fmt.Errorf("record: %w", err))
		r.cfg.News(News{Kind: Incomplete, File: r.file(), Err: err})
	}
	r.w, r.ended = nil, false
}

// inProgress is what the names of unfinished files end with.
const inProgress = ".inprogress"

// discard removes empty files, so that a run that never began leaves nothing.
func (r *Recorder) discard() error {
	err := r.w.Discard()
	r.w = nil
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}
