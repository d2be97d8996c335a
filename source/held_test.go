package source_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/pebble"
	"drp/source"
	"drp/xtc"
)

// holding is a source that is held, and what it gave.
type holding struct {
	*source.Held
	t     *testing.T
	pool  *pebble.Pool
	lasts chan uint64
	given chan xtc.Dgram
}

// hold holds a source. What it gives is taken one by one.
func hold(t *testing.T, r source.Rate, name string) *holding {
	t.Helper()
	open := func() (source.Source, error) { return source.Open([]string{name}, source.Options{Held: true}) }
	s, err := open()
	if err != nil {
		t.Fatal(err)
	}
	h := &holding{t: t, pool: openPool(t, s, 4), lasts: make(chan uint64, 1), given: make(chan xtc.Dgram)}
	h.Held = source.Hold(s, open, r, func(uint64) { last, _ := h.Last(); h.lasts <- last })
	ctx, stop := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); h.take(ctx) }()
	t.Cleanup(func() { stop(); <-done; _ = h.Close() })
	return h
}

func (h *holding) take(ctx context.Context) {
	defer close(h.given)
	for {
		head, err := h.Next(ctx)
		if err != nil {
			if ctx.Err() == nil {
				h.t.Error(err)
			}
			return
		}
		var loan pebble.Loan
		ref, err := fill(&loan, h.pool, h.Held, head)
		if err != nil {
			h.t.Error(err)
			return
		}
		d := xtc.Dgram(slices.Clone(ref.Bytes()))
		ref.Release()
		select {
		case h.given <- d:
		case <-ctx.Done():
			return
		}
	}
}

// some takes so many datagrams.
func (h *holding) some(n int) (all []xtc.Dgram) {
	h.t.Helper()
	for range n {
		d, ok := <-h.given
		if !ok {
			h.t.Fatal("the source has ended")
		}
		all = append(all, d)
	}
	return all
}

// until takes all up to a transition.
func (h *holding) until(service xtc.TransitionID) (all []xtc.Dgram) {
	h.t.Helper()
	for len(all) == 0 || all[len(all)-1].Service() != service {
		all = append(all, h.some(1)...)
	}
	return all
}

// begin orders everything up to an Enable, second after second.
func (h *holding) begin(from uint64) []xtc.Dgram {
	for i, service := range []xtc.TransitionID{xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable} {
		o := source.Order{Service: service, Time: uint64(i+1) << 32, Run: 7}
		if service == xtc.Enable {
			o.From = from
		}
		h.Order(o)
	}
	return h.some(4)
}

func times(all []xtc.Dgram) (some []string) {
	for _, d := range all {
		some = append(some, fmt.Sprintf("%v@%d.%09d", d.Service(), d.Time()>>32, uint32(d.Time())))
	}
	return some
}

// TestHeldCamerasAgree: two segments that are ordered alike give events of the same times, though one is ahead of the other
// when they are halted; and one that comes later gives those that are still to come.
func TestHeldCamerasAgree(t *testing.T) {
	t.Parallel()
	one, two := hold(t, source.Rate{}, tiny+"slow=4,hz=1000,bank=2"), hold(t, source.Rate{}, tiny+"first=2,slow=4,hz=1000,bank=2")
	first, second := one.begin(0), two.begin(0)
	first, second = append(first, one.some(9)...), append(second, two.some(3)...)
	late := hold(t, source.Rate{}, tiny+"first=4,slow=4,hz=1000,bank=2")
	third := late.begin(first[10].Time())
	all := []*holding{one, two, late}
	furthest := uint64(0)
	for i, h := range all {
		h.Order(source.Order{Hold: true})
		// What is announced before the order comes is still given.
		given := []*[]xtc.Dgram{&first, &second, &third}[i]
		for held := false; !held; {
			select {
			case last := <-h.lasts:
				furthest, held = max(furthest, last), true
			case d := <-h.given:
				*given = append(*given, d)
			}
		}
	}
	for _, h := range all {
		h.Order(source.Order{Service: xtc.Disable, Time: furthest + 1})
		h.Order(source.Order{Service: xtc.EndStep, Time: 9 << 32})
	}
	first, second = append(first, one.until(xtc.EndStep)...), append(second, two.until(xtc.EndStep)...)
	third = append(third, late.until(xtc.EndStep)...)
	if !slices.Equal(times(first), times(second)) {
		t.Errorf("one gave %v\nthe other %v", times(first), times(second))
	}
	want := append(times(first[:4]), times(first[10:])...)
	for i, name := range want {
		if strings.HasPrefix(name, "SlowUpdate") && i == 4 {
			want = slices.Delete(want, i, i+1) // its event is before
		}
	}
	if !slices.Equal(times(third), want) {
		t.Errorf("the late one gave %v\nand not %v", times(third), want)
	}
	if got := times(first)[:6]; !slices.Equal(got, []string{"Configure@1.000000000", "BeginRun@2.000000000", "BeginStep@3.000000000",
		"Enable@4.000000000", "L1Accept@4.001000000", "L1Accept@4.002000000"}) {
		t.Error(got)
	}
	table := checkStructure(t, first)
	if _, run, ok := xtc.RunInfo(table, first[1]); !ok || run != 7 {
		t.Errorf("run %d, %v", run, ok)
	}
	if n := checkStructure(t, second).Find("epixhr", "raw"); len(n) != 2 || n[0].Segment != 2 || n[1].Segment != 3 {
		t.Errorf("%+v", n)
	}
}

