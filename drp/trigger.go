package drp

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"drp/internal/invariant"
	"drp/internal/wire"
	"drp/internal/world"
	"drp/teb"
	tebscript "drp/teb/script"
	"drp/teb/serve"
	"drp/xtc"
)

// Trigger says who decides which events are recorded: rules or a script here, or a stand-alone trigger event builder.
type Trigger struct {
	Rules        []teb.Rule
	Prescale     [16]uint32 // by readout group: one in so many events is kept with its raw data, whatever the rules say
	PrescaleSeed uint64
	Servers      []wire.Endpoint // of stand-alone ones, which share the events, where there are no rules
	Partition    string
	Contributor  string        // as what this process brings is called; empty: after its first camera
	Deadline     time.Duration // for a decision; then the event is recorded
	Veto         bool          // or left out
	KeepAll      bool          // record what the trigger does not want, too, with its decision
	Connect      time.Duration // how long a stand-alone one is waited for at Configure

	Logic  func() teb.Logic                                         // takes the place of the rules
	Script *tebscript.Config                                        // so does a script; the interpreter, deadline, spares and log are those of the run
	Dial   func(context.Context, wire.Endpoint) (serve.Conn, error) // takes the place of the network
}

// Defaults of a trigger.
const (
	defaultDecide  = 2 * time.Second // of rules; a stand-alone one gets longer
	servedDecide   = 5 * time.Second
	defaultConnect = 30 * time.Second
	mostUndecided  = 4096
	rowsAtOnce     = 256
)

// checkTrigger refuses what cannot work before anything is opened. Whether rules fit what is contributed is known only at
// Configure.
func (c *Config) checkTrigger() error {
	if c.Trigger == nil {
		return nil
	}
	t := *c.Trigger
	served := len(t.Servers) > 0
	switch {
	case served == (len(t.Rules) > 0 || t.Logic != nil || t.Script != nil):
		return failf(Usage, "a trigger has rules or a script (--trigger), or is a stand-alone one (--teb)")
	case t.Script != nil && t.Script.Check() != nil:
		return fail(Usage, t.Script.Check())
	case len(t.Servers) > serve.MaxServers:
		return failf(Usage, "%d trigger event builders: at most %d can share the events", len(t.Servers), serve.MaxServers)
	case t.Deadline < 0 || t.Connect < 0:
		return failf(Usage, "a deadline cannot be negative")
	}
	if t.Deadline == 0 {
		if t.Deadline = defaultDecide; served {
			t.Deadline = servedDecide
		}
	}
	if t.Connect == 0 {
		t.Connect = defaultConnect
	}
	if t.Logic == nil {
		log := c.Log
		t.Logic = func() teb.Logic {
			x := teb.NewExpression(t.Rules)
			x.Log = log
			return x
		}
	}
	c.Trigger = &t
	return nil
}

// trigger asks the trigger event builder about every event, in the order of the source, and holds events back until it has
// answered. Transitions are asked for too, so that none overtakes an event of another process, or is overtaken. It belongs
// to the collector; only what is said of take differs.
//
//	window:  tail ------ cursor ------ head
//	         | asked for  | not finished, or there is no room for more |
//
// No more than answers has room for is asked for at a time, and that is less than whoever decides has room for: so asking
// never waits, and whoever waits for an event to be decided is waited for by nobody but the source.
type trigger struct {
	c       *collector
	cfg     *Trigger
	by      decider // nil before Configure
	schema  *teb.Schema
	inputs  inputs
	record  decisionNames
	rows    []byte  // what was contributed for each answer
	last    teb.Key // of what was contributed last
	cursor  uint64  // in the window: what is before it was asked for, or never is
	asked   uint64
	used    uint64 // answers
	present *teb.Decision
	// settings are the parameters of the latest decision that was recorded, and values their block.
	settings *teb.Settings
	values   []byte
	applied  teb.Key // of that, in the checked build
	taking   *world.Join

	answers []teb.Decision // a ring, written by take
	came    atomic.Uint64  // answers so far
}

// newTrigger is nil without one.
func newTrigger(c *collector) *trigger {
	if c.cfg.Trigger == nil {
		return nil
	}
	return &trigger{c: c, cfg: c.cfg.Trigger, taking: world.NewJoin(c.world),
		answers: make([]teb.Decision, min(len(c.window.ring), mostUndecided))}
}

// ask contributes what is finished. It stops at a Configure until all before it is recorded, since that may change what is
// contributed.
func (t *trigger) ask() {
	if t == nil {
		return
	}
	w := t.c.window
	t.cursor = max(t.cursor, w.tail)
	if t.by == nil {
		return
	}
	before := t.asked
	for head := w.head.Load(); t.cursor < head && t.asked-t.used < uint64(len(t.answers)); t.cursor++ {
		e := w.at(t.cursor)
		if e.pending.Load() != 0 || e.service == xtc.Configure {
			break
		}
		if asksFor(e) {
			row := t.row(t.asked)
			t.fill(e, row)
			t.c.timing.ask(t.asked)
			t.by.contribute(row)
			t.asked++
		}
	}
	if t.asked > before {
		t.c.standing.undecided.Add(int64(t.asked - before))
		t.by.flush()
	}
}

