package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// site is a partition that was started with drp up, and where its files are.
type site struct {
	t      *testing.T
	runDir string // that all commands share
	folder string
	file   string
	marks  []*invocation
}

// partitionStatus is what drp ctl status --json prints, as far as it matters here.
type partitionStatus struct {
	State     string
	Run       int
	Processes []processStatus
}

type processStatus struct {
	Name    string
	PID     int
	State   string
	There   bool
	Behind  int
	Events  int64
	Trouble string
}

// newSite writes a file for drp up, in whose text FOLDER stands for a folder of the test.
func newSite(t *testing.T, text string) *site {
	t.Helper()
	s := &site{t: t, runDir: socketFolder(t), folder: t.TempDir()}
	s.file = filepath.Join(s.folder, "partition.yaml")
	testkit.WriteFile(t, s.file, strings.ReplaceAll(text, "FOLDER", s.folder))
	t.Cleanup(func() { // whatever happened, nothing of it outlives the test
		_ = s.command("down", "--wait", "2s").run()
		if t.Failed() {
			logs, _ := filepath.Glob(filepath.Join(s.folder, "log", "*.log"))
			for _, log := range logs {
				said, _ := os.ReadFile(log)
				t.Logf("%s:\n%s", log, said[max(0, len(said)-3000):])
			}
		}
	})
	return s
}

// command is one that belongs to the site.
func (s *site) command(args ...string) *invocation {
	s.t.Helper()
	v := prepare(s.t, nil, args...)
	v.Cmd.Dir = testkit.Root()
	v.Cmd.Env = append(v.Cmd.Env, "XDG_RUNTIME_DIR="+s.runDir, "DRP_PYTHON="+testkit.Python(s.t))
	return v
}

// do runs a command to its end, and checks its exit code and what it says.
func (s *site) do(code int, args ...string) outcome {
	s.t.Helper()
	v := s.command(args...)
	v.Start()
	v.WaitFor(testkit.Patience)
	s.marks = append(s.marks, v)
	o := outcome{code: v.Cmd.ProcessState.ExitCode(), stdout: v.Stdout.String(), stderr: v.Stderr.String()}
	if o.code != code {
		s.t.Fatalf("drp %v: exit code %d, want %d:\n%s%s", args, o.code, code, o.stdout, o.stderr)
	}
	if v.Broke() != "" {
		s.t.Fatalf("drp %v broke:\n%s", args, o.stderr)
	}
	return o
}

func (s *site) up() outcome { s.t.Helper(); return s.do(0, "up", s.file) }
func (s *site) ctl(args ...string) outcome {
	s.t.Helper()
	return s.do(0, append([]string{"ctl"}, args...)...)
}

// down ends everything, and sees that nothing is left.
func (s *site) down() {
	s.t.Helper()
	s.do(0, "down")
	for _, v := range s.marks {
		v.NothingLeft()
	}
	left := slices.DeleteFunc(testkit.FilesIn(s.runDir), func(path string) bool { return strings.HasSuffix(path, ".generation") })
	if len(left) > 0 {
		s.t.Errorf("left in the run-time folder: %v", left)
	}
	logs, err := filepath.Glob(filepath.Join(s.folder, "log", "*.log"))
	if err != nil || len(logs) == 0 {
		s.t.Errorf("logs: %v, %v", logs, err)
	}
	for _, log := range logs {
		said, _ := os.ReadFile(log)
		for _, bad := range []string{"DATA RACE", "panic:", "fatal error:"} {
			if strings.Contains(string(said), bad) {
				s.t.Errorf("%s broke", log)
			}
		}
	}
}

func (s *site) status() (st partitionStatus) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.ctl("status", "--json").stdout), &st); err != nil {
		s.t.Fatal(err)
	}
	return st
}

// pid is the number of a process of the site, as it was written down by drp up.
func (s *site) pid(name string) int {
	s.t.Helper()
	files, _ := filepath.Glob(filepath.Join(s.runDir, "drp", "up", "*.json"))
	if len(files) != 1 {
		s.t.Fatalf("%v", files)
	}
	var all []struct {
		Name  string
		Owner struct{ PID int }
	}
	text, err := os.ReadFile(files[0])
	if err == nil {
		err = json.Unmarshal(text, &all)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	for _, p := range all {
		if p.Name == name {
			return p.Owner.PID
		}
	}
	s.t.Fatalf("%s was not started: %s", name, text)
	return 0
}

// kill ends a process of the site at once.
func (s *site) kill(name string) {
	s.t.Helper()
	pid := s.pid(name)
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		s.t.Fatal(err)
	}
	if !testkit.Within(testkit.Patience, func() bool { return testkit.CommandLine(pid) == "" }) {
		s.t.Fatalf("%s does not die", name)
	}
}

// process is what run control says of one.
func (s *site) process(name string) processStatus {
	s.t.Helper()
	for _, p := range s.status().Processes {
		if p.Name == name {
			return p
		}
	}
	s.t.Fatalf("there is no %s", name)
	return processStatus{}
}

// until waits until a condition holds of a process.
func (s *site) until(name, what string, holds func(processStatus) bool) {
	s.t.Helper()
	var p processStatus
	if !testkit.Within(testkit.Patience, func() bool { p = s.process(name); return holds(p) }) {
		s.t.Fatalf("%s: it never is %s: %+v", name, what, p)
	}
}

// more waits until processes have taken so many events more.
func (s *site) more(n int64, names ...string) {
	s.t.Helper()
	for _, name := range names {
		before := s.process(name).Events
		s.until(name, fmt.Sprintf("%d events further", n), func(p processStatus) bool { return p.Events >= before+n })
	}
}

// pulses are the times of the events of a file, which must grow.
func pulses(t *testing.T, path string) (all []uint64) {
	t.Helper()
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service().IsEvent() {
			all = append(all, d.Time())
		}
	}
	for i := 1; i < len(all); i++ {
		if all[i] <= all[i-1] {
			t.Errorf("%s: event %d comes after a later one", path, i)
		}
	}
	return all
}

// recorded is the file of a run and stream, which must be complete and of that run.
func (s *site) recorded(run, stream int, part ...string) string {
	s.t.Helper()
	path := filepath.Join(append(append([]string{s.folder}, part...), fmt.Sprintf("simulated-r%04d-s%03d-c000.xtc2", run, stream))...)
	report, err := xtc.Check(path, xtc.CheckOptions{})
	if err != nil || !report.OK() {
		s.t.Fatalf("%s: %v, %+v, %v", path, err, report.Errors, report.Truncated)
	}
	table := xtc.NewTable()
	for _, d := range testkit.Dgrams(s.t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				s.t.Fatal(err)
			}
		}
		if _, n, ok := xtc.RunInfo(table, d); ok && n != run {
			s.t.Errorf("%s is of run %d", path, n)
		}
	}
	return path
}
