package replay_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/teb"
	"drp/teb/replay"
	"drp/xtc"
)

// large keeps events whose n together are 10 or more, and one in four of the others with any.
var large = []teb.Rule{{Name: "large", When: "sum(c.n) >= 10", Persist: true, Monitor: 1}, {Name: "few", When: "sum(c.n) > 0 and prescale(4)", Persist: true}}

// result is what a replay gave.
type result struct {
	*replay.Report
	events []replay.Event
	warned []string
}

func play(t *testing.T, rules []teb.Rule, paths ...string) (result, error) {
	t.Helper()
	testkit.NoLeaks(t)
	var got result
	var err error
	got.Report, err = replay.Run(t.Context(), paths, replay.Options{
		Logic: func() ([]teb.Logic, error) {
			return []teb.Logic{teb.NewExpression(rules), teb.NewExpression(rules)}, nil
		},
		Warn: func(text string) { got.warned = append(got.warned, text) },
		Each: func(e *replay.Event) error { got.events = append(got.events, *e); return nil }})
	return got, err
}

func mustPlay(t *testing.T, rules []teb.Rule, paths ...string) result {
	t.Helper()
	r, err := play(t, rules, paths...)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// TestOneContributor: what would be kept stands beside what was.
func TestOneContributor(t *testing.T) {
	f := record(t, 1, "a", "a", "n")
	const events = 3000 // several batches
	for n := range uint64(events) {
		f.event(100+n, then{n%20 >= 15, 5 * int(number(n%20 >= 15))}, int64(n%20))
	}
	r := mustPlay(t, large, f.file(t.TempDir(), "a.xtc2"))
	var few int64
	for n, e := range r.events {
		if e.Pulse != uint64(100+n) || e.Time != e.Pulse || e.Groups != 1 || e.Contributors != 1 || e.Missing != 0 {
			t.Fatalf("%+v", e)
		}
		want := replay.Outcome{Reason: "rejected"}
		if n%20 >= 10 {
			want = replay.Outcome{Persist: true, Monitor: 1, Reason: "large"}
		}
		if e.Now.Reason == "few" {
			few++
			want = replay.Outcome{Persist: true, Reason: "few"}
		}
		if e.Now != want || e.Was.Kept() != (n%20 >= 15) {
			t.Errorf("event %d: %+v", n, e)
		}
	}
	if few < events/20*9/4-150 || few > events/20*9/4+150 {
		t.Errorf("%d events are kept of few", few)
	}
	if r.Events != events || r.Read != events || r.Kept != events/2+few || r.KeptThen != events/4 || r.Both != events/4 ||
		r.SameReason != events/2-few+events/4 || r.Same != events/2-few || r.Incomplete+r.Lacking+r.Again+r.Disagreeing != 0 {
		t.Errorf("%+v", r.Report)
	}
	want := []replay.ReasonCount{{"rejected", events/2 - few, 0, events * 3 / 4, 0}, {"large", events / 2, events / 2, events / 4, events / 4},
		{"few", few, few, 0, 0}}
	if !slices.Equal(r.Reasons, want) {
		t.Errorf("%+v\nwant %+v", r.Reasons, want)
	}
	if !slices.Equal(r.Groups, []replay.GroupCount{{0, events, r.Kept, 0, events / 4}}) || !slices.Equal(r.Monitors, []replay.MonitorCount{{0, events / 2, 0}}) {
		t.Errorf("%+v, %+v", r.Groups, r.Monitors)
	}
}

// TestSeveralContributors are joined by pulse ID, wherever there are gaps; in the order that they had in the run.
func TestSeveralContributors(t *testing.T) {
	a, b := record(t, 1, "b,a,x", "a", "n"), record(t, 5000, "b,a,x", "b", "n", "m")
	const events = 20000
	for pulse := uint64(10); pulse < events; pulse++ {
		if pulse%10 != 3 {
			a.event(pulse, then{true, 5}, 6)
		}
		if pulse >= 6000 && pulse < 12000 || pulse%10 == 3 && pulse > 5000 { // gaps that no window has room for
			b.event(pulse, then{true, 5 + int(number(pulse == 7000))}, 4, 1)
		}
	}
	dir := t.TempDir()
	r := mustPlay(t, []teb.Rule{{Name: "both", When: "b.present and a.present and sum(c.n) == 10 and b.m == 1", Persist: true},
		{Name: "one", When: "contributions == 1 and damage > 0", Persist: true}}, a.file(dir, "a.xtc2"), b.file(dir, "b.xtc2"))
	last := uint64(0)
	for _, e := range r.events {
		want := "one"
		if e.Contributors == 2 {
			want = "both"
		}
		if e.Now.Reason != want || e.Contributors+e.Missing != 2 || e.Pulse <= last {
			t.Fatalf("%+v", e)
		}
		last = e.Pulse
	}
	if r.Disagreeing != 1 || r.Incomplete != r.Events-5400 || int(r.Events) != len(r.events) || r.Read != r.Events+5400 || last != events-1 {
		t.Errorf("%+v", r.Report)
	}
	if !slices.Equal(r.Contributors, []string{"b", "a"}) || len(r.warned) != 1 || !strings.Contains(r.warned[0], "contributor x") {
		t.Errorf("%v, %q", r.Contributors, r.warned)
	}
}

// TestRunsAndChunks: files of a contributor follow each other, and each goes on in its chunks; from a Configure on something
// else may be contributed.
func TestRunsAndChunks(t *testing.T) {
	dir, rules := t.TempDir(), []teb.Rule{{Name: "more", When: "sum(c.n) >= 10", Persist: true}}
	f := record(t, 1, "a", "a", "n")
	f.event(100, then{true, 5}, 20)
	f.next(101, "run-1.xtc2")
	first := f.file(dir, "run.xtc2")
	f.event(102, then{}, 5)
	f.next(103, "gone.xtc2")
	f.file(dir, "run-1.xtc2")
	f = record(t, 200, "a", "a", "n")
	f.event(201, then{true, 6}, 30)
	f.configure(300, "a", "m", "n")
	f.event(301, then{true, 6}, 30, 7)
	second := f.file(dir, "later.xtc2")
	r := mustPlay(t, rules, second, first)
	var got []string
	for _, e := range r.events {
		got = append(got, fmt.Sprint(e.Pulse, " ", e.Now.Reason, " ", e.Was.Reason))
	}
	if want := []string{"100 more large", "102 rejected rejected", "201 more small", "301 rejected small"}; !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if len(r.warned) != 1 || !strings.Contains(r.warned[0], "goes on in "+dir+"/gone.xtc2, which is not there") {
		t.Errorf("%q", r.warned)
	}
	if names := []string{r.Reasons[0].Reason, r.Reasons[1].Reason, r.Reasons[2].Reason, r.Reasons[3].Reason}; !slices.Equal(names,
		[]string{"rejected", "more", "large", "small"}) {
		t.Errorf("%q", names)
	}
}

// TestWhatIsLeftOut: what nobody decided about, what comes again, and what is cut off.
func TestWhatIsLeftOut(t *testing.T) {
	f := record(t, 1, "a", "a", "n")
	f.event(10, then{}, 1)
	f.groups(0)
	f.bare(11)
	f.event(10, then{}, 1)
	f.event(9, then{}, 1)
	f.event(12, then{}, 1)
	f.groups(0x8002)
	f.event(1<<64-1, then{}, 1)
	f.event(13, then{}, 1)
	last := &f.all[len(f.all)-1]
	*last = (*last)[:len(*last)-8]
	r := mustPlay(t, large, f.file(t.TempDir(), "a.xtc2"))
	if len(r.events) != 2 || r.Lacking != 1 || r.Again != 3 || r.Read != 6 || len(r.warned) != 1 || !strings.Contains(r.warned[0], "inside a datagram") {
		t.Errorf("%+v, %q", r.Report, r.warned)
	}
	var groups []int
	for _, g := range r.Groups {
		groups = append(groups, g.Group)
	}
	if !slices.Equal(groups, []int{1, 15, -1}) {
		t.Errorf("%v", groups)
	}
}

func TestRefused(t *testing.T) {
	file := func(change func(f *recording)) string {
		f := record(t, 1, "a", "a", "n")
		f.event(10, then{}, 1)
		change(f)
		return f.file(t.TempDir(), "a.xtc2")
	}
	good := file(func(*recording) {})
	for _, test := range []struct {
		name, want string
		files      []string
	}{
		{"no file", "no such file", []string{"/nowhere.xtc2"}},
		{"another kind of file", "it has no contributions: record it with --trigger", []string{testkit.File(t, testkit.Camera{}.Run(2)...)}},
		{"small data", "name the data file", []string{smallOf(t)}},
		{"a later chunk", "name the first chunk", []string{file(func(f *recording) { f.all = f.all[1:] })}},
		{"twice the same time", "both are of contributor a: name one of them", []string{good, file(func(*recording) {})}},
		{"in a circle", "which came before it", []string{file(func(f *recording) { f.next(20, "a.xtc2") })}},
		{"rules that do not fit", "there are: prescale(n)", []string{file(func(f *recording) {
			f.all = nil
			f.configure(1, "a", "other")
			f.event(10, then{}, 1)
		})}},
	} {
		r, err := play(t, large, test.files...)
		if err == nil || !strings.Contains(err.Error(), test.want) || r.Report == nil {
			t.Errorf("%s: %v", test.name, err)
		}
		if unfit := (*replay.LogicError)(nil); errors.As(err, &unfit) != (test.name == "rules that do not fit") {
			t.Errorf("%s: %T", test.name, err)
		}
	}
}

// smallOf is the small data of a recording.
func smallOf(t *testing.T) string {
	t.Helper()
	f := record(t, 1, "a", "a", "n")
	f.event(10, then{}, 1)
	w, err := xtc.Create(t.TempDir(), xtc.FileName{Expt: "exp", Run: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, d := range f.all {
		if err := w.Append(d); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return w.Files()[1]
}

// TestInterrupted: a logic that hangs holds nothing up, and nor does whoever takes the events and will not.
func TestInterrupted(t *testing.T) {
	f := record(t, 1, "a", "a", "n")
	f.event(10, then{}, 1)
	path := f.file(t.TempDir(), "a.xtc2")
	testkit.NoLeaks(t)
	ctx, cancel := context.WithCancel(t.Context())
	hang := &teb.Func{Do: func(*teb.Batch) { cancel() }}
	_, err := replay.Run(ctx, []string{path}, replay.Options{Logic: func() ([]teb.Logic, error) { return []teb.Logic{hang}, nil },
		Each: func(*replay.Event) error { return ctx.Err() }})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	enough := errors.New("enough")
	_, err = replay.Run(t.Context(), []string{path}, replay.Options{Each: func(*replay.Event) error { return enough },
		Logic: func() ([]teb.Logic, error) { return []teb.Logic{teb.NewExpression(large)}, nil }})
	if !errors.Is(err, enough) {
		t.Errorf("%v", err)
	}
}

// FuzzRun: whatever is in a file, there is a report or an error.
func FuzzRun(f *testing.F) {
	r := record(f, 1, "a,b", "a", "n")
	r.event(10, then{true, 5}, 12)
	r.bare(11)
	r.event(12, then{}, 3)
	whole := []byte{}
	for _, d := range r.all {
		whole = append(whole, d...)
	}
	f.Add(whole)
	f.Fuzz(func(t *testing.T, data []byte) {
		path := t.TempDir() + "/a.xtc2"
		testkit.WriteFile(t, path, string(data))
		got, err := replay.Run(t.Context(), []string{path}, replay.Options{
			Logic: func() ([]teb.Logic, error) {
				return []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "any", When: "true"}})}, nil
			}})
		if err == nil && got.Read != got.Events+got.Lacking+got.Again {
			t.Errorf("%+v", got)
		}
	})
}

