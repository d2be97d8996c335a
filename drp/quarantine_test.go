package drp_test

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/record"
	"drp/xtc"
)

// killing dies of some events, with a word before.
func killing(condition string) string {
	return fmt.Sprintf(`import os, sys
from drp import DataSource
ds = DataSource()
for run in ds.runs():
    for evt in run.events():
        n = evt.nanoseconds // 40000 if evt.seconds > 1000 else evt.nanoseconds
        if %s:
            print("this is the end of", n, file=sys.stderr, flush=True)
            os._exit(7)
`, condition)
}

// TestQuarantinedEvent is in a file with what holds, and the report beside it knows how each process ended.
func TestQuarantinedEvent(t *testing.T) {
	testkit.NoLeaks(t)
	c := testkit.Camera{}
	all := c.Run(6)
	slow := testkit.Plain(xtc.SlowUpdate, 5)
	dgrams := slices.Insert(slices.Clone(all), 4, slow)
	dgrams = slices.Insert(dgrams, 9, testkit.Plain(xtc.Disable, 104_5), testkit.Plain(xtc.EndStep, 104_6),
		testkit.Plain(xtc.BeginStep, 104_7), testkit.Plain(xtc.Enable, 104_8))
	script := testkit.Script(t, killing("n == 106"))
	cfg := settings(t, script)
	cfg.Sources, cfg.Args, cfg.OutputDir, cfg.Retries = []string{testkit.File(t, dgrams...)}, []string{"an argument"}, t.TempDir(), 1
	cfg.Expt, cfg.Run, cfg.Stream = "abc", 7, 0
	s, err := run(t, cfg)
	if err != nil || s.Quarantined != 1 || s.QuarantineFiles != 1 || s.Recorded != 5 || s.Lost() != 0 {
		t.Fatalf("%v, %+v", err, s)
	}
	path := filepath.Join(cfg.OutputDir, "quarantine", "abc-r0007-s000-event-000000000000006a.xtc2")
	if r, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !r.OK() {
		t.Errorf("%v, %+v", err, r)
	}
	var services []string
	for _, d := range testkit.Dgrams(t, path) {
		services = append(services, d.Service().String())
		if d.Service().IsEvent() && string(d) != string(all[9]) {
			t.Error("the event is not the one the source had")
		}
	}
	if got := strings.Join(services, " "); got != "Configure BeginRun SlowUpdate BeginStep Enable L1Accept Disable EndStep EndRun" {
		t.Errorf("the file holds %s", got)
	}
	r, err := record.ReadReport(path)
	if err != nil {
		t.Fatal(err)
	}
	if r.Number != 5 || r.Script != script || len(r.Args) != 1 || len(r.ScriptSHA256) != 64 || len(r.Attempts) != 2 {
		t.Errorf("%+v", r)
	}
	for _, a := range r.Attempts {
		if !strings.Contains(strings.Join(a.Output, "\n"), "this is the end of 106") || a.PID == 0 || a.When.IsZero() ||
			!strings.Contains(a.Reason, "exit status 7") {
			t.Errorf("%+v", a)
		}
	}
}

// TestQuarantineThatCannotBeWritten: the event is recorded with its raw data instead, and is no loss.
func TestQuarantineThatCannotBeWritten(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, killing("n == 3")))
	file := filepath.Join(t.TempDir(), "file")
	testkit.WriteFile(t, file, "no folder")
	var log strings.Builder
	cfg.Events, cfg.OutputDir, cfg.QuarantineDir, cfg.Log = 20, t.TempDir(), file, slog.New(slog.NewTextHandler(&log, nil))
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 20 || s.Damaged != 1 || s.Quarantined != 0 || s.Lost() != 0 {
		t.Errorf("%v, %+v", err, s)
	}
	if !strings.Contains(log.String(), "cannot be quarantined") {
		t.Errorf("the log says:\n%s", log.String())
	}
	cfg.Strict = true
	cfg.OutputDir = t.TempDir()
	var f *drp.Failure
	if _, err := run(t, cfg); !errors.As(err, &f) || f.Kind != drp.Script {
		t.Errorf("with --strict: %v", err)
	}
}

// TestQuarantineWithoutAFolder: nothing is kept of the event, so it is lost.
func TestQuarantineWithoutAFolder(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, killing("n == 3")))
	cfg.Events = 20
	if s, err := run(t, cfg); err != nil || s.Quarantined != 1 || s.Lost() != 1 || s.Recorded != 19 {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestMaxQuarantine ends a run whose script kills too often; the few of the start do not count.
func TestMaxQuarantine(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, killing("n % 120 == 5")))
	cfg.Workers, cfg.Events, cfg.OutputDir, cfg.MaxQuarantine, cfg.Spares = 1, 20000, t.TempDir(), 0.5, 2
	s, err := run(t, cfg)
	var f *drp.Failure
	if !errors.As(err, &f) || f.Kind != drp.Script || !strings.Contains(err.Error(), "more than --max-quarantine 0.5 %") {
		t.Errorf("got %v", err)
	}
	if s.Quarantined < 20 || s.Quarantined > 25 || s.Received > 5000 {
		t.Errorf("%+v", s)
	}
}

// TestRecycledRun: processes that are replaced as planned lose nothing, and are no restarts.
func TestRecycledRun(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Events, cfg.RecycleAfter, cfg.Rate.PerSecond, cfg.OutputDir = 2000, 200, 700, t.TempDir()
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 2000 || s.Damaged != 0 || s.Restarts != 0 || s.Recycled < 2 {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestLastWorkerOutOfService ends the run: its events are recorded as those of a script that failed.
func TestLastWorkerOutOfService(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, killing("True")))
	cfg.Events, cfg.MaxRestarts, cfg.Retries, cfg.OutputDir = 50, 1, 0, t.TempDir()
	s, err := run(t, cfg)
	var f *drp.Failure
	if !errors.As(err, &f) || f.Kind != drp.Script || !strings.Contains(err.Error(), "its child died 2 times within a minute") {
		t.Errorf("got %v", err)
	}
	if s.Retired != 1 || s.Failed != 0 || s.Quarantined == 0 {
		t.Errorf("%+v", s)
	}
}
