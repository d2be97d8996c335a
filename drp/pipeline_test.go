package drp_test

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/source"
	"drp/xtc"
)

// smallSim is a simulated camera of little frames.
const smallSim = "sim:segments=2,rows=8,cols=8,bank=4,hits=0.5,slow=0"

// settings are those of a small run.
func settings(t testing.TB, script string) drp.Config {
	t.Helper()
	return drp.Config{Script: script, Sources: []string{smallSim}, Workers: 2, Stream: -1, Python: testkit.Python(t),
		PythonPath: testkit.PythonPath(), TransitionBytes: 1 << 20}
}

func bundled(name string) string { return filepath.Join(testkit.Root(), "scripts", name) }

// run lets a whole run through.
func run(t testing.TB, cfg drp.Config) (drp.Summary, error) {
	t.Helper()
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	s, err := r.Run(context.Background())
	if s.InFlight != 0 || s.Received != s.Recorded+s.Rejected+s.Vetoed+s.Quarantined+s.Dropped+s.Failed {
		t.Errorf("the books do not balance: %+v", s)
	}
	return s, err
}

// TestEventPathAllocatesNothing: what twenty thousand events more cost in allocations, over the whole pipeline.
func TestEventPathAllocatesNothing(t *testing.T) {
	if invariant.Enabled {
		t.Skip("the checked build makes messages it then does not need; the other build is measured")
	}
	testkit.NoLeaks(t)
	roi := bundled("myroi.py")
	tests := []struct {
		name   string
		script string
		args   []string
		record bool
	}{
		{"passthrough", bundled("passthrough.py"), nil, false},
		{"passthrough, recorded", bundled("passthrough.py"), nil, true},
		{"region of interest, recorded", roi, []string{"1", "2", "3"}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const few, many = 4000, 24000
			mallocs := func(events int64) uint64 {
				cfg := settings(t, tt.script)
				cfg.Args, cfg.Events = tt.args, events
				if tt.record {
					cfg.OutputDir = t.TempDir()
				}
				var before, after runtime.MemStats
				runtime.ReadMemStats(&before)
				if s, err := run(t, cfg); err != nil || s.Recorded != events {
					t.Fatalf("%v, %+v", err, s)
				}
				runtime.ReadMemStats(&after)
				return after.Mallocs - before.Mallocs
			}
			base := mallocs(few)
			if per := (float64(mallocs(many)) - float64(base)) / (many - few); per >= 0.01 {
				t.Errorf("%.3f allocations per event", per)
			}
		})
	}
}

func TestNewFailures(t *testing.T) {
	camera := testkit.Camera{}
	whole := testkit.File(t, camera.Run(3)...)
	cut := testkit.File(t, camera.Configure(1)[:500])
	odd := testkit.File(t, camera.BeginRun(1, 5))
	empty := filepath.Join(t.TempDir(), "empty.xtc2")
	testkit.WriteFile(t, empty, "")
	bare := bareInterpreter(t)
	tests := []struct {
		name   string
		change func(c *drp.Config)
		kind   drp.Kind
		want   string
	}{
		{"missing source", func(c *drp.Config) { c.Sources = []string{"/nowhere/x.xtc2"} }, drp.SourceTrouble, "/nowhere/x.xtc2"},
		{"empty source", func(c *drp.Config) { c.Sources = []string{empty} }, drp.SourceTrouble, "empty.xtc2"},
		{"source cut off in its first datagram", func(c *drp.Config) { c.Sources = []string{cut} }, drp.SourceTrouble, "ends"},
		{"source without Configure", func(c *drp.Config) { c.Sources = []string{odd} }, drp.SourceTrouble, "starts with BeginRun"},
		{"no such simulator", func(c *drp.Config) { c.Sources = []string{"sim:colour=red"} }, drp.SourceTrouble, "no parameter"},
		{"output below a file", func(c *drp.Config) { c.OutputDir = filepath.Join(empty, "out") }, drp.Configuration, "not a directory"},
		{"no such interpreter", func(c *drp.Config) { c.Python = "/nowhere/python" }, drp.Configuration, "/nowhere/python"},
		{"interpreter that is none", func(c *drp.Config) { c.Python = "/bin/false" }, drp.Configuration, "exit status 1"},
		{"interpreter without numpy", func(c *drp.Config) { c.Python = bare }, drp.Configuration, "numpy is missing in " + bare},
		{"interpreter without the package", func(c *drp.Config) { c.Python, c.PythonPath = bare, t.TempDir() }, drp.Configuration,
			"drp"},
		{"event slot too small", func(c *drp.Config) { c.EventBytes = 100 }, drp.Configuration, "--buf-bytes 100"},
		{"result slot too small", func(c *drp.Config) { c.ResultBytes = 100 }, drp.Configuration, "--fex-bytes"},
		{"slots beyond a segment", func(c *drp.Config) { c.Slots, c.EventBytes = 1024, 3<<20 }, drp.Configuration, "2 GiB"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			testkit.NoLeaks(t)
			cfg := settings(t, bundled("passthrough.py"))
			cfg.Sources, cfg.OutputDir = []string{whole}, filepath.Join(t.TempDir(), "out")
			tt.change(&cfg)
			_, err := drp.New(context.Background(), cfg)
			var f *drp.Failure
			if !errors.As(err, &f) || f.Kind != tt.kind || !strings.Contains(err.Error(), tt.want) {
				t.Fatalf("got %v, want kind %d: %s", err, tt.kind, tt.want)
			}
			if strings.Count(err.Error(), "\n") > 0 {
				t.Errorf("more than one sentence:\n%v", err)
			}
			if left := testkit.FilesIn(cfg.OutputDir); len(left) > 0 {
				t.Errorf("left in the output folder: %v", left)
			}
		})
	}
}

