package main

import (
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
	"drp/shm"
)

// TestWhoIsMissing: what run control says counts only of the process that runs here, and that lives.
func TestWhoIsMissing(t *testing.T) {
	self, err := shm.Self()
	if err != nil {
		t.Fatal(err)
	}
	p := &partitionFile{drp: []*launch{{name: "a"}}}
	there := control.ProcessStatus{Name: "a", PID: self.PID, Start: self.StartTime, There: true, Silent: 0.5}
	for _, test := range []struct {
		name    string
		change  func(*control.ProcessStatus, *started)
		missing bool
	}{
		{"it is there", func(*control.ProcessStatus, *started) {}, false},
		{"it is lost", func(s *control.ProcessStatus, _ *started) { s.There = false }, true},
		{"another", func(s *control.ProcessStatus, _ *started) { s.Name = "b" }, true},
		{"an earlier one", func(s *control.ProcessStatus, _ *started) { s.PID++ }, true},
		{"one of the same number", func(s *control.ProcessStatus, _ *started) { s.Start-- }, true},
		{"it has said nothing since", func(s *control.ProcessStatus, _ *started) { s.Silent = 2 }, true},
		{"it has died", func(s *control.ProcessStatus, own *started) { s.Start++; own.Owner.StartTime++ }, true},
	} {
		t.Run(test.name, func(t *testing.T) {
			one, own := there, started{Name: "a", Owner: self}
			test.change(&one, &own)
			f := &fleet{all: []started{own}}
			if got := p.missing(f, &control.Status{Processes: []control.ProcessStatus{one}}, time.Second); len(got) > 0 != test.missing {
				t.Errorf("missing: %v", got)
			}
		})
	}
}

// TestTheSocketOfAKilledControl is not that of another run control.
func TestTheSocketOfAKilledControl(t *testing.T) {
	testkit.RuntimeFolder(t)
	for _, name := range []string{"killed", "lives"} {
		e, err := controlSocket(name)
		if err != nil {
			t.Fatal(err)
		}
		l, err := net.Listen("unix", e.Path)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		if name == "killed" {
			l.(*net.UnixListener).SetUnlinkOnClose(false)
			_ = l.Close()
		}
	}
	if name, err := onlyPartition(); err != nil || name != "lives" {
		t.Errorf("%q, %v", name, err)
	}
}

// TestABrokenListOfTheStarted says what to do.
func TestABrokenListOfTheStarted(t *testing.T) {
	noEnvironment(t)
	testkit.RuntimeFolder(t)
	dir, err := upFolder()
	if err != nil {
		t.Fatal(err)
	}
	file := write(t, filepath.Join(dir, "p.json"), "[{")
	code, _, errs := command(t, "down")
	if code != 3 || !strings.Contains(errs, file+" does not say what was started") || !strings.Contains(errs, "by hand, and remove the file") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
