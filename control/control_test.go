package control_test

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
)

// site is a partition behind HTTP.
type site struct {
	*control.Partition
	t       *testing.T
	names   []string
	server  *httptest.Server
	journal string
	over    chan struct{}
}

func open(t *testing.T, journal string, names ...string) *site {
	t.Helper()
	p, err := control.Open(control.Config{Partition: "tst", Processes: names, Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	s := &site{Partition: p, t: t, names: names, journal: journal, over: make(chan struct{}, 1)}
	s.server = httptest.NewServer(control.Handler(p, "", s.over))
	t.Cleanup(s.close)
	return s
}

// close may be called again.
func (s *site) close() {
	s.server.CloseClientConnections()
	s.server.Close()
	_ = s.Close()
}

func (s *site) client() *control.Client {
	s.t.Helper()
	c, err := control.NewClient(s.server.URL, "")
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// worker is a process that follows orders, but for those that it is deaf to.
type worker struct {
	*control.Agent
	name string
	done chan struct{}

	mu       sync.Mutex
	deaf     string // an order that is not followed until it is empty again
	followed []control.Order
	last     uint64
	hears    chan struct{}
}

func (s *site) worker(name, deaf string) *worker {
	s.t.Helper()
	w := &worker{name: name, deaf: deaf, done: make(chan struct{}), hears: make(chan struct{})}
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	var err error
	if w.Agent, err = control.Join(ctx, s.client(), control.Process{Name: name, Role: "drp"}, slog.New(slog.DiscardHandler), func() control.Report {
		w.mu.Lock()
		defer w.mu.Unlock()
		return control.Report{Last: w.last}
	}); err != nil {
		s.t.Fatal(err)
	}
	go w.follow()
	s.t.Cleanup(func() { w.hear(); w.Close(nil, 0); <-w.done })
	return w
}

func (w *worker) follow() {
	defer close(w.done)
	for o := range w.Orders() {
		w.mu.Lock()
		deaf := w.deaf == o.Name
		w.mu.Unlock()
		if deaf {
			<-w.hears
		}
		w.mu.Lock()
		w.followed = append(w.followed, o)
		if o.Name != "hold" { // which is no datagram
			w.last = max(w.last, o.Time)
		}
		w.mu.Unlock()
		w.Done(o.Number, nil)
	}
}

// hear ends that it is deaf.
func (w *worker) hear() {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.deaf != "" {
		w.deaf = ""
		close(w.hears)
	}
}

func (w *worker) orders() []control.Order {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.followed)
}

func listen(address string) (net.Listener, error) {
	return (&net.ListenConfig{}).Listen(context.Background(), "tcp", address)
}

func names(all []control.Order) (some []string) {
	for _, o := range all {
		some = append(some, o.Name)
	}
	return some
}

func path(t *testing.T) string { return filepath.Join(t.TempDir(), "journal") }

// says checks what kind of problem it is, and what is said.
func says(t *testing.T, err error, kind control.Kind, words ...string) {
	t.Helper()
	p := (*control.Problem)(nil)
	if !errors.As(err, &p) || p.Kind != kind {
		t.Errorf("%v is not %s", err, kind)
		return
	}
	for _, w := range words {
		if !strings.Contains(p.Message, w) {
			t.Errorf("%q is not said in %q", w, p.Message)
		}
	}
}

const soon = 300 * time.Millisecond // for what nobody answers

// oneIsDeaf is a deadline that one process does not keep, and the others do: it is longer, and all is done again, where others do not
// keep it, either, since the machine is busy.
func oneIsDeaf(t *testing.T, try func(deadline time.Duration) error) {
	t.Helper()
	for _, deadline := range []time.Duration{soon, 3 * time.Second, 30 * time.Second} {
		p := (*control.Problem)(nil)
		if err := try(deadline); !errors.As(err, &p) || len(p.Failed) <= 1 {
			return
		}
	}
	t.Error("more than one is late")
}

// TestEveryTransition tries each from each state: it leads where the table says, or is refused and changes nothing.
func TestEveryTransition(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	w := s.worker("a", "")
	for state := control.Unconfigured; state <= control.Enabled; state++ {
		for _, tr := range control.Transitions() {
			if err := s.Reach(state, 0); err != nil {
				t.Fatal(err)
			}
			err := s.Do(tr.Name, 0)
			at := s.Status().State
			switch {
			case tr.From == state && (err != nil || at != tr.To):
				t.Errorf("%s from %v: %v, %v", tr.Name, state, at, err)
			case tr.From != state && at != state:
				t.Errorf("%s from %v led to %v", tr.Name, state, at)
			case tr.From != state:
				says(t, err, control.Conflict, tr.Name+" is for when the partition is "+tr.From.String(), "comes next")
			}
		}
	}
	if err := s.Do("dance", 0); true {
		says(t, err, control.Wrong, `no transition "dance"`, "begin-run")
	}
	checkSequence(t, w.orders())
}

// checkSequence holds orders against the table: no step is left out, numbers and times grow, and runs count up.
func checkSequence(t *testing.T, all []control.Order) {
	t.Helper()
	state, run, held, before := control.Unconfigured, 0, false, control.Order{}
	for _, o := range all {
		if o.Name == "hold" {
			held = true
			continue
		}
		if o.Number <= before.Number || o.Time <= before.Time {
			t.Errorf("%+v after %+v", o, before)
		}
		before = o
		for _, tr := range control.Transitions() {
			if tr.Name != o.Name {
				continue
			}
			if tr.From != state {
				t.Errorf("%+v while %v", o, state)
			}
			state = tr.To
		}
		if o.Name == "disable" && !held {
			t.Error("a disable without a hold")
		}
		held = false
		if o.Name == "begin-run" {
			if run++; o.Run != run {
				t.Errorf("run %d is number %d", run, o.Run)
			}
		}
	}
}

// TestTheSlowAreNamed: who does not follow in time is named, the others go on, and it follows when it can.
func TestTheSlowAreNamed(t *testing.T) {
	testkit.NoLeaks(t)
	oneIsDeaf(t, func(deadline time.Duration) error {
		s := open(t, path(t), "a", "b", "c")
		a, b := s.worker("a", ""), s.worker("b", "begin-run")
		says(t, s.Do("configure", soon), control.Conflict, "c has not come yet", "drop it")
		c := s.worker("c", "")
		if err := s.Do("configure", 0); err != nil {
			t.Fatal(err)
		}
		err := s.Reach(control.Enabled, deadline)
		if p := (*control.Problem)(nil); errors.As(err, &p) && len(p.Failed) > 1 {
			return err
		} else if p == nil || p.Failed["b"] == "" {
			t.Errorf("%v", err)
		}
		says(t, err, control.Failed, "begin-run", "b did not do it within "+deadline.String())
		if st := s.Status(); st.State != control.Running || st.Processes[1].Behind != 1 || st.Processes[1].State != control.Configured {
			t.Errorf("%+v", st)
		}
		says(t, s.Do("begin-step", soon), control.Failed, "b has not done begin-run within 300ms")
		theSlowFollows(s, b, a, c)
		return err
	})
}

// theSlowFollows when it hears again, as the others did.
func theSlowFollows(s *site, slow *worker, others ...*worker) {
	t := s.t
	t.Helper()
	slow.hear()
	if err := s.Reach(control.Enabled, 0); err != nil {
		t.Error(err)
	}
	if err := s.Reach(control.Unconfigured, 0); err != nil {
		t.Error(err)
	}
	for _, w := range others {
		if !slices.Equal(w.orders(), slow.orders()) {
			t.Errorf("%v\nand %v", w.orders(), slow.orders())
		}
	}
}

// TestOneIsDeafToTheHold: whoever does not say how far it is takes nothing of the time of the others, and is named alone.
func TestOneIsDeafToTheHold(t *testing.T) {
	testkit.NoLeaks(t)
	oneIsDeaf(t, func(deadline time.Duration) error {
		s := open(t, path(t))
		a, b, c := s.worker("a", ""), s.worker("b", "hold"), s.worker("c", "")
		if err := s.Reach(control.Enabled, 0); err != nil {
			t.Fatal(err)
		}
		err := s.Do("disable", 2*deadline)
		if p := (*control.Problem)(nil); !errors.As(err, &p) || len(p.Failed) == 1 {
			says(t, err, control.Failed, "disable: the partition is in-step, but for 1: b did not do it within "+(2*deadline).String())
		}
		b.hear()
		for _, w := range []*worker{a, b, c} {
			if !testkit.Within(testkit.Patience, func() bool { return slices.Contains(names(w.orders()), "disable") }) {
				t.Errorf("%s: %v", w.name, names(w.orders()))
			}
		}
		return err
	})
}

// TestDownGoesOn: the way down does not end at one who is stuck.
func TestDownGoesOn(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	a, b := s.worker("a", ""), s.worker("b", "hold")
	if err := s.Reach(control.Enabled, 0); err != nil {
		t.Fatal(err)
	}
	says(t, s.Reach(control.Unconfigured, soon), control.Failed, "b did not do it within 300ms")
	if st := s.Status(); st.State != control.Unconfigured {
		t.Error(st.State)
	}
	b.hear()
	if !testkit.Within(testkit.Patience, func() bool { return slices.Equal(a.orders(), b.orders()) }) {
		t.Errorf("%v and %v", names(a.orders()), names(b.orders()))
	}
}

// TestOnlyOneThingAtATime: what comes meanwhile is refused, and says what is under way.
func TestOnlyOneThingAtATime(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	a := s.worker("a", "configure")
	done := make(chan error)
	go func() { done <- s.Do("configure", 0) }()
	if !testkit.Within(testkit.Patience, func() bool { return s.Status().Busy == "configure" }) {
		t.Fatal("nothing is done")
	}
	says(t, s.Do("unconfigure", 0), control.Conflict, "configure is under way")
	a.hear()
	if err := <-done; err != nil {
		t.Error(err)
	}
}
