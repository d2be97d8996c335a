package drp_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

// spoiling is a second script that fails on event 21, in one way or another.
const spoiling = `import os, signal, sys, time
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector("cam", alg="second", fields={"twice": (np.int64, 0), "pad": (np.uint8, 1)})
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        n = det.first.n(evt)
        evt.remove("cam", "first")
        evt.remove("cam")
        out.twice, out.pad = 2 * n, np.zeros(10, np.uint8)
        if n == 21:
            BAD
        evt.add(out)
`

// TestPostFails: an event on which the second script fails is recorded as it was before, marked and counted; all others
// have what it added, and the order is kept.
func TestPostFails(t *testing.T) {
	for _, tt := range []struct {
		name, bad, says string
		damage          xtc.Damage
		restarts        int64
	}{
		{"raises", "raise ValueError('not this one')", "ValueError: not this one", xtc.DamageUserDefined, 0},
		{"adds too much", "out.pad = np.zeros(1 << 20, np.uint8)", "ResultTooLarge", xtc.DamageUserDefined | xtc.DamageTruncated, 0},
		{"rejects", "evt.reject()", "reject: it is decided already that the event is recorded", xtc.DamageUserDefined, 0},
		{"rejects behind our back", "evt._feed.status = 1", "rejected an event that is to be recorded", xtc.DamageUserDefined, 0},
		{"removes the decision", "evt.remove('teb', 'decision')", `evt.remove("teb", "decision")`, xtc.DamageUserDefined, 0},
		{"removes what was contributed", "evt.remove('teb', 'contribution')", `evt.remove("teb", "contribution")`, xtc.DamageUserDefined, 0},
		{"leaves the loop", "break", "the loop over the events was left", xtc.DamageUserDefined, 0},
		{"dies", "os._exit(3)", "exit status 3", xtc.DamageUserDefined, 2},
		{"is killed", "os.kill(os.getpid(), 9)", "killed", xtc.DamageUserDefined, 2},
		{"hangs", "time.sleep(1000)", "no answer in time", xtc.DamageUserDefined, 2},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := posted(t, counting, strings.Replace(spoiling, "BAD", tt.bad, 1))
			if tt.name == "hangs" {
				cfg.EventDeadline = testkit.Deadline(t, time.Second)
			}
			s, err := run(t, cfg)
			if err != nil || s.Recorded != 20 || s.Vetoed != 40 || s.Posted != 20 || s.PostFailed != 1 || s.Damaged != 1 || s.Restarts != tt.restarts {
				t.Fatalf("%v, %+v", err, s)
			}
			if said := strings.Join(s.Failures, "\n"); !strings.Contains(said, tt.says) || !strings.Contains(said, "event 21 (time 0.000000310)") {
				t.Errorf("it says: %s", said)
			}
			all, dgrams := blocksOf(t, s.Files[0], xtc.L1Accept)
			for i, b := range all {
				n, want := int64(3*i), xtc.Damage(0)
				if n == 21 {
					want = tt.damage
					if b.number("cam first 0 n") != n || b["cam raw 1 raw"] == nil || b["cam second 0 twice"] != nil || b["teb decision 0 pulse"] == nil {
						t.Errorf("the event that it failed on: %v", b)
					}
				} else if b.number("cam second 0 twice") != 2*n || b["cam first 0 n"] != nil || b["cam raw 0 raw"] != nil {
					t.Errorf("event %d: %v", n, b)
				}
				if dgrams[i].Damage() != want || dgrams[i].Time() != uint64(100+10*n) {
					t.Errorf("event %d has the damage %v and the time %d", n, dgrams[i].Damage(), dgrams[i].Time())
				}
			}
		})
	}
}

// TestPostIsNotShownWhatFailed: an event on which the first script fails keeps all it has.
func TestPostIsNotShownWhatFailed(t *testing.T) {
	testkit.NoLeaks(t)
	first := strings.Replace(counting, "        evt.add(out)\n", "        evt.add(out)\n        if out.n in (12, 13): raise ValueError\n", 1)
	cfg := posted(t, first, strings.Replace(spoiling, "BAD", "pass", 1))
	cfg.Trigger.Rules[0].When = "int(sum(c.n)) % 3 == 0 or cam_0.damage > 0"
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 21 || s.Posted != 19 || s.PostFailed != 0 || s.Damaged != 2 {
		t.Fatalf("%v, %+v", err, s)
	}
	all, dgrams := blocksOf(t, s.Files[0], xtc.L1Accept)
	for i, b := range all {
		failed := dgrams[i].Damage() == xtc.DamageUserDefined
		if failed != (b["cam raw 0 raw"] != nil && b["cam second 0 twice"] == nil) || b["teb decision 0 pulse"] == nil {
			t.Errorf("the event of %d: %v", dgrams[i].Time(), b)
		}
	}
}

