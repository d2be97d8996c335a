package teb_test

import (
	"flag"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"testing"
	"time"

	"drp/internal/world"
	"drp/teb"
	"drp/xtc"
)

var seeds = flag.Uint64("seeds", 300, "how many random runs there are")

// partition is a run in a simulated world: contributors that lose, repeat, fall silent, die and come back, and logics that
// hang, all decided by a seed. What each contributor brings follows from the pulse ID, so that every decision can be checked
// without asking the TEB.
type partition struct {
	w       *world.Simulated
	rng     *rand.Rand
	teb     *teb.TEB
	members []teb.Member
	events  uint64
	faulty  bool          // there are faults at all
	pace    time.Duration // between the batches of a contributor
	c       teb.Config

	sent     map[uint64]uint64 // by pulse ID, who tried
	hung     int
	problems []string
}

// newPartition decides the size of a run.
func newPartition(t *testing.T, seed uint64) *partition {
	p := &partition{w: world.NewSimulated(seed, 3_000_000), rng: rand.New(rand.NewPCG(seed, 7)), sent: map[uint64]uint64{}}
	n := 1 + p.rng.IntN(6)
	for k := range n {
		m := teb.Member{Schema: mustSchema(t, fmt.Sprint("c", k), teb.Field{Name: "npeaks", Type: teb.U16})}
		if k > 0 {
			m.Groups = uint16(1 + p.rng.IntN(3)) // group 0, 1, or both; the first has both
		} else {
			m.Groups = 3
		}
		p.members = append(p.members, m)
	}
	p.events, p.faulty = uint64(50+p.rng.IntN(400)), seed%4 > 0
	p.pace = time.Duration(1+p.rng.IntN(2000)) * time.Microsecond
	p.c = teb.Config{World: p.w, Partition: "test", Contributors: p.members, Window: 2*n + p.rng.IntN(200),
		BatchEvents: 1 + p.rng.IntN(20), Deadline: time.Minute, Decide: time.Minute, Default: teb.Verdict{Monitor: 8}}
	if p.faulty {
		p.c.Deadline = time.Duration(5+p.rng.IntN(50)) * time.Millisecond
		p.c.Decide = time.Duration(5+p.rng.IntN(50)) * time.Millisecond
	}
	for range 1 + p.rng.IntN(3) {
		p.c.Logic = append(p.c.Logic, &teb.Func{Reasons: []teb.Reason{{Name: "hit"}}, Do: p.decide})
	}
	return p
}

func (p *partition) problem(format string, args ...any) {
	if len(p.problems) < 10 {
		p.problems = append(p.problems, fmt.Sprintf(format, args...))
	}
}

// once in a while something goes wrong.
func (p *partition) once(in int) bool { return p.faulty && p.rng.IntN(in) == 0 }

// Every tenth datagram is a transition; events belong to group 0, or to both groups.
func service(pulse uint64) xtc.TransitionID {
	if pulse%10 == 3 {
		return xtc.SlowUpdate
	}
	return xtc.L1Accept
}

func groupsOf(pulse uint64) uint16 { return 1 | uint16(pulse>>1&1)<<1 }

func value(k int, pulse uint64) int64 { return int64(pulse*2654435761>>7+uint64(k)*13) % 20 }

func (p *partition) need(pulse uint64) (need uint64) {
	for k, m := range p.members {
		if service(pulse) != xtc.L1Accept || m.Groups&groupsOf(pulse) != 0 {
			need |= 1 << k
		}
	}
	return need
}

func wanted(have, pulse uint64) bool {
	sum := int64(0)
	for ; have != 0; have &= have - 1 {
		sum += value(bits.TrailingZeros64(have), pulse)
	}
	return sum%3 == 0
}

