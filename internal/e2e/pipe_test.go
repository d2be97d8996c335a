package e2e

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// TestReaderHasGone: a verb whose reader has enough, as head, ends at once and without a word.
func TestReaderHasGone(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, testkit.Camera{}.Run(3)...)
	for _, args := range [][]string{{"version"}, {"--help"}, {"xtc", "ls", file}, {"xtc", "dump", file}} {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		var said strings.Builder
		cmd := exec.Command(program, args...)
		cmd.Stdout, cmd.Stderr = w, &said
		if err := r.Close(); err != nil {
			t.Fatal(err)
		}
		err = cmd.Run()
		_ = w.Close()
		exit := (*exec.ExitError)(nil)
		if !errors.As(err, &exit) {
			t.Fatalf("%s: %v", args, err)
		}
		if status, ok := exit.Sys().(syscall.WaitStatus); !ok || status.Signal() != syscall.SIGPIPE || said.String() != "" {
			t.Errorf("%s: %v, and said %q", args, exit, said.String())
		}
	}
}
