package drp

import (
	"errors"
	"fmt"

	"drp/fex"
	"drp/internal/invariant"
	"drp/pebble"
	"drp/xtc"
)

// What is recorded in one write at the most.
const (
	batchEvents = 64
	batchBytes  = 64 << 20
	// Results up to this size are copied before they are checked, so that a script that writes on after its answer
	// changes nothing. Larger ones are checked in place: such a script spoils its own result, and nothing else. So are
	// events, where they are compared with their checksums.
	copiedBytes = 64 << 10
)

// collector takes finished datagrams from the window in source order.
type collector struct {
	*Run
	table  *xtc.Table // of the source and the script
	own    *xtc.Table // of the script alone: it adds to nothing else; that of a second one has its own
	failed error      // why nothing is recorded any more; a disk that is full for a while is the recorder's business

	refs     []pebble.Ref // of the datagrams of this batch, to be released after the write
	released bool         // slots, which the dispatcher has not been told
	bytes    int
	taken    []bool // the events of this batch that the recorder took, in order: whether they are damaged
	corrupt  int64  // events so far that could not be explained
	unfit    int64  // and that could not be written
	killers  int64  // and that were quarantined
	obeyed   obeyed
	present  keptState
	script   string // SHA-256 of its text
	account  account
	loading  loading
	trigger  *trigger // nil without one

	copied []byte // results, and events that are verified
	head   [xtc.DgramHeaderBytes]byte
	held   uint16 // the settings of the datagram that is looked at
	side   []uint32
	sig    []byte
}

// collect runs until everything is through, or the run is abandoned.
func (r *Run) collect() {
	c := &collector{Run: r, table: xtc.NewTable(), own: xtc.NewTable()}
	c.trigger = newTrigger(c)
	defer c.trigger.close()
	for {
		c.trigger.ask()
		c.loading.sample = c.loading.sample || c.reloads.samples[0].asked.Load()
		for len(c.refs) < batchEvents && c.bytes < batchBytes {
			e := r.window.oldest()
			if c.post.commit(c) {
				continue // before what came after it
			}
			if e == nil || !c.trigger.decided(e) {
				break
			}
			if err := c.one(e); err != nil {
				r.halt(err)
			}
			r.window.pop()
		}
		if len(c.refs) > 0 {
			c.finish()
			continue
		}
		if c.released {
			c.released = false
			c.pool.Freed()
		}
		if r.window.over() && c.post.empty() || r.hard.Err() != nil {
			return
		}
		r.window.wake.Wait(waitTick)
	}
}

// finish writes the batch, enters it in the books and releases its slots.
func (c *collector) finish() {
	c.enter()
	c.timing.written()
	for i := range c.refs {
		c.refs[i].Release()
	}
	if invariant.Enabled {
		s := c.books.Snapshot()
		invariant.Check(s.InFlight >= 0 && s.InFlight <= int64(len(c.window.ring)), "the books do not balance: %+v", s)
	}
	c.tell()
	c.released = true
	c.refs, c.bytes = c.refs[:0], 0
	c.copied = c.copied[:0]
}

// enter writes what the recorder has taken, and enters it in the books.
func (c *collector) enter() {
	written := 0
	if c.failed == nil {
		var err error
		written, err = c.recorder.Flush()
		if err != nil && !stalled(err) {
			c.stopRecording(err)
		}
		if c.recorder == nil {
			written = len(c.taken)
		}
		c.bytesRecorded.Store(c.recorder.Bytes())
	}
	damaged := 0
	for _, d := range c.taken[:written] {
		if d {
			damaged++
		}
	}
	c.books.recorded.Add(int64(written))
	c.books.failed.Add(int64(len(c.taken) - written))
	c.books.damaged.Add(int64(damaged))
	c.taken = c.taken[:0]
}

