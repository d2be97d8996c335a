package record

import (
	"errors"
	"fmt"
	"slices"

	"drp/xtc"
)

// Recorder writes the files of one run after another. A nil Recorder records nothing and is no error.
//
// Trouble with the disk never ends the recording. It stalls: events are refused, transitions wait, and from time to time
// the recorder tries to go on.
type Recorder struct {
	cfg    Config
	w      *xtc.Writer
	begun  bool     // the present files hold something
	ended  bool     // they hold the end of a run
	former []string // files that are closed
	bytes  int64    // of files that are closed
	edit   edit
	late   error // what went wrong with files that are closed

	held      []held // transitions that are not in the files for certain; the first taken ones are with the writer
	taken     int
	settled   position   // of what is in the files
	seen      xtc.Counts // of the present writer, when settle last asked
	configure xtc.Dgram  // the latest Configure, as recorded

	appended, inFiles int64  // events, of all files, since New
	told              int64  // inFiles at the last Flush
	missed            int64  // events lost since the last Flush
	lastTime          uint64 // of what was appended

	stall
	chunks
}

// New opens the files of the first run, unless they are for later, so that a folder that cannot be written ends the start
// and not the run.
func New(cfg Config) (*Recorder, error) {
	cfg.complete()
	r := &Recorder{cfg: cfg}
	if cfg.Later {
		return r, nil
	}
	if err := r.open(cfg.Dir); err != nil {
		return nil, fmt.Errorf("record: %w", err)
	}
	return r, nil
}

func (r *Recorder) open(dir string) error {
	name := xtc.FileName{Expt: r.cfg.Expt, Run: r.cfg.Run, Stream: r.cfg.Stream}
	w, err := xtc.CreateWith(xtc.WriterOptions{Disk: r.cfg.Disk, CRC: r.cfg.CRC}, dir, name)
	if err != nil {
		return err
	}
	r.w, r.begun, r.ended, r.seen = w, false, false, xtc.Counts{}
	r.beginChunks(dir, name)
	return nil
}

// Transition records a transition with what the script added to it. run is the number a BeginRun names, -1 when none.
// What follows the end of a run goes to new files; the former are complete then. When the disk takes nothing the
// transition waits; the error is about the transition itself.
func (r *Recorder) Transition(d xtc.Dgram, added []byte, damage xtc.Damage, run int) error {
	if r == nil {
		return nil
	}
	h := newHeld(d, added, damage, run)
	if h.d.Service() == xtc.Configure {
		if err := r.declareChunkInfo(&h); err != nil {
			return fmt.Errorf("record: %w", err)
		}
	}
	if r.stalled != nil {
		_ = r.probe()
	}
	r.hold(h)
	if r.stalled != nil {
		return nil
	}
	return r.advance()
}

// advance hands the transitions that wait to the writer. Trouble with the disk stalls the recorder; the error is about
// a transition that no file takes, which is left out.
func (r *Recorder) advance() error {
	for r.taken < len(r.held) {
		err := r.put(r.held[r.taken])
		if err == nil {
			continue
		}
		var full *xtc.WriteError
		if errors.As(err, &full) {
			r.stop(err)
			return nil
		}
		r.held = slices.Delete(r.held, r.taken, r.taken+1)
		return fmt.Errorf("record: %w", err)
	}
	return nil
}

// put hands the next transition to the writer, or does what must be done before.
func (r *Recorder) put(h held) error {
	if r.next != "" {
		if err := r.goOn(); err != nil {
			return err
		}
	}
	service := h.d.Service()
	if r.ended && (service == xtc.BeginRun || service == xtc.Configure) {
		return r.endFiles()
	}
	if service == xtc.Configure {
		r.configure = h.d
	}
	if r.w == nil {
		if service == xtc.Configure || service == xtc.Unconfigure {
			r.held = slices.Delete(r.held, r.taken, r.taken+1) // which run it belongs to is not known yet, or there was none
			return nil
		}
		return r.nextRun(h.run)
	}
	r.begun = true
	if before := r.split(h); before != nil {
		r.cut = true
		r.held = slices.Insert(r.held, r.taken, before...)
		return nil
	}
	if service == xtc.Enable {
		return r.enable(h)
	}
	if err := r.append(h.d, nil, nil, 0); err != nil {
		return err
	}
	r.taken++
	if service == xtc.Configure {
		r.findChunkInfo(h.d)
	}
	r.ended = r.ended || service == xtc.EndRun
	if r.cfg.Later && r.ended && service == xtc.Unconfigure {
		return r.endFiles() // another run may be long in coming
	}
	return nil
}

