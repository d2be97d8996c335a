package chaos

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// The GPU of these rows is a driver that runs the kernels on the CPU and fails as it is told (hit/cuda/stub), in drp-cuda
// built with the tag cudastub. All else is the program's: the probe, the lanes, the watchdog, the CPU in its place.
var gpuRows = []row{
	{fault: "F16", name: "GPU absent", brief: true, how: "no drp-cuda, one that finds no device, one of another version; and each with --gpu=required",
		accept: "the reason is told, the CPU finds the same hits; exit code 7 where it was required", run: gpuAbsent},
	{fault: "F16", name: "GPU lost", brief: true, how: "every call of the driver fails from some moment on",
		accept: "CPU finder from the next event, flagged in the data, same hits, books balance", run: gpuFails(`{"LostAt":400}`, "device is lost")},
	{fault: "F16", name: "GPU out of memory", how: "no memory for the constants",
		accept: "as above", run: gpuFails(`{"Memory":5000}`, "out of memory")},
	{fault: "F16", name: "GPU hangs", how: "a call of the driver that never returns",
		accept: "as above", run: gpuFails(`{"HangAt":400}`, "does not answer")},
	{fault: "F16", name: "GPU busy for ever", how: "batches that are never done",
		accept: "as above", run: gpuFails(`{"StuckAt":400}`, "does not answer")},
	{fault: "F16", name: "GPU wrong", brief: true, how: "a bit turned over in all that comes back, with a cross-check of each event",
		accept: "as above, and no wrong hit is recorded", run: gpuFails(`{"WrongAt":400}`, "something else than the CPU")},
}

// gpuProgram builds drp-cuda with the driver for tests, once, and gives its path.
var gpuProgram = sync.OnceValues(func() (string, error) {
	path := filepath.Join(filepath.Dir(program), "gpu", "drp-cuda")
	build := exec.Command("go", "build", "-race", "-tags", "cudastub", "-o", path, "./cmd/drp")
	build.Dir = testkit.Root()
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return path, os.Link(program, filepath.Join(filepath.Dir(path), "drp"))
})

// hitRun is a run that looks for hits.
type hitRun struct {
	c      *trial
	s      *stream
	store  *calibStore
	script string
}

func newHitRun(c *trial, events int) *hitRun {
	r := &hitRun{c: c, s: newStream(c, events), store: newCalibStore(c), script: script(c, "", "")}
	r.store.put(0)
	return r
}

// run gives the blocks of what was found, in order, without who found it, which comes apart.
func (r *hitRun) run(binary, faults string, code int, more ...string) (o outcome, found, by []string) {
	r.c.Helper()
	dir := filepath.Join(r.c.TempDir(), "out")
	p := r.c.pipeline(append([]string{"-s", r.s.path, "-w", "2", "-o", dir, "--calib", r.store.path, "--rate", "2000", "-p", r.script,
		"--hits", "peakfinder8:adc_threshold=-1000,min_snr=0.2,min_pix_count=1,local_bg_radius=2,at_least=0,cross_check=1,center=3:5"}, more...)...)
	p.Cmd.Path, p.Cmd.Args[0] = binary, binary
	p.Cmd.Env = append(p.Cmd.Env, "DRP_TEST_GPU="+faults)
	p.start()
	if code != 0 {
		if o = p.finish(); o.code != code {
			r.c.Errorf("exit code %d, want %d:\n%s", o.code, code, tail(o.stderr))
		}
		return o, nil, nil
	}
	o = p.ended(0)
	if b := o.books; !b.Balanced() || b.InFlight != 0 || b.Searched != b.Received || b.Received != len(r.s.events) {
		r.c.Errorf("the books say %+v", *b)
	}
	found, by = hitBlocks(r.c, dir)
	return o, found, by
}

