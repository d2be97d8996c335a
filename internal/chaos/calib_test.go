package chaos

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"drp/internal/npy"
	"drp/internal/testkit"
	"drp/xtc"
)

var calibRows = []row{
	{fault: "F8", name: "constants chosen anew while workers die", brief: true, how: "drp calib use at every turn, SIGKILL to workers, several steps",
		accept: "each event tagged with the generation that it was corrected with, none mixes two", run: chosenAnew},
	{fault: "F8", name: "publisher killed with subscribers early and late", how: "kill -9 of drp, another in its place, drp calib watch all the time",
		accept: "who listens gets the generation of each, and a later one is higher", run: publisherKilled},
	{fault: "F9", name: "constants that must not be put", brief: true, how: "NaN, a gain of zero, another shape, none, text that is no number",
		accept: "refused with the reason, those before stay", run: badConstants},
	{fault: "F9", name: "an array damaged in the store between runs", brief: true, how: "a bit turned over, the file cut, the file gone",
		accept: "refused at the next run, those before stay in use, an alarm; the run ends if that is asked for", run: damagedStore},
	{fault: "F9", name: "constants of another type of detector", how: "put for the same name", accept: "refused at the run, the script is told",
		run: wrongType},
}

// calibStore is a folder with constants for the camera; every pixel of a set has the same pedestal.
type calibStore struct {
	c    *trial
	path string
}

func newCalibStore(c *trial) *calibStore { return &calibStore{c, filepath.Join(c.TempDir(), "store")} }

func (s *calibStore) array(value float32) string {
	s.c.Helper()
	values := make([]float32, camera.Rows*camera.Cols)
	for i := range values {
		values[i] = value
	}
	path := filepath.Join(s.c.TempDir(), "array.npy")
	var b bytes.Buffer
	if err := npy.Write(&b, []int{camera.Rows, camera.Cols}, values); err != nil {
		s.c.Fatalf("%v", err)
	}
	if err := os.WriteFile(path, b.Bytes(), 0o644); err != nil {
		s.c.Fatalf("%v", err)
	}
	return path
}

// put adds a set and gives its id.
func (s *calibStore) put(pedestal float32, more ...string) string {
	s.c.Helper()
	args := append([]string{"calib", "put", "cam", "--store", s.path, "--type", "testcam", "--serials", "serial1", "--json",
		"--pedestals", s.array(pedestal), "--gains", s.array(1)}, more...)
	p := s.c.prepare(nil, args...)
	if o := p.run(); o.code != 0 {
		s.c.Fatalf("drp calib put: %d: %s", o.code, o.stderr)
	}
	var said struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal([]byte(p.Stdout.String()), &said); err != nil || said.ID == "" {
		s.c.Fatalf("drp calib put says %s: %v", p.Stdout.String(), err)
	}
	return said.ID
}

// corrects adds what a script sees of the constants: the pedestal that was taken off each pixel, and the generation.
const (
	correctsDeclare = `cal = ds.add_detector(ds.camera, alg="cal", fields={"low": (np.float32, 0), "high": (np.float32, 0), "held": (np.uint64, 0)})`
	correctsBody    = `off = raw.astype(np.float32) - det.raw.calib(evt)
cal.low, cal.high, cal.held = off.min(), off.max(), det.calibconst.generation
evt.add(cal)
if n % 50 == 0:
    maps = open("/proc/self/maps").read().count("SYSV")
    assert maps < 9, f"{maps} shared-memory segments are attached"
`
)

// correction is what a file says of how an event was corrected.
type correction struct {
	low, high  float32
	held, used uint64
}

