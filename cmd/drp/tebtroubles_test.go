package main

import (
	"strings"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
	"drp/teb"
	"drp/xtc"
)

// TestTroublesOfATrigger: run control is told on how many events of this run the trigger failed, and what is wrong with its script for as
// long as it is.
func TestTroublesOfATrigger(t *testing.T) {
	testkit.NoLeaks(t)
	s, err := teb.NewSchema("a")
	if err != nil {
		t.Fatal(err)
	}
	b, err := teb.New(teb.Config{Partition: "p", Contributors: []teb.Member{{Schema: s}}, Deadline: time.Minute, Decide: time.Minute,
		Logic: []teb.Logic{teb.NewExpression([]teb.Rule{{Name: "broken", When: "pulse % 0 == 1"}})}})
	if err != nil {
		t.Fatal(err)
	}
	defer b.Close()
	k, err := b.Join(s, 1)
	if err != nil {
		t.Fatal(err)
	}
	rows, err := teb.NewEncoder(s, teb.BatchHead{Partition: teb.PartitionID("p"), Contributor: uint32(k), Generation: 1}, 10)
	if err != nil {
		t.Fatal(err)
	}
	for pulse := range uint64(10) {
		rows.Add(teb.Head{Pulse: pulse + 1, Time: pulse + 1, Groups: 1, Service: xtc.L1Accept})
	}
	if err := b.Contribute(rows.Batch()); err != nil {
		t.Fatal(err)
	}
	for n, some := 0, make([]teb.Decision, 10); n < 10; {
		n += b.Next(some)
	}
	all := &builders{all: []*teb.TEB{b}}
	all.wrong.b = all
	if r := all.wrong.report(); len(r.Troubles) != 1 || !strings.HasPrefix(r.Troubles["trigger"], "the trigger failed on 10 of 10 events of this run") {
		t.Errorf("%+v", r)
	}
	all.wrong.ofScript("an old text decides")
	all.wrong.follow(control.Order{Name: "enable"})
	if r := all.wrong.report(); len(r.Troubles) != 2 || r.Troubles["trigger-script"] != "an old text decides" {
		t.Errorf("%+v", r)
	}
	all.wrong.ofScript("")
	all.wrong.follow(control.Order{Name: "begin-run"})
	if r := all.wrong.report(); len(r.Troubles) != 0 || r.Events != 10 {
		t.Errorf("%+v", r)
	}
}
