package drp_test

import (
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/drp"
	"drp/internal/testkit"
	"drp/xtc"
)

// TestSourceEndsAnyhow: files that stop, repeat and restart where they should not. The script sees a proper sequence
// and the record has what the source had.
func TestSourceEndsAnyhow(t *testing.T) {
	c := testkit.Camera{}
	plain := testkit.Plain
	configure, begin := c.Configure(1), c.BeginRun(2, 5)
	step, enable := plain(xtc.BeginStep, 3), plain(xtc.Enable, 4)
	event := func(i int) xtc.Dgram { return c.Event(uint64(10+i), i) }
	tests := []struct {
		name   string
		dgrams []xtc.Dgram
		cut    int    // bytes taken off the end of the file
		saw    string // of the script
		events int64
		kind   drp.Kind
	}{
		{"complete", c.Run(2), 0, "run,step0,2,end", 2, 0},
		{"no EndRun", []xtc.Dgram{configure, begin, step, enable, event(0), event(1)}, 0, "run,step0,2,end", 2, 0},
		{"only a Configure", []xtc.Dgram{configure}, 0, "", 0, 0},
		{"no events", []xtc.Dgram{configure, begin, step, enable, plain(xtc.Disable, 5)}, 0, "run,step0,0,end", 0, 0},
		{"events at once", []xtc.Dgram{configure, event(0), event(1)}, 0, "run,step0,2,end", 2, 0},
		{"BeginStep twice", []xtc.Dgram{configure, begin, step, step, enable, event(0)}, 0, "run,step0,0,step1,1,end", 1, 0},
		{"configured twice", []xtc.Dgram{configure, begin, step, enable, event(0), configure, begin, step, enable, event(1)}, 0,
			"run,step0,1,end,run,step0,1,end", 2, 0},
		{"cut off in an event", []xtc.Dgram{configure, begin, step, enable, event(0), event(1)}, 5, "run,step0,1,end", 1, drp.SourceTrouble},
		{"cut off in BeginStep", []xtc.Dgram{configure, begin, step}, 5, "run,end", 0, drp.SourceTrouble},
		{"cut off in BeginRun", []xtc.Dgram{configure, begin}, 5, "", 0, drp.SourceTrouble},
		{"cut off in EndRun", []xtc.Dgram{configure, begin, step, enable, event(0), plain(xtc.Disable, 20), plain(xtc.EndStep, 21),
			plain(xtc.EndRun, 22)}, 5, "run,step0,1,end", 1, drp.SourceTrouble},
		{"cut off in Unconfigure", c.Run(1), 5, "run,step0,1,end", 1, drp.SourceTrouble},
		{"nothing after Unconfigure", append(c.Run(1), event(9)), 0, "run,step0,1,end", 1, drp.SourceTrouble},
	}
	script := testkit.Script(t, `import sys
from drp import DataSource
def saw(word):
    with open(sys.argv[1], "a") as f:
        f.write(word + ",")
ds = DataSource()
for run in ds.runs():
    saw("run")
    for step in run.steps():
        saw(f"step{step.number}")
        saw(str(sum(1 for evt in step.events())))
    saw("end")
`)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := settings(t, script)
			path, saw := testkit.File(t, tt.dgrams...), filepath.Join(t.TempDir(), "saw")
			info, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.Truncate(path, info.Size()-int64(tt.cut)); err != nil {
				t.Fatal(err)
			}
			cfg.Sources, cfg.Args, cfg.Workers, cfg.OutputDir = []string{path}, []string{saw}, 1, t.TempDir()
			s, err := run(t, cfg)
			var f *drp.Failure
			if tt.kind == 0 && err != nil || tt.kind != 0 && (!errors.As(err, &f) || f.Kind != tt.kind) {
				t.Errorf("got %v, want kind %d", err, tt.kind)
			}
			if text, _ := os.ReadFile(saw); strings.TrimSuffix(string(text), ",") != tt.saw {
				t.Errorf("the script saw %s, want %s", text, tt.saw)
			}
			if s.Received != tt.events || s.Recorded != tt.events {
				t.Errorf("received %d, recorded %d, want %d", s.Received, s.Recorded, tt.events)
			}
			checkRecorded(t, s.Files, tt.dgrams, tt.cut > 0)
		})
	}
}

// checkRecorded compares what was recorded, over all files of data, with what the source had: every whole datagram of
// it, and nothing else but the Configure that each file begins with.
func checkRecorded(t *testing.T, files []string, want []xtc.Dgram, cut bool) {
	t.Helper()
	if cut {
		want = want[:len(want)-1]
	}
	var got []xtc.Dgram
	for _, path := range files {
		if strings.HasSuffix(path, ".smd.xtc2") {
			continue
		}
		if r, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !r.OK() {
			t.Errorf("%s: %v, %v", path, err, r.Errors)
		}
		got = append(got, testkit.Dgrams(t, path)...)
	}
	for i, d := range got {
		if i >= len(want) || string(d) != string(want[i]) {
			t.Fatalf("datagram %d of %d, a %v of time %d, is not what the source had there", i, len(got), d.Service(), d.Time())
		}
	}
	if rest := want[len(got):]; len(rest) > 1 || len(rest) == 1 && !rest[0].Service().IsEvent() {
		t.Errorf("%d datagrams of %d were recorded", len(got), len(want))
	}
}