func (p *partition) decide(b *teb.Batch) {
	switch {
	case p.once(40):
		p.hung++
		p.w.Sleep(3 * p.c.Decide)
	case p.rng.IntN(3) == 0:
		p.w.Sleep(time.Duration(p.rng.IntN(2000)) * time.Microsecond)
	}
	for i := range b.Len() {
		h, sum := b.Head(i), int64(0)
		for k, m := range p.members {
			if row := b.Row(i, k); row != nil {
				v := m.Schema.Field("npeaks").Int(row, 0)
				if v != value(k, h.Time) || teb.HeadOf(row).Pulse != h.Pulse {
					p.problem("event %d has of %d the value %d of %d", h.Time, k, v, teb.HeadOf(row).Pulse)
				}
				sum += v
			}
		}
		if sum%3 == 0 {
			b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonLogic, Persist: true}
		}
	}
}

// contribute is the life, or the lives, of one contributor.
func (p *partition) contribute(k int) {
	generation, pulse := uint64(0), uint64(1)
	for pulse <= p.events {
		generation += 1 + uint64(p.rng.IntN(3))
		if _, err := p.teb.Join(p.members[k].Schema, generation); err != nil {
			p.problem("join: %v", err)
			return
		}
		pulse = p.live(k, generation, pulse)
		p.w.Sleep(time.Duration(p.rng.IntN(30)) * time.Millisecond) // until somebody notices
		p.teb.Gone(k, generation)
		if p.once(2) {
			p.teb.Gone(k, generation-1)
		}
		p.w.Sleep(time.Duration(p.rng.IntN(60)) * time.Millisecond)
		if pulse <= p.events { // it sends some again, or has missed some
			pulse = uint64(max(1, int64(pulse)+int64(p.rng.IntN(30))-20))
		}
	}
}

// live brings what it has from a pulse on, until it dies or all is done; it gives the next one.
func (p *partition) live(k int, generation, pulse uint64) uint64 {
	e, err := teb.NewEncoder(p.members[k].Schema, teb.BatchHead{Partition: teb.PartitionID("test"), Contributor: uint32(k),
		Generation: generation}, 64)
	if err != nil {
		p.problem("%v", err)
		return p.events + 1
	}
	for pulse <= p.events {
		for n := 1 + p.rng.IntN(12); n > 0 && pulse <= p.events; n-- {
			p.put(e, k, pulse)
			if p.once(60) {
				p.put(e, k, uint64(max(1, int64(pulse)-int64(p.rng.IntN(8))))) // again, or behind
			}
			pulse++
		}
		if batch := e.Batch(); !p.once(50) { // else it is lost
			for range 1 + p.rng.IntN(2) {
				if err := p.teb.Contribute(batch); err != nil {
					p.problem("contributor %d: %v", k, err)
				}
				if !p.once(20) {
					break
				}
			}
		}
		switch {
		case p.once(60):
			return pulse
		case p.once(80):
			p.w.Sleep(2 * p.c.Deadline) // it is silent
		}
		p.w.Sleep(time.Duration(p.rng.Int64N(int64(p.pace))))
	}
	return pulse
}

func (p *partition) put(e *teb.Encoder, k int, pulse uint64) {
	if p.need(pulse)>>k&1 == 0 || p.once(40) {
		return
	}
	h := teb.Head{Pulse: pulse, Time: pulse, Groups: groupsOf(pulse), Service: service(pulse)}
	if !h.Service.IsEvent() {
		h.Pulse-- // that of the event before it
	}
	row := e.Add(h)
	p.members[k].Schema.Field("npeaks").PutInt(row, 0, value(k, pulse))
	p.sent[pulse] |= 1 << k
}

// run runs all of it, and gives what was decided.
func (p *partition) run() (all []teb.Decision, books teb.Books, err error) {
	err = p.w.Run(func() {
		var failed error
		if p.teb, failed = teb.New(p.c); failed != nil {
			p.problem("%v", failed)
			return
		}
		join := world.NewJoin(p.w)
		for k := range p.members {
			join.Go(func() { p.contribute(k) })
		}
		p.w.Go(func() { join.Wait(); p.teb.Shutdown() })
		some := make([]teb.Decision, 1+p.rng.IntN(30))
		for n := p.teb.Next(some); n > 0; n = p.teb.Next(some) {
			all = append(all, some[:n]...)
			if p.once(20) {
				p.w.Sleep(time.Duration(p.rng.IntN(20)) * time.Millisecond)
			}
		}
		books = p.teb.Books()
		p.teb.Close()
	})
	return all, books, err
}

