package drp_test

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// editing is a script that adds "first" to every event, and does something with the file of another text.
const editing = `import os, shutil, sys
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="first", fields={"pid": (np.uint32, 0)})
def edit():
    new = f"{__file__}.{os.getpid()}"
    shutil.copy(sys.argv[1], new)
    os.replace(new, __file__)
for run in ds.runs():
    for evt in run.events():
        n = evt.nanoseconds // 40000
        MIDDLE
        out.pid = os.getpid()
        evt.add(out)
    END
`

// TestReload: at each Configure the script of that moment is taken by all workers and spares, or none takes it.
func TestReload(t *testing.T) {
	good := strings.Replace(strings.NewReplacer("first", "second", "MIDDLE", "pass", "END", "pass").Replace(editing), "import os,", "import  os,", 1)
	const dies = "if n == 25 and not os.path.exists(sys.argv[2]): (open(sys.argv[2], 'w'), edit(), os._exit(3))"
	tests := []struct {
		name, middle, end, edited string
		then                      string // what the events of the second Configure have
		log                       string
		restarts                  int64
	}{
		{"not edited", "pass", "pass", good, "first", "", 0},
		{"edited", "pass", "edit()", good, "second", "it is read anew", 0},
		{"no Python any more", "pass", "edit()", "import os\nfor:\n", "first", "line 2", 0},
		{"not text", "pass", "edit()", "\x00\xff", "first", "cannot be taken", 0},
		{"edited before a death in the run", dies, "pass", good, "second", "it is read anew", 1},
	}
	for _, tt := range tests {
		for _, spares := range []int{0, 1} {
			t.Run(tt.name+[]string{"", ", with a spare"}[spares], func(t *testing.T) {
				testkit.NoLeaks(t)
				other := filepath.Join(t.TempDir(), "other.py")
				testkit.WriteFile(t, other, tt.edited)
				cfg := settings(t, testkit.Script(t, strings.NewReplacer("MIDDLE", tt.middle, "END", tt.end).Replace(editing)))
				var log strings.Builder
				cfg.Args, cfg.Spares, cfg.Retries = []string{other, filepath.Join(t.TempDir(), "died")}, spares, 2
				cfg.Sources, cfg.OutputDir = []string{smallSim + ",configs=2,events=120"}, t.TempDir()
				cfg.Rate.PerSecond, cfg.Slots = 400, 8 // slow enough for the edit, the death and the spare
				cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
				s, err := run(t, cfg)
				if err != nil || s.Recorded != 240 || s.Damaged != 0 || s.Restarts != tt.restarts {
					t.Fatalf("%v, %+v\n%s", err, s, log.String())
				}
				if !strings.Contains(log.String(), tt.log) || tt.log == "" && strings.Contains(log.String(), "changed") {
					t.Errorf("the log says:\n%s", log.String())
				}
				for i, want := range []string{"first", tt.then} {
					if got := algorithms(t, s.Files[2*i]); got[want] != 120 || len(got) != 2 {
						t.Errorf("Configure %d: %v, want 120 of %s and of the raw data", i, got, want)
					}
				}
			})
		}
	}
}

// algorithms counts the events of a file that have a block of each; several of a detector count once.
func algorithms(t *testing.T, path string) map[string]int {
	t.Helper()
	count, table := map[string]int{}, xtc.NewTable()
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		for it := table.Blocks(d); it.Next(); {
			if b := it.Block(); b.Names.Segment == 0 {
				count[b.Names.Alg]++
			}
		}
	}
	return count
}

// TestReloadOfAForeignScript: what is refused at the start is not taken later.
func TestReloadOfAForeignScript(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can give a file away")
	}
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, strings.NewReplacer("MIDDLE", "pass", "END",
		"open(__file__, 'a').write('# more')\n    os.chown(__file__, 12345, 0)\n    os.chmod(__file__, 0o666)").Replace(editing)))
	var log strings.Builder
	cfg.Sources, cfg.OutputDir, cfg.Workers = []string{smallSim + ",configs=2,events=5"}, t.TempDir(), 1
	cfg.Log = slog.New(slog.NewTextHandler(&log, nil))
	if s, err := run(t, cfg); err != nil || s.Recorded != 10 || !strings.Contains(log.String(), "cannot be taken") ||
		!strings.Contains(log.String(), "belongs to another user") {
		t.Errorf("%v, %+v\n%s", err, s, log.String())
	}
}
