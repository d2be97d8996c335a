package drp_test

import (
	"bytes"
	"context"
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
)

// smallSim is a simulated camera of little frames.
const smallSim = "sim:segments=2,rows=8,cols=8,bank=4,hits=0.5,slow=0"

// settings are those of a small run.
func settings(t testing.TB, script string) drp.Config {
	t.Helper()
	return drp.Config{Script: script, Sources: []string{smallSim}, Workers: 2, Retries: 1, Stream: -1, Python: testkit.Python(t),
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
		verify bool
	}{
		{"passthrough", bundled("passthrough.py"), nil, false, false},
		{"passthrough, recorded", bundled("passthrough.py"), nil, true, false},
		{"passthrough, verified and recorded", bundled("passthrough.py"), nil, true, true},
		{"region of interest, recorded", roi, []string{"1", "2", "3"}, true, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			const few, many = 4000, 24000
			mallocs := func(events int64) uint64 {
				cfg := settings(t, tt.script)
				cfg.Args, cfg.Events, cfg.Verify = tt.args, events, tt.verify
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
		{"source cut off in its first datagram", func(c *drp.Config) { c.Sources = []string{cut} }, drp.SourceTrouble, "of its first datagram are there"},
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
		{"less memory than Python takes", func(c *drp.Config) { c.MaxResident = 1 << 20 }, drp.Configuration,
			"more than the 1 MB allowed (--max-rss)"},
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

// TestChangeOfChunk is what the user asked for, and no warning.
func TestChangeOfChunk(t *testing.T) {
	testkit.NoLeaks(t)
	var log bytes.Buffer
	cfg := settings(t, bundled("passthrough.py"))
	cfg.OutputDir, cfg.Events, cfg.ChunkBytes = t.TempDir(), 100, 16<<10
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	s, err := run(t, cfg)
	if err != nil || s.Recorded != 100 || len(s.Files) < 4 {
		t.Fatalf("%v, %+v", err, s)
	}
	told := 0
	for line := range strings.Lines(log.String()) {
		if strings.Contains(line, "goes on in") && strings.Contains(line, "level=INFO") {
			told++
		} else if strings.Contains(line, "goes on in") {
			t.Errorf("a normal change of chunk is told as: %s", line)
		}
	}
	if told != len(s.Files)-2 { // the first chunk, and the small data
		t.Errorf("%d changes were told of, the files are %v", told, s.Files)
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
	cfg.Events, cfg.OutputDir, cfg.EventDeadline = 100000, t.TempDir(), time.Hour
	r, err := drp.New(context.Background(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	go func() {
		testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(hangs); return err == nil })
		cancel() // which waits for the script
		r.Abandon(&drp.Failure{Kind: drp.Interrupted, Err: errors.New("enough")})
	}()
	began := time.Now()
	s, err := r.Run(ctx)
	var f *drp.Failure
	if !errors.As(err, &f) || f.Kind != drp.Interrupted || !strings.Contains(err.Error(), "enough") {
		t.Errorf("got %v", err)
	}
	if took := time.Since(began); took > testkit.Patience {
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
