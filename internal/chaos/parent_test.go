package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"drp/internal/testkit"
	"drp/xtc"
)

var parentRows = []row{
	{fault: "F6", name: "kill -9 of drp", brief: true, how: "SIGKILL to drp at random moments from its start on, while it records",
		accept: "no process, segment or socket is left after 2 s; the files are repaired, right, and legal; a foreign segment is as it was",
		run:    killParent},
	{fault: "F6", name: "kill -9 with many runs", how: "the same with a new file every 50 events",
		accept: "files with final names are complete; the last one is repaired", run: killParentOfManyRuns},
	{fault: "F7", name: "two on one partition", brief: true, how: "a second drp with the --partition of the first",
		accept: "the second ends with exit code 3 and names the first; after kill -9 of the first it may begin", run: twoPartitions},
	{fault: "F7", name: "two into one folder", brief: true, how: "a second drp with the -o of the first", accept: "exit code 3, the first is named and goes on",
		run: twoIntoOne},
}

// foreign is a segment of another program.
type foreign struct {
	id    uintptr
	bytes []byte
}

func newForeign(c *trial) *foreign {
	id, _, errno := syscall.Syscall(syscall.SYS_SHMGET, 0, 4096, 0o600|0o1000) // IPC_PRIVATE, IPC_CREAT
	if errno != 0 {
		c.Fatalf("shmget: %v", errno)
	}
	c.Cleanup(func() { _, _, _ = syscall.Syscall(syscall.SYS_SHMCTL, id, 0, 0) }) // IPC_RMID
	at, _, errno := syscall.Syscall(syscall.SYS_SHMAT, id, 0, 0)
	if errno != 0 {
		c.Fatalf("shmat: %v", errno)
	}
	f := &foreign{id: id, bytes: unsafe.Slice((*byte)(*(*unsafe.Pointer)(unsafe.Pointer(&at))), 4096)}
	for i := range f.bytes {
		f.bytes[i] = byte(i * 7)
	}
	return f
}

// intact tells whether nobody touched it.
func (f *foreign) intact() bool {
	at, _, errno := syscall.Syscall(syscall.SYS_SHMAT, f.id, 0, 0o10000) // SHM_RDONLY
	if errno != 0 {
		return false
	}
	_, _, _ = syscall.Syscall(syscall.SYS_SHMDT, at, 0, 0)
	for i := range f.bytes {
		if f.bytes[i] != byte(i*7) {
			return false
		}
	}
	return true
}

func killParent(c *trial) {
	f := newForeign(c)
	s := newStream(c, 4000)
	text := script(c, "", `if n % 100 == 0:
    subprocess.Popen(["sleep", "1000"])
    if os.fork() == 0: time.sleep(1000)`)
	kills, repaired, events := times(5, 200), 0, 0
	for range kills {
		dir := filepath.Join(c.TempDir(), "out")
		p := c.pipeline("-s", s.path, "--rate", "4000", "-w", "2", "--slots", "32", "-p", text, "-o", dir).start()
		<-time.After(time.Duration(c.rng.IntN(times(1200, 900))) * time.Millisecond) // the moment is what is tested
		p.Signal(syscall.SIGKILL)
		<-p.Done
		p.NothingLeft()
		if c.repair(dir) {
			repaired++
			a := auditRun(s, nil, dir, natural)
			for _, problem := range a.problems {
				c.Errorf("%s", problem)
			}
			if len(a.problems) > 0 {
				c.Logf("%v recorded in %v; it said:\n%s", a.count, testkit.FilesIn(dir), tail(p.Stderr.String()))
			}
			events += len(a.seen)
		}
		_ = os.RemoveAll(dir)
		if c.failed() {
			return
		}
	}
	if !f.intact() {
		c.Errorf("a segment of another program was touched")
	}
	if out, err := exec.Command(program, "clean", "-n").CombinedOutput(); err != nil {
		c.Errorf("drp clean: %v: %s", err, out)
	}
	c.measured("%d kills, %d with files, all repaired with %d events, 0 things left", kills, repaired, events)
}

