package fex

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
)

// Spawner starts processes from one operating-system thread that lives as long as the Spawner, and sees to it that
// neither they nor what they start outlive this program, even after kill -9.
//
// Two guards do this. The kernel's parent-death signal ends a child at once; it follows the thread that forked, not the
// process (golang/go #27505), so a child started from any goroutine would be killed when the runtime retires that
// thread. It does not reach what a script has started: for that a guard, a shell of a few lines, knows the process
// groups of the living children and ends them when its input closes, which is when this program has gone. What has left its
// group is found by its environment.
type Spawner struct {
	requests chan spawnRequest
	guard    *exec.Cmd
	mark     string

	mu    sync.Mutex // protects words
	words io.WriteCloser
}

type spawnRequest struct {
	cmd  *exec.Cmd
	done chan error
}

// guardScript keeps a list of process groups: "+ 12" adds one, "- 12" removes it.
const guardScript = `groups=" "
while read -r word group; do
	case $word in
	+) groups="$groups$group " ;;
	-) case $groups in *" $group "*) groups="${groups%% $group *} ${groups#* $group }" ;; esac ;;
	esac
done
for group in $groups; do
	kill -s KILL -- "-$group" 2>/dev/null
done
for round in 1 2; do
	found=$(grep -lszFx "$1" /proc/[0-9]*/environ 2>/dev/null) || break
	for file in $found; do
		pid=${file#/proc/}
		kill -s KILL "${pid%/environ}" 2>/dev/null
	done
done
`

// mark is the variable in the environment of the children, and of whatever they start, by which the guard finds those
// that left their process group (a daemon, start_new_session).
const mark = "DRP_GUARDED="

// NewSpawner starts the thread and the guard.
func NewSpawner() (*Spawner, error) {
	name := make([]byte, 8)
	_, _ = rand.Read(name) // never fails
	s := &Spawner{requests: make(chan spawnRequest), mark: mark + hex.EncodeToString(name)}
	s.guard = exec.Command("/bin/sh", "-c", guardScript, "guard", s.mark)
	// A session of its own: what is sent to this program's terminal or process group must not reach the guard.
	s.guard.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	words, err := s.guard.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("fex: %w", err)
	}
	if err := s.guard.Start(); err != nil {
		return nil, fmt.Errorf("fex: start the guard of the children: %w", err)
	}
	s.words = words
	go func() {
		runtime.LockOSThread() // never unlocked: the thread ends with the goroutine
		for r := range s.requests {
			r.done <- r.cmd.Start()
		}
	}()
	return s, nil
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

// tell writes to the guard. Should the guard have been killed, the other guards remain.
func (s *Spawner) tell(word byte, pid int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_, _ = fmt.Fprintf(s.words, "%c %d\n", word, pid)
}

// Close ends the thread and the guard, and with them whatever was started and still runs: close it last.
func (s *Spawner) Close() {
	close(s.requests)
	s.mu.Lock()
	_ = s.words.Close()
	s.mu.Unlock()
	_ = s.guard.Wait()
}