// TestHeldWaitsForWhatIsNotDue: an order does not wait for the next event.
func TestHeldWaitsForWhatIsNotDue(t *testing.T) {
	t.Parallel()
	h := hold(t, source.Rate{PerSecond: 1e-3}, tiny+"bank=1")
	h.begin(0)
	h.some(1)
	h.Order(source.Order{Hold: true})
	last := <-h.lasts
	h.Order(source.Order{Service: xtc.Disable, Time: last + 1})
	if all := h.some(1); all[0].Service() != xtc.Disable || all[0].Time() != last+1 {
		t.Error(times(all))
	}
}

// TestHeldGoesOn: a hold whose Disable never comes is lifted, and no event is missing.
func TestHeldGoesOn(t *testing.T) {
	t.Parallel()
	h := hold(t, source.Rate{}, tiny+"bank=1,slow=0")
	got := append(h.begin(0), h.some(2)...)
	h.Order(source.Order{Hold: true})
	for held := false; !held; {
		select {
		case <-h.lasts:
			held = true
		case d := <-h.given:
			got = append(got, d)
		}
	}
	h.Order(source.Order{GoOn: true})
	<-h.lasts
	got = append(got, h.some(3)...)
	for i := 6; i < len(got); i++ {
		if before, d := got[i-1], got[i]; d.Service() != xtc.L1Accept || d.Time()-before.Time() != got[5].Time()-got[4].Time() {
			t.Errorf("%v", times(got))
		}
	}
}

// TestHeldFile: a file gives its own transitions where it has them, begins anew at a further Configure, and what it has
// not is made up.
func TestHeldFile(t *testing.T) {
	t.Parallel()
	var all []xtc.Dgram
	add := func(service xtc.TransitionID, n int) {
		for range n {
			all = append(all, testkit.Plain(service, uint64(1<<32|(len(all)+1)*1000)))
		}
	}
	for _, service := range []xtc.TransitionID{xtc.Configure, xtc.BeginRun, xtc.BeginStep, xtc.Enable} {
		add(service, 1)
	}
	add(xtc.L1Accept, 4)
	add(xtc.Disable, 1)
	add(xtc.EndStep, 1)
	add(xtc.BeginStep, 1)
	add(xtc.Enable, 1)
	add(xtc.L1Accept, 2)
	h := hold(t, source.Rate{}, testkit.File(t, all...))
	got := append(h.begin(0), h.some(2)...)
	halt := func() {
		h.Order(source.Order{Hold: true})
		for {
			select {
			case last := <-h.lasts:
				h.Order(source.Order{Service: xtc.Disable, Time: last + 1})
				return
			case d := <-h.given:
				got = append(got, d)
			}
		}
	}
	halt()
	got = append(got, h.until(xtc.Disable)...)
	if n := len(got); got[n-1].Time() != got[n-2].Time()+1 && got[n-1].Time() != all[8].Time() {
		t.Errorf("%v", times(got))
	}
	for _, service := range []xtc.TransitionID{xtc.EndStep, xtc.BeginStep, xtc.Enable} {
		h.Order(source.Order{Service: service, Time: 5 << 32})
	}
	got = append(got, h.until(xtc.Enable)...)
	for through := false; !through; _, through = h.Last() {
		select {
		case d := <-h.given:
			got = append(got, d)
		default:
		}
	}
	halt()
	for _, service := range []xtc.TransitionID{xtc.EndStep, xtc.EndRun, xtc.Unconfigure, xtc.Configure} {
		h.Order(source.Order{Service: service, Time: 5 << 32})
	}
	got = append(got, h.until(xtc.Configure)...)
	services, events := []string{}, 0
	for _, d := range got {
		if d.Service() == xtc.L1Accept {
			events++
			continue
		}
		services = append(services, d.Service().String())
	}
	if want := "Configure BeginRun BeginStep Enable Disable EndStep BeginStep Enable Disable EndStep EndRun Unconfigure Configure"; strings.Join(services, " ") != want {
		t.Errorf("%v\nwant %v", services, want)
	}
	if got[len(got)-1].Time() != all[0].Time() || events > 6 || events < 4 {
		t.Errorf("%v", times(got))
	}
}
