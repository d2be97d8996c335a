package fex_test

import (
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/fex"
)

// alive tells whether a process of ours runs, and is no zombie.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestSpawnerCloseLeavesNoGuard(t *testing.T) {
	s, err := fex.NewSpawner()
	if err != nil {
		t.Fatal(err)
	}
	guard := fex.GuardPID(s)
	if !alive(guard) {
		t.Fatal("the guard does not run")
	}
	s.Close()
	if alive(guard) {
		t.Error("the guard outlived its spawner")
	}
}

func TestGuardEndsTheGroupsOfTheLivingOnly(t *testing.T) {
	s, err := fex.NewSpawner()
	if err != nil {
		t.Fatal(err)
	}
	var groups []*exec.Cmd
	for range 3 {
		cmd := exec.Command("sleep", "60")
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		if err := fex.SpawnerStart(s, cmd); err != nil {
			t.Fatal(err)
		}
		groups = append(groups, cmd)
	}
	released := groups[1]
	fex.SpawnerEnded(s, released.Process.Pid)
	fex.SpawnerEnded(s, 4194305) // never was on the list
	s.Close()                    // the guard sees what it would see if this program had died
	for _, cmd := range []*exec.Cmd{groups[0], groups[2]} {
		done := make(chan error, 1)
		go func() { done <- cmd.Wait() }()
		select {
		case <-done:
		case <-time.After(2 * time.Second):
			t.Errorf("group %d was not ended", cmd.Process.Pid)
			_ = cmd.Process.Kill()
			<-done
		}
	}
	if !alive(released.Process.Pid) {
		t.Error("a group that was taken off the list was ended")
	}
	_ = released.Process.Kill()
	_ = released.Wait()
}

// TestGuardForgetsChildrenThatAreGone: their numbers may be somebody else's by the time the guard acts.
func TestGuardForgetsChildrenThatAreGone(t *testing.T) {
	r := startRig(t, rigOptions{fake: "exit"})
	told := fex.SpyOnGuard(r.spawner)
	first := r.children()[0]
	r.begin()
	r.burst(10)
	r.waitAll()
	r.end()
	second := r.children()[0]
	if want := fmt.Sprintf("- %d\n", first); !strings.HasPrefix(told(), want) {
		t.Errorf("the guard was told %q, want %q first", told(), want)
	}
	if want := fmt.Sprintf("+ %d\n", second); !strings.HasSuffix(told(), want) {
		t.Errorf("the guard was told %q, want %q last", told(), want)
	}
}
