package chaos

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"drp/internal/testkit"
)

var monitorRows = []row{
	{fault: "F10", name: "slow, stopped, killed and scribbling monitors", brief: true, run: badMonitors,
		how:    "one is slow, one is stopped and one is killed in the middle of an event, one writes anything where it may, beside a good one",
		accept: "results as without; the good one sees whole events and knows what it missed"},
	{fault: "F10", name: "a hundred monitors that are stopped", run: manyMonitors,
		how:    "at full speed, in turns with and without a hundred that hold an event each and never take another",
		accept: "the rate falls by less than 15 %, which is what a machine that does other things can show; memory grows by less than 100 MB"},
}

// watching is a program that watches with body, which has the events in evt.
const watching = `
import ctypes, os, random, sys, time, zlib
import numpy as np
import drp
watched = drp.monitor("tst/cam", wait=90, restarts=False, CHOICE)
n = 0
for run in watched.runs():
    det = run.Detector(watched.camera)
    for evt in run.events():
        n += 1
        raw = det.raw.raw(evt)
`

// monitor starts such a program, and waits until it says "there".
func (p *process) monitor(body, choice string) *testkit.Program {
	p.c.Helper()
	lines := "        " + strings.ReplaceAll(strings.TrimSpace(body), "\n", "\n        ") + "\n"
	w := testkit.Prepare(p.c, nil, testkit.Python(p.c.T), testkit.Script(p.c, strings.Replace(watching, "CHOICE", choice, 1)+lines+
		"print(\"end\", n, watched.missed, evt.number, watched.state)\n"))
	w.Cmd.Env = append(w.Cmd.Env, "XDG_RUNTIME_DIR="+p.RunDir)
	w.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	w.Start()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(w.Stdout.String(), "there") || w.Over() || p.Over() }) || w.Over() {
		p.c.Fatalf("nothing is watched:\n%s\n%s", w.LastWords(), tail(p.Stderr.String()))
	}
	return w
}

const there = `
if n == 1:
    print("there", flush=True)
`

func badMonitors(c *trial) {
	const rate = 400
	s := newStream(c, rate*8)
	dir := filepath.Join(c.TempDir(), "out")
	late, letGo := slowFrom(c, rate*4, 0.05)
	p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "-o", dir, "-p", script(c, "", late), "--monitor", "tst/cam",
		"--monitor-slots", "8").start()
	p.recording(dir)
	good := p.monitor(there+`
first = zlib.crc32(raw.tobytes())
time.sleep(0.002)
assert zlib.crc32(raw.tobytes()) == first and evt.intact
assert int(raw[0, 0, 0]) // 7 == evt.number, (raw[0, 0, 0], evt.number)
`, "newest=False")
	stopped := p.monitor(there, "newest=False")
	killed := p.monitor(there+"time.sleep(600)\n", "newest=False")
	slow := p.monitor(there+"time.sleep(0.05)\n", "newest=False")
	scribbler := p.monitor(there+`
words = watched._feed.connection.queue
for at in range(8, len(words)):
    words[at] = random.getrandbits(64)
`, "newest=False")
	stopped.Signal(syscall.SIGSTOP)
	killed.Signal(syscall.SIGKILL)
	letGo()
	<-p.Done
	for _, w := range []*testkit.Program{stopped, scribbler} {
		w.Signal(syscall.SIGKILL)
	}
	for _, w := range []*testkit.Program{good, slow, stopped, scribbler, killed} {
		w.WaitFor(testkit.Patience)
	}
	o := p.ended(0)
	c.proves(s, o, dir, natural)
	for name, w := range map[string]*testkit.Program{"good": good, "slow": slow} {
		var got, missed, last int
		var state string
		text := w.Stdout.String()
		if _, err := fmt.Sscanf(text[max(0, strings.Index(text, "end")):], "end %d %d %d %s", &got, &missed, &last, &state); err != nil ||
			state != "ended" || last < len(s.events)-100 || got < 10 {
			c.Errorf("the %s one: %v, %s\n%s", name, err, text, w.LastWords())
		}
		c.measured("the %s one got %d of the last %d, and counted %d as missed", name, got, got+missed, missed)
	}
}

// manyMonitors compares, in one run, times with a hundred that are stopped with the times before and after.
func manyMonitors(c *trial) {
	p := c.pipeline("-s", "sim:segments=1,rows=8,cols=8,bank=4,slow=0,events=1000000000", "-w", "1", "-p", script(c, "", "pass"),
		"--monitor", "tst/cam").start()
	p.Says("1 workers")
	meter := p.monitor(there+`
print("meter", evt.number, time.monotonic(), flush=True)
time.sleep(0.1)
`, "newest=True")
	rate := func() float64 {
		begin := meter.Stdout.String()
		<-time.After(3 * time.Second)
		return eventsPerSecond(begin, meter.Stdout.String())
	}
	var ratios, growth []float64
	alone, memory := rate(), anonymous(p.PID())
	for range 3 {
		w := p.monitor(`
others = [iter(drp.monitor("tst/cam", wait=90)) for _ in range(99)]
for other in others:
    next(other)
print("there", flush=True)
os.kill(os.getpid(), 19)
`, "newest=False")
		watched := rate()
		growth = append(growth, anonymous(p.PID())-memory)
		w.Signal(syscall.SIGKILL)
		w.WaitFor(testkit.Patience)
		again := rate()
		ratios = append(ratios, 2*watched/(alone+again))
		alone = again
	}
	meter.Signal(syscall.SIGKILL)
	meter.WaitFor(testkit.Patience)
	p.Signal(syscall.SIGINT)
	if o := p.ended(130); !o.books.Balanced() || o.books.InFlight != 0 {
		c.Errorf("%+v", o.books)
	}
	slices.Sort(ratios)
	c.measured("rate with, of that without: %.3f; memory grew by %.1f MB", ratios, slices.Max(growth)/1e6)
	if ratios[1] < 0.85 || slices.Max(growth) > 100e6 {
		c.Errorf("the rate is %.3f of that without, memory grew by %v", ratios, growth)
	}
}

// eventsPerSecond compares the last that a meter had said at two moments.
func eventsPerSecond(begin, end string) float64 {
	var n, at [2]float64
	for i, said := range []string{begin, end} {
		_, _ = fmt.Sscanf(said[max(0, strings.LastIndex(said[:strings.LastIndex(said, "\n")+1], "meter")):], "meter %g %g", &n[i], &at[i])
	}
	return (n[1] - n[0]) / (at[1] - at[0])
}

// anonymous is the memory of a process that is neither shared nor of files, in bytes.
func anonymous(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, rest, _ := strings.Cut(string(text), "RssAnon:")
	kib := 0.0
	_, _ = fmt.Sscan(rest, &kib)
	return kib * 1024
}
