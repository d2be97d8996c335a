package teb

import (
	"math/bits"
	"time"

	"drp/internal/invariant"
	"drp/internal/world"
)

// ended tells whether nothing more will be decided.
func (t *TEB) ended() bool {
	return t.closed || t.closing && t.b.empty() && len(t.under) == 0
}

// serve lets one Logic decide.
func (t *TEB) serve(d int) {
	t.mu.Lock()
	for !t.ended() {
		b := t.gather(t.c.World.Now())
		if b == nil {
			t.idle |= 1 << d
			t.mu.Unlock()
			t.work[d].Wait(world.ForEver)
			t.mu.Lock()
			t.idle &^= 1 << d
			continue
		}
		t.under = append(t.under, b)
		t.wake() // there may be more for others
		t.mu.Unlock()
		t.c.Logic[d].Decide(b)
		t.mu.Lock()
		if b.done = true; b.abandoned {
			t.hung--
			t.recycle(b)
		} else {
			t.commit()
		}
	}
	t.wakeAll() // the others end too
	t.mu.Unlock()
}

// gather takes what may go, up to a batch, as far as there is room for the decisions.
func (t *TEB) gather(now time.Duration) *Batch {
	room := len(t.out) - t.outLen - int(t.books.InDecision)
	if room <= 0 || len(t.spare) == 0 || len(t.under) > 0 && alone(t.under[0].event(0)) {
		return nil
	}
	b := t.spare[len(t.spare)-1]
	for len(b.places) < min(room, cap(b.places)) {
		apart := !t.b.empty() && alone(&t.b.events[t.b.front])
		if apart && len(b.places)+len(t.under) > 0 {
			break
		}
		place := t.b.take(now, t.closing)
		if place == none {
			break
		}
		if b.places = append(b.places, place); apart {
			break
		}
	}
	if len(b.places) == 0 {
		return nil
	}
	t.spare = t.spare[:len(t.spare)-1]
	t.books.InDecision += uint64(len(b.places))
	b.Verdicts = b.Verdicts[:len(b.places)]
	clear(b.Verdicts)
	b.begun = now
	b.settings = nil
	if len(t.parameters) > 0 && t.c.Settings != nil {
		b.settings = t.c.Settings()
	}
	return b
}

// commit publishes what the Logics have answered, in order.
func (t *TEB) commit() {
	n := 0
	for n < len(t.under) && t.under[n].done {
		b := t.under[n]
		for i, v := range b.Verdicts {
			if v.Reason >= uint16(len(t.reasons)) || v.Reason != ReasonRejected && v.Reason < ReasonLogic {
				v = Verdict{Reason: ReasonFailed, Persist: t.c.Default.Persist, Monitor: t.c.Default.Monitor}
			}
			t.publish(b.event(i), v, b.settings)
		}
		t.recycle(b)
		n++
	}
	if n > 0 {
		t.under = append(t.under[:0], t.under[n:]...)
		t.ready.Set()
		t.wake()
	}
}

// publishDefault publishes a batch that no Logic has decided in time. Its verdicts are not looked at: a Logic may write
// them yet.
func (t *TEB) publishDefault(b *Batch) {
	for i := range b.places {
		v := t.c.Default
		v.Reason = ReasonDefault
		t.publish(b.event(i), v, b.settings)
	}
	t.ready.Set()
}

// waitedOf is in how many decisions one is timed.
const waitedOf = 64

// publish makes the decision of an event, and counts it. What is counted here is counted in order.
func (t *TEB) publish(e *event, v Verdict, s *Settings) {
	d := Decision{Pulse: e.key.Pulse, Time: e.time, Contributions: e.have, Monitor: v.Monitor, Groups: e.groups, Damage: e.damage,
		Reason: v.Reason, Service: e.service, Persist: v.Persist, Default: v.Reason == ReasonDefault}
	if s != nil {
		d.Generation, d.Settings = s.Generation, s
	}
	if e.service.IsEvent() {
		t.prescale(&d)
		if t.c.Waited != nil && t.books.Decided%waitedOf == 0 {
			t.c.Waited(t.c.World.Now() - (e.due - t.c.Deadline))
		}
	} else {
		d.Persist, d.Reason, d.Monitor, d.Default = true, ReasonTransition, ^uint32(0), false
	}
	t.books.Reasons[d.Reason]++
	t.books.Decided++
	t.books.InDecision--
	if d.Default {
		t.books.Defaulted++
	}
	invariant.Check(t.outLen < len(t.out), "a decision has no room")
	at := t.outAt + t.outLen
	if at >= len(t.out) {
		at -= len(t.out)
	}
	t.out[at] = d
	t.outLen++
}

// prescale thins out the events of a reason that wants it, and keeps one in so many of each readout group whatever was
// decided.
func (t *TEB) prescale(d *Decision) {
	if n := t.reasons[d.Reason].Prescale; n > 1 && d.Persist {
		count := t.seen[d.Reason]
		t.seen[d.Reason]++
		d.Persist = hits(count, t.c.PrescaleSeed, 256+uint64(d.Reason), uint64(n))
	}
	groups := d.Groups
	if groups == 0 {
		groups = 0xffff
	}
	for ; groups != 0; groups &= groups - 1 {
		g := bits.TrailingZeros16(groups)
		if n := t.c.Prescale[g]; n > 0 && hits(t.groups[g], t.c.PrescaleSeed, uint64(g), uint64(n)) {
			d.Prescaled = true
		}
		t.groups[g]++
	}
	if d.Prescaled {
		t.books.Prescaled++
		if !d.Persist && d.Reason == ReasonRejected {
			d.Reason = ReasonPrescale
		}
	}
	if d.Kept() {
		t.books.Kept++
	}
}

// recycle gives the places of a batch back.
func (t *TEB) recycle(b *Batch) {
	for _, place := range b.places {
		t.b.release(place)
	}
	b.places, b.done, b.abandoned = b.places[:0], false, false
	t.spare = append(t.spare, b)
	for ; t.waiting != 0; t.waiting &= t.waiting - 1 {
		t.space[bits.TrailingZeros64(t.waiting)].Set()
	}
}

// wake wakes a Logic, if one has nothing to do and there is something.
func (t *TEB) wake() {
	if t.idle == 0 || t.b.empty() {
		return
	}
	if t.closing || t.b.ready(t.c.World.Now()) {
		t.work[bits.TrailingZeros64(t.idle)].Set()
	}
}

// watch looks from time to time for what waits too long.
func (t *TEB) watch() {
	often := max(min(t.c.Deadline, t.c.Decide)/8, time.Millisecond)
	t.mu.Lock()
	for !t.ended() {
		t.mu.Unlock()
		t.clock.Wait(often)
		t.mu.Lock()
		t.expire(t.c.World.Now())
		t.wake()
	}
	t.ready.Set()
	t.mu.Unlock()
}

// expire gives the default to what waits for a Logic too long. A batch that is in the hands of one stays there until it
// comes back: only then its places can be used again. When all Logics hang, nothing waits for them.
func (t *TEB) expire(now time.Duration) {
	for len(t.under) > 0 && now-t.under[0].begun >= t.c.Decide {
		b := t.under[0]
		t.publishDefault(b)
		b.abandoned = true
		t.hung++
		t.under = append(t.under[:0], t.under[1:]...)
		t.commit()
	}
	for t.hung == len(t.c.Logic) {
		b := t.gather(now)
		if b == nil {
			return
		}
		t.publishDefault(b)
		t.recycle(b)
	}
}
