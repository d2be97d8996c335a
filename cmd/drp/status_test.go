package main

import (
	"testing"

	"drp/watch"
)

// TestWhichRunIsMeant: what is said names runs by what tells them apart.
func TestWhichRunIsMeant(t *testing.T) {
	run := func(pid int, partition string) seen {
		return seen{status: &watch.Status{PID: pid, Partition: partition, Script: "a.py", Source: "sim"}}
	}
	all := []seen{run(1, "tst"), run(2, "tst"), run(3, "tmo"), run(4, "")}
	const list = "\n  --pid 1 of the partition tst, which has 2 processes: a.py on sim\n  --pid 2 of the partition tst, which has 2 processes: a.py on sim" +
		"\n  --pid 3 or --partition tmo: a.py on sim\n  --pid 4: a.py on sim"
	if got := choices(all); got != list {
		t.Errorf("it says%s\nand not%s", got, list)
	}
	stuck := looked{others: all, silent: []string{"17-2-boot"}}
	if err := (&lookFlags{pid: 17}).nothing(stuck); err.Error() != "process 17 lives and does not answer, and no other run of this user is meant" {
		t.Error(err)
	}
	for _, test := range []struct {
		f      lookFlags
		others []seen
		want   string
	}{
		{lookFlags{partition: "nope"}, all, `no run of this user of the partition "nope" is going on on this machine; there are` + list},
		{lookFlags{pid: 9, partition: "tst"}, all[3:], `no run of this user with the process id 9 of the partition "tst" is going on on this machine; there are` + "\n  --pid 4: a.py on sim"},
		{lookFlags{partition: "nope"}, nil, errNoRun.Error()},
	} {
		if got := test.f.nothing(looked{others: test.others}).Error(); got != test.want {
			t.Errorf("%+v: %s", test.f, got)
		}
	}
}
