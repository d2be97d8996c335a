package main

import (
	"testing"
	"time"

	"drp/control"
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
