package main

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"drp/internal/orphan"
)

// TestLeftoversEndProcesses: a process with the mark of a dead owner is listed, and removing it ends it.
func TestLeftoversEndProcesses(t *testing.T) {
	mark, err := orphan.NewMark()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(mark, "-")
	words[1] = "1" // this process number, but when the machine began: whoever that was is dead
	cmd := exec.Command("sleep", "100")
	cmd.Env = []string{strings.Join(words, "-")}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	defer func() { _ = cmd.Process.Kill(); <-ended }()
	all, err := leftovers()
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range all {
		if strings.HasPrefix(l.name, fmt.Sprintf("process %d (sleep 100), ", cmd.Process.Pid)) {
			if err := l.remove(); err != nil {
				t.Error(err)
			}
			<-ended
			return
		}
	}
	t.Errorf("not found: %v", all)
}