// check looks at each decision, and at the books.
func (p *partition) check(all []teb.Decision, books teb.Books) {
	last, rows := uint64(0), uint64(0)
	for _, d := range all {
		need := p.need(d.Time)
		if d.Time <= last {
			p.problem("%d comes after %d", d.Time, last)
		}
		last = d.Time
		rows += uint64(bits.OnesCount64(d.Contributions))
		if d.Service != service(d.Time) || d.Groups != groupsOf(d.Time) || d.Contributions == 0 ||
			d.Contributions&^p.sent[d.Time] != 0 {
			p.problem("%+v was built of what was not sent", d)
		}
		if incomplete := need&^d.Contributions != 0; incomplete != d.Damage.Has(xtc.DamageDroppedContribution) ||
			d.Damage.Has(xtc.DamageTimedOut) && !incomplete {
			p.problem("%+v has the wrong damage", d)
		}
		switch {
		case d.Service != xtc.L1Accept:
			if d.Reason != teb.ReasonTransition || !d.Persist {
				p.problem("transition %+v", d)
			}
		case d.Default != (d.Reason == teb.ReasonDefault) || d.Default && (d.Persist || d.Monitor != 8 || p.hung == 0):
			p.problem("default %+v", d)
		case !d.Default && d.Persist != wanted(d.Contributions, d.Time):
			p.problem("%+v was decided wrongly", d)
		}
	}
	if err := books.Check(); err != nil {
		p.problem("%v", err)
	}
	if books.InWindow+books.InDecision != 0 || books.Decided != uint64(len(all)) || books.Accepted != rows {
		p.problem("%d decisions of %d rows, and the books say %+v", len(all), rows, books)
	}
	if !p.faulty && (uint64(len(all)) != p.events || books.Complete != p.events || books.Received != rows) {
		p.problem("nothing went wrong, and the books say %+v", books)
	}
}

func TestRandomRuns(t *testing.T) {
	var sum teb.Books
	for seed := range *seeds {
		p := newPartition(t, seed)
		all, books, err := p.run()
		p.check(all, books)
		if err != nil {
			p.problem("%v", err)
		}
		for _, problem := range p.problems {
			t.Errorf("seed %d: %s", seed, problem)
		}
		if len(p.problems) > 0 {
			t.FailNow()
		}
		sum.TimedOut += books.TimedOut
		sum.Absent += books.Absent
		sum.Skipped += books.Skipped
		sum.Late += books.Late
		sum.Duplicate += books.Duplicate
		sum.Unordered += books.Unordered
		sum.Defaulted += books.Defaulted
		sum.LostBatches += books.LostBatches
		sum.RepeatedBatches += books.RepeatedBatches
		sum.Gone += books.Gone
	}
	if *seeds < 100 {
		return
	}
	if sum.TimedOut == 0 || sum.Absent == 0 || sum.Skipped == 0 || sum.Late == 0 || sum.Duplicate == 0 || sum.Unordered == 0 ||
		sum.Defaulted == 0 || sum.LostBatches == 0 || sum.RepeatedBatches == 0 || sum.Gone == 0 {
		t.Errorf("something never happened: %+v", sum)
	}
}

// TestSimulatedRunsRepeat: the same seed gives the same run.
func TestSimulatedRunsRepeat(t *testing.T) {
	var first []teb.Decision
	for range 2 {
		all, _, err := newPartition(t, 11).run()
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && fmt.Sprint(all) != fmt.Sprint(first) {
			t.Error("the second run differs")
		}
		first = all
	}
}
