package teb_test

import (
	"errors"
	"sync"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// feed is a contributor of a test.
type feed struct {
	t      testing.TB
	teb    *teb.TEB
	schema *teb.Schema
	e      *teb.Encoder
}

func newFeed(t testing.TB, b *teb.TEB, s *teb.Schema, generation uint64) *feed {
	t.Helper()
	k, err := b.Join(s, generation)
	if err != nil {
		t.Fatal(err)
	}
	e, err := teb.NewEncoder(s, teb.BatchHead{Partition: teb.PartitionID("test"), Contributor: uint32(k), Generation: generation}, 1024)
	if err != nil {
		t.Fatal(err)
	}
	return &feed{t, b, s, e}
}

// put puts an event into the batch; values go into the fields, in order.
func (f *feed) put(h teb.Head, values ...float64) {
	row := f.e.Add(h)
	for i, v := range values {
		f.schema.Fields()[i].PutFloat(row, 0, v)
	}
}

func (f *feed) event(pulse uint64, values ...float64) { f.put(event(pulse), values...) }

func (f *feed) send() {
	f.t.Helper()
	if err := f.teb.Contribute(f.e.Batch()); err != nil {
		f.t.Error(err)
	}
}

func event(pulse uint64) teb.Head {
	return teb.Head{Pulse: pulse, Time: pulse, Groups: 1, Service: xtc.L1Accept}
}

// peaks are schemas of contributors with a number each.
func peaks(t testing.TB, names ...string) (all []teb.Member) {
	for _, name := range names {
		all = append(all, teb.Member{Schema: mustSchema(t, name, teb.Field{Name: "npeaks", Type: teb.U16})})
	}
	return all
}

// keepLarge keeps events with more than 10 peaks in all.
func keepLarge(members []teb.Member) teb.Logic {
	return &teb.Func{Reasons: []teb.Reason{{Name: "hit"}}, Do: func(b *teb.Batch) {
		for i := range b.Len() {
			sum := int64(0)
			for k, m := range members {
				if row := b.Row(i, k); row != nil {
					sum += m.Schema.Field("npeaks").Int(row, 0)
				}
			}
			if sum > 10 {
				b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonLogic, Persist: true, Monitor: 1}
			}
		}
	}}
}

func start(t testing.TB, c teb.Config) *teb.TEB {
	t.Helper()
	c.Partition = "test"
	b, err := teb.New(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

// rest shuts down and gives all decisions that are left.
func rest(t testing.TB, b *teb.TEB) (all []teb.Decision) {
	t.Helper()
	b.Shutdown()
	for {
		some := make([]teb.Decision, 100)
		n := b.Next(some)
		if n == 0 {
			break
		}
		all = append(all, some[:n]...)
	}
	books := b.Books()
	if err := books.Check(); err != nil {
		t.Error(err)
	}
	if books.InDecision != 0 || books.InWindow != 0 {
		t.Errorf("it is over, the books: %+v", books)
	}
	return all
}

func TestTwoContributors(t *testing.T) {
	testkit.NoLeaks(t)
	members := peaks(t, "a", "b")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour})
	a, c := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)
	a.put(teb.Head{Pulse: 1, Service: xtc.Enable})
	for pulse := uint64(2); pulse < 100; pulse++ {
		a.event(pulse, 5)
	}
	a.send()
	c.put(teb.Head{Pulse: 1, Service: xtc.Enable})
	for pulse := uint64(2); pulse < 100; pulse++ {
		if pulse != 50 { // it skips one
			c.event(pulse, float64(pulse%10))
		}
	}
	c.send()
	got := rest(t, b)
	if len(got) != 99 {
		t.Fatalf("%d decisions, want 99", len(got))
	}
	for i, d := range got {
		pulse := uint64(i + 1)
		want := teb.Decision{Pulse: pulse, Time: pulse, Contributions: 3, Groups: 1, Service: xtc.L1Accept}
		switch {
		case pulse == 1:
			want.Time, want.Groups, want.Service, want.Persist, want.Reason, want.Monitor = 0, 0, xtc.Enable, true, teb.ReasonTransition, 1<<32-1
		case pulse == 50:
			want.Contributions, want.Damage = 1, xtc.DamageDroppedContribution
		case pulse%10 > 5:
			want.Persist, want.Reason, want.Monitor = true, teb.ReasonLogic, 1
		}
		if d != want {
			t.Errorf("%+v, want %+v", d, want)
		}
	}
	books := b.Books()
	if books.Complete != 98 || books.Skipped != 1 || books.Events != 98 || books.Transitions != 1 || books.Kept != 40 {
		t.Errorf("the books: %+v", books)
	}
}

