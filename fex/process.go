package fex

import (
	"fmt"
	"log/slog"
	"time"
)

// Process is a running child as its worker sees it. The real one is a Python interpreter behind two pipes.
type Process interface {
	// Write hands requests to the child. It blocks only for what does not fit in the pipe, which records always do.
	Write(b []byte) error
	// Read waits for answers: at least one byte, or io.EOF when the child has closed its end.
	Read(b []byte) (int, error)
	// Kill ends the child and what it started. It may be called at any time and more than once.
	Kill()
	// DumpStack asks the child to write its stacks to its output.
	DumpStack()
	// HangUp closes the requests: a child that listens ends by itself. Nobody may write any more.
	HangUp()
	// Wait returns when a child that was killed or hung up on is gone, and touches no memory any more.
	Wait()
	// Obituary says how a child ended that Wait has seen go, given what its worker saw of it.
	Obituary(cause error) Death
	// NotStarted says why a child did not come to its greeting, given what its worker saw of it. It ends the child.
	NotStarted(cause error) error
	// Gone tells whether the child has ended.
	Gone() bool
	// Stopped tells whether somebody has stopped the child (SIGSTOP), so that it will not answer.
	Stopped() bool
	// Close frees what is left, after Wait.
	Close()
	// Resident is the memory the child holds, in bytes; 0 if that cannot be told.
	Resident() int64
	// PID is the process id.
	PID() int
}

// Starter starts a child that waits for its hello.
type Starter func(log *slog.Logger) (Process, error)

// Death is how a child ended.
type Death struct {
	Worker int
	PID    int
	When   time.Time
	Reason string   // one line
	Line   int      // of the script, where the child said so, else 0
	Output []string // its last lines

	noted bool // all this is known
}

// DeathError tells of a child that has died.
type DeathError struct {
	Death
	InHand int // requests
}

// Error implements error.
func (e *DeathError) Error() string {
	return fmt.Sprintf("worker %d: %s (%d requests in hand)", e.Worker, e.Reason, e.InHand)
}
