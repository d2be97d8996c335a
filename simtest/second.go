package simtest

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"time"

	"drp/drp"
	"drp/fex"
	"drp/pebble"
	"drp/xtc"
)

// secondPlan is a second script in the run, which is shown what is recorded. Chances are in 1 of 10,000.
type secondPlan struct {
	there    bool
	poison   int64 // an event kills every process of it
	sticky   int64 // or hangs it
	failures int64
}

// drawSecond lets a part of the seeds have one; half of these fail at times.
func (p *plan) drawSecond(rng *rand.Rand) {
	if rng.IntN(3) > 0 {
		return
	}
	p.second.there = true
	if rng.IntN(2) == 0 {
		p.second.failures = 1 + rng.Int64N(1500)
	}
	if rng.IntN(3) == 0 {
		p.second.poison, p.second.sticky = rng.Int64N(100), rng.Int64N(60)
	}
}

// config lets the run have the second script.
func (s *secondPlan) config(l *lab) *drp.Post {
	if !s.there {
		return nil
	}
	return &drp.Post{Script: "second.py", Memory: func(p *pebble.Pool) { l.beside = p },
		Start: func(*slog.Logger) (fex.Process, error) { return l.start(true) }}
}

// secondFate is what the second script does with an event.
func (p *plan) secondFate(number int64) fate {
	rng := rand.New(rand.NewPCG(p.camera.Seed^0x5ec0, uint64(number)))
	switch v := rng.Int64N(10000); {
	case v < p.second.poison:
		return poisons
	case v < p.second.poison+p.second.sticky:
		return sticks
	}
	if rng.Int64N(10000) < p.second.failures {
		return []fate{raises, tooLarge, garbage, rejects}[rng.IntN(4)]
	}
	return fine
}

// memory is what the child works on.
func (c *child) memory() *pebble.Pool {
	if c.trial {
		return c.lab.texts.trial
	}
	if c.second {
		return c.lab.beside
	}
	return c.lab.pool
}

// secondEvent is an event in a child of the second script.
func (c *child) secondEvent(r []byte, n int64, d xtc.Dgram) error {
	l := c.lab
	e := l.events[n]
	if e == nil || e.corrupt || !e.flipped && (l.number(d.Time()) != n || !bytes.HasPrefix(d[xtc.DgramHeaderBytes:], e.payload)) {
		l.problem("child %d of the second script was shown something else than event %d", c.pid, n)
		return errGone
	}
	if !e.flipped {
		c.readAdded(n, d)
	}
	e.posted++
	if !e.flipped && l.happens(l.plan.flips) {
		l.flipLater(e, n, l.pool.Events[c.worker], c.slot(r))
	}
	if err := c.mishap(l.plan.service); err != nil {
		return err
	}
	status, size, err := c.secondWork(n, l.beside.Results[c.worker].Event(c.slot(r).Slot))
	if err == nil {
		err = c.mishap(10 * time.Microsecond)
	}
	if err != nil {
		return err
	}
	a := c.record(kindEvent, status, 0, size, r)
	if l.happens(l.plan.nonsense) {
		a[4+l.world.Chance(8)] ^= 1 << l.world.Chance(8)
		c.liar = true
	}
	c.waiting.Write(a)
	if solo := r[1]&1 != 0; solo || l.world.Chance(4) == 0 {
		c.flush()
	}
	return nil
}

// readAdded looks at what stands behind the raw data: what the first script added, and what was decided.
func (c *child) readAdded(n int64, d xtc.Dgram) {
	l := c.lab
	var value *int64
	var decided *decision
	it := c.table.Blocks(d)
	for it.Next() {
		switch b := it.Block(); b.Names.Alg {
		case "number":
			v := int64(binary.LittleEndian.Uint64(b.Field(0).Data))
			value = &v
		case "decision":
			decided = decisionIn(b)
		}
	}
	f := l.plan.fateOf(n)
	seen := f == rejects || l.events[n].shown == 0
	switch {
	case it.Err() != nil:
		l.problem("the second script cannot read event %d: %v", n, it.Err())
	case value == nil && !seen, value != nil && (*value != n || f != fine):
		l.problem("the second script is shown event %d, of fate %d, with %v of the first", n, f, value)
	case (decided != nil) != l.plan.trigger.there, decided != nil && !decided.persist && !decided.prescaled:
		l.problem("the second script is shown event %d, and decided was %+v", n, decided)
	}
}

// secondWork is the second script.
func (c *child) secondWork(n int64, area []byte) (status byte, size int, err error) {
	switch c.lab.plan.secondFate(n) {
	case poisons:
		return 0, 0, fmt.Errorf("event %d kills", n)
	case sticks:
		return 0, 0, c.hang()
	case rejects:
		return 1, 0, nil
	case raises:
		return 2, copy(area, `{"type":"ValueError","message":"no","file":"second.py","line":3}`), nil
	case tooLarge:
		return 3, copy(area, `{"type":"ResultTooLarge","message":"no","file":"second.py","line":4}`), nil
	case garbage:
		return 0, copy(area, bytes.Repeat([]byte{0xff, 3, 7}, 20)), nil
	}
	var b xtc.Builder
	b.Begin(area[:0:len(area)], c.own)
	b.Int(3 * n)
	b.Int(0)
	block, err := b.End()
	if err != nil {
		c.lab.problem("%v", err)
	}
	return 0, len(block), errors.Join(err)
}

// judgeSecond looks at what the second script made of an event, and gives what was recorded without that.
func (v *verdict) judgeSecond(n int64, e *event, r *recorded) *recorded {
	l := v.lab
	untouched := e.flipped || e.corrupt || r.damage&xtc.DamageCorrupted != 0
	if !l.plan.second.there || untouched || e.posted == 0 {
		if r.second >= 0 {
			l.problem("event %d has %d of a second script that was not shown it", n, r.second)
		}
		if l.plan.second.there && !untouched && r.damage == 0 {
			l.problem("event %d was not shown to the second script", n)
		}
		if v.gaveUp && (r.value >= 0 || l.passed(e)) && r.damage == xtc.DamageUserDefined {
			before := *r
			before.damage = 0 // no process of the second script was left
			return &before
		}
		return r
	}
	before := *r
	f := l.plan.secondFate(n)
	failed := r.damage&xtc.DamageUserDefined != 0
	switch {
	case !failed && (f != fine || r.second != 3*n), failed && r.second >= 0:
		l.problem("event %d, of fate %d for the second script, has %d of it and the damage %v", n, f, r.second, r.damage)
	case failed && f == fine && !v.gaveUp && l.plan.deadly+l.plan.hangs+l.plan.nonsense == 0:
		l.problem("event %d is marked, and nothing befell it in the second script", n)
	case f == tooLarge && !v.gaveUp && r.damage != xtc.DamageUserDefined|xtc.DamageTruncated &&
		l.plan.deadly+l.plan.hangs+l.plan.nonsense == 0:
		l.problem("event %d was too large for the second script, and has the damage %v", n, r.damage)
	}
	if failed {
		before.damage = 0 // it was shown: so nothing befell it before
	}
	return &before
}
