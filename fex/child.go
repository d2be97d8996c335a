package fex

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// child is one running Python process. Its pipes are blocking file descriptors, read and written without the
// runtime's poller: a wake-up less in each round trip, for one thread per worker.
type child struct {
	cmd      *exec.Cmd
	requests int // file descriptor of our end
	answers  int
	said     *output
	script   string

	hangUpOnce sync.Once
	exited     chan struct{} // closed when cmd.ProcessState is valid

	mu     sync.Mutex // protects reaped
	reaped bool       // its process id may be somebody else's by now
}

// startChild starts a process and returns when it was launched; greet waits until it is ready.
func startChild(cfg *Config, log *slog.Logger) (Process, error) {
	pipes, err := makePipes()
	if err != nil {
		return nil, err
	}
	theirs := []*os.File{
		os.NewFile(uintptr(pipes[0][0]), "requests"),
		os.NewFile(uintptr(pipes[1][1]), "answers"),
		os.NewFile(uintptr(pipes[2][1]), "output"),
	}
	defer func() {
		for _, f := range theirs {
			_ = f.Close()
		}
	}()
	cmd := exec.Command(cfg.Python, cfg.words()...)
	cmd.Env = cfg.environment()
	cmd.Stdout, cmd.Stderr = theirs[2], theirs[2]
	cmd.ExtraFiles = theirs[:2]
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := cfg.Spawner.start(cmd); err != nil {
		_, _, _ = syscall.Close(pipes[0][1]), syscall.Close(pipes[1][0]), syscall.Close(pipes[2][0])
		return nil, fmt.Errorf("fex: start %s: %w", cfg.Python, err)
	}
	c := &child{cmd: cmd, script: cfg.Script, requests: pipes[0][1], answers: pipes[1][0], exited: make(chan struct{})}
	c.said = newOutput(log, os.NewFile(uintptr(pipes[2][0]), "output"))
	go func() {
		// The process group may hold children of the script; it is ended before the leader is reaped, since until then
		// its id cannot have been given to anybody else.
		var info unix.Siginfo
		for unix.Waitid(unix.P_PID, cmd.Process.Pid, &info, unix.WEXITED|unix.WNOWAIT, nil) == unix.EINTR {
		}
		c.Kill()
		cfg.Spawner.ended(cmd.Process.Pid)
		c.mu.Lock()
		c.reaped = true
		c.mu.Unlock()
		_ = cmd.Wait() // its verdict is in cmd.ProcessState
		close(c.exited)
	}()
	return c, nil
}

// pipeBytes is what a pipe must hold: the records of a full queue, so that a request never blocks. It is what Linux
// gives, but to an unprivileged user who has a thousand pipes already.
const pipeBytes = 64 << 10

// makePipes makes the pipes for requests, answers and output; all or none.
func makePipes() (pipes [3][2]int, err error) {
	for i := range pipes {
		if err = syscall.Pipe2(pipes[i][:], syscall.O_CLOEXEC); err == nil {
			var size int
			if size, err = unix.FcntlInt(uintptr(pipes[i][1]), unix.F_GETPIPE_SZ, 0); err == nil && size < pipeBytes {
				_, err = unix.FcntlInt(uintptr(pipes[i][1]), unix.F_SETPIPE_SZ, pipeBytes)
			}
		}
		if err != nil {
			for _, p := range pipes[:i+1] {
				if p != [2]int{} {
					_, _ = syscall.Close(p[0]), syscall.Close(p[1])
				}
			}
			return pipes, fmt.Errorf("fex: make a pipe of %d bytes: %w", pipeBytes, err)
		}
	}
	return pipes, nil
}

// words are what the interpreter is told to run.
func (cfg *Config) words() []string {
	words := []string{"-m", cfg.Module}
	if cfg.Script != "" {
		words = append(words, cfg.Script)
	}
	return append(words, cfg.Args...)
}

// environment is the child's: ours, with one thread per child for the numerical libraries unless the user said
// otherwise, since there is a worker per core already.
func (cfg *Config) environment() []string {
	env := append(os.Environ(), "DRP_CHILD=3,4", cfg.Spawner.mark)
	if _, set := os.LookupEnv("PYTHONSAFEPATH"); !set {
		env = append(env, "PYTHONSAFEPATH=drp") // or -m would take modules from the present folder first; the child removes it
	}
	for _, name := range []string{"OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"} {
		if _, set := os.LookupEnv(name); !set {
			env = append(env, name+"=1")
		}
	}
	if cfg.PythonPath != "" {
		path := cfg.PythonPath
		if old := os.Getenv("PYTHONPATH"); old != "" {
			path += string(os.PathListSeparator) + old
		}
		env = append(env, "PYTHONPATH="+path)
	}
	return env
}

// Write implements Process. The pipe is made larger for a long text, as far as the system lets us, so that nobody waits
// for the child to read it.
func (c *child) Write(b []byte) error {
	if len(b) > pipeBytes/2 {
		_, _ = unix.FcntlInt(uintptr(c.requests), unix.F_SETPIPE_SZ, len(b)+pipeBytes)
	}
	for len(b) > 0 {
		n, err := syscall.Write(c.requests, b)
		if err != nil && !errors.Is(err, syscall.EINTR) {
			return err
		}
		b = b[max(n, 0):]
	}
	return nil
}

