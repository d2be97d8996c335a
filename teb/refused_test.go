package teb_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"drp/teb"
	"drp/xtc"
)

func TestWhatIsRefused(t *testing.T) {
	members := peaks(t, "a")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour})
	other := mustSchema(t, "a", teb.Field{Name: "sum", Type: teb.F64})
	var mismatch *teb.MismatchError
	if _, err := b.Join(other, 1); !errors.As(err, &mismatch) || !strings.Contains(err.Error(), "sum f64") {
		t.Errorf("another schema: %v", err)
	}
	if _, err := b.Join(mustSchema(t, "z"), 1); err == nil || !strings.Contains(err.Error(), "no contributor z in partition test") {
		t.Errorf("another name: %v", err)
	}
	encode := func(s *teb.Schema, h teb.BatchHead) []byte {
		e, err := teb.NewEncoder(s, h, 4)
		if err != nil {
			t.Fatal(err)
		}
		e.Add(event(9))
		return e.Batch()
	}
	good := teb.BatchHead{Partition: teb.PartitionID("test"), Generation: 3}
	if err := b.Contribute(encode(members[0].Schema, good)); err == nil {
		t.Error("a batch before anybody joined")
	}
	if _, err := b.Join(members[0].Schema, 3); err != nil {
		t.Fatal(err)
	}
	place, foreign := good, good
	place.Contributor, foreign.Partition = 1<<31, 1
	for _, test := range []struct {
		name, want string
		batch      []byte
	}{
		{"nothing", "too few", nil},
		{"garbage", "begins with", []byte(strings.Repeat("garbage ", 9))},
		{"half a batch", "announced", encode(members[0].Schema, good)[:70]},
		{"too much", "at most", make([]byte, teb.MaxBatchBytes+1)},
		{"another partition", "another partition than test", encode(members[0].Schema, foreign)},
		{"a place that is not there", "contributor 2147483648", encode(members[0].Schema, place)},
		{"another schema", "npeaks u16", encode(other, good)},
	} {
		if err := b.Contribute(test.batch); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: %v, want %q", test.name, err, test.want)
		}
	}
	if got := rest(t, b); len(got) != 0 {
		t.Errorf("%+v", got)
	}
	if books := b.Books(); books.RefusedBatches != 7 || books.StaleBatches != 1 || books.Received != 0 {
		t.Errorf("the books: %+v", books)
	}
	if err := b.Contribute(encode(members[0].Schema, good)); !errors.Is(err, teb.ErrClosed) {
		t.Errorf("after the end: %v", err)
	}
}

// TestBadRows has every kind of row that is left out.
func TestBadRows(t *testing.T) {
	members := peaks(t, "a", "b")
	b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{keepLarge(members)}, Deadline: time.Hour})
	a, c := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)
	for _, pulse := range []uint64{5, 7, 7, 5, 6} { // 7 and 5 again: duplicate; 6: it was beyond it
		a.event(pulse)
	}
	a.put(teb.Head{Pulse: 8, Service: 99})
	a.put(teb.Head{Pulse: 1<<64 - 1, Service: xtc.L1Accept})
	a.event(9)
	a.put(teb.Head{Pulse: 9, Time: 9, Service: xtc.SlowUpdate})
	a.send()
	batch := a.e.Batch()
	if err := b.Contribute(batch); err != nil { // empty
		t.Error(err)
	}
	if err := b.Contribute(batch); err != nil {
		t.Errorf("sent twice: %v", err)
	}
	a.e.Batch() // and one gets lost
	a.send()
	c.event(9)
	c.put(teb.Head{Pulse: 9, Time: 9, Service: xtc.Disable})
	c.send()
	if got := rest(t, b); len(got) != 4 {
		t.Errorf("%+v", got)
	}
	books := b.Books()
	if books.Accepted != 5 || books.Duplicate != 2 || books.Unordered != 1 || books.Malformed != 2 || books.Conflict != 1 ||
		books.RepeatedBatches != 1 || books.LostBatches != 1 || books.Skipped != 3 || books.Complete != 1 {
		t.Errorf("the books: %+v", books)
	}
}

