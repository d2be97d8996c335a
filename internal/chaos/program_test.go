package chaos

import (
	"os"
	"strings"
	"syscall"
	"time"

	"drp/internal/testkit"
)

// process is one run of the program.
type process struct {
	*testkit.Program
	c     *trial
	limit time.Duration // after which it counts as hanging
}

// outcome is what became of it.
type outcome struct {
	code   int
	stderr string
	books  *testkit.Books // nil when the run did not begin
}

// prepare makes a command line ready; wrapper stands in front of it.
func (c *trial) prepare(wrapper []string, args ...string) *process {
	p := &process{testkit.Prepare(c, wrapper, program, args...), c, 90 * time.Second}
	p.Cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return p
}

// pipeline makes the main job ready, with the interpreter of the tests and a summary.
func (c *trial) pipeline(args ...string) *process {
	return c.wrapped(nil, args...)
}

func (c *trial) wrapped(wrapper []string, args ...string) *process {
	p := c.prepare(wrapper, append([]string{"--python", testkit.Python(c.T), "--progress=false"}, args...)...)
	p.Cmd.Args = append(p.Cmd.Args, "--summary", p.Summary)
	return p
}

// start starts the program; finish must follow.
func (p *process) start() *process {
	p.c.Helper()
	p.Start()
	return p
}

// finish waits for the end, and checks that nothing is left and that nothing broke.
func (p *process) finish() outcome {
	p.c.Helper()
	p.WaitFor(p.limit)
	o := outcome{code: p.Cmd.ProcessState.ExitCode(), stderr: p.Stderr.String()}
	p.NothingLeft()
	if broke := p.Broke(); broke != "" {
		p.c.Fatalf("the program broke:\n%s", broke)
	}
	o.books = p.Books()
	return o
}

func (p *process) run() outcome {
	p.c.Helper()
	return p.start().finish()
}

// ended is finish for a run that must come to its end with an exit code.
func (p *process) ended(code int) outcome {
	p.c.Helper()
	o := p.finish()
	if o.code != code {
		p.c.Errorf("exit code %d, want %d:\n%s", o.code, code, tail(o.stderr))
	}
	if o.books == nil {
		p.c.Fatalf("no summary:\n%s", tail(o.stderr))
	}
	return o
}

func tail(text string) string { return text[max(0, len(text)-3000):] }

// children are the Python processes of the program.
func (p *process) children() (pids []int) {
	for _, pid := range testkit.Children(p.PID()) {
		if testkit.RunsScript(pid) && testkit.Alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// recording waits until events are in a file below dir.
func (p *process) recording(dir string) {
	p.c.Helper()
	p.reaching(dir, 4000)
}

// reaching waits until so many bytes are.
func (p *process) reaching(dir string, size int64) {
	p.c.Helper()
	if !testkit.Within(testkit.Patience, func() bool { return written(dir) > size || p.Over() }) || p.Over() {
		p.c.Fatalf("nothing is recorded:\n%s", tail(p.Stderr.String()))
	}
}

// written is the size of the data files.
func written(dir string) (size int64) {
	for _, path := range testkit.FilesIn(dir) {
		if info, err := os.Stat(path); err == nil && !strings.Contains(path, ".smd.") {
			size += info.Size()
		}
	}
	return size
}
