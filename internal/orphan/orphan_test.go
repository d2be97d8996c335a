package orphan_test

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"drp/internal/orphan"
	"drp/internal/testkit"
)

// TestMain doubles as a drp: it marks a daemon, names it, and dies, or lives until its input ends.
func TestMain(m *testing.M) {
	if os.Getenv("ORPHAN_TEST_OWNER") == "" {
		os.Exit(testkit.Main(m))
	}
	mark, err := orphan.NewMark()
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	daemon := exec.Command("sleep", "100")
	daemon.Env = []string{mark}
	daemon.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := daemon.Start(); err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	fmt.Println(daemon.Process.Pid)
	_, _ = os.Stdin.Read(make([]byte, 1))
}

// owned starts such a drp, and gives the daemon of it.
func owned(t *testing.T) (owner *exec.Cmd, daemon int) {
	t.Helper()
	owner = exec.Command(os.Args[0])
	owner.Env = append(os.Environ(), "ORPHAN_TEST_OWNER=1")
	if _, err := owner.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := owner.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := owner.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = owner.Process.Kill(); _ = owner.Wait() })
	line, _ := bufio.NewReader(out).ReadString('\n')
	if _, err := fmt.Sscan(line, &daemon); err != nil {
		t.Fatalf("%q: %v", line, err)
	}
	t.Cleanup(func() { _ = syscall.Kill(daemon, syscall.SIGKILL) })
	return owner, daemon
}

// find gives the orphan of this number, nil if it is none.
func find(t *testing.T, pid int) *orphan.Orphan {
	t.Helper()
	found, err := orphan.Find()
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range found {
		if o.PID == pid {
			return &o
		}
	}
	return nil
}

func TestOnlyWhatADeadOneLeftIsFoundAndEnded(t *testing.T) {
	_, kept := owned(t)
	dead, left := owned(t)
	if find(t, kept) != nil || find(t, left) != nil {
		t.Fatal("what belongs to a living process counts as left behind")
	}
	if err := dead.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = dead.Wait()
	o := find(t, left)
	if o == nil || o.Owner != dead.Process.Pid || o.Command != "sleep 100" {
		t.Fatalf("%+v", o)
	}
	if err := o.End(); err != nil {
		t.Fatal(err)
	}
	if !testkit.Within(testkit.Patience, func() bool { return !testkit.Alive(left) }) {
		t.Error("it lives on")
	}
	if err := o.End(); err != nil {
		t.Errorf("a second time: %v", err)
	}
	if find(t, left) != nil || !testkit.Alive(kept) {
		t.Error("what belongs to the living one was ended, or the dead is still found")
	}
}

// TestStrangeMarks: a mark of another process-id namespace, where the numbers mean other processes, and what is no mark.
func TestStrangeMarks(t *testing.T) {
	mark, err := orphan.NewMark()
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Split(mark, "-")
	words[2] = "4711"
	for _, mark := range []string{strings.Join(words, "-"), "DRP_GUARDED=", "DRP_GUARDED=1", "DRP_GUARDED=a-b-c-d",
		"DRP_GUARDED=-5-1-" + strings.Split(mark, "-")[2] + "-x", "DRP_GUARDED=0011223344556677"} {
		t.Run(mark, func(t *testing.T) {
			cmd := exec.Command("sleep", "100")
			cmd.Env = []string{mark}
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer func() { _ = cmd.Process.Kill(); _ = cmd.Wait() }()
			if o := find(t, cmd.Process.Pid); o != nil {
				t.Errorf("%+v", o)
			}
		})
	}
}
