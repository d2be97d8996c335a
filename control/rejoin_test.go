package control_test

import (
	"errors"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
)

// TestOneIsStartedAgain: it gets the orders that hold, and no more, and is told since when the others went on without it.
func TestOneIsStartedAgain(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t), "a", "b")
	a, b := s.worker("a", ""), s.worker("b", "")
	if err := errors.Join(s.Reach(control.Enabled, 0), s.Do("disable", 0), s.Do("enable", 0)); err != nil {
		t.Fatal(err)
	}
	b.Close(errors.New("killed"), 0)
	if err := s.Reach(control.InStep, 0); err != nil { // nobody waits for the dead
		t.Error(err)
	}
	if st := s.Status(); st.State != control.InStep || st.Processes[1].There || !strings.Contains(st.Processes[1].Trouble, "has ended: killed") {
		t.Errorf("%+v", st)
	}
	says(t, s.Do("enable", 0), control.Conflict, "b has ended: killed", "start it again, or drop it")
	again := s.worker("b", "")
	if err := s.Do("enable", 0); err != nil {
		t.Fatal(err)
	}
	if last := again.orders()[3]; last.From != 0 { // which it was there for
		t.Errorf("%+v", last)
	}
	if got := names(again.orders()); !slices.Equal(got, []string{"configure", "begin-run", "begin-step", "enable"}) {
		t.Error(got)
	}
	for i, o := range again.orders()[:3] {
		if want := a.orders()[i]; o != want {
			t.Errorf("%+v, and not %+v", o, want)
		}
	}
}

// TestOneComesLate: one that is started again while the others are enabled is told from which event on.
func TestOneComesLate(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	a := s.worker("a", "")
	if err := s.Reach(control.Enabled, 0); err != nil {
		t.Fatal(err)
	}
	a.mu.Lock()
	a.last += 5e6 // events
	furthest := a.last
	a.mu.Unlock()
	if !testkit.Within(testkit.Patience, func() bool { return s.Status().Processes[0].Last == furthest }) {
		t.Fatal("a does not report")
	}
	late := s.worker("late", "")
	if err := s.Do("disable", 0); err != nil { // which waits for nobody who comes meanwhile
		t.Fatal(err)
	}
	if !testkit.Within(testkit.Patience, func() bool { return len(late.orders()) == 6 }) {
		t.Fatal(names(late.orders()))
	}
	enable, disable := late.orders()[3], late.orders()[5]
	if enable.Name != "enable" || enable.From != furthest+1 || disable.Time <= furthest {
		t.Errorf("%+v, %+v", enable, disable)
	}
	if last := a.orders()[5]; last != disable {
		t.Errorf("%+v, and the others %+v", disable, last)
	}
}

// TestControlIsStartedAgain: the journal has the state, the number of the run, and who has followed what.
func TestControlIsStartedAgain(t *testing.T) {
	testkit.NoLeaks(t)
	journal := path(t)
	s := open(t, journal)
	a, b := s.worker("a", ""), s.worker("b", "enable")
	if err := s.Reach(control.Enabled, soon); err == nil {
		t.Fatal("b was not waited for")
	}
	address := s.server.Listener.Addr().String()
	s.close()
	b.hear() // it follows an order while nobody is there to be told

	p, err := control.Open(control.Config{Partition: "tst", Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if _, err := control.Open(control.Config{Partition: "tst", Journal: journal}); err == nil || !strings.Contains(err.Error(), "another run control writes to it") {
		t.Error(err)
	}
	server := httptest.NewUnstartedServer(control.Handler(p, "", make(chan struct{}, 1)))
	_ = server.Listener.Close()
	if server.Listener, err = listen(address); err != nil {
		t.Fatal(err)
	}
	server.Start()
	defer func() { a.Close(nil, 0); b.Close(nil, 0); server.Close() }()
	if st := p.Status(); st.State != control.Enabled || st.Run != 1 {
		t.Errorf("%+v", st)
	}
	there := func() bool {
		st := p.Status()
		return len(st.Processes) == 2 && st.Processes[0].State == control.Enabled && st.Processes[1].State == control.Enabled
	}
	if !testkit.Within(testkit.Patience, there) {
		t.Fatalf("%+v", p.Status())
	}
	if err := errors.Join(p.Reach(control.Configured, 0), p.Reach(control.Running, 0)); err != nil {
		t.Error(err)
	}
	if !slices.Equal(a.orders(), b.orders()) {
		t.Errorf("%v\nand %v", a.orders(), b.orders())
	}
	checkSequence(t, a.orders())
}

// TestManyLeave: of very many that were dismissed, the last ones are told why.
func TestManyLeave(t *testing.T) {
	s := open(t, path(t))
	var sessions []string
	for range 1030 {
		place, err := s.Register(control.Process{Name: "a"})
		if err := errors.Join(err, s.Drop("a")); err != nil {
			t.Fatal(err)
		}
		sessions = append(sessions, place.Session)
	}
	says(t, s.Report("a", control.Report{Session: sessions[0]}), control.Unknown, "register")
	for _, session := range sessions[6:] {
		says(t, s.Report("a", control.Report{Session: session}), control.Gone, "it was dropped")
	}
}

// TestLeaving: a dropped process is told to end, a second one of a name is not let in, and a shutdown ends all.
func TestLeaving(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t), "a", "b")
	a, b := s.worker("a", ""), s.worker("b", "")
	if err := s.Reach(control.Running, 0); err != nil {
		t.Fatal(err)
	}
	_, err := s.Register(control.Process{Name: "b"})
	says(t, err, control.Conflict, "b is there already")
	_, err = s.Register(control.Process{Name: "x"})
	says(t, err, control.Unknown, "there is no process x in partition tst: there are a, b")
	_, err = s.Register(control.Process{Name: "b", Partition: "other"})
	says(t, err, control.Wrong, "b is of partition other, and this is run control of partition tst: give it another --partition")
	_, err = s.Register(control.Process{Name: "../a"})
	says(t, err, control.Wrong, "up to 64 letters")
	if err := s.Drop("b"); err != nil {
		t.Fatal(err)
	}
	<-b.done
	if b.Why() != "b has no place in partition tst any more: it was dropped" {
		t.Error(b.Why())
	}
	says(t, s.Drop("b"), control.Unknown, "there is no process b")
	if err := s.Reach(control.Enabled, 0); err != nil { // without it
		t.Error(err)
	}
	again := s.worker("b", "")
	if !testkit.Within(testkit.Patience, func() bool { return len(again.orders()) == 4 }) {
		t.Error(names(again.orders()))
	}
	ended := make(chan error)
	go func() { ended <- s.Shutdown(10 * time.Second) }()
	for _, w := range []*worker{a, again} {
		<-w.done
		w.Close(nil, 0)
		if got := names(w.orders()); got[len(got)-1] != "unconfigure" || w.Why() != "the partition is being shut down" {
			t.Error(got, w.Why())
		}
	}
	if err := <-ended; err != nil {
		t.Error(err)
	}
	_, err = s.Register(control.Process{Name: "a"})
	says(t, err, control.Gone, "is being shut down")
}
