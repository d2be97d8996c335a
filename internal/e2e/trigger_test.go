package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// triggerCamera has three segments, which one process reads or three.
var triggerCamera = testkit.Spots{Segments: 3, Rows: 32, Cols: 48, Apart: 1000}

// countsSpots counts the pixels that only the middle of a spot can have.
const countsSpots = `from drp import DataSource
import numpy as np
ds = DataSource()
for run in ds.runs():
    det = run.Detector("cam")
    for evt in run.events():
        evt.trigger(spots=int((np.asarray(det.raw.raw(evt)) > 700).sum()))
`

const triggerRules = `
rules:
  - {name: many, when: "sum(c.spots) >= 6", persist: true, monitor: 1}
  - {name: few, when: "sum(c.spots) > 0", persist: true, prescale: 5}
  - {name: background, when: "prescale(9)", persist: true, monitor: 2}
prescale: {0: 11}
prescale_seed: 3
`

// segmentOf leaves the other segments out of datagrams.
func segmentOf(all []xtc.Dgram, segment int) (some []xtc.Dgram) {
	for _, d := range all {
		var payload []byte
		for it := xtc.NewIter(d.Payload()); it.Next(); {
			other := false
			for s := range triggerCamera.Segments {
				other = other || s != segment && it.Header().NamesID() == triggerCamera.Names(s).ID
			}
			if !other {
				payload = append(payload, it.Bytes()...)
			}
		}
		some = append(some, testkit.Plain(d.Service(), d.Time(), payload...))
	}
	return some
}

// decision is what a file says of one.
type decision struct {
	pulse, persist, prescaled, monitor, damage uint64
	contributions                              uint64
	reason                                     string
}

// decisionsOf reads a file; it fails where events lack theirs, or do not come in order.
func decisionsOf(t *testing.T, path string) (all []decision) {
	t.Helper()
	table := xtc.NewTable()
	var reasons []string
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		found := 0
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			number := func(name string) uint64 { v, _ := b.FieldNamed(name); return v.Uint64() }
			switch b.Names.DetName + " " + b.Names.Alg {
			case "teb reasons":
				v, _ := b.FieldNamed("reasons")
				reasons = strings.Split(string(v.Text()), "\n")
			case "teb decision":
				all = append(all, decision{number("pulse"), number("persist"), number("prescaled"), number("monitor"), number("damage"),
					number("contributions"), reasons[number("reason")]})
				found++
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		if found != 1 || all[len(all)-1].pulse != d.Time() {
			t.Fatalf("the event of %d has %d decisions", d.Time(), found)
		}
		if n := len(all); n > 1 && all[n-1].pulse <= all[n-2].pulse {
			t.Errorf("%d comes after %d", all[n-1].pulse, all[n-2].pulse)
		}
	}
	return all
}

var listensAt = regexp.MustCompile(`listens at (\S+),`)

// builder is a stand-alone trigger event builder, and where it listens.
func builder(t *testing.T, listen string, args ...string) (*invocation, string) {
	t.Helper()
	return builderBy(t, listen, append([]string{"-t", rulesFile(t, triggerRules)}, args...)...)
}

func rulesFile(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "rules.yaml")
	testkit.WriteFile(t, path, text)
	return path
}

// builderBy is one that decides in some way.
func builderBy(t *testing.T, listen string, args ...string) (*invocation, string) {
	t.Helper()
	v := prepare(t, nil, append([]string{"teb", "--python", testkit.Python(t), "--partition", "tst", "--listen", listen}, args...)...).start()
	v.Says("listens at")
	return v, listensAt.FindStringSubmatch(v.Stderr.String())[1]
}

// socketFolder is one in which only this user may make sockets, with a short name.
func socketFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "drp-") //nolint:usetesting // t.TempDir has a long name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

// ended interrupts a trigger event builder.
func ended(t *testing.T, v *invocation, said ...string) {
	t.Helper()
	v.Signal(syscall.SIGTERM)
	o := v.finish().wants(t, 0)
	for _, s := range said {
		if !strings.Contains(strings.Join(strings.Fields(o.stdout), " "), s) {
			t.Errorf("%q is not printed:\n%s", s, o.stdout)
		}
	}
}

// checkAgainstTruth holds decisions against the spots that there are.
func checkAgainstTruth(t *testing.T, all []decision, events int) {
	t.Helper()
	byPulse, seen := map[uint64]decision{}, map[string]int{}
	for _, d := range all {
		byPulse[d.pulse] = d
		seen[d.reason]++
	}
	for n := range events {
		d, kept := byPulse[uint64(101+1000*n)]
		switch spots := triggerCamera.Spots(n); {
		case spots >= 6 && (!kept || d.reason != "many" || d.monitor&1 == 0):
			t.Errorf("event %d with %d spots: %+v", n, spots, d)
		case spots > 0 && spots < 6 && kept && d.reason != "few":
			t.Errorf("event %d with %d spots: %+v", n, spots, d)
		case spots == 0 && kept && d.reason != "background" && d.reason != "prescale":
			t.Errorf("event %d without spots: %+v", n, d)
		}
	}
	if seen["many"] == 0 || seen["few"] == 0 || seen["background"] == 0 || seen["prescale"] == 0 {
		t.Errorf("%v", seen)
	}
}