func TestDeadline(t *testing.T) {
	members := peaks(t, "a", "b")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: 10 * time.Millisecond})
	a, c := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)
	a.event(1, 20)
	a.send()
	var d [1]teb.Decision
	if b.Next(d[:]) != 1 || d[0].Damage != xtc.DamageDroppedContribution|xtc.DamageTimedOut || !d[0].Persist {
		t.Errorf("%+v", d)
	}
	c.event(1, 20)
	c.send()
	if books := b.Books(); books.TimedOut != 1 || books.Late != 1 {
		t.Errorf("the books: %+v", books)
	}
}

func TestGoneAndBack(t *testing.T) {
	members := peaks(t, "a", "b")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour})
	a, c := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 7)
	a.event(1)
	a.event(2)
	a.send()
	c.event(1)
	c.send()
	b.Gone(1, 6) // an earlier life
	var d [2]teb.Decision
	if n := b.Next(d[:]); n != 1 || d[0].Damage != 0 {
		t.Errorf("%d: %+v", n, d)
	}
	b.Gone(1, 7)
	if n := b.Next(d[:]); n != 1 || d[0].Pulse != 2 || d[0].Damage != xtc.DamageDroppedContribution {
		t.Errorf("%d: %+v", n, d)
	}
	if _, err := b.Join(members[1].Schema, 7); err == nil {
		t.Error("the same life begins again")
	}
	again := newFeed(t, b, members[1].Schema, 8)
	a.event(3) // nobody waits for b yet
	a.send()
	if n := b.Next(d[:]); n != 1 || d[0].Pulse != 3 {
		t.Errorf("%d: %+v", n, d)
	}
	again.event(2) // it sends again what was not answered
	again.event(4)
	again.send()
	a.event(4)
	a.send()
	if n := b.Next(d[:]); n != 1 || d[0].Pulse != 4 || d[0].Contributions != 3 || d[0].Damage != 0 {
		t.Errorf("%d: %+v", n, d)
	}
	c.event(5)
	var stale *teb.StaleError
	if err := b.Contribute(c.e.Batch()); !errors.As(err, &stale) || stale.Have != 8 {
		t.Errorf("an earlier life gets %v", err)
	}
	if books := b.Books(); books.Late != 1 || books.StaleBatches != 1 || books.Joined != 3 || books.Gone != 1 || books.Absent != 2 {
		t.Errorf("the books: %+v", books)
	}
}

func TestReadoutGroups(t *testing.T) {
	members := peaks(t, "fast", "slow")
	members[0].Groups, members[1].Groups = 1|2, 2
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour})
	fast, slow := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)
	fast.put(teb.Head{Pulse: 1, Groups: 1, Service: xtc.L1Accept})
	fast.put(teb.Head{Pulse: 2, Groups: 1 | 2, Service: xtc.L1Accept})
	fast.put(teb.Head{Pulse: 3, Groups: 1, Service: xtc.L1Accept})
	fast.send()
	var d [4]teb.Decision
	if n := b.Next(d[:]); n != 1 || d[0].Pulse != 1 || d[0].Damage != 0 || d[0].Contributions != 1 {
		t.Errorf("%d: %+v", n, d)
	}
	slow.put(teb.Head{Pulse: 2, Groups: 1 | 2, Service: xtc.L1Accept})
	slow.send()
	got := rest(t, b)
	if len(got) != 2 || got[0].Contributions != 3 || got[1].Contributions != 1 || got[1].Damage != 0 {
		t.Errorf("%+v", got)
	}
}

