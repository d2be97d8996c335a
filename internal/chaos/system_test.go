package chaos

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"drp/internal/testkit"
)

var systemRows = []row{
	{fault: "F17", name: "all stopped for a while", brief: true, how: "SIGSTOP to drp and its children for 2 s (3 s), SIGCONT; the deadline is longer",
		accept: "no worker is killed, nothing is lost", run: stopped("30s", 0)},
	{fault: "F17", name: "all stopped beyond the deadline", how: "the same with a deadline of 1 s", accept: "nothing is lost; a worker may be replaced, once each",
		run: stopped("1s", 2)},
	{fault: "F17", name: "children stopped, drp not", how: "SIGSTOP to the children only, for less than the deadline", accept: "no worker is killed, nothing is lost",
		run: childrenStopped},
	{fault: "F18", name: "a script that takes too much", how: "RLIMIT_AS of the children: MemoryError", accept: "the event is recorded with its raw data and damage",
		run: littleMemory},
	{fault: "F18", name: "the kernel kills a worker", how: "a memory cgroup with the workers in it", accept: "the event is processed again or given up, no other is lost",
		run: oomKilled},
	{fault: "F18", name: "a script that leaks", how: "1 MB with each event, and --max-rss", accept: "the process is replaced before it is too large, nothing is lost",
		run: leaks},
	{fault: "F19", name: "few files may be open", brief: true, how: "prlimit --nofile of 8 to 64", accept: "a sentence that names the limit, or a whole run; no half one", run: fewFiles},
	{fault: "F19", name: "few processes may be started", how: "prlimit --nproc, as another user", accept: "a sentence that names the limit, or a whole run", run: fewProcesses},
	{fault: "F19", name: "storm of signals", brief: true, how: "SIGCHLD, SIGURG, SIGWINCH and SIGCONT to drp and its children, 10^4 times a second", accept: "the result is as without",
		run: signalStorm},
}

// tree are the program and its children.
func (p *process) tree() []int { return append(testkit.Children(p.PID()), p.PID()) }

func (p *process) all(sig syscall.Signal) {
	for _, pid := range p.tree() {
		_ = syscall.Kill(pid, sig)
	}
}

func stopped(deadline string, restarts int) func(*trial) {
	return func(c *trial) {
		const rate = 500
		stop := time.Duration(times(2, 3)) * time.Second
		s := newStream(c, rate*3)
		dir := filepath.Join(c.TempDir(), "out")
		p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "--deadline", deadline, "-o", dir,
			"-p", script(c, "", "time.sleep(0.003)")).start()
		p.recording(dir)
		p.all(syscall.SIGSTOP)
		<-time.After(stop)
		p.all(syscall.SIGCONT)
		o := p.ended(0)
		c.proves(s, o, dir, natural)
		if o.books.Restarts > restarts {
			c.Errorf("%d restarts, want %d at most", o.books.Restarts, restarts)
		}
		c.measured("stopped for %v: %d restarts, nothing lost", stop, o.books.Restarts)
	}
}

func childrenStopped(c *trial) {
	const rate = 500
	s := newStream(c, rate*4)
	dir := filepath.Join(c.TempDir(), "out")
	p := c.pipeline("-s", s.path, "--rate", fmt.Sprint(rate), "-w", "2", "--deadline", "4s", "-o", dir, "-p", script(c, "", "pass")).start()
	p.recording(dir)
	for _, pid := range p.children() {
		_ = syscall.Kill(pid, syscall.SIGSTOP)
	}
	<-time.After(2 * time.Second)
	for _, pid := range p.children() {
		_ = syscall.Kill(pid, syscall.SIGCONT)
	}
	o := p.ended(0)
	c.proves(s, o, dir, natural)
	if o.books.Restarts != 0 {
		c.Errorf("%d restarts, want none", o.books.Restarts)
	}
	c.measured("stopped for 2 s of 4 s: %d restarts", o.books.Restarts)
}

func littleMemory(c *trial) {
	s := newStream(c, 300)
	dir := filepath.Join(c.TempDir(), "out")
	python := filepath.Join(c.TempDir(), "python")
	text := fmt.Sprintf("#!/bin/bash\nulimit -v 4000000\nexec %s \"$@\"\n", testkit.Python(c))
	if err := os.WriteFile(python, []byte(text), 0o700); err != nil {
		c.Fatalf("%v", err)
	}
	o := c.pipeline("--python", python, "-s", s.path, "-w", "2", "-o", dir,
		"-p", script(c, "", "if n % 100 == 3: big = bytearray(5 << 30)")).start().ended(0)
	a := c.proves(s, o, dir, oncePer100(damaged))
	c.measured("%d events damaged, %d restarts", a.count[damaged], o.books.Restarts)
}

// oomKilled puts the workers into a group with little memory, in which the script takes more.
func oomKilled(c *trial) {
	group := fmt.Sprintf("/sys/fs/cgroup/memory/drp-chaos-%d", os.Getpid())
	limit := filepath.Join(group, "memory.limit_in_bytes")
	if err := os.Mkdir(group, 0o755); err != nil {
		c.skip("no memory cgroup: %v", err)
	}
	c.Cleanup(func() { _ = os.Remove(group) })
	if err := os.WriteFile(limit, []byte("150000000"), 0o644); err != nil {
		c.skip("no memory cgroup: %v", err)
	}
	s := newStream(c, 300)
	dir := filepath.Join(c.TempDir(), "out")
	body := fmt.Sprintf(`if n in (50, 150) and once(f"eats{n}"):
    open(%q, "w").write(str(os.getpid()))
    big = b"x" * 400_000_000`, filepath.Join(group, "cgroup.procs"))
	o := c.pipeline("-s", s.path, "-w", "2", "--slots", "8", "-o", dir, "-p", script(c, "", body)).start().ended(0)
	a := c.proves(s, o, dir, natural)
	if o.books.Restarts == 0 {
		c.Errorf("nobody was killed")
	}
	c.measured("%d killed and replaced, %d events given up", o.books.Restarts, a.count[damaged]+a.count[quarantined])
}