// TestTimesThatDisagree: pulse IDs of a stream that lie below those that were decided are left out.
func TestTimesThatDisagree(t *testing.T) {
	a, b := record(t, 1, "a,b", "a", "n"), record(t, 500, "a,b", "b", "n")
	for n := range uint64(2000) {
		a.event(1000+n, then{}, 1)
		b.event(2500+n, then{}, 1)
	}
	for _, d := range a.all[1:] {
		d.SetTime(400) // all before the other's Configure
	}
	dir := t.TempDir()
	r := mustPlay(t, large, a.file(dir, "a.xtc2"), b.file(dir, "b.xtc2"))
	if r.Again != 500 || r.Events != 3500 || r.Incomplete != 3500 || r.Events+r.Again != r.Read {
		t.Errorf("%+v", r.Report)
	}
}

// TestRunsBegin for the logic behind all events before them, and once where several streams tell of it.
func TestRunsBegin(t *testing.T) {
	a, b := record(t, 1, "a,b", "a", "n"), record(t, 1, "a,b", "b", "n")
	at := uint64(1)
	for range 3 {
		for range 2 { // the first of them is of a run without events
			a.put(xtc.BeginRun, at, nil, nil)
			b.put(xtc.BeginRun, at+1, nil, nil)
			at += 2
		}
		for range uint64(1500) {
			a.event(at, then{}, 1)
			b.event(at, then{}, 1)
			at++
		}
	}
	dir, runs, events := t.TempDir(), []int{}, 0
	counts := &teb.Func{Do: func(b *teb.Batch) {
		for i := range b.Len() {
			switch h := b.Head(i); {
			case h.Service.IsEvent():
				events++
			default:
				if runs = append(runs, events); h.Service != xtc.BeginRun || b.Contributions(i) != 3 {
					t.Errorf("%+v of %b", h, b.Contributions(i))
				}
			}
		}
	}}
	r, err := replay.Run(t.Context(), []string{a.file(dir, "a.xtc2"), b.file(dir, "b.xtc2")},
		replay.Options{Logic: func() ([]teb.Logic, error) { return []teb.Logic{counts}, nil }})
	if err != nil || r.Events != 4500 || r.Incomplete != 0 || !slices.Equal(runs, []int{0, 1500, 3000}) {
		t.Errorf("%v, %v, %+v", err, runs, r)
	}
}
