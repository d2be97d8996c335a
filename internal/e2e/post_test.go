package e2e

import (
	"slices"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestAPartitionHasASecondScript: a process with one follows every order when both its scripts have, over two runs, and
// records the same events as the others, cut down.
func TestAPartitionHasASecondScript(t *testing.T) {
	t.Parallel()
	s := newSite(t, `
partition: small
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 2, spares: 0, rate: recorded, output: FOLDER}
drp:
  x0: {source: "sim:segments=1,rows=8,cols=8,slow=50,hz=200"}
  x1: {source: "sim:segments=1,rows=8,cols=8,slow=50,hz=200,first=1", post: "scripts/crop.py 1:3 2:7", summary: FOLDER/x1.json}
`)
	s.up()
	for range 2 {
		s.ctl("state", "enabled")
		s.more(50, "x0", "x1")
		s.ctl("state", "configured")
	}
	s.ctl("state", "unconfigured")
	s.down()
	recorded := 0
	for run := 1; run <= 2; run++ {
		whole, cut := pulses(t, s.recorded(run, 0)), pulses(t, s.recorded(run, 1))
		if recorded += len(cut); !slices.Equal(whole, cut) {
			t.Errorf("run %d: one recorded %d events, and another %d", run, len(whole), len(cut))
		}
		table := xtc.NewTable()
		for _, d := range testkit.Dgrams(t, s.recorded(run, 1)) {
			if d.Service() == xtc.Configure {
				if err := table.Configure(d); err != nil {
					t.Fatal(err)
				}
			}
			for it := table.Blocks(d); d.Service().IsEvent() && it.Next(); {
				if b := it.Block(); b.Names.Alg == "raw" || b.Names.Alg == "crop" && len(b.Field(0).Data) != 2*2*5 {
					t.Fatalf("run %d has a block %s %s of %d bytes", run, b.Names.DetName, b.Names.Alg, len(b.Field(0).Data))
				}
			}
		}
	}
	if b := testkit.ReadBooks(t, s.folder+"/x1.json"); !b.Balanced() || b.Posted != recorded || b.Recorded != recorded || b.PostFailed > 0 {
		t.Errorf("%d events are recorded: %+v", recorded, b)
	}
}

// TestASecondScriptFailsAtConfigure: run control names the process and says why.
func TestASecondScriptFailsAtConfigure(t *testing.T) {
	t.Parallel()
	s := newSite(t, `
partition: small
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded, source: "sim:segments=1,rows=8,cols=8,hz=200"}
drp:
  x0: {post: "`+testkit.Script(t, "raise RuntimeError('not today')")+`"}
`)
	s.up()
	if o := s.do(1, "ctl", "configure", "--deadline", "90s"); !strings.Contains(o.stderr, "x0 has ended: ") || !strings.Contains(o.stderr, "not today") {
		t.Error(o.stderr)
	}
	if o := s.do(1, "down"); !strings.Contains(o.stderr, "not today") { // the partition has ended, but not in order
		t.Error(o.stderr)
	}
}
