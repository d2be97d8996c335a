package drp

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"

	"drp/control"
	"drp/record"
	"drp/xtc"
)

// troubles is what an operator should know of a run that goes on, for run control.
type troubles struct {
	begun  atomic.Pointer[Summary] // the books as the run began
	lately lately

	mu    sync.Mutex // protects all below
	lasts map[string]string
}

// The kinds of trouble, as run control tells them apart.
const (
	troubleRecording = "recording"
	troubleLoss      = "loss"
	troubleScript    = "script"
	troublePost      = "post"
	troubleTrigger   = "trigger"
	troubleDecision  = "decision"
	troubleText      = "trigger-script"
	troubleSettings  = "settings"
)

// set notes trouble that lasts until it is taken back with an empty text.
func (t *troubles) set(kind, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.lasts == nil {
		t.lasts = map[string]string{}
	}
	if t.lasts[kind] = text; text == "" {
		delete(t.lasts, kind)
	}
}

// recorded takes news of the recorder.
func (t *troubles) recorded(n record.News) {
	switch n.Kind {
	case record.Stopped:
		t.set(troubleRecording, fmt.Sprintf("recording has stopped: %v", n.Err))
	case record.Resumed:
		t.set(troubleRecording, "")
	}
}

// beginTroubles is for a run that begins: what was before is not its trouble.
func (r *Run) beginTroubles() {
	s := r.books.Snapshot()
	r.troubles.begun.Store(&s)
	r.troubles.lately.begin()
}

// fate is what there is to tell run control of events that were lost, or of which the script, the second one or the trigger made
// nothing.
func (r *Run) fate(to *control.Report) {
	now, begun := r.books.Snapshot(), &Summary{}
	if s := r.troubles.begun.Load(); s != nil {
		begun = s
	}
	tell := func(kind, format string, count, of int64) {
		if count > 0 {
			to.Troubles[kind] = fmt.Sprintf(format, count, of)
		}
	}
	received := now.Received - begun.Received
	to.Lost, to.Troubles = now.unrecorded(), map[string]string{}
	tell(troubleLoss, "%d of %d events of this run could not be recorded", now.unrecorded()-begun.unrecorded(), received)
	tell(troubleTrigger, "the trigger failed on %d of %d events of this run, which get the default", now.Undecided-begun.Undecided, received)
	tell(troubleDecision, "%d of %d events of this run were not decided in time, and get the default", now.Defaulted-begun.Defaulted, received)
	tell(troublePost, "the second script failed on %d of %d events of this run", now.PostFailed-begun.PostFailed, received)
	if failed, of := r.troubles.lately.count(); failed > 0 {
		to.Troubles[troubleScript] = fmt.Sprintf("the script failed on %d of the last %d events: %s", failed, of, r.complaints.latest())
	}
	r.troubles.mu.Lock()
	defer r.troubles.mu.Unlock()
	for kind, text := range r.troubles.lasts {
		to.Troubles[kind] = text
	}
}

// unrecorded is Lost without what was dropped by policy.
func (s *Summary) unrecorded() int64 { return s.Failed + s.Quarantined - s.QuarantineFiles }

// lately counts on how many of the last events the script failed: of as many as fit in two parts. Both parts are one word, so
// that who reads it needs no lock; the collector writes it.
type lately struct{ word atomic.Uint64 }

// latelyEvents is the size of a part.
const latelyEvents = 500

func (l *lately) begin() { l.word.Store(0) }

// note counts an event: 16 bits each for the events of this part, those that failed, and the same of the part before.
func (l *lately) note() {
	w := l.word.Load()
	if w&0xffff == latelyEvents {
		w <<= 32
	}
	l.word.Store(w + 1)
}

// failed says that the script failed on the event that was counted last.
func (l *lately) failed() { l.word.Store(l.word.Load() + 1<<16) }

func (l *lately) count() (failed, of int64) {
	w := l.word.Load()
	return int64(w>>16&0xffff + w>>48), int64(w&0xffff + w>>32&0xffff)
}

// unable tells why what an order begins cannot be recorded, nil if it can. Who waits for the order is to know, before there are
// events.
func (c *collector) unable(service xtc.TransitionID) error {
	if service != xtc.BeginRun && service != xtc.BeginStep && service != xtc.Enable {
		return nil
	}
	stalled := (*record.StalledError)(nil)
	if !errors.As(c.recorder.Stalled(), &stalled) {
		return nil
	}
	return &control.UndoneError{Err: fmt.Errorf("%v cannot be recorded, which is tried again each second: %w", service, stalled.Cause)}
}