// bareInterpreter makes an environment that has nothing but Python.
func bareInterpreter(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "bare")
	if out, err := exec.Command(testkit.Python(t), "-m", "venv", "--without-pip", dir).CombinedOutput(); err != nil {
		t.Skipf("no module venv: %v: %s", err, out)
	}
	return filepath.Join(dir, "bin", "python3")
}

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

// TestSnapshotWhileRunning: the books can be read at any time, and never show more outcomes than events.
func TestSnapshotWhileRunning(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Events, cfg.OutputDir = 5000, t.TempDir()
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	var watching sync.WaitGroup
	watching.Go(func() {
		for {
			if s := r.Snapshot(); s.InFlight < 0 {
				t.Errorf("%+v", s)
			}
			select {
			case <-done:
				return
			default:
			}
		}
	})
	if _, err := r.Run(context.Background()); err != nil {
		t.Error(err)
	}
	close(done)
	watching.Wait()
	if s := r.Snapshot(); s.Received != 5000 || s.EventsPerSecond == 0 || r.Info().Events != 5000 {
		t.Errorf("%+v", s)
	}
}

// TestAbandon: a run whose script hangs ends at once when it is told to, and leaves its files unfinished.
func TestAbandon(t *testing.T) {
	testkit.NoLeaks(t)
	hangs := filepath.Join(t.TempDir(), "hangs")
	cfg := settings(t, testkit.Script(t, fmt.Sprintf(`import time
from drp import DataSource
ds = DataSource()
for run in ds.runs():
    for i, evt in enumerate(run.events()):
        if i == 100:
            open(%q, "w").close()
            time.sleep(1000)
`, hangs)))
	cfg.Events, cfg.OutputDir = 100000, t.TempDir()
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		testkit.Within(10*time.Second, func() bool { _, err := os.Stat(hangs); return err == nil })
		cancel() // which waits for the script
		r.Abandon(&drp.Failure{Kind: drp.Interrupted, Err: errors.New("enough")})
	}()
	began := time.Now()
	s, err := r.Run(ctx)
	var f *drp.Failure
	if !errors.As(err, &f) || f.Kind != drp.Interrupted || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("it took %v", took)
	}
	for _, path := range s.Files {
		if !strings.HasSuffix(path, ".inprogress") {
			t.Errorf("%s has its final name", path)
		}
	}
}

// TestRate: events come no faster than was chosen.
func TestRate(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Events, cfg.Rate = 100, source.Rate{PerSecond: 400}
	if s, err := run(t, cfg); err != nil || s.Seconds < 0.2 || s.Received != 100 {
		t.Errorf("%v, %+v", err, s)
	}
}

// TestSlowUpdatesHoldNothingUp: a transition waits for the answers to the one before it, never for an event that took
// its place in the window.
func TestSlowUpdatesHoldNothingUp(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, bundled("passthrough.py"))
	cfg.Slots = 16
	cfg.Sources = []string{strings.Replace(smallSim, "slow=0", "slow=100", 1)}
	cfg.Events = 20000
	if s, err := run(t, cfg); err != nil || s.Seconds > 5 {
		t.Errorf("%v: 200 SlowUpdates among 20000 events took %.1f s", err, s.Seconds)
	}
}