// hitBlocks reads the blocks of all events.
func hitBlocks(c *trial, dir string) (found, by []string) {
	c.Helper()
	table := xtc.NewTable()
	for _, path := range dataFiles(dir) {
		dgrams, err := readAll(path)
		if err != nil && err != io.EOF {
			c.Fatalf("%v", err)
		}
		for _, d := range dgrams {
			if d.Service() == xtc.Configure {
				if err := table.Configure(d); err != nil {
					c.Fatalf("%v", err)
				}
			}
			for it := table.Blocks(d); it.Next() && d.Service().IsEvent(); {
				b := it.Block()
				if b.Names.Alg != "hits" {
					continue
				}
				var all bytes.Buffer
				for i, e := range b.Names.Entries {
					if e.Name == "by" {
						by = append(by, fmt.Sprint(b.Field(i).Data[0]))
						continue
					}
					all.Write(b.Field(i).Data)
				}
				found = append(found, all.String())
			}
		}
	}
	return found, by
}

// reference is what the CPU alone finds.
func (r *hitRun) reference() []string {
	r.c.Helper()
	_, found, by := r.run(program, "", 0)
	if len(found) == 0 || strings.Trim(strings.Join(by, ""), "0") != "" || len(found[0]) < 60 {
		r.c.Fatalf("%d blocks, of %d bytes, by %v: this shows nothing", len(found), len(found[0]), by[:min(len(by), 5)])
	}
	return found
}

// equal compares what is recorded of hits.
func (r *hitRun) equal(got, want []string) {
	r.c.Helper()
	if len(got) != len(want) {
		r.c.Fatalf("%d events with hits, not %d", len(got), len(want))
	}
	for i := range want {
		if got[i] != want[i] {
			r.c.Fatalf("event %d: % x is recorded, not % x", i, got[i], want[i])
		}
	}
}

func gpuAbsent(c *trial) {
	r := newHitRun(c, times(300, 2000))
	want := r.reference()
	gpu, err := gpuProgram()
	if err != nil {
		c.Fatalf("%v", err)
	}
	alone := filepath.Dir(program)
	other := c.TempDir()
	if err := os.Link(program, filepath.Join(other, "drp")); err != nil {
		c.Fatalf("%v", err)
	}
	testkit.WriteFile(c, filepath.Join(other, "drp-cuda"), "#!/bin/sh\necho '{\"version\": \"0.0.0\", \"gpu\": \"x\"}'\n")
	if err := os.Chmod(filepath.Join(other, "drp-cuda"), 0o755); err != nil {
		c.Fatalf("%v", err)
	}
	for _, no := range []struct{ dir, faults, says string }{{alone, "", "make cuda builds it"},
		{filepath.Dir(gpu), `{"Absent":true}`, "no device"}, {other, "", "of version 0.0.0"}} {
		o, found, _ := r.run(filepath.Join(no.dir, "drp"), no.faults, 0, "--gpu")
		r.equal(found, want)
		if !strings.Contains(o.stderr, no.says) || o.books.Instead != 0 {
			c.Errorf("it does not say %q:\n%s", no.says, tail(o.stderr))
		}
		if o, _, _ := r.run(filepath.Join(no.dir, "drp"), no.faults, 7, "--gpu=required"); !strings.Contains(o.stderr, no.says) {
			c.Errorf("it does not say %q:\n%s", no.says, tail(o.stderr))
		}
	}
}

// gpuFails is a row in which the device is there and then does wrong.
func gpuFails(faults, says string) func(c *trial) {
	return func(c *trial) {
		r := newHitRun(c, times(600, 20000))
		want := r.reference()
		gpu, err := gpuProgram()
		if err != nil {
			c.Fatalf("%v", err)
		}
		began := time.Now()
		o, found, by := r.run(filepath.Join(filepath.Dir(gpu), "drp"), faults, 0, "--gpu=required")
		r.equal(found, want)
		first, last := strings.Index(strings.Join(by, ""), "2"), strings.LastIndex(strings.Join(by, ""), "1")
		if first < 0 || strings.Contains(strings.Join(by, ""), "0") || last > first+100 {
			c.Errorf("events are marked %s", strings.Join(by, ""))
		}
		if b := o.books; b.Instead == 0 || b.ByGPU+b.Instead != b.Searched || strings.Count(o.stderr, says) != 1 {
			c.Errorf("%+v\n%s", *b, tail(o.stderr))
		}
		c.measured("%d of %d events by the GPU before, in a run of %.1f s", o.books.ByGPU, o.books.Searched, time.Since(began).Seconds())
	}
}
