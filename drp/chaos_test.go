package drp_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/testkit"
	"drp/watch"
	"drp/xtc"
)

// What the script below does with an event, by a number that both sides compute.
type fate int

const (
	fine fate = iota
	raises
	tooLarge
	wrongType
	rejects
	sleeps
	dies
)

// fateOf is the fate of event n under a seed.
func fateOf(n uint32, seed uint32) fate {
	switch v := (n*2654435761 + seed) >> 8 % 1000; {
	case v < 20:
		return raises
	case v < 40:
		return tooLarge
	case v < 50:
		return wrongType
	case v < 100:
		return rejects
	case v < 120:
		return sleeps
	case v == 120:
		return dies
	}
	return fine
}

const chaosScript = `import os, sys, time
import numpy as np
from drp import DataSource
seed = int(sys.argv[1])
ds = DataSource()
out = ds.add_detector("epixhr", alg="number", fields={"n": (np.uint32, 0), "pad": (np.uint8, 1)})
for run in ds.runs():
    for evt in run.events():
        n = evt.nanoseconds // 40000
        v = ((n * 2654435761 + seed) % 2**32 >> 8) % 1000
        if n > 300 and not os.path.exists(sys.argv[2]): time.sleep(0.05)
        if v < 20: raise ValueError(f"event {n}")
        if v == 120: os._exit(1)
        if 50 <= v < 100:
            evt.reject()
            continue
        if 100 <= v < 120: time.sleep(0.002)
        out.n = n if not 40 <= v < 50 else "many"
        out.pad = np.zeros(10000 if 20 <= v < 40 else n % 50, np.uint8)
        evt.add(out)
        evt.remove("epixhr", "raw")
`

// TestChaos runs everything at once: a script that fails in every way, slow events, children killed at any moment, and the
// script taken anew again and again. What must hold: nothing lost, nothing twice, the order kept, and every event as its fate
// says.
func TestChaos(t *testing.T) {
	for _, reloads := range []bool{false, true} {
		t.Run(fmt.Sprintf("reloads %v", reloads), func(t *testing.T) { chaos(t, reloads) })
	}
}

func chaos(t *testing.T, reloads bool) {
	testkit.NoLeaks(t)
	seed := uint32(time.Now().UnixNano())
	if text := os.Getenv("DRP_TEST_SEED"); text != "" {
		fixed, err := strconv.ParseUint(text, 10, 32)
		if err != nil {
			t.Fatal(err)
		}
		seed = uint32(fixed)
	}
	defer func() {
		if t.Failed() {
			t.Logf("DRP_TEST_SEED=%d runs this again", seed)
		}
	}()
	const events, kills = 3000, 8
	cfg := settings(t, testkit.Script(t, chaosScript))
	cfg.Workers, cfg.Slots, cfg.ResultBytes = 3, 40, 8192
	cfg.Args = []string{fmt.Sprint(seed), cfg.Script} // no event is slow
	took := filepath.Join(t.TempDir(), "took")
	if reloads {
		cfg.Args[1] = took // events are slow until a text was taken
	}
	cfg.Events, cfg.OutputDir = events, t.TempDir()
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	killed := make(chan int)
	go func() { killed <- killAtRandom(r, kills, events, seed) }()
	taken := make(chan uint32, 1)
	if reloads {
		go func() { taken <- reloadAtRandom(t, r, cfg.Script, took) }()
	} else {
		taken <- 2
	}
	s, err := r.Run(context.Background())
	hits := <-killed
	if generation := <-taken; generation < 2 {
		t.Error("no other text was taken")
	}
	if err != nil {
		t.Fatal(err)
	}
	checkChaos(t, &s, seed, events, hits)
}

// reloadAtRandom takes the script anew, with another comment, until the run has ended, and gives the generation. It makes a file
// when a text was taken.
func reloadAtRandom(t *testing.T, r *drp.Run, script, took string) uint32 {
	for k := 0; ; k++ {
		if err := os.WriteFile(script, fmt.Appendf(nil, "%s# %d\n", chaosScript, k), 0o600); err != nil {
			t.Error(err)
		}
		_, err := r.Reload(context.Background(), watch.Reload{Now: true}) // it is refused where the event of the trial is one that it fails on
		if err != nil && strings.Contains(err.Error(), "the run has ended") {
			return r.Status().Loaded.Generation
		}
		if err == nil {
			_ = os.WriteFile(took, nil, 0o600)
		}
	}
}

