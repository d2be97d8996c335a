package control_test

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
)

// again starts run control anew where it was, behind what wrap makes of its handler.
func (s *site) again(wrap func(http.Handler) http.Handler, prepare func(*control.Partition)) *site {
	s.t.Helper()
	address := s.server.Listener.Addr().String()
	s.close()
	p, err := control.Open(control.Config{Partition: "tst", Processes: s.names, Journal: s.journal})
	if err != nil {
		s.t.Fatal(err)
	}
	if prepare != nil {
		prepare(p)
	}
	next := &site{Partition: p, t: s.t, names: s.names, journal: s.journal, over: make(chan struct{}, 1)}
	h := control.Handler(p, "", next.over)
	if wrap != nil {
		h = wrap(h)
	}
	next.server = httptest.NewUnstartedServer(h)
	_ = next.server.Listener.Close()
	if next.server.Listener, err = listen(address); err != nil {
		s.t.Fatal(err)
	}
	next.server.Start()
	s.t.Cleanup(next.close)
	return next
}

// goesOn sees that a worker follows orders of run control that was started again.
func (s *site) goesOn(w *worker) {
	s.t.Helper()
	there := func() bool {
		st := s.Status()
		return len(st.Processes) == 1 && st.Processes[0].There && st.Processes[0].State == st.State
	}
	if !testkit.Within(testkit.Patience, there) {
		s.t.Fatalf("%+v; it ends: %q", s.Status(), w.Why())
	}
	if err := s.Reach(control.Configured, 0); err != nil {
		s.t.Error(err)
	}
	if err := s.Reach(control.Enabled, 0); err != nil {
		s.t.Error(err)
	}
	if got := w.orders(); got[len(got)-1].Name != "enable" || got[len(got)-1].Number != s.Status().Order || w.Why() != "" {
		s.t.Error(names(got), w.Why())
	}
}

// TestAnAnswerIsLost: a process that is let in and does not hear of it asks again, and is the same one.
func TestAnAnswerIsLost(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	w := s.worker("a", "")
	if err := s.Reach(control.Running, 0); err != nil {
		t.Fatal(err)
	}
	var lost atomic.Int64
	next := s.again(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/processes" && lost.Add(1) <= 2 {
				h.ServeHTTP(httptest.NewRecorder(), r)
				panic(http.ErrAbortHandler)
			}
			h.ServeHTTP(answer, r)
		})
	}, nil)
	next.goesOn(w)
	if n := lost.Load(); n != 3 {
		t.Errorf("it has registered %d times", n)
	}
	checkSequence(t, w.orders())
}

// TestANameIsTaken: a process whose name another one has when run control is there again goes on with its run, and has its
// place again when that one has gone.
func TestANameIsTaken(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	w := s.worker("a", "")
	if err := s.Reach(control.Running, 0); err != nil {
		t.Fatal(err)
	}
	var refused atomic.Int64
	next := s.again(func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(answer http.ResponseWriter, r *http.Request) {
			h.ServeHTTP(answer, r)
			if r.URL.Path == "/v1/processes" {
				refused.Add(1)
			}
		})
	}, func(p *control.Partition) {
		if _, err := p.Register(control.Process{Name: "a", Host: "elsewhere", PID: 1}); err != nil {
			t.Error(err)
		}
	})
	if !testkit.Within(testkit.Patience, func() bool { return refused.Load() >= 2 }) || w.Why() != "" {
		t.Fatalf("it asked %d times, and ends: %q", refused.Load(), w.Why())
	}
	if err := next.Drop("a"); err != nil {
		t.Fatal(err)
	}
	next.goesOn(w)
	if got := names(w.orders()); !slices.Contains(got, "end-run") {
		t.Error(got)
	}
}