// asksFor tells what all contributors of a partition see. At Configure nobody is there yet to be asked, and what was made up
// here others do not know of.
func asksFor(e *entry) bool { return e.service.IsEvent() || e.service != xtc.Configure && !e.implied }

// take keeps what is decided for the collector; it runs on a goroutine of its own until there is no more.
func (t *trigger) take(by decider) {
	some, counters := make([]teb.Decision, rowsAtOnce), t.c.standing.counters(by.Table().Reasons)
	for n := by.Next(some); n > 0; n = by.Next(some) {
		at := t.came.Load()
		for i, d := range some[:n] {
			t.answers[(at+uint64(i))%uint64(len(t.answers))] = d
		}
		t.c.timing.decided(at, some[:n])
		t.c.standing.decided(counters, some[:n])
		t.came.Store(at + uint64(n))
		t.c.window.signal()
	}
}

// decided tells whether the oldest datagram can go on.
func (t *trigger) decided(e *entry) bool {
	return t == nil || !asksFor(e) || t.by == nil || t.used < t.came.Load()
}

// apply takes the decision about an event, or that a transition was built. An error ends the run: the trigger failed, and
// the user is strict.
func (t *trigger) apply(e *entry) error {
	if t == nil || t.by == nil || !asksFor(e) {
		return nil
	}
	t.present = &t.answers[t.used%uint64(len(t.answers))]
	t.used++
	if invariant.Enabled {
		invariant.Check(t.used == 1 || t.applied.Less(t.present.Key()), "decisions came in another order")
		t.applied = t.present.Key()
		invariant.Check(t.present.Time == e.time, "the decision is of another event: %+v", t.present)
	}
	if t.present.Default && e.service.IsEvent() {
		if n := t.c.books.defaulted.Add(1); n&(n-1) == 0 {
			t.c.cfg.Log.Warn(fmt.Sprintf("%s was not decided by the trigger, which has %v, and gets the default (%d so far)",
				eventName(e.number, e.time), t.cfg.Deadline, n))
		}
	}
	e.keepRaw = e.keepRaw || t.present.Prescaled
	if t.present.Reason == teb.ReasonFailed && e.service.IsEvent() {
		return t.undecided(e)
	}
	return nil
}

// undecided counts an event that the trigger failed on. Why, the one who decides has said.
func (t *trigger) undecided(e *entry) error {
	text := fmt.Sprintf("the trigger failed on %s", eventName(e.number, e.time))
	if n := t.c.books.undecided.Add(1); n&(n-1) == 0 {
		t.c.cfg.Log.Error(fmt.Sprintf("%s, which gets the default (%d so far)", text, n))
	}
	if !t.c.cfg.Strict {
		return nil
	}
	return failf(Script, "%s (--strict)", text)
}

// row is what is contributed for an event: that of the same place among the answers.
func (t *trigger) row(event uint64) []byte {
	size := t.schema.RowBytes()
	return t.rows[int(event%uint64(len(t.answers)))*size:][:size]
}

// unwanted tells that the event at hand is not to be recorded, unless all are.
func (t *trigger) unwanted() bool { return t != nil && t.present != nil && !t.present.Kept() }

// otherwise is what becomes of an event that is not decided in time.
func (t *Trigger) otherwise() teb.Verdict { return teb.Verdict{Persist: !t.Veto} }

// configure finds out what is contributed from here on, lets the one who decides know, and appends to what the Configure
// says. Everything before it is decided.
func (t *trigger) configure(d xtc.Dgram, added []byte) ([]byte, error) {
	if t == nil {
		return added, nil
	}
	s, err := t.describe(d)
	if err != nil {
		return added, fail(Configuration, err)
	}
	if t.by == nil || s.Text() != t.schema.Text() || t.cfg.Script != nil { // which may be another one by now
		t.close()
		by, err := t.cfg.open(t, s)
		if err != nil {
			return added, err
		}
		t.by, t.schema, t.rows = by, s, make([]byte, len(t.answers)*s.RowBytes())
		t.taking.Go(func() { t.take(by) })
	}
	t.settings, t.values = nil, nil
	return t.record.declare(t.c.table, d.Src(), t.by.Table(), t.schema, added)
}

// close ends whoever decides for this run. What is not decided then never will be.
func (t *trigger) close() {
	if t == nil || t.by == nil {
		return
	}
	t.c.triggerLogic.Store(nil)
	t.by.Close()
	t.taking.Wait()
	t.by, t.present, t.asked, t.used = nil, nil, 0, 0
	t.came.Store(0)
	t.c.standing.undecided.Store(0)
}