// corrections are those of the events of all files below a folder.
func corrections(c *trial, dir string) (all []correction) {
	c.Helper()
	table := xtc.NewTable()
	for _, path := range dataFiles(dir) {
		dgrams, err := readAll(path)
		if err != nil {
			c.Errorf("%v", err)
		}
		for _, d := range dgrams {
			if d.Service() == xtc.Configure {
				table = xtc.NewTable()
				if err := table.Configure(d); err != nil {
					c.Fatalf("%v", err)
				}
			}
			if !d.Service().IsEvent() || d.Damage() != 0 {
				continue
			}
			var k correction
			for it := table.Blocks(d); it.Next(); {
				b := it.Block()
				switch b.Names.Alg {
				case "cal":
					k.low = math.Float32frombits(binary.LittleEndian.Uint32(b.Field(0).Data))
					k.high = math.Float32frombits(binary.LittleEndian.Uint32(b.Field(1).Data))
					k.held = binary.LittleEndian.Uint64(b.Field(2).Data)
				case "used":
					k.used = binary.LittleEndian.Uint64(b.Field(0).Data)
				}
			}
			all = append(all, k)
		}
	}
	return all
}

// unmixed checks that each event was corrected with one set, the one that it is said to be, and gives the pedestal of
// each generation.
func unmixed(c *trial, all []correction) map[uint64]float32 {
	c.Helper()
	pedestals := map[uint64]float32{}
	for n, k := range all {
		if k.low != k.high || k.held == 0 || k.held != k.used {
			c.Fatalf("event %d of %d: pedestals %v to %v were taken off, the script held generation %d, the file says %d", n,
				len(all), k.low, k.high, k.held, k.used)
		}
		if p, known := pedestals[k.used]; known && p != k.low {
			c.Fatalf("generation %d took off %v and %v", k.used, p, k.low)
		}
		pedestals[k.used] = k.low
	}
	return pedestals
}

// withSteps cuts the stream into steps of so many events.
func (s *stream) withSteps(c *trial, events int) {
	all, err := readAll(s.path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	var file []byte
	n := 0
	for _, d := range all {
		if d.Service().IsEvent() {
			if n > 0 && n%events == 0 {
				for i, t := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.BeginStep, xtc.Enable} {
					file = append(file, testkit.Plain(t, at(n)-10+uint64(i))...)
				}
			}
			n++
		}
		file = append(file, d...)
	}
	if err := os.WriteFile(s.path, file, 0o644); err != nil {
		c.Fatalf("%v", err)
	}
}

func chosenAnew(c *trial) {
	const rate = 800
	s := newStream(c, rate*times(3, 30))
	s.withSteps(c, rate/8)
	store, dir := newCalibStore(c), filepath.Join(c.TempDir(), "out")
	ids := []string{store.put(2), store.put(1)}
	slow, letGo := slowFrom(c, 2*rate, 0.03)
	p := c.pipeline("-s", s.path, "-w", "2", "--rate", fmt.Sprint(rate), "-o", dir, "--calib", store.path, "--partition", "P",
		"--max-restarts", "0", "--max-quarantine", "0", "-p", script(c, correctsDeclare, slow+correctsBody)).start()
	p.recording(dir)
	chosen, kills, last := 0, 0, time.Now()
	for turn := 0; !p.Over(); turn++ {
		use := c.prepare(nil, "calib", "use", ids[turn%2][:12], "--partition", "P", "--store", store.path)
		use.Cmd.Env = append(use.Cmd.Env, "XDG_RUNTIME_DIR="+p.RunDir)
		if use.run().code == 0 {
			chosen++
		}
		if chosen >= 5 {
			letGo()
		}
		// Time enough for a replacement: one that is killed four times while it starts puts its worker out of service.
		if turn == 3 {
			use = c.prepare(nil, "calib", "use", "0000", "--partition", "P", "--store", store.path)
			use.Cmd.Env = append(use.Cmd.Env, "XDG_RUNTIME_DIR="+p.RunDir)
			if o := use.run(); o.code != 1 || !strings.Contains(o.stderr, "no constants") {
				c.Errorf("a set that is not there is chosen: %d, %s", o.code, o.stderr)
			}
		}
		if pids := p.workers(); len(pids) > 0 && time.Since(last) > time.Second {
			last = time.Now()
			if syscall.Kill(pids[c.rng.IntN(len(pids))], syscall.SIGKILL) == nil {
				kills++
			}
		}
	}
	o := p.ended(0)
	c.proves(s, o, dir, or(quarantined))
	all := corrections(c, dir)
	pedestals := unmixed(c, all)
	if len(pedestals) < 3 || chosen < 3 {
		c.Errorf("%d generations, chosen %d times: too few", len(pedestals), chosen)
	}
	for generation, pedestal := range pedestals {
		if pedestal != 1 && pedestal != 2 {
			c.Errorf("generation %d took off %v", generation, pedestal)
		}
	}
	c.measured("%d events in %d generations, %d choices, %d kills", len(all), len(pedestals), chosen, kills)
}

