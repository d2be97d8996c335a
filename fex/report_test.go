package fex_test

import (
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// TestReport: what a worker has done counts on over the deaths of its children.
func TestReport(t *testing.T) {
	r := startRig(t, rigOptions{script: numbered(""), spares: 1})
	r.begin()
	before := r.group.Report(0)
	if before.PID != r.group.PID(0) || before.Events != 0 || before.Restarts != 0 || before.Retired {
		t.Errorf("%+v", before)
	}
	r.wait(r.burst(40)...)
	after := r.group.Report(0)
	if after.Events != 40 || after.Waiting != 0 || after.InHand != 0 || after.Busy <= before.Busy {
		t.Errorf("%+v, before %+v", after, before)
	}
	if again := r.group.Report(0); again.Busy != after.Busy {
		t.Errorf("it is idle, and was busy %v and then %v", after.Busy, again.Busy)
	}
	testkit.Stop(t, after.PID)
	tags := r.burst(3)
	if during := r.group.Report(0); during.Waiting != 3 || during.Events != 40 {
		t.Errorf("%+v", during)
	}
	if !testkit.Within(testkit.Patience, func() bool { return r.group.Report(0).Busy > after.Busy }) {
		t.Error("it has work that it does not do, and is not busy")
	}
	if err := syscall.Kill(after.PID, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	r.wait(tags...)
	last := r.group.Report(0)
	if last.Restarts != 1 || last.Recycled != 0 || last.PID == after.PID || last.PID == 0 || last.Events < 41 {
		t.Errorf("%+v", last)
	}
	r.end()
	r.check()
}
