package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"drp/internal/rundir"
	"drp/internal/testkit"
	"drp/xtc"
)

// steeredPartition has parameters in both runs and in the trigger script.
const steeredPartition = `
partition: steered
folder: FOLDER/log
teb:
  teb0: {trigger: FOLDER/decides.py, wait: 60s, trigger-deadline: 60s}
defaults: {script: FOLDER/run.py, workers: 1, spares: 0, rate: recorded, output: FOLDER, trigger-deadline: 120s}
drp:
  x0: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=100"}
  x1: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=100,first=1"}
`

// parameter gives the value of a parameter of a process of the site, and its generation.
func (s *site) parameter(name, of string) (value, generation int64) {
	s.t.Helper()
	var l struct {
		Generation int64
		Settings   []struct {
			Name  string
			Value int64
		}
	}
	if err := json.Unmarshal([]byte(s.do(0, "set", "--json", "--pid", strconv.Itoa(s.pid(of))).stdout), &l); err != nil {
		s.t.Fatal(err)
	}
	for _, p := range l.Settings {
		if p.Name == name {
			return p.Value, l.Generation
		}
	}
	s.t.Fatalf("%s has no %s", of, name)
	return 0, 0
}

// setForAllIn changes a parameter for the whole partition, in one process alone, as where others are on another machine.
func (s *site) setForAllIn(name, parameter string, value int) {
	s.t.Helper()
	sockets, _ := filepath.Glob(filepath.Join(s.runDir, "drp", strconv.Itoa(s.pid(name))+"-*", rundir.Status))
	if len(sockets) != 1 {
		s.t.Fatalf("%s has %v", name, sockets)
	}
	c := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", sockets[0])
	}}}
	defer c.CloseIdleConnections()
	answer, err := c.Post("http://drp/v1/settings?for=partition", "application/json", strings.NewReader(fmt.Sprintf(`{%q: %d}`, parameter, value)))
	if err != nil {
		s.t.Fatal(err)
	}
	if _ = answer.Body.Close(); answer.StatusCode != http.StatusOK {
		s.t.Fatal(answer.Status)
	}
}

// TestAProcessComesBackWithItsSettings: one that was killed begins with what was set, also while it was dead, from its first event
// on; and where a process has something else, that is a trouble.
func TestAProcessComesBackWithItsSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t, steeredPartition)
	testkit.WriteFile(t, filepath.Join(s.folder, "run.py"), looping(`threshold = ds.param("threshold", 50, max=100)`, "pass"))
	testkit.WriteFile(t, filepath.Join(s.folder, "decides.py"), "import drp\nts = drp.TriggerSource()\nlevel = ts.param('level', 3, min=0)\n"+
		"for batch in ts.batches():\n    batch.accept, batch.monitor = True, level.value\n")
	s.up()
	s.ctl("state", "enabled")
	s.more(20, "x0", "x1")
	s.do(0, "set", "--partition", "steered", "threshold=60")
	s.do(0, "set", "--partition", "steered", "level=7")
	s.until("x1", "told of", func(processStatus) bool { _, g := s.parameter("threshold", "x1"); return g == 2 })
	s.kill("x1")
	s.until("x1", "lost", func(p processStatus) bool { return !p.There })
	s.do(0, "set", "--partition", "steered", "threshold=90")
	s.kill("teb0")
	s.up()
	s.until("x1", "enabled", func(p processStatus) bool { return p.State == "enabled" && p.Behind == 0 })
	s.more(50, "x0", "x1")
	if value, generation := s.parameter("threshold", "x1"); value != 90 || generation != 3 {
		t.Errorf("it has %d of generation %d", value, generation)
	}
	if value, generation := s.parameter("level", "teb0"); value != 7 || generation != 2 {
		t.Errorf("the trigger has %d of generation %d", value, generation)
	}
	if o := s.do(0, "status"); strings.Contains(o.stdout, "differs between processes") {
		t.Errorf("it says\n%s", o.stdout)
	}
	if o := s.ctl("status"); strings.Contains(o.stdout, "threshold") {
		t.Errorf("it says\n%s", o.stdout)
	}
	s.setForAllIn("x0", "threshold", 70)
	s.until("x1", "named", func(p processStatus) bool { return p.Trouble == "threshold is 90, and was set to 70 in x0" })
	s.ctl("state", "unconfigured")
	s.down()
	table, events, decided := xtc.NewTable(), 0, 0
	for _, d := range testkit.Dgrams(t, s.recorded(1, 1, "part2")) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		for it := table.Blocks(d); d.Service().IsEvent() && it.Next(); {
			b := it.Block()
			generation, _ := b.FieldNamed("generation")
			switch b.Names.DetName + " " + b.Names.Alg {
			case "settings script":
				threshold, _ := b.FieldNamed("threshold")
				if events++; threshold.Int64() != 90 || generation.Int64() != 3 {
					t.Errorf("event %d has %d of generation %d", events, threshold.Int64(), generation.Int64())
				}
			case "settings trigger":
				level, _ := b.FieldNamed("level")
				if decided++; level.Int64() != 7 || generation.Int64() != 2 {
					t.Errorf("event %d was decided with %d of generation %d", decided, level.Int64(), generation.Int64())
				}
			}
		}
	}
	if events == 0 || decided != events {
		t.Errorf("%d events say what was set, and %d with what they were decided", events, decided)
	}
}
