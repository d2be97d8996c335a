package fex

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

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
quiet=0 # rounds in a row in which none was found: one that is being started shows no environment for a moment
for round in 1 2 3 4 5 6 7 8 9; do
	found=$(grep -lszFx "$1" /proc/[0-9]*/environ 2>/dev/null)
	if [ "$found" ]; then # by its exit code grep could also have met a process it may not read
		quiet=0
	elif [ $quiet = 1 ]; then
		break
	else
		quiet=1
		sleep 0.01
	fi
	for file in $found; do
		pid=${file#/proc/}
		kill -s KILL "${pid%/environ}" 2>/dev/null
	done
done
`

// A guard is a shell that outlives this program for a moment. It is told which process groups there are.
type guard struct {
	cmd   *exec.Cmd
	pipe  *os.File
	words io.Writer // the pipe
}

// guardPatience is how long a guard may take to read when its pipe is full; one that was stopped never does.
const guardPatience = time.Second

// startGuard starts a guard, which will also end what carries the mark.
func startGuard(mark string) (*guard, error) {
	read, write, err := os.Pipe()
	if err != nil {
		return nil, fmt.Errorf("fex: start the guard of the children: %w", err)
	}
	defer func() { _ = read.Close() }()
	g := &guard{cmd: exec.Command("/bin/sh", "-c", guardScript, "guard", mark), pipe: write, words: write}
	g.cmd.Stdin = read
	// A session of its own: what is sent to this program's terminal or process group must not reach the guard.
	g.cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := g.cmd.Start(); err != nil {
		_ = write.Close()
		return nil, fmt.Errorf("fex: start the guard of the children: %w", err)
	}
	return g, nil
}

// tell says that a group has come ('+') or gone ('-'). A guard that does not listen is killed, so that it is replaced.
func (g *guard) tell(word byte, group int) {
	_ = g.pipe.SetWriteDeadline(time.Now().Add(guardPatience))
	if _, err := fmt.Fprintf(g.words, "%c %d\n", word, group); err != nil {
		_ = g.cmd.Process.Kill()
	}
}

// dismiss lets the guard do what it is there for, and end.
func (g *guard) dismiss() { _ = g.pipe.Close() }

// wait waits until the guard has ended; nil when it has done all it had to.
func (g *guard) wait() error {
	err := g.cmd.Wait()
	_ = g.pipe.Close()
	return err
}
