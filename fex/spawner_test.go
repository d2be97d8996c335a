package fex_test

import (
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/fex"
	"drp/internal/testkit"
)

// alive tells whether a process of ours runs, and is no zombie.
func alive(pid int) bool { return syscall.Kill(pid, 0) == nil }

func TestSpawnerCloseLeavesNoGuard(t *testing.T) {
	s, err := fex.NewSpawner(slog.New(slog.DiscardHandler))
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

// sleeper is a process group that a spawner has started.
func sleeper(t *testing.T, s *fex.Spawner) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("sleep", "1000")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := fex.SpawnerStart(s, cmd); err != nil {
		t.Fatal(err)
	}
	return cmd
}

func wantEnded(t *testing.T, cmd *exec.Cmd) {
	t.Helper()
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	select {
	case <-done:
	case <-time.After(testkit.Patience):
		t.Errorf("process %d was not ended", cmd.Process.Pid)
		_ = cmd.Process.Kill()
		<-done
	}
}

func TestGuardEndsTheGroupsOfTheLivingOnly(t *testing.T) {
	s, err := fex.NewSpawner(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	groups := []*exec.Cmd{sleeper(t, s), sleeper(t, s), sleeper(t, s)}
	released := groups[1]
	fex.SpawnerEnded(s, released.Process.Pid)
	fex.SpawnerEnded(s, 4194305) // never was on the list
	s.Close()                    // the guard sees what it would see if this program had died
	wantEnded(t, groups[0])
	wantEnded(t, groups[2])
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

// TestGuardIsReplaced: whatever becomes of a guard, the next one knows all groups, those that came meanwhile among them,
// and what has left them.
func TestGuardIsReplaced(t *testing.T) {
	for name, lose := range map[string]func(t *testing.T, s *fex.Spawner, guard int){
		"killed": func(t *testing.T, _ *fex.Spawner, guard int) { signal(t, guard, syscall.SIGKILL) },
		"stopped": func(t *testing.T, s *fex.Spawner, guard int) {
			signal(t, guard, syscall.SIGSTOP)
			for range 10000 { // more than its pipe holds
				fex.SpawnerEnded(s, 4194305)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			var log testkit.Buffer
			s, err := fex.NewSpawner(slog.New(slog.NewTextHandler(&log, nil)))
			if err != nil {
				t.Fatal(err)
			}
			before := sleeper(t, s)
			daemon := exec.Command("sleep", "1000")
			daemon.Env = append(os.Environ(), fex.Mark(s))
			daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			if err := daemon.Start(); err != nil {
				t.Fatal(err)
			}
			first := fex.GuardPID(s)
			lose(t, s, first)
			after := sleeper(t, s)
			if !testkit.Within(testkit.Patience, func() bool { return fex.GuardPID(s) != first }) {
				t.Error("there is no other guard")
			}
			if said := log.String(); !strings.Contains(said, "level=WARN") || !strings.Contains(said, "signal: killed") {
				t.Errorf("the log says %q", said)
			}
			s.Close()
			for _, cmd := range []*exec.Cmd{before, daemon, after} {
				wantEnded(t, cmd)
			}
		})
	}
}

// TestGuardThatIsKilledAtTheEnd: what is left is ended all the same.
func TestGuardThatIsKilledAtTheEnd(t *testing.T) {
	s, err := fex.NewSpawner(slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	left := sleeper(t, s)
	signal(t, fex.GuardPID(s), syscall.SIGKILL)
	s.Close()
	wantEnded(t, left)
}

func signal(t *testing.T, pid int, sig syscall.Signal) {
	t.Helper()
	if err := syscall.Kill(pid, sig); err != nil {
		t.Fatal(err)
	}
}