func publisherKilled(c *trial) {
	s := newStream(c, 4000)
	store := newCalibStore(c)
	store.put(1)
	watch := c.prepare(nil, "calib", "watch", "--json")
	watch.start()
	rounds := times(2, 5)
	var last uint64
	for round := range rounds {
		dir := filepath.Join(c.TempDir(), "out")
		p := c.pipeline("-s", s.path, "-w", "2", "--rate", "500", "-o", dir, "--calib", store.path, "--partition", "P",
			"-p", script(c, correctsDeclare, correctsBody))
		p.Cmd.Env = append(p.Cmd.Env, "XDG_RUNTIME_DIR="+watch.RunDir)
		p.start()
		p.recording(dir)
		late := c.prepare(nil, "calib", "watch", "--json", "-n", "1")
		late.Cmd.Env = append(late.Cmd.Env, "XDG_RUNTIME_DIR="+watch.RunDir)
		if o := late.run(); o.code != 0 {
			c.Errorf("a late subscriber ends with %d: %s", o.code, o.stderr)
		}
		var said struct{ Generation uint64 }
		if err := json.Unmarshal([]byte(late.Stdout.String()), &said); err != nil || said.Generation <= last {
			c.Errorf("round %d: a late subscriber hears %s after generation %d: %v", round, late.Stdout.String(), last, err)
		}
		last = said.Generation
		heard := func() bool { return strings.Count(watch.Stdout.String(), "\n") == round+1 }
		if !testkit.Within(testkit.Patience, heard) {
			c.Fatalf("who listens all the time has not heard of publisher %d: %s%s", round, watch.Stdout.String(), watch.Stderr.String())
		}
		p.Signal(syscall.SIGKILL)
		p.finish()
	}
	watch.Signal(syscall.SIGTERM)
	watch.finish()
	c.measured("%d publishers killed, each heard early and late", rounds)
}

func badConstants(c *trial) {
	store := newCalibStore(c)
	id := store.put(1)
	text := func(content string) string {
		path := filepath.Join(c.TempDir(), "array.txt")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			c.Fatalf("%v", err)
		}
		return path
	}
	many := func(word string, n int) string { return text(strings.Repeat(word+" ", n)) }
	pixels := camera.Rows * camera.Cols
	bad := []struct{ name, flag, file string }{
		{"a pedestal that is no number", "--pedestals", store.array(float32(math.NaN()))},
		{"an endless pedestal", "--pedestals", store.array(float32(math.Inf(1)))},
		{"a gain of zero", "--gains", store.array(0)},
		{"too few values", "--pedestals", many("1", pixels-1)},
		{"too many values", "--gains", many("1", pixels+1)},
		{"no values", "--pedestals", text("")},
		{"words", "--pedestals", many("one", pixels)},
		{"no file", "--gains", filepath.Join(c.TempDir(), "none.npy")},
		{"a mask of another kind", "--mask", store.array(0.5)},
	}
	for _, b := range bad {
		args := []string{"calib", "put", "cam", "--store", store.path, "--type", "testcam", "--serials", "serial1",
			"--pedestals", store.array(1), "--gains", store.array(1), b.flag, b.file}
		for i, a := range args[:len(args)-2] { // the last word counts, and must not be a second one
			if a == b.flag {
				args = append(args[:i], args[i+2:]...)
				break
			}
		}
		if o := c.prepare(nil, args...).run(); o.code != 3 && o.code != 2 || !strings.HasPrefix(o.stderr, "drp: ") {
			c.Errorf("%s: exit code %d: %s", b.name, o.code, o.stderr)
		}
	}
	ls := c.prepare(nil, "calib", "ls", "--store", store.path, "--json")
	ls.run()
	if n := strings.Count(ls.Stdout.String(), `"digest"`); n != 1 || !strings.Contains(ls.Stdout.String(), id) {
		c.Errorf("the store has %d sets: %s", n, ls.Stdout.String())
	}
	c.measured("%d refused", len(bad))
}

