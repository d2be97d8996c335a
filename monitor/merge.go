package monitor

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"drp/xtc"
)

// MergeOptions say what a Merge watches.
type MergeOptions struct {
	Names    []string // of the runs
	Who      string   // we are, for the list of who watches
	Choose   Choice   // of what is put together: a hit of any run makes it one, and so do bits
	Deadline time.Duration
	Complete bool          // pass over events of which a run has no part
	Wait     time.Duration // for all runs to be there for the first time; 0 is for ever
}

// MergedRun is what became of one of the runs.
type MergedRun struct {
	Name    string
	State   string // waiting (for drp), running, ended, or lost: drp has died
	Running bool   // between BeginRun and EndRun
	Got     uint64
	Missed  uint64 // events that came faster than they were taken
	Late    uint64 // that came when their event had been given
	Absent  uint64 // events that were given without it
}

// Merged is an event of several runs, or a transition of one.
type Merged struct {
	Time       uint64  // by which the parts belong together
	Parts      []*Item // in the order of the names, nil where a run has none; valid until the next is asked for
	Missing    []string
	Transition *Item // of the run From, and nothing else
	From       int
	Again      bool // another run has brought this transition before
}

// Merge watches several runs of this machine as one. The next event of each is held: its slot is not overwritten until the
// event is over. The parts with the least timestamp are an event as soon as each run has shown its part or a later one; what waits
// in the queues is the window in which they are looked for. A run that has shown nothing for the deadline is not waited for until
// it does, one that is not there never is, and one that comes back takes part again.
//
// It has one user at a time. Close ends its goroutines.
type Merge struct {
	o        MergeOptions
	branches []*branch
	came     chan arrival
	stop     context.CancelFunc
	running  sync.WaitGroup

	from      uint64 // the least timestamp of what has not been given
	met       bool   // all have been there
	since     time.Time
	aligned   bool // all have come to a common beginning
	fitted    uint64
	seen      map[xtc.TransitionID]uint64 // when each transition was brought last
	skipped   uint64
	presented bool // an event was given
	over      bool // it was told that all have ended
}

// NewMerge begins to watch.
func NewMerge(o MergeOptions) (*Merge, error) {
	for _, name := range o.Names {
		if err := CheckName(name); err != nil {
			return nil, err
		}
	}
	ctx, stop := context.WithCancel(context.Background())
	m := &Merge{o: o, since: time.Now(), came: make(chan arrival), stop: stop, seen: map[xtc.TransitionID]uint64{}}
	for _, name := range o.Names {
		b := &branch{MergedRun: MergedRun{Name: name, State: "waiting"}, more: make(chan bool, 1), newest: o.Choose.Newest, fresh: true}
		m.branches = append(m.branches, b)
		m.running.Go(func() { b.watch(ctx, o.Who, m.came) })
	}
	return m, nil
}

// Close ends the watching.
func (m *Merge) Close() {
	m.stop()
	m.running.Wait()
}

// Runs are what became of each so far.
func (m *Merge) Runs() (all []MergedRun) {
	for _, b := range m.branches {
		all = append(all, b.MergedRun)
	}
	return all
}

// Skipped counts events that were passed over since a run had no part.
func (m *Merge) Skipped() uint64 { return m.skipped }

// ErrAllEnded says that all runs were there, and none is any more.
var ErrAllEnded = errors.New("monitor: all runs have ended")

// Next gives the next event or transition; what was given before is no longer held. It fails when ctx ends, or when not all runs
// are there in time, and with ErrAllEnded when none of them is any more; then Next may be called again, to wait for those that
// follow. There are no events until all are there for the first time.
func (m *Merge) Next(ctx context.Context) (*Merged, error) {
	m.letGo()
	var since time.Time // when the earliest part came
	for {
		if err := m.meet(); err != nil {
			return nil, err
		}
		m.ask(false)
		if m.met && m.heads() == 0 && m.gone() {
			return nil, ErrAllEnded
		}
		left := lookAgain
		if m.met && m.heads() > 0 {
			if since.IsZero() {
				since = time.Now()
			}
			if left = min(left, m.o.Deadline-time.Since(since)); left <= 0 || !m.waits() {
				since = time.Time{}
				if e := m.put(); e != nil {
					return e, nil
				}
				continue
			}
		}
		late := time.NewTimer(left)
		select {
		case a := <-m.came:
			if t := a.from.take(a, m.from); t != nil {
				late.Stop()
				return m.transition(a.from, t), nil
			}
		case <-late.C:
		case <-ctx.Done():
			late.Stop()
			return nil, ctx.Err()
		}
		late.Stop()
	}
}

