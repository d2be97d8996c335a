package bench

import (
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
)

// peer is a plain Python process on two pipes, for the yardsticks.
type peer struct {
	cmd     *exec.Cmd
	to      int
	from    int
	message [8]byte
}

func startPeer(python, script string, args ...string) (*peer, error) {
	var in, out [2]int
	if err := syscall.Pipe2(in[:], syscall.O_CLOEXEC); err != nil {
		return nil, err
	}
	if err := syscall.Pipe2(out[:], syscall.O_CLOEXEC); err != nil {
		return nil, err
	}
	stdin, stdout := os.NewFile(uintptr(in[0]), "in"), os.NewFile(uintptr(out[1]), "out")
	cmd := exec.Command(python, append([]string{"-c", script}, args...)...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, stdout, os.Stderr
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("bench: %w", err)
	}
	_, _ = stdin.Close(), stdout.Close()
	return &peer{cmd: cmd, to: in[1], from: out[0]}, nil
}

// roundTrip sends a message and waits for its return.
func (p *peer) roundTrip() error {
	if _, err := syscall.Write(p.to, p.message[:]); err != nil {
		return err
	}
	n, err := syscall.Read(p.from, p.message[:])
	if err == nil && n == 0 {
		err = io.ErrUnexpectedEOF
	}
	return err
}

func (p *peer) close() error {
	_, _ = syscall.Close(p.to), syscall.Close(p.from)
	return p.cmd.Wait()
}