// TestPostEndsTheRun where the first script would: each row with the kind of the error and what it says.
func TestPostEndsTheRun(t *testing.T) {
	raises := strings.Replace(spoiling, "BAD", "raise ValueError('not this one')", 1)
	for _, tt := range []struct {
		name, second, says string
		kind               drp.Kind
		change             func(c *drp.Config)
	}{
		{"missing", "nowhere/crop.py", "there is no such file", drp.Script, nil},
		{"no name", ".py", "no second script", drp.Usage, func(c *drp.Config) { c.Post.Script = "" }},
		{"fails at Configure", "raise ValueError('never')", "ValueError: never", drp.Script, nil},
		{"decides", "from drp import DataSource\nDataSource().add_trigger(n=float)\n", "evt.trigger: it is decided already", drp.Script, nil},
		{"declares by chance", strings.Replace(spoiling, `"second"`, `"second%d" % os.getpid()`, 1), "declares other things", drp.Script, nil},
		{"fails, and the user is strict", raises, "not this one", drp.Script, func(c *drp.Config) { c.Strict = true }},
		{"fails at EndRun", strings.Replace(judging, "    run.add(total)", "    raise ValueError('at the end')", 1), "at the end", drp.Script, nil},
		{"transitions are too small", judging, "the Configure cannot be shown to", drp.Configuration, func(c *drp.Config) { c.TransitionBytes = 8192 }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := posted(t, counting, tt.second)
			if tt.change != nil {
				tt.change(&cfg)
			}
			r, err := drp.New(t.Context(), cfg)
			var s drp.Summary
			if err == nil {
				s, err = r.Run(t.Context())
			}
			var f *drp.Failure
			if !errors.As(err, &f) || f.Kind != tt.kind || !strings.Contains(err.Error(), tt.says) {
				t.Errorf("%v", err)
			}
			if s.InFlight != 0 {
				t.Errorf("the books do not balance: %+v", s)
			}
		})
	}
}

// TestPostIsKilled: whichever processes die, the files have every event once, in order, with what both scripts added.
func TestPostIsKilled(t *testing.T) {
	testkit.NoLeaks(t)
	pids := filepath.Join(t.TempDir(), "pids")
	second := strings.Replace(judging, "    count = 0\n", fmt.Sprintf("    count = 0\n    open(%q, 'a').write(f'{os.getpid()} ')\n", pids), 1)
	second = "import os, time\n" + strings.Replace(second, "        n = det", "        while not os.path.exists(os.environ['FIRST_DEATH']): time.sleep(0.01)\n        n = det", 1)
	first := filepath.Join(t.TempDir(), "first")
	t.Setenv("FIRST_DEATH", first) // no event is over before it
	cfg := posted(t, counting, strings.NewReplacer("(2, 24, 40)", "(2, 4, 6)", "- 100) // 10", "- 101)").Replace(second))
	cfg.Script = testkit.Script(t, strings.Replace(counting, "- 100) // 10", "- 101)", 1))
	const events = 3000
	cfg.Sources, cfg.Spares, cfg.Retries = []string{testkit.File(t, testkit.Camera{}.Run(events)...)}, 1, 2
	cfg.Rate.PerSecond = events // slow enough for the deaths
	r, err := drp.New(t.Context(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	killed := make(chan int)
	go func() {
		kills := 0
		for r.Snapshot().Recorded < events/3 && testkit.Within(testkit.Patience, func() bool { text, _ := os.ReadFile(pids); return len(text) > 0 }) {
			text, _ := os.ReadFile(pids)
			all := strings.Fields(string(text))
			var pid int
			if _, err := fmt.Sscan(all[len(all)-1], &pid); err == nil && kills < 5 && syscall.Kill(pid, syscall.SIGKILL) == nil {
				kills++
				_ = os.WriteFile(first, nil, 0o600)
			}
			time.Sleep(50 * time.Millisecond)
		}
		killed <- kills
	}()
	s, err := r.Run(t.Context())
	if kills := <-killed; kills == 0 || s.Restarts == 0 {
		t.Errorf("%d were killed, %d restarted", kills, s.Restarts)
	}
	if err != nil || s.Recorded != events/3 || s.Posted != s.Recorded || s.PostFailed != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	all, _ := blocksOf(t, s.Files[0], xtc.L1Accept)
	for i, b := range all {
		if b.number("cam first 0 n") != int64(3*i) || b.number("cam second 0 twice") != int64(6*i) {
			t.Fatalf("event %d: %v", i, b)
		}
	}
}

// TestPostThatHangsIsLeft: a run whose second script hangs ends at once when it is told to.
func TestPostThatHangsIsLeft(t *testing.T) {
	testkit.NoLeaks(t)
	hangs := filepath.Join(t.TempDir(), "hangs")
	cfg := posted(t, counting, strings.Replace(spoiling, "BAD", fmt.Sprintf("open(%q, 'w').close()\n            time.sleep(1000)", hangs), 1))
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(hangs); return err == nil })
		r.Abandon(&drp.Failure{Kind: drp.Interrupted, Err: errors.New("enough")})
	}()
	_, err = r.Run(context.Background())
	if f := (*drp.Failure)(nil); !errors.As(err, &f) || f.Kind != drp.Interrupted {
		t.Errorf("%v", err)
	}
}

// TestPostRetires: where the second script gets no process any more, events go by the other rings and are seen by it.
func TestPostRetires(t *testing.T) {
	post := testkit.Script(t, liveText(2, "pass"))
	r := startLive(t, strings.ReplaceAll(liveText(1, "pass"), "live", "first"), func(cfg *drp.Config) {
		cfg.Sources, cfg.MaxRestarts, cfg.Post = []string{smallSim + ",events=100000"}, 1, &drp.Post{Script: post}
	})
	r.events(20)
	r.until("the end of the worker", func() bool {
		w := r.run.Status().Post[0]
		if w.PID != 0 {
			_ = syscall.Kill(w.PID, syscall.SIGKILL)
		}
		return w.State == "retired"
	})
	r.events(20)
	r.until("an empty ring", func() bool { return r.run.Status().Workers[0].Slots.InUse == 0 })
	failed := r.run.Snapshot().PostFailed
	r.events(200)
	if now := r.run.Snapshot().PostFailed; now != failed {
		t.Errorf("the second script failed on %d events, and on %d before", now, failed)
	}
	r.end()
	if s := r.sum; s.Retired != 1 || s.Lost() != 0 || s.Damaged != s.PostFailed {
		t.Errorf("%v, %+v", r.err, s)
	}
}
