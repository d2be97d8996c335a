package main

import (
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"drp/internal/orphan"
	"drp/internal/testkit"
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
	var all []leftover
	name := fmt.Sprintf("process %d (sleep 100), ", cmd.Process.Pid)
	found := testkit.Within(testkit.Patience, func() bool { // Linux tells of the words some time after the start
		if all, err = leftovers(); err != nil {
			t.Fatal(err)
		}
		all = slices.DeleteFunc(all, func(l leftover) bool { return !strings.HasPrefix(l.name, name) })
		return len(all) == 1
	})
	if !found {
		t.Fatal("not found")
	}
	if err := all[0].remove(); err != nil {
		t.Error(err)
	}
	<-ended
}
