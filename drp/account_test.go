package drp_test

import (
	"fmt"
	"path/filepath"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// accounts gives the books in each EndRun of the data files, by segment.
func accounts(t *testing.T, files []string) (all []map[uint32]string) {
	t.Helper()
	for _, path := range files {
		if filepath.Base(filepath.Dir(path)) == "smalldata" {
			continue
		}
		if r, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !r.OK() {
			t.Errorf("%s: %v, %v", path, err, r.Errors)
		}
		table := xtc.NewTable()
		for _, d := range testkit.Dgrams(t, path) {
			if d.Service() == xtc.Configure {
				if err := table.Configure(d); err != nil {
					t.Fatal(err)
				}
			}
			if d.Service() != xtc.EndRun {
				continue
			}
			found := map[uint32]string{}
			for it := table.Blocks(d); it.Next(); {
				b := it.Block()
				if b.Names.DetName != "drp" || b.Names.DetType != "drp" || b.Names.Alg != "books" || b.Names.Version != (xtc.Version{Major: 1}) {
					continue
				}
				text := ""
				for i := range b.Names.Entries {
					text += fmt.Sprintf("%s %d ", b.Names.Entries[i].Name, b.Field(i).Int64())
				}
				found[b.Names.Segment] = text
			}
			all = append(all, found)
		}
	}
	return all
}

const accountScript = `import os, sys
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="n", fields={"n": (np.uint32, 0)})
i = 0
for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        n = evt.nanoseconds // 40000
        if n % 10 == 1: evt.reject()
        elif n % 10 == 2: raise ValueError("2")
        elif n % 100 == 33 and len(sys.argv) < 2: os._exit(7)
        else:
            out.n = n
            evt.add(out)
            evt.remove(ds.camera)
`

// TestBooksInTheFile: each EndRun says what became of the events of its run, whoever worked on them and died of it.
func TestBooksInTheFile(t *testing.T) {
	var first []map[uint32]string
	for _, workers := range []int{1, 3} {
		testkit.NoLeaks(t)
		cfg := settings(t, testkit.Script(t, accountScript))
		cfg.Sources, cfg.Workers, cfg.OutputDir, cfg.Spares, cfg.Retries = []string{smallSim + ",runs=2,events=200"}, workers, t.TempDir(), 1, 1
		s, err := run(t, cfg)
		if err != nil || s.Received != 400 || s.Quarantined != 4 {
			t.Fatalf("%v, %+v", err, s)
		}
		got := accounts(t, s.Files)
		want := "received 200 recorded 178 rejected 20 vetoed 0 quarantined 2 dropped 0 failed 0 in_flight 0 damaged 20 "
		if len(got) != 2 || got[0][0] != want || got[1][0] != want {
			t.Errorf("%d workers: the files say %v, want %s", workers, got, want)
		}
		if first == nil {
			first = got
		}
		if workers == 3 {
			again(t, s.Files[0])
		}
	}
}

// again runs a script on what was recorded: the books of before stay, ours are the next segment.
func again(t *testing.T, path string) {
	t.Helper()
	cfg := settings(t, testkit.Script(t, `from drp import DataSource
import numpy as np
ds = DataSource()
out = ds.add_detector("cam", alg="m", fields={"m": (np.uint32, 0)})
for run in ds.runs():
    assert "drp" in run.detnames, run.detnames
    for evt in run.events(): evt.reject()
`))
	cfg.Sources, cfg.OutputDir = []string{path}, t.TempDir()
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	got := accounts(t, s.Files)
	if len(got) != 1 || len(got[0]) != 2 || got[0][1] != "received 178 recorded 0 rejected 178 vetoed 0 quarantined 0 dropped 0 failed 0 in_flight 0 damaged 0 " {
		t.Errorf("the second file says %v", got)
	}
}

// TestNoBooksInACopy: a script that declares nothing leaves everything as it came; and an EndRun that the source did not
// send is not recorded for the sake of the books.
func TestNoBooksInACopy(t *testing.T) {
	testkit.NoLeaks(t)
	c := testkit.Camera{}
	for name, dgrams := range map[string][]xtc.Dgram{"copy": c.Run(5), "cut": c.Run(5)[:4+5]} {
		script := bundled("passthrough.py")
		if name == "cut" {
			script = testkit.Script(t, accountScript)
		}
		cfg := settings(t, script)
		cfg.Sources, cfg.Args, cfg.OutputDir = []string{testkit.File(t, dgrams...)}, []string{"no deaths"}, t.TempDir()
		s, err := run(t, cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := testkit.Dgrams(t, s.Files[0])
		if name == "copy" {
			checkRecorded(t, s.Files, dgrams, false)
		} else if last := got[len(got)-1].Service(); !last.IsEvent() {
			t.Errorf("the file ends with a made-up %v", last)
		}
	}
}

// TestBooksOfALimitedRun: when we end the run, the EndRun that we make has them, too.
func TestBooksOfALimitedRun(t *testing.T) {
	testkit.NoLeaks(t)
	cfg := settings(t, testkit.Script(t, accountScript))
	cfg.Args, cfg.Events, cfg.OutputDir = []string{"no deaths"}, 50, t.TempDir()
	s, err := run(t, cfg)
	if err != nil {
		t.Fatal(err)
	}
	if got := accounts(t, s.Files); len(got) != 1 || got[0][0] != "received 50 recorded 45 rejected 5 vetoed 0 quarantined 0 dropped 0 failed 0 in_flight 0 damaged 5 " {
		t.Errorf("%v", got)
	}
}
