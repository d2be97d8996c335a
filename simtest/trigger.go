package simtest

import (
	"math"
	"math/rand/v2"
	"time"

	"drp/drp"
	"drp/teb"
	"drp/xtc"
)

// triggerPlan is a trigger in the run, and how late it is.
type triggerPlan struct {
	there    bool
	veto     bool // what is not decided in time
	deadline time.Duration
	slow     int64  // chance that a batch takes long
	prescale uint32 // one in so many events is kept with its raw data
	share    uint64 // one in so many events is wanted
}

// drawTrigger lets a part of the seeds have a trigger; half of these are late at times.
func (p *plan) drawTrigger(rng *rand.Rand) {
	if rng.IntN(3) > 0 {
		return
	}
	t := &p.trigger
	*t = triggerPlan{there: true, veto: rng.IntN(2) == 0, deadline: time.Duration(20+rng.IntN(2000)) * time.Millisecond,
		share: 1 + rng.Uint64N(4)}
	if rng.IntN(2) == 0 {
		t.slow = 1 + rng.Int64N(3000)
	}
	if rng.IntN(2) == 0 {
		t.prescale = 2 + rng.Uint32N(9)
	}
	p.drawRemote(rng)
}

// wants is what the trigger makes of an event.
func (t *triggerPlan) wants(number int64) bool {
	return (uint64(number)*0x9e3779b97f4a7c15>>40)%t.share == 0
}

// config lets the run have the trigger.
func (t *triggerPlan) config(l *lab) *drp.Trigger {
	if !t.there {
		return nil
	}
	c := &drp.Trigger{Deadline: t.deadline, Veto: t.veto, PrescaleSeed: l.o.Seed, Logic: func() teb.Logic {
		var field *teb.Field
		return &teb.Func{Reasons: []teb.Reason{{Name: "wanted"}},
			Check: func(s []*teb.Schema) error { field = s[0].Field("n"); return nil },
			Do:    func(b *teb.Batch) { l.decide(b, field) }}
	}}
	for g := range c.Prescale {
		c.Prescale[g] = t.prescale
	}
	return c
}

// decide is the logic of the trigger.
func (l *lab) decide(b *teb.Batch, field *teb.Field) {
	t := &l.plan.trigger
	if l.happens(t.slow) {
		d := l.soon(t.deadline)
		l.trace("a decision about %d events takes %v", b.Len(), d)
		l.world.Sleep(d)
	}
	for i := range b.Len() {
		if !b.Head(i).Service.IsEvent() {
			continue
		}
		n := l.number(b.Head(i).Time)
		e := l.events[n]
		if e == nil {
			l.problem("event %d is contributed and never came", n)
			continue
		}
		if e.asked++; e.asked > 1 {
			l.problem("event %d is decided %d times", n, e.asked)
		}
		if field == nil {
			l.problem("the script's value is not contributed")
		} else if v := field.Float(b.Row(i, 0), 0); v == v && (v != float64(n) || l.plan.fateOf(n) != fine) || math.IsInf(v, 0) {
			l.problem("event %d contributes %v", n, v)
		}
		if t.wants(n) {
			b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonLogic, Persist: true, Monitor: uint32(n)}
		}
	}
}

// decision is what is recorded of one.
type decision struct {
	persist, prescaled bool
	monitor, reason    uint64
	pulse              uint64
	contributions      uint64
	damage             uint64

	contributed bool    // what the script contributed is beside it
	n           float64 // that, NaN where the script failed
}

func decisionIn(b *xtc.Block) *decision {
	number := func(name string) uint64 { v, _ := b.FieldNamed(name); return v.Uint64() }
	return &decision{persist: number("persist") != 0, prescaled: number("prescaled") != 0, monitor: number("monitor"),
		reason: number("reason"), pulse: number("pulse"), contributions: number("contributions"), damage: number("damage")}
}

// judgeDecision looks whether an event may be recorded, as it was decided.
func (l *lab) judgeDecision(n int64, r *recorded) {
	t, d := &l.plan.trigger, r.decision
	if !t.there || r.damage&xtc.DamageCorrupted != 0 {
		if d != nil {
			l.problem("event %d was decided, and nobody was there for that", n)
		}
		return
	}
	if d == nil {
		l.problem("event %d is recorded without a decision", n)
		return
	}
	byDefault := d.reason == uint64(teb.ReasonDefault)
	switch {
	case !d.contributed || d.n == d.n && d.n != float64(n):
		l.problem("event %d is recorded, and to have contributed %+v", n, *d)
	case !d.persist && !d.prescaled || d.pulse != r.time:
		l.problem("event %d is recorded, and decided was %+v", n, *d)
	case d.prescaled && t.prescale == 0, byDefault && d.persist == t.veto, byDefault && !l.plan.late():
		l.problem("event %d: decided was %+v by default, and %+v is the trigger", n, *d, *t)
	case !byDefault && d.persist != t.wants(n), d.persist && !byDefault && (d.monitor != uint64(uint32(n)) || d.reason != uint64(teb.ReasonLogic)),
		!d.persist && !byDefault && d.reason != uint64(teb.ReasonPrescale):
		l.problem("event %d: decided was %+v, and wanted is %v", n, *d, t.wants(n))
	}
}

// late tells that an event may miss its decision.
func (p *plan) late() bool {
	return p.trigger.slow > 0 || p.suspendAt > 0 || !p.remote.calm()
}

// compareVetoes holds the books against what the trigger wanted.
func (v *verdict) compareVetoes(s *drp.Summary) {
	t := &v.lab.plan.trigger
	switch {
	case !t.there && s.Vetoed+s.Defaulted > 0:
		v.lab.problem("without a trigger the books say %d vetoed, %d by default", s.Vetoed, s.Defaulted)
	case !v.lab.plan.late() && v.lab.plan.corrupt == 0 && s.Defaulted > 0:
		v.lab.problem("%d events were decided by default, by a trigger that is never late", s.Defaulted)
	case s.Vetoed+s.Failed < v.vetoed, s.Vetoed > v.vetoed+v.rejected+v.lateVetoes(s):
		v.lab.problem("%d events are vetoed, the books say %d", v.vetoed, s.Vetoed)
	}
}

// lateVetoes is how many wanted events may be missing since they were not decided in time.
func (v *verdict) lateVetoes(s *drp.Summary) int64 {
	if v.lab.plan.trigger.veto {
		return s.Defaulted
	}
	return 0
}

// nowhere is how many events are in no file.
func (v *verdict) nowhere() int64 { return v.rejected + v.vetoed + v.missing }
