package e2e

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// daemonizes is a script that starts what leaves its process group, and names it in a file.
func daemonizes(t *testing.T, named string) string {
	t.Helper()
	return testkit.Script(t, looping("", `if n == 3:
    daemon = subprocess.Popen(["sleep", "1000"], start_new_session=True)
    with open(sys.argv[1] + ".new", "w") as file: print(daemon.pid, file=file)
    os.rename(sys.argv[1] + ".new", sys.argv[1])`)) + " " + named
}

// withDaemon starts a run whose script has started a daemon.
func withDaemon(t *testing.T) (v *invocation, daemon int) {
	t.Helper()
	named := filepath.Join(t.TempDir(), "daemon")
	v = pipeline(t, "-s", smallSim+",events=0", "--rate", "1000", "-w", "2", "--slots", "32", "-p", daemonizes(t, named)).start()
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(named); return err == nil }) {
		t.Fatalf("the script does not get there:\n%s", v.LastWords())
	}
	text, err := os.ReadFile(named)
	if err == nil {
		daemon, err = strconv.Atoi(strings.TrimSpace(string(text)))
	}
	if err != nil {
		t.Fatal(err)
	}
	return v, daemon
}

// guardOf is the shell that ends what scripts have started, 0 where there is none.
func guardOf(v *invocation) int {
	for _, pid := range testkit.Children(v.PID()) {
		if strings.Contains(testkit.CommandLine(pid), " guard DRP_GUARDED=") && testkit.Alive(pid) {
			return pid
		}
	}
	return 0
}

// TestKill9OfTheGuardFirst: another guard takes its place, and knows what the first one knew.
func TestKill9OfTheGuardFirst(t *testing.T) {
	t.Parallel()
	v, daemon := withDaemon(t)
	if err := syscall.Kill(guardOf(v), syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	v.Says("another takes its place")
	if !testkit.Within(testkit.Patience, func() bool { return guardOf(v) > 0 }) {
		t.Error("there is no other guard")
	}
	signal(t, v, syscall.SIGKILL)
	<-v.Done
	v.nothingLeft()
	if testkit.Alive(daemon) {
		t.Error("the daemon lives on")
	}
}

// TestCleanListsDaemons: what outlived both drp and its guard is known to drp clean, and not before drp is dead.
func TestCleanListsDaemons(t *testing.T) {
	t.Parallel()
	v, daemon := withDaemon(t)
	entry := fmt.Sprintf("process %d (sleep 1000), started by the script of process %d, which is dead", daemon, v.PID())
	if o := prepare(t, nil, "clean", "-n").run().wants(t, 0); strings.Contains(o.stdout, entry) {
		t.Errorf("of a living run: %s", o.stdout)
	}
	for _, kill := range []struct {
		pid int
		sig syscall.Signal
	}{{v.PID(), syscall.SIGSTOP}, {guardOf(v), syscall.SIGKILL}, {v.PID(), syscall.SIGKILL}} { // stopped, it has no other guard
		if err := syscall.Kill(kill.pid, kill.sig); err != nil {
			t.Fatal(err)
		}
	}
	<-v.Done
	if o := prepare(t, nil, "clean", "-n").run().wants(t, 0); !strings.Contains(o.stdout, entry) || !testkit.Alive(daemon) {
		t.Errorf("%q is not listed, or is gone: %s", entry, o.stdout)
	}
	// Only listed here: drp clean would also remove what the tests of other packages have made to be left behind.
	if err := syscall.Kill(daemon, syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	v.nothingLeft()
}
