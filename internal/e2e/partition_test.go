package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestExamplePartition: scripts/partition.yaml, as docs/control.md shows it. All processes record the same events of each
// run, with their own segments.
func TestExamplePartition(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "scripts", "partition.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	// What is decided by default is not decided for all: nothing shall be, however slow this machine is.
	patient := strings.NewReplacer("out/example", "FOLDER", "trigger_expr.yaml}", "trigger_expr.yaml, wait: 60s}", "defaults:",
		"defaults:\n  trigger-deadline: 120s")
	s := newSite(t, patient.Replace(string(text)))
	if o := s.do(0, "up", s.file, "--dry-run"); !strings.Contains(o.stdout, "# jungfrau_0\ndrp --") {
		t.Error(o.stdout)
	}
	s.up()
	names := []string{"epix_0", "epix_1", "jungfrau_0"}
	for run := 1; run <= 2; run++ {
		if o := s.ctl("state", "enabled"); !strings.Contains(o.stdout, fmt.Sprintf("enabled, run %d, step 0", run)) {
			t.Error(o.stdout)
		}
		s.more(150, names...)
		s.ctl("state", "unconfigured")
	}
	for run := 1; run <= 2; run++ {
		first := s.recorded(run, 0)
		want := decisionsOf(t, first)
		if len(want) == 0 {
			t.Fatalf("run %d: nothing was kept", run)
		}
		for stream, segments := range [][]uint32{{0}, {1}, {0, 1}} {
			file := s.recorded(run, stream)
			if got := decisionsOf(t, file); !slices.Equal(got, want) {
				t.Errorf("run %d, stream %d: %v\nand in the first: %v", run, stream, got, want)
			}
			table, err := xtc.ReadConfigure(file)
			if err != nil {
				t.Fatal(err)
			}
			var found []uint32
			for _, n := range table.Find([]string{"epix", "epix", "jungfrau"}[stream], "raw") {
				found = append(found, n.Segment)
			}
			if !slices.Equal(found, segments) {
				t.Errorf("stream %d has the segments %v", stream, found)
			}
		}
	}
	s.down()
}

// small is a partition whose events are all kept.
const small = `
partition: small
folder: FOLDER/log
teb:
  teb0: {trigger: FOLDER/rules.yaml, wait: 60s, summary: FOLDER/teb0.json}
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded, output: FOLDER, trigger-deadline: 120s}
drp:
  x0: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=200", summary: FOLDER/x0.json}
  x1: {source: "sim:segments=1,rows=8,cols=8,bank=2,slow=50,hz=200,first=1", trigger-deadline: 5s}
  y0: {source: "sim:segments=2,rows=8,cols=8,bank=2,slow=50,hz=200,name=other", summary: FOLDER/y0.json}
`

func smallSite(t *testing.T) *site {
	t.Helper()
	s := newSite(t, small)
	testkit.WriteFile(t, filepath.Join(s.folder, "rules.yaml"), `rules: [{name: all, when: "pulse > 0", persist: true}]`)
	s.up()
	return s
}

// TestASegmentIsKilled: the others go on, it is started again, comes to where they are, and all end with the same event.
func TestASegmentIsKilled(t *testing.T) {
	t.Parallel()
	s := smallSite(t)
	s.ctl("state", "enabled")
	s.more(100, "x0", "x1", "y0")
	s.kill("x1")
	s.until("x1", "lost", func(p processStatus) bool { return !p.There && strings.Contains(p.Trouble, "is lost") })
	s.more(100, "x0", "y0")
	if o := s.up(); strings.Count(o.stdout, "runs already") != 4 {
		t.Error(o.stdout)
	}
	s.until("x1", "enabled", func(p processStatus) bool { return p.State == "enabled" && p.Behind == 0 })
	s.more(100, "x1")
	s.ctl("state", "unconfigured")
	s.down()

	a, c, late := pulses(t, s.recorded(1, 0)), pulses(t, s.recorded(1, 2)), pulses(t, s.recorded(1, 1, "part2"))
	if !slices.Equal(a, c) {
		t.Errorf("one recorded %d events, and another %d", len(a), len(c))
	}
	if !slices.Equal(late, a[len(a)-min(len(a), len(late)):]) {
		t.Errorf("from where it came back it has %d events, which are not the last of %d", len(late), len(a))
	}
	killed := filepath.Join(s.folder, "simulated-r0001-s001-c000.xtc2.inprogress")
	if _, err := xtc.Repair(killed, false); err != nil {
		t.Fatal(err)
	}
	early := pulses(t, strings.TrimSuffix(killed, ".inprogress"))
	if len(early) == 0 || !slices.Equal(early, a[:len(early)]) || len(early)+len(late) >= len(a) {
		t.Errorf("before it was killed it has %d events, and after %d, of %d", len(early), len(late), len(a))
	}
	for _, name := range []string{"x0", "y0"} {
		b := testkit.ReadBooks(t, filepath.Join(s.folder, name+".json"))
		if !b.Balanced() || b.InFlight != 0 || b.Recorded != len(a) || b.Defaulted != 0 {
			t.Errorf("%s: %+v", name, b)
		}
	}
}

