package rundir_test

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"drp/internal/rundir"
)

// TestMain doubles as a process that wants a partition, says what became of it, and holds it until its input ends.
func TestMain(m *testing.M) {
	partition := os.Getenv("RUNDIR_TEST_LOCK")
	if partition == "" {
		os.Exit(m.Run())
	}
	release, err := rundir.Lock(partition)
	if err != nil {
		fmt.Println(err)
		os.Exit(3)
	}
	if os.Getenv("RUNDIR_TEST_NAMELESS") != "" { // as a process looks that is ending
		for _, word := range os.Args {
			clear(unsafe.Slice(unsafe.StringData(word), len(word))) // the system reads the command line there
		}
	}
	fmt.Println("won")
	_, _ = io.Copy(io.Discard, os.Stdin)
	release()
	release()
}

// contender is such a process.
type contender struct {
	cmd  *exec.Cmd
	hold io.Closer
	said string
}

func contend(t *testing.T, partition string) *contender {
	t.Helper()
	c := &contender{cmd: exec.Command(os.Args[0], "a word", "\x1b[31m")}
	c.cmd.Env = append(os.Environ(), "RUNDIR_TEST_LOCK="+partition)
	in, err := c.cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.cmd.Process.Kill(); _ = c.cmd.Wait() })
	c.hold = in
	line, _ := bufio.NewReader(out).ReadString('\n')
	c.said = strings.TrimSpace(line)
	return c
}

func (c *contender) end(t *testing.T) {
	t.Helper()
	_ = c.hold.Close()
	if err := c.cmd.Wait(); err != nil {
		t.Error(err)
	}
}

func TestASecondHolderIsToldOfTheFirst(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	first := contend(t, "hutch-3.a_B")
	if first.said != "won" {
		t.Fatal(first.said)
	}
	path := filepath.Join(rundir.Base(), "partition-hutch-3.a_B.lock")
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	_, err := rundir.Lock("hutch-3.a_B")
	if err == nil {
		t.Fatal("locked twice")
	}
	pid := fmt.Sprintf("process %d is running on it since 20", first.cmd.Process.Pid)
	for _, want := range []string{"partition hutch-3.a_B: ", pid, filepath.Base(os.Args[0]), `"a word" "\x1b[31m"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in %q", want, err)
		}
	}
	other, err := rundir.Lock("hutch-4")
	if err != nil {
		t.Fatal(err)
	}
	other()
	first.end(t)
	again, err := rundir.Lock("hutch-3.a_B")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := rundir.Lock("hutch-3.a_B"); err == nil {
		t.Error("this process locked it twice")
	}
	again()
	again()
	if left, _ := os.ReadDir(rundir.Base()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestAHolderThatEndsIsWaitedFor: it still holds the lock, and gives it back in a moment.
func TestAHolderThatEndsIsWaitedFor(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	t.Setenv("RUNDIR_TEST_NAMELESS", "1")
	first := contend(t, "p")
	if first.said != "won" {
		t.Fatal(first.said)
	}
	waited := make(chan error)
	go func() {
		release, err := rundir.Lock("p")
		if err == nil {
			release()
		}
		waited <- err
	}()
	select {
	case err := <-waited:
		t.Fatalf("it was not waited for: %v", err)
	case <-time.After(100 * time.Millisecond):
	}
	if err := first.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := <-waited; err != nil {
		t.Error(err)
	}
}

func TestAKilledHolderHoldsNobodyUp(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for range 3 {
		first := contend(t, "p")
		if first.said != "won" {
			t.Fatal(first.said)
		}
		if err := first.cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = first.cmd.Wait()
	}
	stale, err := rundir.Stale()
	if err != nil || len(stale) != 1 {
		t.Fatalf("stale: %v, %v", stale, err)
	}
	release, err := rundir.Lock("p")
	if err != nil {
		t.Fatal(err)
	}
	if err := rundir.Remove(stale[0]); err == nil {
		t.Error("the file of a living holder was removed")
	}
	if living, err := rundir.Stale(); err != nil || len(living) != 0 {
		t.Errorf("stale while it is held: %v, %v", living, err)
	}
	release()
	killed := contend(t, "p")
	_ = killed.cmd.Process.Kill()
	_ = killed.cmd.Wait()
	if err := rundir.Remove(stale[0]); err != nil {
		t.Error(err)
	}
	if left, _ := os.ReadDir(rundir.Base()); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
}

// TestExactlyOneWins has many begin at once, and in later rounds while the winner of the one before ends.
func TestExactlyOneWins(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, n := range []int{2, 100} {
		all := make([]*contender, n)
		var starting sync.WaitGroup
		for i := range all {
			starting.Go(func() { all[i] = contend(t, "p") })
		}
		starting.Wait()
		var winner *contender
		for _, c := range all {
			if c.said == "won" {
				if winner != nil {
					t.Fatal("two have won")
				}
				winner = c
			}
		}
		if winner == nil {
			t.Fatalf("nobody has won: %s", all[0].said)
		}
		for _, c := range all {
			if want := fmt.Sprintf("process %d ", winner.cmd.Process.Pid); c != winner && !strings.Contains(c.said, want) {
				t.Errorf("a loser says %q", c.said)
			}
		}
		winner.end(t)
	}
}

// TestNeverTwoAtOnce lets goroutines take and give back as fast as they can, so that files are removed all the time.
func TestNeverTwoAtOnce(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	var inside sync.Mutex
	var wins sync.WaitGroup
	for range 4 {
		wins.Go(func() {
			for won := 0; won < 50; {
				release, err := rundir.Lock("p")
				if err != nil {
					continue
				}
				if !inside.TryLock() {
					t.Error("two hold it")
					return
				}
				inside.Unlock()
				release()
				won++
			}
		})
	}
	wins.Wait()
}

func TestPartitionNames(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	for _, bad := range []string{"", "a b", "../x", "a/b", "ä", "a\n", strings.Repeat("a", 65)} {
		if _, err := rundir.Lock(bad); err == nil || !strings.Contains(err.Error(), "up to 64 letters") {
			t.Errorf("%q: %v", bad, err)
		}
	}
	for _, good := range []string{"0", "..", "a-b_c.D", strings.Repeat("a", 64)} {
		release, err := rundir.Lock(good)
		if err != nil {
			t.Errorf("%q: %v", good, err)
			continue
		}
		release()
	}
}

// TestALinkIsNotFollowed: the file of a partition is a file, or nothing.
func TestALinkIsNotFollowed(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	base, err := rundir.Ready()
	if err != nil {
		t.Fatal(err)
	}
	precious := filepath.Join(t.TempDir(), "precious")
	if err := os.WriteFile(precious, []byte("data"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(precious, filepath.Join(base, "partition-p.lock")); err != nil {
		t.Fatal(err)
	}
	if _, err := rundir.Lock("p"); err == nil {
		t.Error("a link was followed")
	}
	if text, _ := os.ReadFile(precious); string(text) != "data" {
		t.Errorf("%q", text)
	}
}
