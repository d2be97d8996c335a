package drp

import (
	"cmp"
	"errors"
	"fmt"
	"sync/atomic"

	"drp/fex"
	"drp/monitor"
	"drp/pebble"
	"drp/xtc"
)

// posted is a datagram that waits for the second script, or for one before it that does. Only the collector uses it, but for
// what the workers write before they count pending down.
type posted struct {
	pending atomic.Int32 // answers that are still to come
	service xtc.TransitionID
	shown   bool
	// settings is the entry of the board, 0 for none.
	settings uint16
	ref      pebble.Ref
	dgram    xtc.Dgram // in the slot, with all that was added to it before
	more     []byte    // that had no room there
	damage   xtc.Damage

	// Of an event.
	worker      int16
	keepRaw     bool
	crc         uint32 // of its first bytes, as the source wrote them, if asked for
	bytes       int    // so many
	stamped     bool   // the constants that were used are noted
	ix          pebble.Index
	time        uint64
	number      int64
	removed     []uint32     // by the first script
	failure     *fex.Failure // why it could not be shown
	answer      fex.Answer
	stamp       stamp
	calibration uint32 // generation of the constants, if the script asked for corrected pixels
	facts       monitor.Facts
	left        *atomic.Int64 // where it is counted that is not recorded; nil for one that is

	// Of a transition.
	told   told
	detail *detail // with the answers of the second script
}

// extend writes what was added to a datagram behind it. What finds no room there is kept beside it.
func (it *posted) extend(added []byte) error {
	if len(added) == 0 {
		return nil
	}
	whole := xtc.Dgram(it.ref.Grow(len(added)))
	if whole == nil {
		it.more = append(it.more, added...)
		return fmt.Errorf("the slot of its %d bytes has no room for %d more that were added", len(it.dgram), len(added))
	}
	copy(whole[len(whole)-len(added):], added)
	whole.SetSize(len(whole))
	it.dgram = whole
	return nil
}

// commit records the oldest datagram that is held back, if that has its answers.
func (p *post) commit(c *collector) bool {
	if p.empty() {
		return false
	}
	it := p.at(p.tail)
	if it.pending.Load() != 0 {
		return false
	}
	p.tail++
	if it.left == nil {
		decide(&it.ref)
	}
	c.refs, c.bytes = append(c.refs, it.ref), c.bytes+len(it.dgram)
	commit := p.transition
	if it.service.IsEvent() {
		commit = p.event
	}
	if err := commit(c, it); err != nil {
		c.halt(err)
	}
	c.steering.release(it.settings)
	return true
}

// event records an event as the script leaves it, and shows it to those who watch.
func (p *post) event(c *collector, it *posted) error {
	k := kept{dgram: it.dgram, removed: it.removed, added: it.more, damage: it.damage}
	if it.left != nil {
		it.left.Add(1)
		c.watched.showPosted(&it.facts, &k)
		return nil
	}
	err := p.judge(c, it, &k)
	c.watched.showPosted(&it.facts, &k)
	return errors.Join(c.write(&k), err)
}

// judge puts into k the event as the script leaves it, and as it was before where the script fails.
func (p *post) judge(c *collector, it *posted, k *kept) error {
	c.timing.posted(it.stamp)
	if s := &c.reloads.samples[1]; it.shown && it.answer.Status == fex.OK && s.asked.Load() {
		s.keep(&keptEvent{number: it.number, time: it.time, settings: it.settings, dgram: it.dgram}, true, c.loading.configures)
	}
	if !c.verifyAgain(it, k) {
		it.ref.Spoilt()
		k.removed, k.added, k.damage = nil, nil, xtc.DamageCorrupted
		return nil
	}
	if !it.shown && it.failure == nil {
		return nil
	}
	c.books.posted.Add(1)
	f := it.failure
	if it.shown {
		f = p.result(c, it, k)
	}
	if k.added = c.with(k.added, it.settings, ofPost); f == nil {
		return nil
	}
	c.books.postFailed.Add(1)
	k.damage |= xtc.DamageUserDefined
	if it.shown && it.answer.Status == fex.Oversize {
		k.damage |= xtc.DamageTruncated
	}
	c.complaints.note(fmt.Sprintf("%s, %s", p.name(), eventName(it.number, it.time)), f)
	return c.strict()
}

