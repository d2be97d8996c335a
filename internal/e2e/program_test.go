package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/invariant"
	"drp/internal/testkit"
	"drp/xtc"
)

// program is the built binary.
var program string

func TestMain(m *testing.M) {
	os.Exit(buildAndRun(m))
}

func buildAndRun(m *testing.M) int {
	dir, err := os.MkdirTemp("", "drp-e2e-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	program = filepath.Join(dir, "bin", "drp")
	args := []string{"build", "-o", program}
	if testkit.RaceDetector {
		args = append(args, "-race")
	}
	if invariant.Enabled {
		args = append(args, "-tags", "invariants")
	}
	build := exec.Command("go", append(args, "./cmd/drp")...)
	build.Dir = testkit.Root()
	if out, err := build.CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build: %v\n%s", err, out)
		return 1
	}
	return m.Run()
}

// invocation is one run of the program.
type invocation struct {
	*testkit.Program
	t *testing.T
}

// outcome is what became of it.
type outcome struct {
	code   int
	stdout string
	stderr string
	books  *testkit.Books // nil when the run did not begin
}

// prepare makes a command line ready; wrapper stands in front of it.
func prepare(t *testing.T, wrapper []string, args ...string) *invocation {
	t.Helper()
	return &invocation{testkit.Prepare(t, wrapper, program, args...), t}
}

// pipeline makes the main job ready, with the interpreter of the tests.
func pipeline(t *testing.T, args ...string) *invocation {
	t.Helper()
	v := prepare(t, nil, append([]string{"--python", testkit.Python(t)}, args...)...)
	v.Cmd.Args = append(v.Cmd.Args, "--summary", v.Summary)
	return v
}

// start starts the program; finish must follow.
func (v *invocation) start() *invocation {
	v.t.Helper()
	v.Start()
	return v
}

// finish waits for the end, and checks that nothing is left and the books balance.
func (v *invocation) finish() outcome {
	v.t.Helper()
	v.WaitFor(testkit.Patience)
	o := outcome{code: v.Cmd.ProcessState.ExitCode(), stdout: v.Stdout.String(), stderr: v.Stderr.String()}
	v.nothingLeft()
	if v.Broke() != "" {
		v.t.Fatalf("the program broke:\n%s", o.stderr)
	}
	if o.books = v.Books(); o.books != nil && !o.books.Balanced() {
		v.t.Errorf("the books do not balance: %+v", o.books)
	}
	return o
}

// run is start and finish.
func (v *invocation) run() outcome {
	v.t.Helper()
	return v.start().finish()
}

// wants checks exit code and messages.
func (o outcome) wants(t *testing.T, code int, messages ...string) outcome {
	t.Helper()
	if o.code != code {
		t.Errorf("exit code %d, want %d", o.code, code)
	}
	for _, m := range messages {
		if !strings.Contains(o.stderr, m) {
			t.Errorf("%q is not said", m)
		}
	}
	if t.Failed() {
		t.Logf("stderr:\n%s\nstdout:\n%s", o.stderr, o.stdout)
	}
	return o
}

// nothingLeft checks that neither processes nor segments nor sockets outlive the program.
func (v *invocation) nothingLeft() {
	v.t.Helper()
	v.NothingLeft()
	if files := testkit.FilesIn(v.RunDir); len(files) > 0 {
		v.t.Errorf("left in the run-time folder: %v", files)
	}
}

// balanced is the summary of a run that came to its end.
func (o outcome) balanced(t *testing.T) *testkit.Books {
	t.Helper()
	if o.books == nil {
		t.Fatalf("no summary; exit code %d:\n%s", o.code, o.stderr)
	}
	if o.books.InFlight != 0 {
		t.Errorf("%d events are in flight at the end", o.books.InFlight)
	}
	return o.books
}

// dataFiles are the recorded files without small data, all of which must be good.
func (o outcome) dataFiles(t *testing.T) []string {
	t.Helper()
	var data []string
	for _, path := range o.balanced(t).Files {
		if strings.Contains(path, ".smd.") {
			continue
		}
		data = append(data, path)
		if strings.HasSuffix(path, ".inprogress") {
			continue
		}
		report, err := xtc.Check(path, xtc.CheckOptions{})
		if err != nil || !report.OK() {
			t.Errorf("%s: %v, %+v, %v", path, err, report.Errors, report.Truncated)
		}
		if named, _ := xtc.ParseFileName(path); report.SmallData == nil && named.Chunk == 0 { // one for all chunks
			t.Errorf("%s has no small data", path)
		}
	}
	return data
}

// script runs a script over 40 events of a small simulated camera, on two workers.
func script(t *testing.T, text string, args ...string) outcome {
	t.Helper()
	return pipeline(t, append([]string{"-s", smallSim, "--events", "40", "-w", "2", "--slots", "32", "-p", testkit.Script(t, text)}, args...)...).run()
}

const smallSim = "sim:segments=1,rows=8,cols=8,bank=4,slow=0"

// looping is a script that runs body for each event; n counts events from 0, which the simulator's times tell.
func looping(declare, body string) string {
	indent := func(text, by string) string {
		return by + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n"+by) + "\n"
	}
	return `import os, signal, subprocess, sys, time
import numpy as np
from drp import DataSource, drp_info
ds = DataSource()
` + indent(declare, "") + `for run in ds.runs():
    det = run.Detector(ds.camera)
    for evt in run.events():
        n = evt.nanoseconds // 40000
        raw = det.raw.raw(evt)
` + indent(body, "        ")
}

// number is what most scripts below declare and add.
const number = `out = ds.add_detector(ds.camera, alg="number", fields={"n": (np.uint32, 0), "a": (np.uint8, 1)})`

const addNumber = `out.n, out.a = n, np.zeros(n, np.uint8)
evt.add(out)
evt.remove(ds.camera, "raw")`

// event is an L1Accept as it was recorded.
type event struct {
	n      int
	damage xtc.Damage
	raw    int // blocks
	blocks map[string]xtc.Value
}

// events reads the events of a file of the simulated camera.
func events(t *testing.T, path string) []event {
	t.Helper()
	table := xtc.NewTable()
	var all []event
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if !d.Service().IsEvent() {
			continue
		}
		e := event{n: int(uint32(d.Time())) / 40000, damage: d.Damage(), blocks: map[string]xtc.Value{}}
		it := table.Blocks(d)
		for it.Next() {
			b := it.Block()
			if b.Names.Alg == "raw" {
				e.raw++
			}
			for i := range b.Names.Entries {
				e.blocks[b.Names.Alg+"."+b.Names.Entries[i].Name] = b.Field(i)
			}
		}
		if it.Err() != nil {
			t.Error(it.Err())
		}
		all = append(all, e)
	}
	return all
}
