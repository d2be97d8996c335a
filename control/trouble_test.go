package control_test

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
)

// said is a partition with a log, and a process in it that reports what a test wants.
func said(t *testing.T) (p *control.Partition, log *testkit.Buffer, report func(control.Report)) {
	t.Helper()
	log = &testkit.Buffer{}
	p, err := control.Open(control.Config{Partition: "tst", Journal: filepath.Join(t.TempDir(), "journal"), Log: slog.New(slog.NewTextHandler(log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	place, err := p.Register(control.Process{Name: "epix_0", Role: "drp"})
	if err != nil {
		t.Fatal(err)
	}
	return p, log, func(r control.Report) {
		t.Helper()
		r.Session = place.Session
		if err := p.Report("epix_0", r); err != nil {
			t.Fatal(err)
		}
	}
}

// TestTroubles: what a process tells of a run that goes on is in the status for as long as it says so, and once in the log.
func TestTroubles(t *testing.T) {
	p, log, report := said(t)
	for _, text := range []string{"3 of 10 events", "7 of 20 events"} {
		report(control.Report{Troubles: map[string]string{"script": text, "recording": "no space\nleft"}, Lost: 7})
		s := p.Status().Processes[0]
		if s.Trouble != "no space\nleft; "+text || s.Troubles["script"] != text || s.Lost != 7 {
			t.Errorf("%+v", s)
		}
	}
	if n := strings.Count(log.String(), "epix_0: "); n != 2 || !strings.Contains(log.String(), "3 of 10") {
		t.Errorf("%d lines: %s", n, log.String())
	}
	report(control.Report{})
	if s := p.Status().Processes[0]; s.Trouble != "" || len(s.Troubles) != 0 {
		t.Errorf("%+v", s)
	}
	many := map[string]string{}
	for i := range 100 {
		many[strings.Repeat("k", i+1)] = strings.Repeat("x", 1000)
	}
	report(control.Report{Troubles: many})
	if s := p.Status().Processes[0]; len(s.Troubles) > 16 || len(s.Trouble) > 16*510 {
		t.Errorf("%d kinds, %d bytes", len(s.Troubles), len(s.Trouble))
	}
}

// TestUndoneOrder: a process that passes an order on, and cannot do what it is for, fails the transition; it is where the others are.
func TestUndoneOrder(t *testing.T) {
	s := open(t, path(t), "a", "b")
	s.worker("b", "")
	ctx, cancel := context.WithTimeout(context.Background(), testkit.Patience)
	defer cancel()
	a, err := control.Join(ctx, s.client(), control.Process{Name: "a", Role: "drp"}, slog.New(slog.DiscardHandler),
		func() control.Report { return control.Report{} })
	if err != nil {
		t.Fatal(err)
	}
	full := true
	followed := make(chan struct{})
	go func() {
		defer close(followed)
		for o := range a.Orders() {
			var undone error
			if o.Name == "begin-run" && full {
				undone = &control.UndoneError{Err: errors.New("no space left")}
				full = false
			}
			a.Done(o.Number, undone)
		}
	}()
	t.Cleanup(func() { a.Close(nil, 0); <-followed })
	says(t, s.Reach(control.Enabled, 0), control.Failed, "a failed: no space left")
	if st := s.Status(); st.State != control.Running || st.Processes[0].State != control.Running ||
		!strings.Contains(st.Processes[0].Trouble, "no space left") {
		t.Errorf("%+v", st)
	}
	if err := errors.Join(s.Reach(control.Unconfigured, 0), s.Reach(control.Enabled, 0)); err != nil {
		t.Error(err)
	}
}

// TestShutdownTellsOfLoss: that data was lost is the answer to the shutdown, also where the process that lost it was replaced.
func TestShutdownTellsOfLoss(t *testing.T) {
	for _, c := range []struct {
		name string
		last control.Report
		kind control.Kind // empty: all is well
		want string
	}{
		{"nothing", control.Report{Left: "in order"}, "", ""},
		{"as much as it may", control.Report{Left: "in order", Lost: 3}, "", ""},
		{"more than it may", control.Report{Left: "64 of 987 events were lost", Exit: 6, Lost: 64}, control.Lost, "64 of 987 events were lost"},
		{"with another error", control.Report{Left: "not recorded", Exit: 1, Lost: 64}, control.Lost, "not recorded"},
		{"an error", control.Report{Left: "script.py at EndRun", Exit: 5}, control.Ended, "script.py at EndRun"},
		{"an interrupt", control.Report{Left: "interrupted", Exit: 130}, "", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			p, _, report := said(t)
			report(c.last)
			err := p.Shutdown(time.Minute)
			if c.kind == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			says(t, err, c.kind, c.want)
		})
	}
	p, _, report := said(t)
	report(control.Report{Lost: 5})
	if err := p.Drop("epix_0"); err != nil {
		t.Fatal(err)
	}
	says(t, p.Shutdown(time.Minute), control.Lost, "lost 5 events")
}
