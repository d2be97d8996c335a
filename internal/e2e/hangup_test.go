package e2e

import (
	"os"
	signals "os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

// TestATerminalThatIsLost ends a run in order, whoever else says so; under nohup it goes on.
func TestATerminalThatIsLost(t *testing.T) {
	t.Parallel()
	heard := make(chan os.Signal, 1) // what this process ignores, as under nohup, its children ignore, too
	signals.Notify(heard, syscall.SIGHUP)
	t.Cleanup(func() { signals.Stop(heard) })
	args := []string{"--python", testkit.Python(t), "-s", smallSim + ",events=0", "--rate", "500", "-w", "1", "-p", bundled("passthrough.py")}
	v := prepare(t, nil, append(args, "-o", t.TempDir())...)
	v.Cmd.Args = append(v.Cmd.Args, "--summary", v.Summary)
	v.start().enabled()
	signal(t, v, syscall.SIGHUP)
	v.Signal(syscall.SIGHUP) // of the system, after that of the shell
	o := v.finish().wants(t, 130, "SIGHUP: the terminal is lost", "interrupted: finishing what is under way")
	if o.balanced(t); len(o.books.Files) == 0 || strings.Contains(strings.Join(o.books.Files, " "), ".inprogress") {
		t.Errorf("the files are %v", o.books.Files)
	}
	v = prepare(t, []string{"sh", "-c", `trap "" HUP; exec "$@"`, "sh"}, args...)
	before := v.start().enabled().Events.Received
	signal(t, v, syscall.SIGHUP)
	if after := v.enabled().Events.Received; after < before {
		t.Errorf("%d events before, %d after", before, after)
	}
	signal(t, v, syscall.SIGINT)
	if o := v.finish().wants(t, 130, "interrupted"); strings.Contains(o.stderr, "SIGHUP") {
		t.Errorf("it has heard what was not meant for it:\n%s", o.stderr)
	}
}

// TestASIGHUPBeforeTheRun is taken up when the script has declared what can be set.
func TestASIGHUPBeforeTheRun(t *testing.T) {
	t.Parallel()
	file, gate := filepath.Join(t.TempDir(), "drp.yaml"), filepath.Join(t.TempDir(), "gate")
	testkit.WriteFile(t, file, "rate: 500\n")
	declare := "while not os.path.exists(sys.argv[1]): time.sleep(0.01)\n" + settled
	v := pipeline(t, "-s", smallSim+",events=0", "-w", "1", "--config", file, "-p", testkit.Script(t, looping(declare, "pass"))+" "+gate).start()
	if !testkit.Within(testkit.Patience, func() bool {
		return strings.Contains(v.beside("set", "mode=fast").stderr, "its script has not said yet what can be set")
	}) {
		t.Fatalf("it says nothing of a run that has not begun:\n%s", v.LastWords())
	}
	testkit.WriteFile(t, file, "rate: 500\nsettings: {threshold: 70}\n")
	signal(t, v, syscall.SIGHUP)
	v.Says("SIGHUP: the run has not begun: " + file + " is read anew when its script has declared what can be set")
	if err := os.WriteFile(gate, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	v.Says("threshold 50 -> 70 (SIGHUP)")
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130)
}
