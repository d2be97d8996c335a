package drp_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

// live is a script that says with each event which text it is and in which process it runs.
const live = `import os, sys, time
import numpy as np
from drp import DataSource, drp_info
ds = DataSource()
out = ds.add_detector(ds.camera, alg="live", fields={"text": (np.uint32, 0), "worker": (np.uint32, 0)})
TOP
for run in ds.runs():
    for step in run.steps():
        for evt in step.events():
            EVENT
            out.text = TEXT
            out.worker = drp_info.worker_num
            evt.add(out)
`

func sha(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

func liveText(text int, event string) string {
	return strings.NewReplacer("TEXT", fmt.Sprint(text), "EVENT", event, "TOP", "pass").Replace(live)
}

// liveRun is a run that goes on while its script changes.
type liveRun struct {
	t      *testing.T
	run    *drp.Run
	script string
	log    *testkit.Buffer
	cancel context.CancelFunc
	ended  sync.WaitGroup
	sum    drp.Summary
	err    error
}

func startLive(t *testing.T, script string, change func(cfg *drp.Config)) *liveRun {
	t.Helper()
	testkit.NoLeaks(t)
	r := &liveRun{t: t, script: testkit.Script(t, script), log: &testkit.Buffer{}}
	cfg := settings(t, r.script)
	cfg.Sources, cfg.OutputDir, cfg.Rate.PerSecond = []string{smallSim + ",steps=1000,events=40"}, t.TempDir(), 400
	cfg.Log, cfg.EventDeadline, cfg.TransitionDeadline = slog.New(slog.NewTextHandler(r.log, nil)), time.Minute, time.Minute
	change(&cfg)
	var err error
	if r.run, err = drp.New(context.Background(), cfg); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.ended.Go(func() { r.sum, r.err = r.run.Run(ctx) })
	t.Cleanup(r.end)
	return r
}

// end ends the run in order; its books must balance.
func (r *liveRun) end() {
	r.cancel()
	r.ended.Wait()
	if s := r.sum; s.InFlight != 0 || s.Received != s.Recorded+s.Rejected+s.Vetoed+s.Quarantined+s.Dropped+s.Failed {
		r.t.Errorf("the books do not balance: %+v", s)
	}
}

func (r *liveRun) write(text string) { testkit.WriteFile(r.t, r.script, text) }

func (r *liveRun) until(what string, is func() bool) {
	r.t.Helper()
	if !testkit.Within(testkit.Patience, is) {
		r.t.Fatalf("%s never came; log:\n%s", what, r.log)
	}
}

func (r *liveRun) events(n int64) {
	r.t.Helper()
	from := r.run.Snapshot().Recorded
	r.until("more events", func() bool { return r.run.Snapshot().Recorded >= from+n })
}

func (r *liveRun) inUse(generation uint32) {
	r.t.Helper()
	r.until("the other text", func() bool { s := r.run.Status(); return s.Loaded.Generation == generation && s.Loaded.Next == nil })
}

// killWorker sends a signal to the process of a worker: that which has it at this moment, since it may be another one before
// the signal comes.
func (r *liveRun) killWorker(signal syscall.Signal) {
	r.t.Helper()
	r.until("a process to kill", func() bool {
		pid := r.run.Status().Workers[0].PID
		return pid != 0 && syscall.Kill(pid, signal) == nil
	})
}

// recorded is what a file says: the texts of its events, with the workers of each; and what is told of the scripts.
type recordedLive struct {
	texts   []uint64            // in order, each change once
	second  []uint64            // the same of a second script
	workers map[uint64][]uint64 // by text
	told    []string            // transition, first of the SHA-256, generation
	changes []xtc.TransitionID  // the transition before each change
}

func (r *liveRun) recorded() (all recordedLive) {
	r.t.Helper()
	all.workers = map[uint64][]uint64{}
	table, before := xtc.NewTable(), xtc.TransitionID(0)
	var dgrams []xtc.Dgram
	for i := 0; i < len(r.sum.Files); i += 2 { // the others are of small data
		dgrams = append(dgrams, testkit.Dgrams(r.t, r.sum.Files[i])...)
	}
	for _, d := range dgrams {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				r.t.Fatal(err)
			}
		}
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			switch {
			case b.Names.Alg == "live" && d.Service().IsEvent():
				text, worker := value(r.t, b, "text"), value(r.t, b, "worker")
				if len(all.texts) == 0 || all.texts[len(all.texts)-1] != text {
					all.texts, all.changes = append(all.texts, text), append(all.changes, before)
				}
				if !slices.Contains(all.workers[text], worker) {
					all.workers[text] = append(all.workers[text], worker)
				}
			case b.Names.Alg == "second":
				if text := value(r.t, b, "text"); len(all.second) == 0 || all.second[len(all.second)-1] != text {
					all.second = append(all.second, text)
				}
			case b.Names.DetName == "drp" && b.Names.Alg == "script":
				all.told = append(all.told, fmt.Sprintf("%v %s %d", d.Service(), textOf(r.t, b, "sha256"), value(r.t, b, "generation")))
			}
		}
		before = d.Service()
	}
	return all
}

func value(t *testing.T, b *xtc.Block, field string) uint64 {
	t.Helper()
	v, there := b.FieldNamed(field)
	if !there {
		t.Fatalf("no field %s in %v", field, b.Names)
	}
	return v.Uint64()
}

func textOf(t *testing.T, b *xtc.Block, field string) string {
	t.Helper()
	v, there := b.FieldNamed(field)
	if !there {
		t.Fatalf("no field %s in %v", field, b.Names)
	}
	return string(v.Text())
}
