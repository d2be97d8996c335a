package testkit

import (
	"net"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestRemains plants each kind of leak.
func TestRemains(t *testing.T) {
	tests := []struct {
		name, says string
		leak       func(t *testing.T) (undo func())
	}{
		{"a goroutine", "goroutines at", func(*testing.T) func() {
			done := make(chan struct{})
			go func() { <-done }()
			return func() { close(done) }
		}},
		{"a pipe", "open pipes, sockets and files", func(t *testing.T) func() {
			r, w, err := os.Pipe()
			if err != nil {
				t.Fatal(err)
			}
			return func() { _, _ = r.Close(), w.Close() }
		}},
		{"a socket", "open pipes, sockets and files", func(t *testing.T) func() {
			l, err := net.Listen("unix", t.TempDir()+"/s")
			if err != nil {
				t.Fatal(err)
			}
			return func() { _ = l.Close() }
		}},
		{"a process", "process ", func(t *testing.T) func() {
			cmd := exec.Command("sleep", "60")
			if err := cmd.Start(); err != nil {
				t.Skip(err)
			}
			return func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before, open := goroutines(), descriptors()
			undo := tt.leak(t)
			if left := remains(before, open, 50*time.Millisecond); !strings.Contains(left, tt.says) {
				t.Errorf("%q is said", left)
			}
			undo()
			if left := remains(before, open, Patience); left != "" {
				t.Errorf("%q stays", left)
			}
		})
	}
}