// nextRun begins the files of a further run with the Configure that holds.
func (r *Recorder) nextRun(run int) error {
	before := r.cfg.Run
	if r.cfg.Run++; run <= MaxRun {
		r.cfg.Run = max(r.cfg.Run, run)
	}
	err := error(nil)
	if r.cfg.Run > MaxRun {
		err = fmt.Errorf("run numbers end at %d: begin again with --run", MaxRun)
	} else if err = r.openPart(1); err != nil {
		err = &xtc.WriteError{Op: "next run", Err: err}
	}
	if err != nil {
		r.cfg.Run = before
		return err
	}
	r.settled = position{}
	r.held = slices.Insert(r.held, r.taken, held{d: r.configure, run: -1})
	return nil
}

// Event records an event without the blocks whose NamesIds are in removed, with the blocks in added behind the others.
// While the disk takes nothing the error is a *StalledError, and an *EventError when it is about this event alone.
func (r *Recorder) Event(d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) error {
	if r == nil {
		return nil
	}
	if r.stalled != nil || r.w == nil || r.overdue || r.next != "" {
		if err := r.ready(d.Time()); err != nil {
			return err
		}
	}
	r.begun = true
	if r.cfg.ChunkBytes > 0 {
		if err := r.makeRoom(d, removed, added); err != nil {
			return err
		}
	}
	if err := r.append(d, removed, added, damage); err != nil {
		r.missed++
		if !r.stop(err) {
			return &EventError{Err: err}
		}
		r.lost++
		return r.stalled
	}
	r.appended++
	if !r.trial {
		return nil
	}
	if err := r.flush(); err != nil {
		r.stop(err)
		return r.stalled
	}
	r.resumed()
	return nil
}

// ready does what must be done before an event can be recorded.
func (r *Recorder) ready(time uint64) error {
	if r.stalled != nil {
		_ = r.probe()
	}
	if r.stalled == nil && r.w == nil {
		if err := r.nextRun(-1); err != nil && !r.stop(err) {
			return fmt.Errorf("record: %w", err)
		}
	}
	if r.stalled == nil && r.overdue {
		r.makeUp(time)
	}
	if r.stalled == nil {
		if err := r.advance(); err != nil {
			return err
		}
		if r.stalled == nil && r.next != "" {
			if err := r.goOn(); err != nil {
				r.stop(err)
			}
		}
	}
	if r.stalled == nil {
		return nil
	}
	r.missed++
	r.lost++
	return r.stalled
}

func (r *Recorder) append(d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) error {
	header, parts := r.edit.apply(d, removed, added, damage)
	err := r.w.AppendParts(header, parts...)
	if err == nil {
		r.lastTime = d.Time()
	}
	return err
}

// Flush hands everything to the operating system; the slots that were referred to are free to go. written is the number
// of events since the last Flush that are wholly in the files now, always the first of those that Event took; the error
// says why the others are not. For the sake of "the first", a stall does not end before Flush has told of it.
func (r *Recorder) Flush() (written int, err error) {
	if r == nil {
		return 0, nil
	}
	var cause error
	if r.stalled == nil {
		if err := r.flush(); err != nil {
			r.stop(err)
		} else {
			r.look()
			r.overdue = r.due(10)
			if r.trial && r.inFiles > r.told {
				r.resumed()
			}
		}
	}
	if r.stalled != nil {
		cause = r.stalled
	} else if r.missed > 0 {
		cause = r.cause
	}
	written = int(r.inFiles - r.told)
	r.told, r.missed, r.untold = r.inFiles, 0, false
	return written, cause
}

// Close completes the files: flushed, synced, under their final names. Files to which nothing was written are removed.
// After trouble it tries once more; what the disk does not take then is lost, and the files stay unfinished.
func (r *Recorder) Close() error {
	if r == nil {
		return nil
	}
	if r.stalled != nil {
		r.tried, r.untold = r.tried.Add(-r.cfg.Retry), false
		_ = r.probe()
	}
	if r.stalled == nil {
		if err := r.flush(); err != nil {
			r.stop(err)
		}
	}
	if r.stalled != nil {
		err := fmt.Errorf("%w (%d transitions and %d events were not recorded)", r.stalled, len(r.held), r.lost)
		r.stalled, r.held, r.taken = nil, nil, 0
		return errors.Join(err, r.Abandon())
	}
	if r.w != nil && !r.begun {
		return errors.Join(r.discard(), r.takeLate())
	}
	if r.w != nil {
		if r.trial {
			r.resumed()
		}
		r.complete()
	}
	return r.takeLate()
}

func (r *Recorder) takeLate() error {
	err := r.late
	r.late = nil
	return err
}

// Abandon leaves the files as they are, under the names of unfinished ones.
func (r *Recorder) Abandon() error {
	if r == nil || r.w == nil {
		return nil
	}
	if !r.begun {
		return r.discard()
	}
	r.leave(r.w.Abort())
	return r.takeLate()
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