// TestFullWindow has a contributor wait, and go on without a loss.
func TestFullWindow(t *testing.T) {
	testkit.NoLeaks(t)
	members := peaks(t, "a", "b")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour, Window: 16})
	var both sync.WaitGroup
	for _, m := range members {
		f := newFeed(t, b, m.Schema, 1)
		both.Go(func() {
			for pulse := range uint64(5000) {
				if f.event(pulse); pulse%100 == 99 {
					f.send()
				}
			}
		})
	}
	go func() { both.Wait(); b.Shutdown() }()
	var d [7]teb.Decision
	for next := uint64(0); ; {
		n := b.Next(d[:])
		if n == 0 {
			break
		}
		for _, d := range d[:n] {
			if d.Pulse != next || d.Damage != 0 {
				t.Fatalf("%+v, want %d", d, next)
			}
			next++
		}
	}
	if books := b.Books(); books.Complete != 5000 || books.Check() != nil {
		t.Errorf("the books: %+v", books)
	}
}

// TestLogicThatHangs: the default is given in its place, in order, and it goes on when it comes back.
func TestLogicThatHangs(t *testing.T) {
	testkit.NoLeaks(t)
	members := peaks(t, "a")
	hang, hangs := make(chan struct{}), make(chan struct{}, 1)
	logic := &teb.Func{Reasons: []teb.Reason{{Name: "hit"}}, Do: func(b *teb.Batch) {
		if b.Head(0).Pulse == 0 {
			hangs <- struct{}{}
			<-hang
		}
		for i := range b.Verdicts {
			b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonLogic, Persist: true}
		}
	}}
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{logic}, Decide: 20 * time.Millisecond,
		Default: teb.Verdict{Monitor: 2}})
	a := newFeed(t, b, members[0].Schema, 1)
	a.event(0)
	a.send()
	<-hangs
	a.event(1)
	a.send()
	var d [1]teb.Decision
	for pulse := range uint64(2) {
		want := teb.Decision{Pulse: pulse, Time: pulse, Contributions: 1, Monitor: 2, Groups: 1, Reason: teb.ReasonDefault,
			Service: xtc.L1Accept, Default: true}
		if b.Next(d[:]) != 1 || d[0] != want {
			t.Errorf("%+v, want %+v", d[0], want)
		}
	}
	close(hang)
	for pulse := uint64(2); d[0].Default; pulse++ { // until it is back
		a.event(pulse)
		a.send()
		if b.Next(d[:]) != 1 || d[0].Pulse != pulse {
			t.Fatalf("%+v, want %d", d[0], pulse)
		}
	}
	rest(t, b)
}

// TestPrescale counts exactly, per readout group and per reason, whatever the batches are.
func TestPrescale(t *testing.T) {
	members := peaks(t, "a")
	run := func(seed uint64, logics int) (kept [3]int, picked uint64) {
		logic := func() teb.Logic {
			return &teb.Func{Reasons: []teb.Reason{{Name: "hit", Prescale: 10}}, Do: func(b *teb.Batch) {
				for i := range b.Verdicts {
					if b.Prescale(i, 7) {
						b.Verdicts[i] = teb.Verdict{Reason: teb.ReasonLogic, Persist: true}
					}
				}
			}}
		}
		c := teb.Config{Contributors: members, PrescaleSeed: seed, Prescale: [16]uint32{2: 5}, BatchEvents: 3}
		for range logics {
			c.Logic = append(c.Logic, logic())
		}
		b := start(t, c)
		a := newFeed(t, b, members[0].Schema, 1)
		for pulse := range uint64(700) {
			a.put(teb.Head{Pulse: pulse, Groups: 1 << (1 + pulse%2), Service: xtc.L1Accept})
		}
		a.send()
		for _, d := range rest(t, b) {
			for i, is := range []bool{d.Persist, d.Prescaled, d.Reason == teb.ReasonLogic} {
				if is {
					kept[i]++
					picked = picked*31 + d.Pulse
				}
			}
		}
		return kept, picked
	}
	// 350 events in each of two groups: 50 of each are one in seven, and of these 100 ten are kept; one in five of one group
	// stays with its raw data.
	kept, picked := run(1, 1)
	if kept != [3]int{10, 70, 100} {
		t.Errorf("%v", kept)
	}
	if k, p := run(1, 4); k != kept || p != picked {
		t.Error("with four logics others are picked")
	}
	if k, p := run(2, 1); k != kept || p == picked {
		t.Errorf("with another seed: %v, the same %v", k, p == picked)
	}
}