// TestControlEndsBetweenHoldAndDisable: when it is there again, the events go on.
func TestControlEndsBetweenHoldAndDisable(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	w := s.worker("a", "hold")
	if err := s.Reach(control.Enabled, 0); err != nil {
		t.Fatal(err)
	}
	held, done := s.Status().Order+1, make(chan error)
	go func() { done <- s.Do("disable", time.Minute) }() // so that it cannot give the hold up before it ends
	if !testkit.Within(testkit.Patience, func() bool { return s.Status().Order == held }) {
		t.Fatalf("%+v", s.Status())
	}
	next := s.again(nil, nil)
	if err := <-done; err == nil {
		t.Fatal("it has ended only after the Disable")
	}
	w.hear()
	if !testkit.Within(testkit.Patience, func() bool { got := names(w.orders()); return got[len(got)-1] == "go-on" }) {
		t.Fatal(names(w.orders()))
	}
	if st := next.Status(); st.State != control.Enabled || st.Order != held+1 {
		t.Errorf("%+v", st)
	}
	next.goesOn(w)
	if st := next.again(nil, nil).Status(); st.State != control.Enabled { // nothing is lifted again
		t.Errorf("%+v", st)
	}
}

// TestADropIsRemembered over a restart of run control, and no longer when the process comes back.
func TestADropIsRemembered(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t), "a", "b")
	a := s.worker("a", "")
	if err := s.Drop("b"); err != nil {
		t.Fatal(err)
	}
	if err := s.Reach(control.Running, 0); err != nil {
		t.Fatal(err)
	}
	next := s.again(nil, nil)
	if !testkit.Within(testkit.Patience, func() bool { st := next.Status(); return len(st.Processes) == 1 && st.Processes[0].There }) {
		t.Fatalf("%+v", next.Status())
	}
	if err := next.Reach(control.Enabled, 0); err != nil {
		t.Error(err)
	}
	b := next.worker("b", "")
	if err := next.Reach(control.Unconfigured, 0); err != nil {
		t.Error(err)
	}
	checkSequence(t, a.orders())
	b.Close(nil, 0)
	a.Close(nil, 0)
	says(t, next.again(nil, nil).Do("configure", soon), control.Conflict, "b has not come yet")
}

// TestAWrongClock: data that is far ahead of the clock moves no order, and is told of; that of files, which begin there, does.
func TestAWrongClock(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	a, b := s.worker("a", ""), s.worker("b", "")
	if err := s.Reach(control.Enabled, 0); err != nil {
		t.Fatal(err)
	}
	enabled := a.orders()[3].Time
	for _, ahead := range []uint64{1e6 << 32, 1<<64 - 1 - enabled} {
		b.mu.Lock()
		b.last = enabled + ahead
		b.mu.Unlock()
		told := func() bool {
			p := s.Status().Processes[1]
			return p.Last == enabled+ahead && strings.Contains(p.Trouble, "which its events do not explain: nobody goes by it; set the clock of")
		}
		if !testkit.Within(testkit.Patience, told) {
			t.Fatalf("%+v", s.Status())
		}
	}
	b.mu.Lock()
	b.last = enabled + 60<<32 // a minute is nothing
	b.mu.Unlock()
	if !testkit.Within(testkit.Patience, func() bool { return s.Status().Processes[1].Trouble == "" }) {
		t.Fatalf("%+v", s.Status())
	}
	if err := s.Do("disable", 0); err != nil {
		t.Error(err)
	}
	if all := a.orders(); all[len(all)-1].Time != enabled+60<<32+1 {
		t.Errorf("%+v", all)
	}
	if err := errors.Join(s.Reach(control.Unconfigured, 0), s.Do("configure", 0)); err != nil {
		t.Fatal(err)
	}
	b.mu.Lock()
	b.last += 1e6 << 32
	begins := b.last
	b.mu.Unlock()
	if !testkit.Within(testkit.Patience, func() bool { return s.Status().Processes[1].Last == begins }) {
		t.Fatalf("%+v", s.Status())
	}
	if err := s.Do("begin-run", 0); err != nil || a.orders()[len(a.orders())-1].Time != begins+1 {
		t.Errorf("%v, %+v", err, a.orders())
	}
}