// TestTriggerComesAndGoes: a trigger event builder that is killed and started again, and a contributor that is killed, cost
// events their decisions and nothing more.
func TestTriggerComesAndGoes(t *testing.T) {
	t.Parallel()
	const events = 15000 // so many that some are left when the third is killed, also on a busy machine
	all, script := triggerCamera.Run(events), testkit.Script(t, countsSpots)
	quick := []string{"--contributors", "cam_0,cam_1,cam_2", "--wait", "400ms"}
	server, at := builder(t, "tcp://127.0.0.1:0", quick...)
	var three []*invocation
	for s := range 3 {
		three = append(three, pipeline(t, "-s", testkit.File(t, segmentOf(all, s)...), "-w", "1", "-p", script, "-o", t.TempDir(),
			"--rate", "1500", "--partition", "tst", "--teb", at, "--contributor", fmt.Sprint("cam_", s), "--trigger-deadline", "1500ms").start())
	}
	server.Says("a contributor was let in")
	time.Sleep(500 * time.Millisecond)
	server.Signal(syscall.SIGKILL)
	<-server.Done
	time.Sleep(2500 * time.Millisecond) // longer than anything waits for its decision
	server, _ = builder(t, at, quick...)
	for _, v := range three {
		v.Says("is there again")
	}
	time.Sleep(300 * time.Millisecond)
	three[2].Signal(syscall.SIGKILL)
	<-three[2].Done
	for s, v := range three[:2] {
		o := v.finish().wants(t, 0, "the connection to the trigger event builder is lost", "and gets the default")
		got := decisionsOf(t, o.dataFiles(t)[0])
		seen, missing := map[string]int{}, 0
		for _, d := range got {
			seen[d.reason]++
			if d.reason != "default" && d.contributions == 3 {
				missing++
			}
		}
		b := o.balanced(t)
		if b.Received != events || b.Recorded != len(got) || b.Recorded+b.Vetoed != events || b.Defaulted < seen["default"] {
			t.Errorf("process %d: %+v, %v", s, b, seen)
		}
		if seen["default"] == 0 || seen["many"] == 0 || missing == 0 {
			t.Errorf("process %d: %v, %d without the third", s, seen, missing)
		}
	}
	ended(t, server)
}

// TestTriggersShareEvents: what two decide, each a part, is what one decides.
func TestTriggersShareEvents(t *testing.T) {
	t.Parallel()
	const events = 300
	all, script := triggerCamera.Run(events), testkit.Script(t, countsSpots)
	var at []string
	var servers []*invocation
	for range 2 {
		server, address := builder(t, "tcp://127.0.0.1:0", "--contributors", "cam_0,cam_1,cam_2")
		servers, at = append(servers, server), append(at, address)
	}
	var three []*invocation
	for s := range 3 {
		three = append(three, pipeline(t, "-s", testkit.File(t, segmentOf(all, s)...), "-w", "1", "-p", script, "-o", t.TempDir(),
			"--partition", "tst", "--teb", strings.Join(at, ","), "--contributor", fmt.Sprint("cam_", s)).start())
	}
	for s, v := range three {
		o := v.finish().wants(t, 0)
		if b := o.balanced(t); b.Received != events || b.Defaulted != 0 {
			t.Errorf("process %d: %+v", s, b)
		}
		many := 0
		for _, d := range decisionsOf(t, o.dataFiles(t)[0]) {
			if d.contributions != 7 || d.damage != 0 {
				t.Errorf("process %d: %+v", s, d)
			}
			if d.reason == "many" {
				many++
			}
		}
		for n := range events {
			if triggerCamera.Spots(n) >= 6 {
				many--
			}
		}
		if many != 0 {
			t.Errorf("process %d: %d events with many spots too many", s, many)
		}
	}
	built := regexp.MustCompile(`events +(\d+): .* transitions (\d+)`)
	sum := 0
	for _, server := range servers {
		server.Signal(syscall.SIGTERM)
		o := server.finish().wants(t, 0)
		m := built.FindStringSubmatch(o.stdout)
		if m == nil || m[1] == "0" || m[2] != "7" { // BeginRun, BeginStep, Enable, Disable, EndStep, EndRun, Unconfigure
			t.Errorf("%s", o.stdout)
			continue
		}
		n, _ := strconv.Atoi(m[1])
		sum += n
	}
	if sum != events {
		t.Errorf("%d events were built", sum)
	}
}

// TestTriggerIsRefused, in words that help.
func TestTriggerIsRefused(t *testing.T) {
	t.Parallel()
	file, script := testkit.File(t, triggerCamera.Run(5)...), testkit.Script(t, countsSpots)
	run := func(args ...string) *invocation {
		return pipeline(t, append([]string{"-s", file, "-w", "1", "-p", script}, args...)...)
	}
	server, at := builder(t, "tcp://127.0.0.1:0", "--contributors", "cam_0")
	run("--teb", at, "--partition", "another").run().wants(t, 3, `it belongs to another partition than "tst"`)
	run("--teb", at, "--partition", "tst", "--contributor", "cam_7").run().wants(t, 3, "there is no contributor cam_7 in partition tst: there are cam_0")
	pipeline(t, "-s", file, "-w", "1", "-p", filepath.Join(testkit.Root(), "scripts", "passthrough.py"), "--teb", at, "--partition", "tst").
		run().wants(t, 3, "unknown field spots")
	server.finish().wants(t, 3, "unknown field spots", "there are: prescale(n)")
}