// killAtRandom kills children while a run goes on, and gives how many.
func killAtRandom(r *drp.Run, kills int, events int64, seed uint32) int {
	rng := rand.New(rand.NewPCG(uint64(seed), 5))
	hits := 0
	for k := range kills {
		next := int64(k) * events / int64(kills+1)
		if !testkit.Within(testkit.Patience, func() bool {
			s := r.Snapshot()
			return s.Received >= next || s.Recorded+s.Rejected == events
		}) {
			break
		}
		var pids []int
		for _, pid := range testkit.Children(os.Getpid()) {
			if testkit.RunsScript(pid) {
				pids = append(pids, pid)
			}
		}
		if len(pids) > 0 && syscall.Kill(pids[rng.IntN(len(pids))], syscall.SIGKILL) == nil {
			hits++
		}
	}
	return hits
}

func checkChaos(t *testing.T, s *drp.Summary, seed uint32, events int64, kills int) {
	t.Helper()
	if s.Received != events || s.InFlight != 0 || s.Recorded+s.Rejected+s.Quarantined != events || s.Failed+s.Dropped != 0 {
		t.Errorf("the books: %+v", s)
	}
	path := s.Files[0]
	if report, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !report.OK() || int64(report.SmallData.Events) != s.Recorded {
		t.Errorf("%v, %+v", err, report)
	}
	quarantined := map[uint32]bool{}
	for _, file := range testkit.FilesIn(filepath.Join(filepath.Dir(path), "quarantine")) {
		if filepath.Ext(file) != ".xtc2" {
			continue
		}
		for _, d := range testkit.Dgrams(t, file) {
			if d.Service().IsEvent() {
				quarantined[uint32(d.Time())/40000] = true
			}
		}
	}
	if int64(len(quarantined)) != s.Quarantined || s.Quarantined != s.QuarantineFiles {
		t.Errorf("%d events are in quarantine files, the books say %d", len(quarantined), s.Quarantined)
	}
	for n := range quarantined {
		if f := fateOf(n, seed); f != dies {
			kills-- // two of them hit an event that was alone in hand
		}
	}
	table := xtc.NewTable()
	next, rejected, damaged := uint32(0), int64(0), int64(0)
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		n := uint32(d.Time()) / 40000
		for ; next < n; next++ {
			if quarantined[next] {
				continue
			}
			if fateOf(next, seed) != rejects {
				t.Errorf("event %d is missing", next)
			}
			rejected++
		}
		if n < next {
			t.Fatalf("event %d comes when %d is due", n, next)
		}
		next++
		if d.Damage() != 0 {
			damaged++
		}
		if trouble := chaosEvent(table, d, n, fateOf(n, seed)); trouble != "" {
			t.Errorf("event %d: %s", n, trouble)
		}
	}
	for ; int64(next) < events; next++ {
		if !quarantined[next] {
			rejected++
		}
	}
	if rejected != s.Rejected || damaged != s.Damaged {
		t.Errorf("%d are rejected and %d damaged, the books say %d and %d", rejected, damaged, s.Rejected, s.Damaged)
	}
	if kills < 0 {
		t.Error("more events were quarantined than were killed")
	}
}

// chaosEvent says what is wrong with a recorded event.
func chaosEvent(table *xtc.Table, d xtc.Dgram, n uint32, f fate) string {
	raw, number := 0, int64(-1)
	it := table.Blocks(d)
	for it.Next() {
		switch b := it.Block(); b.Names.Alg {
		case "raw":
			raw++
		case "number":
			number = int64(binary.LittleEndian.Uint32(b.Field(0).Data))
		}
	}
	if it.Err() != nil {
		return it.Err().Error()
	}
	want := xtc.Damage(0)
	switch f {
	case raises, wrongType:
		want = xtc.DamageUserDefined
	case tooLarge:
		want = xtc.DamageUserDefined | xtc.DamageTruncated
	}
	switch {
	case f == dies:
		return "it kills and is recorded"
	case f == rejects:
		return "it was rejected and is recorded"
	case d.Damage() != want:
		return fmt.Sprintf("damage %v, want %v", d.Damage(), want)
	case want != 0 && (raw != 2 || number != -1):
		return fmt.Sprintf("damaged, with %d raw blocks and number %d", raw, number)
	case want == 0 && (raw != 0 || number != int64(n)):
		return fmt.Sprintf("good, with %d raw blocks and number %d", raw, number)
	}
	return ""
}
