package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"drp/internal/rundir"
	"drp/watch"
)

// watchedRun is a drp in a process of its own, on one core, whose events never end.
type watchedRun struct {
	cmd    *exec.Cmd
	name   string // under which monitors find it
	url    string
	socket string

	liveline string // address
	client   *watch.Client
	pids     []int     // of drp and its worker
	filler   *exec.Cmd // fills the core of a run that is paced, with what nobody else wants of it; nil otherwise
	last     moment
}

// lockThread lets the thread of a goroutine end with it.
func lockThread() { runtime.LockOSThread() }

// startRun starts one, and waits until events come.
func startRun(ctx context.Context, o *MonitorOptions, of *kindOfRun) (r *watchedRun, err error) {
	r = &watchedRun{name: fmt.Sprintf("bench/%d", os.Getpid())}
	cmd := exec.Command(o.Program, append([]string{"-s", of.source, "-w", "1", "-p", of.script, "--python", o.Python, "--monitor", r.name,
		"--http", "127.0.0.1:0", "--liveline", "127.0.0.1:0"}, of.flags...)...)
	said, err := cmd.StderrPipe()
	if err != nil {
		return nil, err
	}
	if err := startOn(cmd, first); err != nil {
		return nil, err
	}
	r.cmd = cmd
	started := r
	defer func() {
		if err != nil {
			err = errors.Join(err, started.close())
		}
	}()
	if of.paced {
		if err := r.fill(o.Python); err != nil {
			return nil, err
		}
	}
	lines := bufio.NewReader(said)
	for r.liveline == "" {
		line, err := lines.ReadString('\n')
		if err != nil {
			return nil, fmt.Errorf("bench: drp does not say where it can be watched: %w", err)
		}
		if _, url, found := strings.Cut(line, "watched at "); found {
			r.url = strings.TrimSpace(url)
		}
		if _, at, found := strings.Cut(line, "taken by UDP at "); found {
			r.liveline = strings.TrimSpace(at)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, lines) }()
	if r.socket, err = socketOf(cmd.Process.Pid); err != nil {
		return nil, err
	}
	r.client = watch.DialSocket(r.socket)
	for {
		s, err := r.client.Status(ctx)
		if err != nil {
			return nil, err
		}
		if s.Events.Received > 100 && len(s.Workers) > 0 && s.Workers[0].PID != 0 {
			r.pids = []int{cmd.Process.Pid, s.Workers[0].PID}
			return r, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// socketOf finds where a process tells its status.
func socketOf(pid int) (string, error) {
	all, err := rundir.Living(rundir.Status)
	if err != nil {
		return "", err
	}
	for _, path := range all {
		if strings.HasPrefix(filepath.Base(filepath.Dir(path)), fmt.Sprintf("%d-", pid)) {
			return path, nil
		}
	}
	return "", fmt.Errorf("bench: process %d has no socket for its status", pid)
}

// fill gives the core of the run something to do that gives way to all else, so that drp sees no idle time.
func (r *watchedRun) fill(python string) error {
	r.filler = exec.Command(python, "-c", "while True: pass")
	if err := startOn(r.filler, first); err != nil {
		r.filler = nil
		return err
	}
	idle := unix.SchedAttr{Size: unix.SizeofSchedAttr, Policy: unix.SCHED_IDLE}
	if err := unix.SchedSetAttr(r.filler.Process.Pid, &idle, 0); err != nil {
		return fmt.Errorf("bench: a process that fills a core: %w", err)
	}
	return nil
}

func (r *watchedRun) close() error {
	if r.filler != nil {
		_ = r.filler.Process.Kill()
		_ = r.filler.Wait()
	}
	if r.client != nil {
		r.client.Close()
	}
	_ = r.cmd.Process.Signal(syscall.SIGINT)
	late := time.AfterFunc(20*time.Second, func() { _ = r.cmd.Process.Kill() })
	defer late.Stop()
	var exit *exec.ExitError
	if err := r.cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 130 {
		return fmt.Errorf("bench: drp should have been interrupted: %w", err)
	}
	return nil
}

// used is what drp and its worker have used of processors so far. The system counts it in nanoseconds.
func (r *watchedRun) used() (sum time.Duration, err error) {
	const scheduled = 2 // of the clocks of a process the one that counts what it ran
	for _, pid := range r.pids {
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid)<<3|scheduled, &t); err != nil {
			return 0, fmt.Errorf("bench: clock of process %d: %w", pid, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// moment is how far a run has come.
type moment struct {
	events float64
	used   time.Duration
	at     time.Time
}

// recordBytes is what the worker reads of each event from its pipe, and nothing else: so the system counts its events, to the last
// one at any moment, and nobody has to ask the run.
const recordBytes = 32

func (r *watchedRun) now() (m moment, err error) {
	if m.used, err = r.used(); err != nil {
		return m, err
	}
	read, err := figureOf(r.pids[1], "io", "rchar:")
	m.events, m.at = read/recordBytes, time.Now()
	return m, err
}

// sleep lets a run go on for so many seconds.
func sleep(ctx context.Context, seconds float64) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Duration(seconds * float64(time.Second))):
		return nil
	}
}

// resident is the memory of drp, in bytes.
func (r *watchedRun) resident() (float64, error) {
	kib, err := figureOf(r.pids[0], "status", "VmRSS:")
	return kib * 1024, err
}

// figureOf is what the system says of a process.
func figureOf(pid int, file, name string) (v float64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, file))
	if err != nil {
		return 0, fmt.Errorf("bench: %w", err)
	}
	_, rest, _ := strings.Cut(string(text), name)
	if _, err := fmt.Sscan(rest, &v); err != nil {
		return 0, fmt.Errorf("bench: no %s in %q", name, text)
	}
	return v, nil
}
