package fex

import (
	"bytes"
	"io"
	"os/exec"
)

// What black-box tests need of the spawner.

// GuardPID is the process id of a spawner's guard.
func GuardPID(s *Spawner) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.guard.cmd.Process.Pid
}

// Mark is in the environment of a spawner's children.
func Mark(s *Spawner) string { return s.mark }

// SpawnerStart starts a command.
func SpawnerStart(s *Spawner, cmd *exec.Cmd) error { return s.start(cmd) }

// SpawnerEnded takes a group off the guard's list.
func SpawnerEnded(s *Spawner, pid int) { s.ended(pid) }

// SpyOnGuard gives what the guard is told from now on.
func SpyOnGuard(s *Spawner) (told func() string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	t := &tee{Writer: s.guard.words}
	s.guard.words = t
	return func() string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return t.copy.String()
	}
}

type tee struct {
	io.Writer
	copy bytes.Buffer
}

func (t *tee) Write(b []byte) (int, error) {
	t.copy.Write(b)
	return t.Writer.Write(b)
}

// WarmSpares is how many spares wait.
func WarmSpares(g *Group) int {
	g.mu.Lock()
	defer g.mu.Unlock()
	return len(g.spares.warm)
}

// PreparedPIDs are the children that a Swap will bring.
func PreparedPIDs(p *Prepared) (pids []int) {
	for _, c := range p.children {
		pids = append(pids, c.p.PID())
	}
	return pids
}