// one decides the outcome of a datagram.
func (c *collector) one(e *entry) error {
	ring := c.pool.Transitions
	if e.service.IsEvent() {
		ring = c.pool.Events[e.worker]
	}
	ref, err := ring.Ref(e.ix)
	if err != nil {
		panic(err) // the window held an index that was released
	}
	if c.post == nil {
		decide(&ref)
	}
	d := xtc.Dgram(ref.Bytes())
	c.refs = append(c.refs, ref)
	c.bytes += len(d)
	undecided := c.trigger.apply(e)
	copied, refs := len(c.copied), len(c.refs)
	c.held = e.settings
	if e.service.IsEvent() {
		c.timing.collected(c.window.tail)
		if c.loading.sample {
			c.sample(e, d)
		}
		err = c.event(e, d)
	} else {
		err = c.transition(e, d)
	}
	if c.post != nil {
		c.copied = c.copied[:copied] // what is recorded stands in its slot by now
		if len(c.refs) == refs {     // it is not
			decide(&c.refs[refs-1])
		}
	}
	c.steering.release(c.held)
	return errors.Join(err, undecided)
}

// decide claims the outcome of a datagram.
func decide(ref *pebble.Ref) {
	if !ref.Decide() {
		panic("drp: the outcome of a datagram was decided before")
	}
}

func (c *collector) event(e *entry, d xtc.Dgram) error {
	d, intact := c.verify(e, d)
	if !intact { // what its script made of it, even a rejection, is of other data
		c.refs[len(c.refs)-1].Spoilt()
		e.calibration, e.searched = 0, false
		c.hits.count(e)
		return c.keep(e, d, nil, nil, xtc.DamageCorrupted)
	}
	c.hits.count(e)
	c.troubles.lately.note()
	if e.detail != nil && e.detail.corrupt != nil {
		if c.corrupt++; c.corrupt&(c.corrupt-1) == 0 { // a bad file shall not fill the log: the 1st, 2nd, 4th, 8th, …
			c.cfg.Log.Warn(fmt.Sprintf("%s makes no sense, it is recorded as it is, marked Corrupted (%d so far): %v",
				eventName(e.number, e.time), c.corrupt, e.detail.corrupt))
		}
		return c.keep(e, d, nil, nil, xtc.DamageCorrupted)
	}
	switch e.status {
	case fex.OK, fex.Rejected:
		removed, added, err := c.result(e)
		if err != nil {
			return c.spoilt(e, d, &fex.Failure{Type: "ResultError", Message: err.Error()}, xtc.DamageUserDefined)
		}
		if e.status == fex.Rejected && !e.keepRaw {
			c.leave(e, d, c.with(added, e.settings, ofRings), 0, &c.books.rejected)
			return nil
		}
		c.side = c.hits.dropRaw(c.hits.found(e), removed)
		if removed = c.side; e.keepRaw {
			removed = nil
		}
		return c.keep(e, d, removed, added, 0)
	case fex.Oversize:
		return c.spoilt(e, d, e.failure(), xtc.DamageUserDefined|xtc.DamageTruncated)
	case fex.Crashed:
		return c.quarantine(e, d)
	default:
		return c.spoilt(e, d, e.failure(), xtc.DamageUserDefined)
	}
}

// spoilt keeps the raw data of an event whose script failed.
func (c *collector) spoilt(e *entry, d xtc.Dgram, f *fex.Failure, damage xtc.Damage) error {
	where := fmt.Sprintf("%s, %s", scriptName(c.cfg.Script), eventName(e.number, e.time))
	c.complaints.note(where, f)
	c.troubles.lately.failed()
	return errors.Join(c.keep(e, d, nil, nil, damage), c.strict())
}

// strict is the error that ends the run after an event whose script failed, if the user wants it.
func (c *collector) strict() error {
	if !c.cfg.Strict {
		return nil
	}
	return failf(Script, "%s (--strict)", c.complaints.first())
}

// keep records an event, unless the trigger does not want it.
func (c *collector) keep(e *entry, d xtc.Dgram, removed []uint32, added []byte, damage xtc.Damage) error {
	if damage&xtc.DamageCorrupted == 0 {
		added = c.with(added, e.settings, ofScript)
		if e.searched {
			added = c.with(added, e.settings, ofHits)
		}
		added = c.with(added, e.settings, ofRings)
	}
	if c.trigger.unwanted() {
		if !c.cfg.Trigger.KeepAll {
			c.leave(e, d, added, damage, &c.books.vetoed)
			return nil
		}
		c.books.unwanted.Add(1)
	}
	if c.post == nil {
		c.show(e, d, added, damage)
	}
	k := kept{dgram: d, removed: removed, added: c.stamped(e, added, damage), damage: damage}
	if c.post != nil {
		c.post.takeEvent(c, e, &k)
		return nil
	}
	return c.write(&k)
}