// repair completes the files in a folder, and checks them; false if there are none.
func (c *trial) repair(dir string) bool {
	c.Helper()
	files := testkit.FilesIn(dir)
	if len(files) == 0 {
		return false
	}
	out, err := exec.Command(program, "xtc", "repair", dir).CombinedOutput()
	left := dataFiles(dir)
	// A file in which there is not even a whole Configure is left, and named.
	if err != nil && !strings.Contains(string(out), "no whole datagram") {
		c.Errorf("repair: %v: %s", err, out)
	}
	found := false
	for _, path := range left {
		if strings.HasSuffix(path, ".inprogress") {
			if whole, _ := readAll(path); len(whole) > 0 {
				c.Errorf("%s is not repaired: %s", filepath.Base(path), out)
			}
			continue
		}
		found = true
		if report, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !report.OK() {
			c.Errorf("repaired: %v, %v, %v", err, report.Errors, report.Truncated)
		}
	}
	return found
}

func killParentOfManyRuns(c *trial) {
	complete := 0
	kills := times(2, 20)
	for range kills {
		dir := filepath.Join(c.TempDir(), "out")
		p := c.pipeline("-s", "sim:segments=1,rows=8,cols=8,bank=4,events=50,runs=9000", "--rate", "3000", "-w", "2", "--slots", "32",
			"-p", filepath.Join(testkit.Root(), "scripts", "passthrough.py"), "-o", dir).start()
		p.recording(dir)
		<-time.After(time.Duration(c.rng.IntN(1000)) * time.Millisecond)
		p.Signal(syscall.SIGKILL)
		<-p.Done
		p.NothingLeft()
		for _, path := range dataFiles(dir) {
			if strings.HasSuffix(path, ".inprogress") {
				continue
			}
			complete++
			if report, err := xtc.Check(path, xtc.CheckOptions{}); err != nil || !report.OK() || report.Count["L1Accept"] != 50 || report.Count["EndRun"] != 1 {
				c.Errorf("%s has its final name: %v, %v, %v", filepath.Base(path), err, report.Errors, report.Count)
			}
		}
		c.repair(dir)
		_ = os.RemoveAll(dir)
	}
	c.measured("%d kills, %d complete files", kills, complete)
}

func twoPartitions(c *trial) {
	runtime := c.TempDir() // of both
	base := filepath.Join(c.TempDir(), "out")
	begin := func(n int) *process {
		p := c.pipeline("-s", "sim:segments=1,rows=8,cols=8,bank=4,events=0", "--rate", "500", "-w", "1", "--partition", "chaos", "-o",
			fmt.Sprint(base, n), "-p", filepath.Join(testkit.Root(), "scripts", "passthrough.py"))
		p.Cmd.Env = append(p.Cmd.Env, "XDG_RUNTIME_DIR="+runtime)
		return p
	}
	first := begin(1).start()
	first.recording(base + "1")
	o := begin(2).run()
	if o.code != 3 || !strings.Contains(o.stderr, fmt.Sprint(first.PID())) {
		c.Errorf("exit code %d, and pid %d is not named:\n%s", o.code, first.PID(), tail(o.stderr))
	}
	first.Signal(syscall.SIGKILL)
	<-first.Done
	first.NothingLeft()
	third := begin(3).start()
	third.recording(base + "3")
	third.Signal(syscall.SIGTERM)
	third.ended(130)
	c.measured("exit code %d", o.code)
}

func twoIntoOne(c *trial) {
	s := newStream(c, 3000)
	dir := filepath.Join(c.TempDir(), "out")
	slow, letGo := slowFrom(c, 1000, 0.05)
	args := []string{"-s", s.path, "--rate", "2000", "-w", "1", "-o", dir, "-p", script(c, "", slow)}
	first := c.pipeline(args...).start()
	first.recording(dir)
	o := c.pipeline(args...).run()
	letGo()
	if o.code != 3 || !strings.Contains(o.stderr, fmt.Sprint(first.PID())) {
		c.Errorf("exit code %d, and pid %d is not named:\n%s", o.code, first.PID(), tail(o.stderr))
	}
	c.proves(s, first.ended(0), dir, natural)
	c.measured("exit code %d", o.code)
}
