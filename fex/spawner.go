package fex

import (
	"errors"
	"fmt"
	"log/slog"
	"os/exec"
	"runtime"
	"sync"
	"time"

	"drp/internal/orphan"
)

// Spawner starts processes from one operating-system thread that lives as long as the Spawner, and sees to it that
// neither they nor what they start outlive this program, even after kill -9.
//
// Two guards do this. The kernel's parent-death signal ends a child at once; it follows the thread that forked, not the
// process (golang/go #27505), so a child started from any goroutine would be killed when the runtime retires that
// thread. It does not reach what a script has started: for that a guard, a shell of a few lines, knows the process
// groups of the living children and ends them when its input closes, which is when this program has gone. What has left its
// group is found by the mark in its environment. A guard that is killed itself is replaced.
type Spawner struct {
	requests chan spawnRequest
	mark     string
	log      *slog.Logger
	closing  chan struct{} // closed when no guard is wanted any more
	watching sync.WaitGroup

	mu     sync.Mutex // protects groups and guard
	groups map[int]bool
	guard  *guard // that in charge
}

type spawnRequest struct {
	cmd  *exec.Cmd
	done chan error
}

// NewSpawner starts the thread and the guard. The log is told when the guard is replaced.
func NewSpawner(log *slog.Logger) (*Spawner, error) {
	mark, err := orphan.NewMark()
	if err != nil {
		return nil, fmt.Errorf("fex: mark the children: %w", err)
	}
	g, err := startGuard(mark)
	if err != nil {
		return nil, err
	}
	s := &Spawner{requests: make(chan spawnRequest), mark: mark, log: log, closing: make(chan struct{}),
		groups: map[int]bool{}, guard: g}
	s.watching.Go(func() { s.watch(g) })
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for r := range s.requests {
			r.done <- r.cmd.Start()
		}
	}()
	return s, nil
}

// guardPause is the pause between two guards, so that a system on which they all die is not kept busy.
const guardPause = 100 * time.Millisecond

// watch puts another guard in the place of one that has ended before its time.
func (s *Spawner) watch(g *guard) {
	for {
		err := g.wait()
		if err == nil && s.isClosing() {
			return
		}
		s.log.Warn(fmt.Sprintf("the guard, which ends what scripts have started when drp is killed, has ended (%v): another "+
			"takes its place", err))
		if g = s.nextGuard(); g == nil {
			return
		}
		s.appoint(g)
	}
}

// nextGuard tries until a guard starts. It gives up only when the spawner is closed.
func (s *Spawner) nextGuard() *guard {
	for {
		select {
		case <-s.closing: // at once: scripts may have left something now
		case <-time.After(guardPause):
		}
		closing := s.isClosing()
		g, err := startGuard(s.mark)
		if err == nil {
			return g
		}
		s.log.Warn(fmt.Sprintf("%v: what scripts have started may outlive drp; drp clean ends it then", err))
		if closing {
			return nil
		}
	}
}

// appoint puts a guard in charge, and tells it of all groups there are.
func (s *Spawner) appoint(g *guard) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.guard = g
	for group := range s.groups {
		g.tell('+', group)
	}
	if s.isClosing() {
		g.dismiss()
	}
}

func (s *Spawner) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

// start starts a command, which must be the leader of a process group.
func (s *Spawner) start(cmd *exec.Cmd) error {
	if s == nil {
		return errors.New("fex: no spawner")
	}
	r := spawnRequest{cmd: cmd, done: make(chan error, 1)}
	s.requests <- r
	err := <-r.done
	if err == nil {
		s.tell('+', cmd.Process.Pid)
	}
	return err
}

// ended takes a process group off the guard's list; it must have been killed, and its leader not yet reaped.
func (s *Spawner) ended(pid int) { s.tell('-', pid) }

// tell writes to the guard, and notes it for the next one.
func (s *Spawner) tell(word byte, group int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if word == '+' {
		s.groups[group] = true
	} else {
		delete(s.groups, group)
	}
	s.guard.tell(word, group)
}

// Close ends the thread and the guard, and with them whatever was started and still runs: close it last.
func (s *Spawner) Close() {
	close(s.requests)
	s.mu.Lock()
	close(s.closing)
	s.guard.dismiss()
	s.mu.Unlock()
	s.watching.Wait()
}