// TestCorruptEvents are recorded as they are, marked, and not shown to the script; the log stays short.
func TestCorruptEvents(t *testing.T) {
	testkit.NoLeaks(t)
	dgrams := testkit.Camera{}.Run(200)
	for i := 4; i < 204; i += 2 {
		dgrams[i][xtc.DgramHeaderBytes] = 77 // a NamesId that nobody knows
	}
	var log strings.Builder
	cfg := settings(t, testkit.Script(t, `from drp import DataSource
ds = DataSource()
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        assert evt.timestamp % 2 == 0, evt.timestamp
`))
	cfg.Sources, cfg.OutputDir, cfg.Log = []string{testkit.File(t, dgrams...)}, t.TempDir(), slog.New(slog.NewTextHandler(&log, nil))
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 200 || s.Damaged != 100 || len(s.Failures) > 0 {
		t.Errorf("%v, %+v", err, s)
	}
	for i, d := range testkit.Dgrams(t, s.Files[0]) {
		want := append(xtc.Dgram{}, dgrams[i]...)
		if i >= 4 && i < 204 && i%2 == 0 {
			want.SetDamage(xtc.DamageCorrupted)
		}
		if string(d) != string(want) {
			t.Fatalf("datagram %d, a %v, changed; damage %v", i, d.Service(), d.Damage())
		}
	}
	if n := strings.Count(log.String(), "makes no sense"); n != 7 {
		t.Errorf("the log speaks of corrupt events %d times:\n%s", n, log.String())
	}
}

// TestSumSurvivesTruncation: a script sees the end of a run whose file is cut off there, and what it adds is kept.
func TestSumSurvivesTruncation(t *testing.T) {
	testkit.NoLeaks(t)
	path := testkit.File(t, testkit.Camera{}.Run(5)[:4+5+3]...) // up to EndRun
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-1); err != nil {
		t.Fatal(err)
	}
	cfg := settings(t, bundled("sumimage.py"))
	cfg.Sources, cfg.OutputDir = []string{path}, t.TempDir()
	s, err := run(t, cfg)
	var f *drp.Failure
	if !errors.As(err, &f) || f.Kind != drp.SourceTrouble {
		t.Errorf("got %v", err)
	}
	all := testkit.Dgrams(t, s.Files[0])
	last := all[len(all)-1]
	table := xtc.NewTable()
	if err := table.Configure(all[0]); err != nil {
		t.Fatal(err)
	}
	it := table.Blocks(last)
	if last.Service() != xtc.EndRun || !it.Next() || it.Block().Names.Alg != "sumimage" {
		t.Errorf("the last datagram is a %v of %d bytes, want EndRun with the sum", last.Service(), len(last))
	}
}

// TestStepResults: transitions that follow each other at once share one result area for each worker; none is lost.
func TestStepResults(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="step", fields={"number": (np.uint32, 1), "events": (np.uint32, 0)}, reduce="max")
for run in ds.runs():
    for step in run.steps():
        out.number, out.events = np.full(10000, step.number, np.uint32), 0
        run.add(out)
        count = sum(1 for evt in step.events())
        out.number, out.events = np.full(20000, step.number + 1000, np.uint32), count
        run.add(out)
    out.number, out.events = np.full(30000, 5000, np.uint32), 0
    run.add(out)
`))
	const steps = 30
	cfg.Sources, cfg.OutputDir = []string{smallSim + fmt.Sprintf(",steps=%d,events=1", steps)}, t.TempDir()
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	table, step := xtc.NewTable(), 0
	for _, d := range testkit.Dgrams(t, s.Files[0]) {
		want, size := uint32(0), 0
		switch d.Service() {
		case xtc.Configure:
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
			continue
		case xtc.BeginStep:
			want, size = uint32(step), 10000
		case xtc.EndStep:
			want, size = uint32(step+1000), 20000
			step++
		case xtc.EndRun:
			want, size = 5000, 30000
		default:
			continue
		}
		found := false
		for it := table.Blocks(d); it.Next(); {
			if b := it.Block(); b.Names.Alg == "step" {
				v := b.Field(0)
				found = len(v.Data) == 4*size && string(v.Data) == strings.Repeat(string(binary.LittleEndian.AppendUint32(nil, want)), size)
			}
		}
		if !found {
			t.Errorf("%v of step %d does not hold %d times %d", d.Service(), step, size, want)
		}
	}
	if step != steps {
		t.Errorf("%d steps, want %d", step, steps)
	}
}
