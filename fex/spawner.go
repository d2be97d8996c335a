package fex

import (
	"errors"
	"os/exec"
	"runtime"
)

// Spawner starts processes from one operating-system thread that lives as long as the Spawner.
//
// The kernel's parent-death signal follows the thread that forked, not the process (golang/go #27505): a child started
// from any goroutine would be killed when the runtime retires that thread.
type Spawner struct {
	requests chan spawnRequest
}

type spawnRequest struct {
	cmd  *exec.Cmd
	done chan error
}

// NewSpawner starts the thread.
func NewSpawner() *Spawner {
	s := &Spawner{requests: make(chan spawnRequest)}
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for r := range s.requests {
			r.done <- r.cmd.Start()
		}
	}()
	return s
}

// Start starts a command.
func (s *Spawner) Start(cmd *exec.Cmd) error {
	if s == nil {
		return errors.New("fex: no spawner")
	}
	r := spawnRequest{cmd: cmd, done: make(chan error, 1)}
	s.requests <- r
	return <-r.done
}

// Close ends the thread, and by the parent-death signal whatever it started that still runs: close it last.
func (s *Spawner) Close() { close(s.requests) }