// meet waits no longer for all to be there than it should.
func (m *Merge) meet() error {
	if m.met {
		return nil
	}
	absent := slices.IndexFunc(m.branches, func(b *branch) bool { return b.State == "waiting" })
	if m.met = absent < 0; m.met || m.o.Wait == 0 || time.Since(m.since) < m.o.Wait {
		return nil
	}
	name := m.branches[absent].Name
	return fmt.Errorf("monitor: nobody publishes %s: start drp with --monitor %s", name, name)
}

func (m *Merge) ask(skip bool) {
	for _, b := range m.branches {
		b.ask(skip)
	}
}

// heads is how many runs have an event at hand.
func (m *Merge) heads() (n int) {
	for _, b := range m.branches {
		if b.head != nil {
			n++
		}
	}
	return n
}

// gone tells, once each time, that all runs have ended or died.
func (m *Merge) gone() bool {
	over := !slices.ContainsFunc(m.branches, func(b *branch) bool { return b.State == "running" })
	if !over || m.over {
		m.over = over
		return false
	}
	m.over = true
	return true
}

// waits tells whether there is a run that may still have a part.
func (m *Merge) waits() bool {
	return slices.ContainsFunc(m.branches, func(b *branch) bool { return b.head == nil && b.expected() && !b.silent })
}

// letGo lets go of what was given, and with Newest of all that has waited.
func (m *Merge) letGo() {
	for _, b := range m.branches {
		switch {
		case b.head == nil:
		case b.head.Dgram.Time() < m.from:
			b.head = nil
		case m.o.Choose.Newest && m.presented:
			b.pass()
		}
	}
	if m.o.Choose.Newest && m.presented {
		m.aligned = false
		m.ask(true)
	}
	m.presented = false
}

// transition gives one. When all have begun anew, maybe with earlier times, what was before does not count.
func (m *Merge) transition(b *branch, t *Item) *Merged {
	id, at := t.Dgram.Service(), t.Dgram.Time()
	again := m.seen[id] == at
	m.seen[id] = at
	if !slices.ContainsFunc(m.branches, func(b *branch) bool { return b.State == "running" && !b.fresh }) {
		m.from = 0
	}
	return &Merged{Time: at, Transition: t, From: slices.Index(m.branches, b), Again: again}
}

// put makes an event of the earliest parts, nil if it is not wanted.
func (m *Merge) put() *Merged {
	first, latest := ^uint64(0), uint64(0)
	for _, b := range m.branches {
		if b.head != nil {
			first, latest = min(first, b.head.Dgram.Time()), max(latest, b.head.Dgram.Time())
		} else if b.expected() {
			b.silent = true
		}
	}
	if !m.aligned && first < latest { // begin with what all can have
		m.from = latest
		for _, b := range m.branches {
			if b.head != nil && b.head.Dgram.Time() < latest {
				b.pass()
			}
		}
		return nil
	}
	m.aligned, m.from = true, first+1
	e := &Merged{Time: first, Parts: make([]*Item, len(m.branches))}
	for i, b := range m.branches {
		b.fresh = false
		if b.head != nil {
			b.silent = false
		}
		if b.head != nil && b.head.Dgram.Time() == first {
			e.Parts[i] = b.head
		} else {
			e.Missing = append(e.Missing, b.Name)
			b.Absent++
		}
	}
	if m.wants(e) {
		m.presented = true
		return e
	}
	m.letGo()
	return nil
}

// wants tells whether an event is chosen.
func (m *Merge) wants(e *Merged) bool {
	if m.o.Complete && len(e.Missing) > 0 {
		m.skipped++
		return false
	}
	all := e.Facts()
	if !m.o.Choose.fits(&all) {
		return false
	}
	m.fitted++
	return m.o.Choose.Every < 2 || (m.fitted-1)%m.o.Choose.Every == 0
}

// Facts are those of all parts together: a hit, if any part is one; the bits of all; rejected, when all parts are.
func (e *Merged) Facts() (all Facts) {
	rejected := uint32(Rejected)
	for _, p := range e.Parts {
		if p != nil {
			all.Number, all.Bits = p.Number, all.Bits|p.Bits
			all.Flags |= p.Flags &^ Rejected
			rejected &= p.Flags
		}
	}
	all.Flags |= rejected
	return all
}