// result reads and checks what the script gave for an event. Everything in the result area is the child's word.
func (c *collector) result(e *entry) (removed []uint32, added []byte, err error) {
	c.side = c.side[:0]
	return c.check(c.pool.Results[e.worker].Event(e.ix.Slot), int(e.result), int(e.side), c.own)
}

// check is result for any area. What is removed comes behind what side has.
func (c *collector) check(area []byte, n, words int, own *xtc.Table) (removed []uint32, added []byte, err error) {
	side, fits := fex.SideList(area, n, words, c.side)
	if !fits || n > len(area) {
		return nil, nil, fmt.Errorf("a result of %d bytes and %d removals does not fit in %d bytes", n, words, len(area))
	}
	c.side = side
	added = area[:n:n]
	if n == 0 {
		return side, nil, nil
	}
	if n <= copiedBytes || c.post != nil && own == c.own { // those go into the slot
		at := len(c.copied)
		c.copied = append(c.copied, added...)
		added = c.copied[at:len(c.copied):len(c.copied)]
	}
	if c.sig, err = own.CheckBlocks(added, c.sig[:0]); err != nil {
		return nil, nil, err
	}
	return side, added, nil
}

func (c *collector) transition(e *entry, d xtc.Dgram) error {
	defer func() { c.standing.passed(e, c.table, d) }()
	c.begin(e.service)
	if e.service == xtc.BeginRun {
		c.beginTroubles()
	}
	if invariant.Enabled {
		invariant.Check(e.pending.Load() == 0, "a transition was collected before all answers were in")
	}
	scriptTrouble := c.transitionTrouble(scriptName(c.cfg.Script), e.service, e.detail)
	e.detail.trouble = scriptTrouble
	if those := served(e.detail.answers); len(those) > 0 {
		e.detail.answers = those
	}
	c.script = e.detail.script
	if e.service == xtc.Configure {
		if len(e.detail.answers) > 0 {
			defer c.oneAnswered()
		}
		if scriptTrouble == nil {
			scriptTrouble = c.configure(e, d)
		}
		if scriptTrouble != nil {
			c.watched.unconfigured()
			c.recordNothing(scriptTrouble)
			c.post.goOn()
		}
		return scriptTrouble
	}
	var damage xtc.Damage
	var added []byte
	if scriptTrouble != nil {
		damage = xtc.DamageUserDefined
	} else if len(e.detail.answers) > 0 {
		var err error
		if added, err = merge(c.own, e.detail.answers); err != nil {
			e.detail.trouble = failf(Script, "%s at %v: %w", scriptName(c.cfg.Script), e.service, err)
			c.note(e.detail.trouble)
			damage = xtc.DamageUserDefined
		}
	}
	c.settle(&told{service: e.service, ix: e.ix, implied: e.implied, dgram: d, damage: damage, detail: e.detail}, added)
	return nil
}

// configure takes a new Configure: the source's names and what the scripts declare.
func (c *collector) configure(e *entry, d xtc.Dgram) error {
	if err := c.table.Configure(d); err != nil {
		return fail(SourceTrouble, fmt.Errorf("source: %w", err)) // the dispatcher has checked it already
	}
	c.own = xtc.NewTable()
	added, err := declarations(c.table, c.own, e.detail.answers)
	if err != nil {
		return failf(Script, "%s: %w", scriptName(c.cfg.Script), err)
	}
	declared := added
	if added, err = c.account.declare(c.table, d.Src(), c.freeSegment(c.table, booksDetector, booksAlg), added); err != nil {
		c.cfg.Log.Warn(fmt.Sprintf("the books will not be in the file: %v", err))
	}
	added = c.declareLoaded(d.Src(), added)
	if added, err = c.trigger.configure(d, added); err != nil {
		return err
	}
	if err = c.steering.configure(ofScript, c.own, declared); err != nil { // behind the trigger, which has parameters, too
		return err
	}
	c.settle(&told{service: e.service, ix: e.ix, implied: e.implied, dgram: d, detail: e.detail}, added)
	return nil
}
