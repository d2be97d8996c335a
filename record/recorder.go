package record

import (
	"fmt"
	"os"
	"slices"

	"drp/xtc"
)

// Config says where and under which names a run is recorded.
type Config struct {
	Dir    string
	Expt   string
	Run    int // of the first run; each further one counts up
	Stream int
}

// MaxRun is the largest run number that the names of files have room for.
const MaxRun = 9999

// Recorder writes the files of one run after another. A nil Recorder records nothing and is no error.
type Recorder struct {
	cfg       Config
	w         *xtc.Writer
	begun     bool     // the present files hold something
	ended     bool     // they hold the end of a run
	configure []byte   // the latest Configure, as recorded
	former    []string // files that are closed
	bytes     int64    // of files that are closed
	edit      edit
}

// New opens the files of the first run, so that a folder that cannot be written ends the start and not the run.
func New(cfg Config) (*Recorder, error) {
	r := &Recorder{cfg: cfg}
	if err := r.open(); err != nil {
		return nil, err
	}
	return r, nil
}

func (r *Recorder) open() error {
	w, err := xtc.Create(r.cfg.Dir, xtc.FileName{Expt: r.cfg.Expt, Run: r.cfg.Run, Stream: r.cfg.Stream})
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	r.w, r.begun = w, false
	return nil
}

// Transition records a transition with what the script added to it. run is the number a BeginRun names, -1 when none.
// What follows the end of a run goes to new files; the former are complete then.
func (r *Recorder) Transition(d xtc.Dgram, added []byte, damage xtc.Damage, run int) error {
	if r == nil {
		return nil
	}
	service := d.Service()
	begins := service == xtc.BeginRun || service == xtc.Configure
	if begins && r.ended {
		if err := r.Close(); err != nil {
			return err
		}
		r.ended = false
	}
	if service == xtc.Configure {
		r.configure = slices.Concat(d, added)
		xtc.Dgram(r.configure).SetSize(len(r.configure))
		xtc.Dgram(r.configure).SetDamage(d.Damage() | damage)
	}
	if r.w == nil && (service == xtc.Configure || service == xtc.Unconfigure) {
		return nil // which run it belongs to is not known yet, or there was none
	}
	if err := r.next(run); err != nil {
		return err
	}
	r.ended = r.ended || service == xtc.EndRun
	return r.append(d, nil, added, damage)
}

// NextChunk goes on in the file that the Enable recorded last announces, as readers will.
func (r *Recorder) NextChunk(name string) error {
	if r == nil {
		return nil
	}
	if err := r.w.NextChunk(name); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// next begins the files of a further run with the Configure that holds, if none are open.
func (r *Recorder) next(run int) error {
	if r.w != nil {
		r.begun = true
		return nil
	}
	if r.cfg.Run++; run <= MaxRun {
		r.cfg.Run = max(r.cfg.Run, run)
	}
	if r.cfg.Run > MaxRun {
		return fmt.Errorf("record: run numbers end at %d: begin again with --run", MaxRun)
	}
	if err := r.open(); err != nil {
		return err
	}
	r.begun = true
	return r.append(r.configure, nil, nil, 0)
}

// Event records an event without the blocks whose NamesIds are in removed, with the blocks in added behind the others.
func (r *Recorder) Event(d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) error {
	if r == nil {
		return nil
	}
	if err := r.next(-1); err != nil {
		return err
	}
	return r.append(d, removed, added, damage)
}

func (r *Recorder) append(d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) error {
	header, parts := r.edit.apply(d, removed, added, damage)
	if err := r.w.AppendParts(header, parts...); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Flush hands everything to the operating system; the slots that were referred to are free to go.
func (r *Recorder) Flush() error {
	if r == nil || r.w == nil {
		return nil
	}
	if err := r.w.Flush(); err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Close completes the files: flushed, synced, under their final names. Files to which nothing was written are removed.
func (r *Recorder) Close() error {
	if r == nil || r.w == nil {
		return nil
	}
	if !r.begun {
		return r.discard()
	}
	return r.leave(r.w.Close())
}

// leave notes what became of files that were closed, with this error or none.
func (r *Recorder) leave(err error) error {
	r.w.Drop() // what was not flushed by now is lost
	r.bytes += r.w.Bytes()
	for _, path := range r.w.Files() {
		if _, unfinished := os.Lstat(path + inProgress); unfinished == nil {
			path += inProgress
		}
		r.former = append(r.former, path)
	}
	r.w = nil
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// inProgress is what the names of unfinished files end with.
const inProgress = ".inprogress"

// Abandon leaves the files as they are, under the names of unfinished ones.
func (r *Recorder) Abandon() error {
	if r == nil || r.w == nil {
		return nil
	}
	if !r.begun {
		return r.discard()
	}
	return r.leave(r.w.Abort())
}

// discard removes empty files, so that a run that never began leaves nothing.
func (r *Recorder) discard() error {
	err := r.w.Discard()
	r.w = nil
	if err != nil {
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// Run is the run number in the names of the present files.
func (r *Recorder) Run() int {
	if r == nil {
		return 0
	}
	return r.cfg.Run
}

// Bytes is how much was written to data files.
func (r *Recorder) Bytes() int64 {
	if r == nil {
		return 0
	}
	if r.w == nil {
		return r.bytes
	}
	return r.bytes + r.w.Bytes()
}

// Files are the files of all runs, data and small data, once they are closed.
func (r *Recorder) Files() []string {
	if r == nil {
		return nil
	}
	return r.former
}