// TestASegmentIsStopped: it is named when a deadline is missed, follows when it can, and can be dropped; the others go on
// without it.
func TestASegmentIsStopped(t *testing.T) {
	t.Parallel()
	s := smallSite(t)
	s.ctl("state", "in-step")
	b := s.process("x1")
	testkit.Stop(t, b.PID)
	o := s.do(1, "ctl", "enable", "--deadline", "7s")
	if !strings.Contains(o.stderr, "enable: the partition is enabled, but for 1: x1 did not do it within 7s") {
		t.Error(o.stderr)
	}
	if err := syscall.Kill(b.PID, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	s.until("x1", "enabled", func(p processStatus) bool { return p.State == "enabled" })
	s.more(50, "x0", "x1", "y0")
	s.ctl("drop", "x1")
	if !testkit.Within(testkit.Patience, func() bool { return testkit.CommandLine(b.PID) == "" }) {
		t.Error("x1 was dropped, and has not ended")
	}
	s.more(50, "x0", "y0")
	s.ctl("state", "configured")
	s.ctl("state", "enabled")
	s.more(50, "x0", "y0")
	s.up()
	if p := s.process("x1"); !p.There {
		t.Errorf("it does not come back: %+v", p)
	}
	s.ctl("state", "unconfigured")
	s.down()
	first := pulses(t, s.recorded(1, 0))
	if dropped := pulses(t, s.recorded(1, 1)); len(dropped) == 0 || !slices.Equal(dropped, first[:len(dropped)]) {
		t.Errorf("before it was dropped it has %d events, which are not the first of %d", len(dropped), len(first))
	}
	if !slices.Equal(first, pulses(t, s.recorded(1, 2))) || !slices.Equal(pulses(t, s.recorded(2, 0)), pulses(t, s.recorded(2, 2))) {
		t.Error("the others have not recorded the same events")
	}
}

// TestRunControlIsKilled: the processes go on, and it goes on with them when it is there again.
func TestRunControlIsKilled(t *testing.T) {
	t.Parallel()
	s := smallSite(t)
	s.ctl("state", "enabled")
	s.kill("control")
	if o := s.do(3, "ctl", "status"); !strings.Contains(o.stderr, "drp: run control at ipc://") {
		t.Error(o.stderr)
	}
	s.up()
	if st := s.status(); st.State != "enabled" || st.Run != 1 {
		t.Errorf("%+v", st)
	}
	s.more(100, "x0", "x1", "y0")
	s.ctl("state", "configured")
	if o := s.ctl("state", "running"); !strings.Contains(o.stdout, "run 2") {
		t.Error(o.stdout)
	}
	s.ctl("state", "unconfigured")
	s.down()
	want := pulses(t, s.recorded(1, 0))
	for stream := 1; stream <= 2; stream++ {
		if got := pulses(t, s.recorded(1, stream)); !slices.Equal(got, want) {
			t.Errorf("stream %d has %d events, and not %d", stream, len(got), len(want))
		}
	}
}

// TestAScriptFailsAtConfigure: the process that ends says why, and the partition goes on when it is mended.
func TestAScriptFailsAtConfigure(t *testing.T) {
	t.Parallel()
	script := filepath.Join(t.TempDir(), "script.py")
	s := newSite(t, `
partition: small
folder: FOLDER/log
defaults: {script: scripts/passthrough.py, workers: 1, spares: 0, rate: recorded, output: FOLDER, source: "sim:segments=1,rows=8,cols=8,hz=200"}
drp:
  x0:
  x1: {script: `+script+`}
  y0: {}
`)
	testkit.WriteFile(t, script, "raise RuntimeError('not today')")
	s.up()
	o := s.do(1, "ctl", "configure", "--deadline", "90s")
	if !strings.Contains(o.stderr, "x1 has ended: ") || !strings.Contains(o.stderr, "not today") {
		t.Error(o.stderr)
	}
	text, err := os.ReadFile(filepath.Join(testkit.Root(), "scripts", "passthrough.py"))
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, script, string(text))
	s.up()
	s.ctl("state", "enabled")
	s.more(20, "x0", "x1", "y0")
	s.ctl("state", "unconfigured")
	s.down()
	if !slices.Equal(pulses(t, s.recorded(1, 0)), pulses(t, s.recorded(1, 1))) {
		t.Error("they have not recorded the same events")
	}
}