// Read implements Process.
func (c *child) Read(b []byte) (int, error) {
	for {
		n, err := syscall.Read(c.answers, b)
		switch {
		case errors.Is(err, syscall.EINTR):
		case err != nil:
			return 0, err
		case n == 0:
			return 0, io.EOF
		default:
			return n, nil
		}
	}
}

// Kill implements Process.
func (c *child) Kill() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = syscall.Kill(-c.cmd.Process.Pid, syscall.SIGKILL)
	}
}

// DumpStack implements Process: faulthandler writes the stacks, even while the interpreter is stuck.
func (c *child) DumpStack() {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.reaped {
		_ = c.cmd.Process.Signal(syscall.SIGUSR1)
	}
}

// Wait implements Process.
func (c *child) Wait() {
	late := time.AfterFunc(closeGrace, c.Kill)
	defer late.Stop()
	<-c.exited
}

// Gone implements Process.
func (c *child) Gone() bool {
	select {
	case <-c.exited:
		return true
	default:
		return false
	}
}

// Stopped implements Process. The state is the first word behind the name, which is in brackets and may hold any.
func (c *child) Stopped() bool {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", c.PID()))
	_, rest, _ := strings.Cut(string(text[bytes.LastIndexByte(text, ')')+1:]), " ")
	return err == nil && (strings.HasPrefix(rest, "T") || strings.HasPrefix(rest, "t"))
}

// Obituary implements Process.
func (c *child) Obituary(cause error) Death {
	d := Death{PID: c.PID(), When: time.Now(), Output: c.said.lastLines()}
	said := strings.Join(d.Output, "\n")
	switch broken := errors.Is(cause, io.EOF) || errors.Is(cause, syscall.EPIPE); {
	case !broken:
		d.Reason = strings.TrimPrefix(cause.Error(), "fex: ")
	case said != "":
		d.Reason = fmt.Sprintf("the Python child ended (%v); its last words: %s", c.cmd.ProcessState, lastWords(said))
	default:
		d.Reason = fmt.Sprintf("the Python child ended (%v) without a word", c.cmd.ProcessState)
	}
	d.Line = c.scriptLine(said)
	return d
}

// NotStarted implements Process.
func (c *child) NotStarted(cause error) error {
	c.Kill()
	c.Wait()
	death := c.Obituary(cause)
	err := errors.New("fex: " + death.Reason)
	if c.cmd.ProcessState.Exited() { // by itself, not killed by us
		if trouble := tooOld(c.cmd.Path); trouble != "" {
			return &EnvironmentError{Reason: trouble}
		}
	}
	switch said := strings.Join(death.Output, "\n"); {
	case strings.Contains(said, "No module named drp"):
		return &EnvironmentError{Reason: "the Python package drp is missing in " + c.cmd.Path + ": pip install ./python"}
	case c.cmd.ProcessState.ExitCode() == exitConfiguration && said != "":
		return &EnvironmentError{Reason: lastWords(said)}
	case said == "" && c.cmd.ProcessState.Exited():
		return fmt.Errorf("%w: is %s a Python interpreter?", err, c.cmd.Path)
	}
	return err
}

// tooOld asks an interpreter that did not work for its version, and says so if that is why.
func tooOld(python string) string {
	const patience = 20 * time.Second // it is about to be said that it did not work
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, python, "-c", "import sys; print('%d %d' % sys.version_info[:2])")
	cmd.WaitDelay = closeGrace // what it starts may hold its output open
	out, err := cmd.Output()
	var major, minor int
	if _, scanned := fmt.Sscan(string(out), &major, &minor); err != nil || scanned != nil {
		return ""
	}
	if major < 3 || major == 3 && minor < 10 {
		return fmt.Sprintf("%s is Python %d.%d: 3.10 or newer is needed", python, major, minor)
	}
	return ""
}

// exitConfiguration is how a child says that its Python lacks something; the sentence is on its stderr.
const exitConfiguration = 3

// EnvironmentError says what the Python interpreter lacks.
type EnvironmentError struct{ Reason string }

func (e *EnvironmentError) Error() string { return "fex: " + e.Reason }

// lastWords is the line that says most: that of a fatal error of the interpreter, or else the last.
func lastWords(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	for _, line := range lines {
		if strings.HasPrefix(line, "Fatal Python error: ") {
			return line
		}
	}
	return strings.TrimSpace(lines[len(lines)-1])
}

// stackLine is a line of the stack that faulthandler writes, the most recent call first.
var stackLine = regexp.MustCompile(`^  File "(.+)", line (\d+) in `)

// scriptLine finds the line of the script in the stack that a child wrote when it died, 0 if there is none.
func (c *child) scriptLine(said string) int {
	for line := range strings.SplitSeq(said, "\n") {
		if m := stackLine.FindStringSubmatch(line); m != nil && m[1] == c.script {
			n, _ := strconv.Atoi(m[2])
			return n
		}
	}
	return 0
}

// HangUp implements Process.
func (c *child) HangUp() {
	c.hangUpOnce.Do(func() { _ = syscall.Close(c.requests) })
}

// Close implements Process.
func (c *child) Close() {
	c.HangUp()
	_ = syscall.Close(c.answers)
}

// PID implements Process.
func (c *child) PID() int { return c.cmd.Process.Pid }

// Resident implements Process.
func (c *child) Resident() int64 {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/statm", c.PID()))
	var size, resident, shared int64
	if _, scanned := fmt.Sscan(string(text), &size, &resident, &shared); err != nil || scanned != nil {
		return 0
	}
	return (resident - shared) * int64(os.Getpagesize()) // the pebble's memory is no one child's
}