func leaks(c *trial) {
	s := newStream(c, 800)
	dir := filepath.Join(c.TempDir(), "out")
	p := c.pipeline(append(manyRestarts(), "-s", s.path, "-w", "2", "--max-rss", "150", "--rate", "100", "-o", dir,
		"-p", script(c, "keep = []", "keep.append(b'x' * 1_000_000)"))...).start()
	largest := 0
	for !p.Over() {
		for _, pid := range p.children() {
			largest = max(largest, residentKiB(pid))
		}
		<-time.After(50 * time.Millisecond)
	}
	o := p.ended(0)
	c.proves(s, o, dir, natural)
	if largest > 320_000 || o.books.Restarts > 0 { // twice the limit, and a second's growth; a planned change is no restart
		c.Errorf("a process had %d MB, %d restarts", largest/1000, o.books.Restarts)
	}
	c.measured("the largest had %d MB; %d restarts, nothing lost", largest/1000, o.books.Restarts)
}

func residentKiB(pid int) int {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	_, after, _ := strings.Cut(string(text), "VmRSS:")
	fields := strings.Fields(after)
	if len(fields) == 0 {
		return 0
	}
	n, _ := strconv.Atoi(fields[0])
	return n
}

func fewFiles(c *trial) {
	c.limits(nil, "--nofile", []int{8, 12, 16, 20, 24, 28, 32, 36, 40, 48, 56, 64})
}

func fewProcesses(c *trial) {
	as := []string{"setpriv", "--reuid=54321", "--regid=54321", "--clear-groups"}
	probe := append(append([]string{}, as[1:]...), "sh", "-c", testkit.Python(c)+" -c 'import numpy'")
	if out, err := exec.Command(as[0], probe...).CombinedOutput(); err != nil {
		c.skip("another user cannot run this Python: %v %s", err, strings.TrimSpace(string(out)))
	}
	c.limits(as, "--nproc", []int{4, 8, 12, 16, 20, 24, 32, 64})
}

// limits runs under one limit after the other.
func (c *trial) limits(as []string, limit string, values []int) {
	s := newStream(c, 100)
	var whole []int
	for i, n := range values {
		if !*full && i%4 != int(seed%4) && n != 64 {
			continue
		}
		dir := filepath.Join(c.TempDir(), "out")
		if as != nil {
			_ = os.Chmod(filepath.Dir(dir), 0o777)
		}
		p := c.wrapped(append(append([]string{}, as...), "prlimit", fmt.Sprintf("%s=%d", limit, n)), "-s", s.path, "-w", "2", "--slots", "16",
			"-o", dir, "-p", script(c, "", "pass"))
		p.start()
		<-p.Done
		o := outcome{code: p.Cmd.ProcessState.ExitCode(), stderr: p.Stderr.String()}
		p.NothingLeft()
		if o.code == 0 {
			c.proves(s, p.finish(), dir, natural)
			whole = append(whole, n)
			continue
		}
		// With too few threads the Go runtime itself gives up.
		if !strings.Contains(o.stderr, "too many open files") && !strings.Contains(o.stderr, "may be") && !strings.Contains(o.stderr, "pthread_create failed") {
			c.Errorf("%s %d: exit code %d, and it is not said why:\n%s", limit, n, o.code, tail(o.stderr))
		}
		if files := testkit.FilesIn(dir); len(files) > 0 {
			c.Errorf("%s %d: left: %v", limit, n, files)
		}
	}
	c.measured("whole runs with %v", whole)
}

func signalStorm(c *trial) {
	s := newStream(c, times(3000, 20000))
	dir := filepath.Join(c.TempDir(), "out")
	p := c.pipeline("-s", s.path, "--rate", "2000", "-w", "2", "-o", dir,
		"-p", script(c, "signal.signal(signal.SIGWINCH, lambda *_: None)", "pass")).start()
	p.recording(dir)
	sent, pids := 0, p.children()
	began := time.Now()
	for !p.Over() {
		for _, sig := range []syscall.Signal{syscall.SIGCHLD, syscall.SIGURG, syscall.SIGWINCH, syscall.SIGCONT, syscall.SIGCHLD,
			syscall.SIGURG, syscall.SIGWINCH} {
			_ = syscall.Kill(p.PID(), sig)
			for _, pid := range pids {
				if sig != syscall.SIGWINCH || works(pid) {
					_ = syscall.Kill(pid, sig)
				}
				sent++
			}
			sent++
		}
		<-time.After(300 * time.Microsecond)
	}
	rate := float64(sent) / time.Since(began).Seconds()
	o := p.ended(0)
	c.proves(s, o, dir, natural)
	if o.books.Restarts != 0 {
		c.Errorf("%d restarts, want none", o.books.Restarts)
	}
	c.measured("%.0f signals/s, %d events as they are", rate, o.books.Received)
}