// twoRuns is a stream whose first half is run 5 and whose second half is run 6.
func twoRuns(c *trial, events int) *stream {
	s := newStream(c, events)
	all, err := readAll(s.path)
	if err != nil {
		c.Fatalf("%v", err)
	}
	var file []byte
	n := 0
	for _, d := range all {
		if d.Service().IsEvent() {
			if n == events/2 {
				t := at(n) - 10
				for i, id := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun} {
					file = append(file, testkit.Plain(id, t+uint64(i))...)
				}
				file = append(file, camera.BeginRun(t+3, 6)...)
				for i, id := range []xtc.TransitionID{xtc.BeginStep, xtc.Enable} {
					file = append(file, testkit.Plain(id, t+4+uint64(i))...)
				}
			}
			n++
		}
		file = append(file, d...)
	}
	if err := os.WriteFile(s.path, file, 0o644); err != nil {
		c.Fatalf("%v", err)
	}
	return s
}

func damagedStore(c *trial) {
	for name, damage := range map[string]func(path string, b []byte) error{
		"a bit":    func(path string, b []byte) error { b[len(b)-3] ^= 4; return os.WriteFile(path, b, 0o640) },
		"cut":      func(path string, b []byte) error { return os.Truncate(path, int64(len(b)/2)) },
		"gone":     func(path string, _ []byte) error { return os.Remove(path) },
		"strictly": func(path string, _ []byte) error { return os.Remove(path) },
	} {
		s := twoRuns(c, 200)
		store, dir := newCalibStore(c), filepath.Join(c.TempDir(), "out")
		store.put(1, "--first-run", "5", "--last-run", "5")
		before := testkit.FilesIn(store.path)
		store.put(2, "--first-run", "6")
		for _, path := range testkit.FilesIn(store.path) {
			if strings.HasSuffix(path, ".npy") && !strings.Contains(strings.Join(before, "\n"), path) { // the pedestals of run 6
				b, err := os.ReadFile(path)
				if err == nil {
					_ = os.Chmod(path, 0o640)
					err = damage(path, b)
				}
				if err != nil {
					c.Fatalf("%v", err)
				}
			}
		}
		args := []string{"-s", s.path, "-w", "2", "-o", dir, "--calib", store.path, "-p", script(c, correctsDeclare, correctsBody)}
		if name == "strictly" {
			p := c.pipeline(append(args, "--calib-strict")...)
			if o := p.run(); o.code != 3 || !strings.Contains(o.stderr, "run 6 cannot be corrected") {
				c.Errorf("strictly: exit code %d: %s", o.code, tail(o.stderr))
			}
			continue
		}
		o := c.pipeline(args...).start().ended(0)
		c.proves(s, o, dir, natural)
		if !strings.Contains(o.stderr, "refused") || !strings.Contains(o.stderr, "those before stay in use") {
			c.Errorf("%s: nothing is said: %s", name, tail(o.stderr))
		}
		for generation, pedestal := range unmixed(c, corrections(c, dir)) {
			if pedestal != 1 {
				c.Errorf("%s: generation %d took off %v", name, generation, pedestal)
			}
		}
	}
	c.measured("a bit, cut, gone, and strictly")
}

func wrongType(c *trial) {
	s := newStream(c, 200)
	store, dir := newCalibStore(c), filepath.Join(c.TempDir(), "out")
	store.put(1, "--type", "epix100x")
	o := c.pipeline("-s", s.path, "-w", "2", "-o", dir, "--calib", store.path, "-p", script(c, correctsDeclare, correctsBody)).
		start().ended(0)
	c.proves(s, o, dir, func(int) fates { return damaged })
	if !strings.Contains(o.stderr, "they are of the type") || !strings.Contains(o.stderr, "ConstantsError") {
		c.Errorf("it is not said why: %s", tail(o.stderr))
	}
}