func TestConfigThatIsRefused(t *testing.T) {
	members := peaks(t, "a", "b")
	logic := []teb.Logic{keepLarge(members)}
	for _, test := range []struct {
		name, want string
		c          teb.Config
	}{
		{"nobody", "0 contributors", teb.Config{Logic: logic}},
		{"too many", "65 contributors", teb.Config{Contributors: make([]teb.Member, 65), Logic: logic}},
		{"no schema", "no schema", teb.Config{Contributors: make([]teb.Member, 1), Logic: logic}},
		{"one name", "two contributors are called a", teb.Config{Contributors: append(members[:1:1], members[0]), Logic: logic}},
		{"no logic", "0 logics", teb.Config{Contributors: members}},
		{"a small window", "a window of 3", teb.Config{Contributors: members, Logic: logic, Window: 3}},
		{"too much memory", "make it smaller", teb.Config{Contributors: []teb.Member{{Schema: mustSchema(t, "x",
			teb.Field{Name: "x", Type: teb.F64, Len: 500})}}, Logic: logic, Window: 1 << 20}},
		{"batches", "batches of -1", teb.Config{Contributors: members, Logic: logic, BatchEvents: -1}},
		{"time", "no negative time", teb.Config{Contributors: members, Logic: logic, Deadline: -1}},
		{"reasons", "logic 1 names the reasons [{x 0 }]", teb.Config{Contributors: members,
			Logic: append(logic[:1:1], &teb.Func{Reasons: []teb.Reason{{Name: "x"}}})}},
		{"a reason of ours", "the name default is reserved", teb.Config{Contributors: members,
			Logic: []teb.Logic{&teb.Func{Reasons: []teb.Reason{{Name: "default"}}}}}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if b, err := teb.New(test.c); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("%v, want %q", err, test.want)
				b.Close()
			}
		})
	}
}

// FuzzContribute: whatever rows there are, and however they are cut, the books balance and each event is decided once.
func FuzzContribute(f *testing.F) {
	members := peaks(f, "a", "b")
	e, err := teb.NewEncoder(members[0].Schema, teb.BatchHead{Partition: teb.PartitionID("test"), Generation: 1}, 8)
	if err != nil {
		f.Fatal(err)
	}
	for _, pulse := range []uint64{3, 1, 4, 1, 5} {
		e.Add(event(pulse))
	}
	f.Add(e.Batch(), []byte{1, 2, 0, 250, 9})
	f.Fuzz(func(t *testing.T, batch, pulses []byte) {
		logic := keepLarge(members)
		b := start(t, teb.Config{Contributors: members, Logic: []teb.Logic{logic}, Window: 8, Deadline: time.Millisecond})
		one, two := newFeed(t, b, members[0].Schema, 1), newFeed(t, b, members[1].Schema, 1)
		go func() {
			for i, p := range pulses[:min(len(pulses), 500)] {
				to := []*feed{one, two}[i&1]
				to.put(teb.Head{Pulse: uint64(p) & 63, Groups: uint16(p >> 6), Service: xtc.TransitionID(12 - p>>7)})
				_ = b.Contribute(to.e.Batch())
			}
			_ = b.Contribute(batch)
			b.Shutdown()
		}()
		var d [3]teb.Decision
		last := uint64(0)
		for first := true; ; first = false {
			n := b.Next(d[:])
			if n == 0 {
				break
			}
			for i, d := range d[:n] {
				if (!first || i > 0) && d.Pulse <= last {
					t.Fatalf("%d comes after %d", d.Pulse, last)
				}
				last = d.Pulse
			}
		}
		if books := b.Books(); books.Check() != nil || books.InWindow != 0 {
			t.Errorf("%v: %+v", books.Check(), books)
		}
	})
}