// errRejected is the end of a process that does what the package does not let a script do.
var errRejected = &fex.Failure{Type: "ProtocolError", Message: "the child rejected an event that is to be recorded"}

// result puts into k what the script makes of an event, or says why it failed.
func (p *post) result(c *collector, it *posted, k *kept) *fex.Failure {
	a := &it.answer
	switch {
	case a.Status == fex.Rejected:
		return errRejected
	case a.Status != fex.OK && a.Failure == nil:
		return &fex.Failure{Type: "Error", Message: "the script failed without a word"}
	case a.Status != fex.OK:
		return a.Failure
	}
	c.side = append(c.side[:0], it.removed...)
	removed, added, err := c.check(p.pool.Results[it.worker].Event(it.ix.Slot), a.ResultBytes, a.SideWords, p.own)
	if err != nil {
		return &fex.Failure{Type: "ResultError", Message: err.Error()}
	}
	if name := p.decided.among(removed); name != "" {
		return &fex.Failure{Type: "ResultError", Message: fmt.Sprintf("evt.remove(\"teb\", %q): an event is recorded with its decision, "+
			"and with what was contributed to it", name)}
	}
	if !it.keepRaw {
		k.removed = removed
	}
	k.added = added
	if stamp := c.calibration.stampOf(it.calibration); stamp != nil && !it.stamped {
		at := len(c.copied)
		c.copied = append(append(c.copied, added...), stamp...)
		k.added = c.copied[at:len(c.copied):len(c.copied)]
	}
	return nil
}

// transition records a transition with what both scripts say, and lets the source go on.
func (p *post) transition(c *collector, it *posted) (err error) {
	if it.told.detail != nil && len(it.told.detail.answers) > 0 {
		defer c.oneAnswered()
	}
	if it.service == xtc.Configure {
		p.decided = c.trigger.names()
	}
	t := &it.told
	t.dgram = it.dgram
	added := it.more
	if it.shown {
		more, trouble := p.say(c, it)
		added, t.said = append(added, more...), t.said || len(more) > 0
		t.detail.trouble = cmp.Or(t.detail.trouble, trouble)
		if trouble != nil && it.service == xtc.Configure {
			c.watched.unconfigured()
			c.recordNothing(trouble)
			return trouble
		}
	}
	c.enact(t, added)
	return nil
}

// say gives what the script adds to a transition. What fails at a Configure is an error; at others it is noted.
func (p *post) say(c *collector, it *posted) (added []byte, err error) {
	trouble := c.transitionTrouble(p.name(), it.service, it.detail)
	answers := it.detail.answers
	if those := served(answers); len(those) > 0 {
		answers = those
	}
	switch {
	case trouble == nil && it.service == xtc.Configure:
		p.own = xtc.NewTable()
		if added, err = declarations(c.table, p.own, answers); err != nil {
			return nil, failf(Script, "%s: %w", p.name(), err)
		}
		if err = c.steering.configure(ofPost, p.own, added); err != nil {
			return nil, err
		}
		if c.account.names == nil {
			segment := c.freeSegment(c.table, booksDetector, booksAlg)
			if added, err = c.account.declare(c.table, it.dgram.Src(), segment, added); err != nil {
				c.cfg.Log.Warn(fmt.Sprintf("the books will not be in the file: %v", err))
			}
			added = c.declareLoaded(it.dgram.Src(), added)
		}
		return added, nil
	case trouble == nil:
		if added, err = merge(p.own, answers); err == nil {
			return added, nil
		}
		trouble = failf(Script, "%s at %v: %w", p.name(), it.service, err)
		c.note(trouble)
	}
	it.told.damage |= xtc.DamageUserDefined
	return nil, trouble
}
