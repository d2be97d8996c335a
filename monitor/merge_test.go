package monitor

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"drp/internal/testkit"
	"drp/xtc"
)

// played is a run that is watched in a Merge.
type played struct {
	*publisher
	name string
}

// play begins the run of a name; the first of a test makes the folder for all.
func play(t *testing.T, name string) played {
	t.Helper()
	s, err := New(Config{Name: name, EventBytes: 256, Slots: 64})
	if err != nil {
		t.Fatal(err)
	}
	s.audience.every = 0
	t.Cleanup(func() { _ = s.Close() })
	announce(s, xtc.Configure, 1)
	announce(s, xtc.BeginRun, 2)
	return played{newPublisher(s, 64), name}
}

// at publishes events of these numbers, which are their times.
func (p *played) at(numbers ...int64) {
	for _, n := range numbers {
		p.n = n
		p.publish(uint32(n%2)*Hit, 0)
	}
}

func merge(t *testing.T, o MergeOptions) *Merge {
	t.Helper()
	if o.Deadline == 0 {
		o.Deadline = time.Minute
	}
	m, err := NewMerge(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

// tells gives the next event as its time and the numbers of its parts, or the name of a transition.
func (m *Merge) tells(t *testing.T) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	e, err := m.Next(ctx)
	switch {
	case err != nil:
		t.Fatalf("%v: %+v", err, m.Runs())
	case e.Transition != nil:
		return fmt.Sprint(e.Transition.Dgram.Service(), e.From, e.Again)
	}
	text := fmt.Sprint(e.Time)
	for _, p := range e.Parts {
		if p == nil {
			text += " -"
			continue
		}
		if err := whole(p); err != nil || uint64(p.Number) != e.Time {
			t.Errorf("part %d of %d: %v", p.Number, e.Time, err)
		}
		text += fmt.Sprint(" ", p.Number)
	}
	return text
}

func (m *Merge) told(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for range want {
		got = append(got, m.tells(t))
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
}

// begun lets a merge of two come to its first event, and tells that each transition was brought by both.
func (m *Merge) begun(t *testing.T, first string) {
	t.Helper()
	got := []string{m.tells(t), m.tells(t), m.tells(t), m.tells(t)}
	slices.Sort(got)
	want := [][]string{{"BeginRun 0 false", "BeginRun 1 true", "Configure 0 false", "Configure 1 true"},
		{"BeginRun 0 true", "BeginRun 1 false", "Configure 0 true", "Configure 1 false"},
		{"BeginRun 0 true", "BeginRun 1 false", "Configure 0 false", "Configure 1 true"},
		{"BeginRun 0 false", "BeginRun 1 true", "Configure 0 true", "Configure 1 false"}}
	if !slices.ContainsFunc(want, func(w []string) bool { return slices.Equal(got, w) }) {
		t.Fatalf("%q", got)
	}
	m.told(t, first)
}

func watched(t *testing.T, both ...played) {
	t.Helper()
	for _, p := range both {
		settled(t, p.s, 1)
	}
}

// entered waits until the one who watches has been greeted: then he has his queue.
func (p *played) entered(t *testing.T) {
	t.Helper()
	if !testkit.Within(testkit.Patience, func() bool {
		p.s.mu.Lock()
		defer p.s.mu.Unlock()
		var d unix.SysvShmDesc
		_, err := unix.SysvShmCtl(p.s.audience.all[0].queue.ID(), unix.IPC_STAT, &d)
		return err == nil && d.Nattch == 2
	}) {
		t.Fatal("he never has")
	}
}

// TestMerge: parts are joined by their time, from where both are; a run without a part is named and counted, and one that ends,
// or dies, is not waited for. It comes back, and what it has from before is late.
func TestMerge(t *testing.T) {
	newServer(t, Config{EventBytes: 64, Slots: 4}) // makes the folder
	a, b := play(t, "x/a"), play(t, "x/b")
	m := merge(t, MergeOptions{Names: []string{"x/a", "x/b"}})
	watched(t, a, b)
	a.at(1, 2, 3, 5)
	b.at(2, 4, 5)
	m.begun(t, "2 2 2")
	m.told(t, "3 3 -", "4 - 4", "5 5 5")
	if err := b.s.Close(); err != nil {
		t.Fatal(err)
	}
	a.at(6, 7)
	m.told(t, "6 6 -", "7 7 -")
	if r := m.Runs(); r[0] != (MergedRun{"x/a", "running", true, 5, 1, 0, 1}) || r[1] != (MergedRun{"x/b", "ended", false, 3, 0, 0, 3}) {
		t.Errorf("%+v", r)
	}
	b = play(t, "x/b")
	watched(t, b)
	b.at(5, 6, 9)
	a.at(8)
	seen := m.tells(t)
	for seen != "Configure 1 true" { // it may have come back later than that
		if seen != "8 8 -" {
			t.Fatal(seen)
		}
		seen = m.tells(t)
	}
	a.at(9)
	m.told(t, "BeginRun 1 true")
	for seen = m.tells(t); seen == "8 8 -"; seen = m.tells(t) {
	}
	if r := m.Runs(); seen != "9 9 9" || r[1].Late != 2 {
		t.Errorf("%q, %+v", seen, r)
	}
}

// TestMergeChoices are of what was put together.
func TestMergeChoices(t *testing.T) {
	newServer(t, Config{EventBytes: 64, Slots: 4})
	for name, test := range map[string]struct {
		o    MergeOptions
		want []string
	}{
		"complete": {MergeOptions{Complete: true}, []string{"2 2 2", "5 5 5", "9 9 9"}},
		"hits":     {MergeOptions{Choose: Choice{Hits: true}}, []string{"3 3 -", "5 5 5", "9 9 9"}},
		"every":    {MergeOptions{Choose: Choice{Every: 2}}, []string{"2 2 2", "4 - 4", "9 9 9"}},
	} {
		t.Run(name, func(t *testing.T) {
			a, b := play(t, "x/a"), play(t, "x/b")
			test.o.Names = []string{"x/a", "x/b"}
			m := merge(t, test.o)
			watched(t, a, b)
			a.at(2, 3, 5, 9)
			b.at(2, 4, 5, 9)
			m.begun(t, test.want[0])
			m.told(t, test.want[1:]...)
		})
	}
}

// TestMergeDoesNotWait for one that shows nothing, once it has waited for the deadline.
func TestMergeDoesNotWait(t *testing.T) {
	newServer(t, Config{EventBytes: 64, Slots: 4})
	a, b := play(t, "x/a"), play(t, "x/b")
	m := merge(t, MergeOptions{Names: []string{"x/a", "x/b"}, Deadline: 50 * time.Millisecond})
	watched(t, a, b)
	a.at(1, 2, 3)
	m.begun(t, "1 1 -")
	m.o.Deadline = time.Hour // from here on nothing would come
	m.told(t, "2 2 -", "3 3 -")
	b.at(3, 4)
	a.at(4)
	if got := m.tells(t); got != "4 4 4" && got != "4 4 -" { // as it was heard in time or not
		t.Error(got)
	}
}

// TestMergeNewest gives nothing that has waited, and yet what belongs together.
func TestMergeNewest(t *testing.T) {
	newServer(t, Config{EventBytes: 64, Slots: 4})
	a, b := play(t, "x/a"), play(t, "x/b")
	m := merge(t, MergeOptions{Names: []string{"x/a", "x/b"}, Choose: Choice{Newest: true}})
	watched(t, a, b)
	a.at(1, 2, 3, 4)
	b.at(1, 2, 3)
	m.begun(t, "1 1 1")
	done := make(chan struct{})
	defer close(done)
	go func() {
		for n := int64(5); ; n++ {
			a.at(n)
			b.at(n)
			select {
			case <-done:
				return
			case <-time.After(time.Millisecond):
			}
		}
	}()
	for range 5 {
		var time, x, y int64
		if _, err := fmt.Sscan(m.tells(t), &time, &x, &y); err != nil || time < 5 || x != y {
			t.Fatalf("%d %d %d: %v", time, x, y, err)
		}
	}
}

// TestMergeNames refuses what is no name, and says who is not there.
func TestMergeNames(t *testing.T) {
	newServer(t, Config{EventBytes: 64, Slots: 4})
	if _, err := NewMerge(MergeOptions{Names: []string{"a/b/c"}}); err == nil {
		t.Error("it is a name")
	}
	play(t, "x/a")
	if all, err := Names("x/*"); err != nil || !slices.Equal(all, []string{"x/a"}) {
		t.Errorf("%q: %v", all, err)
	}
	m := merge(t, MergeOptions{Names: []string{testName, "x/none"}, Wait: time.Millisecond})
	for {
		e, err := m.Next(context.Background())
		if err != nil {
			if want := "monitor: nobody publishes x/none: start drp with --monitor x/none"; err.Error() != want && err.Error() != "monitor: nobody publishes "+testName+": start drp with --monitor "+testName {
				t.Error(err)
			}
			return
		}
		if e.Transition == nil {
			t.Fatal("an event")
		}
	}
}

// two are merged; each has published some events, of which the first was taken.
func two(t *testing.T, as, bs []int64) (a, b played, m *Merge) {
	t.Helper()
	newServer(t, Config{EventBytes: 64, Slots: 4})
	a, b = play(t, "x/a"), play(t, "x/b")
	m = merge(t, MergeOptions{Names: []string{"x/a", "x/b"}})
	watched(t, a, b)
	a.at(as...)
	b.at(bs...)
	m.begun(t, "1 1 1")
	return a, b, m
}

// TestMergeClaims: one who comes back has us in his queue while what he left before is read, so that nothing of him is missed.
func TestMergeClaims(t *testing.T) {
	a, b, m := two(t, []int64{1, 2, 3}, []int64{1, 2, 3})
	if err := b.s.Close(); err != nil {
		t.Fatal(err)
	}
	b = play(t, "x/b")
	watched(t, b)
	for n := int64(4); n < 10; n++ {
		a.at(n)
		b.at(n)
	}
	m.told(t, "2 2 2", "3 3 3")
	got := []string{m.tells(t), m.tells(t), m.tells(t)}
	if want := []string{"Configure 1 true", "BeginRun 1 true", "4 4 4"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	m.told(t, "5 5 5")
	if r := m.Runs(); r[1] != (MergedRun{"x/b", "running", true, 5, 0, 0, 0}) {
		t.Errorf("%+v", r)
	}
}

// TestMergeCounts what there was of one who came back, before we were there.
func TestMergeCounts(t *testing.T) {
	_, b, m := two(t, []int64{1, 9}, []int64{1})
	if err := b.s.Close(); err != nil {
		t.Fatal(err)
	}
	b = play(t, "x/b")
	b.at(2, 3, 4, 5) // of which we may have some
	watched(t, b)
	b.at(9)
	got := m.tells(t)
	for got != "9 9 9" {
		got = m.tells(t)
	}
	if r := m.Runs()[1]; r.Got+r.Late+r.Missed != 6 {
		t.Errorf("%+v", r)
	}
}

// TestFollows: the first event tells of all that there was before, where one has watched another of this name, and else of none.
func TestFollows(t *testing.T) {
	for _, follows := range []bool{false, true} {
		s := newServer(t, Config{EventBytes: 64, Slots: 4})
		p := newPublisher(s, 64)
		announce(s, xtc.Configure, 1)
		publish := func(n int) {
			for range n {
				p.publish(0, 0)
			}
		}
		publish(5)
		other := dial(t, Choice{Hits: true})
		settled(t, s, 1)
		publish(2)
		c := dial(t, Choice{})
		c.follows = follows
		c.owe(3)
		settled(t, s, 2)
		if c.owed() != 3 {
			t.Error(c.owed())
		}
		publish(1)
		before := uint64(0)
		if follows {
			before = 7
		}
		if c.owed() != 3+before+1 {
			t.Error(c.owed())
		}
		next(t, c)
		if it := next(t, c); it.Missed != 3+before || c.Missed() != 3+before || c.owed() != 0 {
			t.Errorf("%d, %d and %d are missed", it.Missed, c.Missed(), c.owed())
		}
		publish(1)
		if it := next(t, c); it.Missed != 0 || c.owed() != 0 {
			t.Errorf("%d are missed", it.Missed)
		}
		_, _, _ = c.Close(), other.Close(), s.Close()
	}
}

// TestMergeGivesUp whoever dies before it was come to what he has, of which one misses all then.
func TestMergeGivesUp(t *testing.T) {
	_, b, m := two(t, []int64{1, 2, 9}, []int64{1, 2})
	for _, events := range [][]int64{{3, 4, 5}, {6, 7}, {8, 9}} {
		if err := b.s.Close(); err != nil {
			t.Fatal(err)
		}
		b = play(t, "x/b")
		watched(t, b)
		b.entered(t)
		b.at(events...)
	}
	m.told(t, "2 2 2", "Configure 1 true", "BeginRun 1 true", "8 - 8", "9 9 9")
	if r := m.Runs(); r[1] != (MergedRun{"x/b", "running", true, 4, 5, 0, 0}) {
		t.Errorf("%+v", r)
	}
}
