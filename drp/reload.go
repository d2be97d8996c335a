package drp

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"drp/fex"
	"drp/internal/script"
	"drp/watch"
	"drp/xtc"
)

// reloads takes other texts of the scripts into a run that goes on. At each Configure the dispatcher reads the files. Between
// two Configures somebody may ask for it (Reload): his goroutine tries the text aside, starts a child of it for each worker, and leaves
// these for the dispatcher, which takes them where nothing is under way. All children run the same text from there on, however
// often the file is saved. Where one of them cannot come to where the run is, all workers keep those they have.
//
//	Reload: read --> compile --> rehearse --> warm up --> next --+       by who asks
//	                                                             v
//	BeginStep or BeginRun:       next --> taking --> used --> all workers   by the dispatcher
type reloads struct {
	r       *Run
	turn    turn // who has it may try a text
	over    context.Context
	end     context.CancelFunc
	now     atomic.Bool // the next event waits for next; the dispatcher looks at it with each
	samples [2]sample
	base    [2]fex.Config // of the children of the first script and of the second
	pausing bool          // the dispatcher brings next in the middle of a step
	// constants is held by the dispatcher while it changes them, and by who makes something of them aside.
	constants sync.RWMutex

	// mu protects what follows. The dispatcher alone changes used, and may read that without.
	mu         sync.Mutex
	used       [2]text
	generation uint32 // of these, from 1 on
	since      time.Time
	configures int // that were begun
	begun      int // Configures and BeginRuns
	next       *upcoming
	taking     *upcoming // from then on until all workers use it
	fallen     [2]*text  // what the last worker went back to, for the dispatcher; nil if nothing
	former     [2]text   // the texts before those that are used
	refused    string    // why the last text that was asked for is not used, if so
	outcomes   watch.Reloads
}

// text is that of a script.
type text struct {
	path   string
	bytes  []byte // nil where there is none
	sha256 string
}

// upcoming is what the scripts shall be.
type upcoming struct {
	texts   [2]text
	changed [2]bool
	now     bool
	ends    bool             // the trial goes through the ends, too
	taken   bool             // they are those that are used
	slowest [2]time.Duration // of the transitions of the trial, behind the Configure
	ready   [2]*fex.Prepared
}

func newText(path string, bytes []byte) text {
	if bytes == nil {
		return text{path: path}
	}
	return text{path: path, bytes: bytes, sha256: fmt.Sprintf("%x", sha256.Sum256(bytes))}
}

func (l *reloads) open(r *Run) {
	l.r, l.generation, l.since = r, 1, r.clock()
	l.over, l.end = context.WithCancel(r.hard)
	l.used[0] = newText(r.cfg.Script, r.cfg.ScriptText)
	if p := r.cfg.Post; p != nil {
		l.used[1] = newText(p.Script, p.text)
	}
}

// close ends who tries a text, and waits until nothing is left of it.
func (l *reloads) close() {
	if l.r != nil {
		l.end()
		_ = l.turn.take(l.r.world, func() error { return nil })
		l.mu.Lock()
		left := l.drop()
		l.mu.Unlock()
		left.discard()
	}
}

// reload looks for another text of the scripts, at each Configure. One that is no Python is not taken: the run goes on with
// the one before. What somebody asked for before is out of date.
func (r *Run) reload() {
	l := &r.reloads
	found, changed := l.used, [2]bool{}
	for i := range found {
		next, err := l.read(&l.used[i])
		switch {
		case err != nil:
			r.cfg.Log.Error(fmt.Sprintf("script %s was changed and cannot be taken, the run goes on with the one before: %v", next.path, err))
		case next.sha256 != found[i].sha256:
			r.cfg.Log.Info(fmt.Sprintf("script %s was changed, SHA-256 %s: it is read anew", next.path, next.sha256))
			found[i], changed[i] = next, true
		}
	}
	l.mu.Lock()
	l.configures++
	l.fallen = [2]*text{} // the files count
	left := l.drop()
	l.use(found, changed)
	l.mu.Unlock()
	left.discard()
	for i, g := range r.groups() {
		if changed[i] {
			g.SetScript(found[i].bytes)
		}
	}
}

// read gives the text that a file has, if it is Python.
func (l *reloads) read(before *text) (text, error) {
	if before.bytes == nil {
		return *before, nil
	}
	now := text{path: before.path}
	if read := l.r.cfg.Read; read != nil {
		bytes, err := read(now.path)
		return newText(now.path, bytes), err
	}
	if _, err := script.Examine(now.path); err != nil { // what is refused at the start is refused here
		return now, err
	}
	bytes, err := os.ReadFile(now.path)
	if err != nil {
		return now, err
	}
	if now = newText(now.path, bytes); now.sha256 == before.sha256 {
		return *before, nil
	}
	return now, script.Compiles(l.r.python, now.path, bytes)
}

// use takes note of the texts that are used from here on; l.mu is held.
func (l *reloads) use(texts [2]text, changed [2]bool) {
	if changed == [2]bool{} {
		return
	}
	l.former, l.used, l.refused, l.since = l.used, texts, "", l.r.clock()
	l.generation++
	l.r.cfg.ScriptText, l.r.cfg.ScriptSHA256 = texts[0].bytes, texts[0].sha256
}

// drop forgets what was to be used, and gives it to be discarded when l.mu, which is held, is not.
func (l *reloads) drop() (left *upcoming) {
	if left = l.next; left != nil {
		l.next = nil
		l.now.Store(false)
	}
	return left
}

// swapNow takes what was tried in the middle of a step: between a Disable and an Enable that the source did not send.
func (r *Run) swapNow(time uint64) error {
	r.reloads.now.Store(false)
	if r.control.at != enabled {
		return nil // there will be an Enable
	}
	r.reloads.pausing = true
	defer func() { r.reloads.pausing = false }()
	// Who orders by the time has both before the event.
	if err := r.madeUp(xtc.Disable, max(time-2, min(r.lastTime, time)), true); err != nil {
		return err
	}
	return r.madeUp(xtc.Enable, max(time-1, min(r.lastTime, time)), true)
}

// errEnded is why no text is taken any more.
var errEnded = errors.New("the run has ended")
