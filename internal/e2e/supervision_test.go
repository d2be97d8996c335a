package e2e

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
)

const killsThird = addNumber + `
if n == 3:
    print("on the brink", flush=True)
    os.kill(os.getpid(), signal.SIGSEGV)`

// TestQuarantineAndTrial: an event that kills is put aside, and drp test sees the same crash on it.
func TestQuarantineAndTrial(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	o := script(t, looping(number, killsThird), "-o", dir).wants(t, 0, "is quarantined", "on the brink")
	if b := o.balanced(t); b.Quarantined != 1 || b.Recorded != 39 {
		t.Errorf("%+v", b)
	}
	o.dataFiles(t)
	found, _ := filepath.Glob(filepath.Join(dir, "quarantine", "*.xtc2"))
	if len(found) != 1 {
		t.Fatalf("quarantined are %v", found)
	}
	trial := trialRun(t, "--event", found[0])
	if trial.code != 5 || !strings.Contains(trial.stdout+trial.stderr, "Segmentation fault") || !strings.Contains(trial.stdout, "event 3") {
		t.Errorf("exit code %d:\n%s%s", trial.code, trial.stdout, trial.stderr)
	}
}

// TestSupervisionExitCodes: what is lost, and what is too much.
func TestSupervisionExitCodes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		args       []string
		code       int
		want       string
	}{
		{"killed, not kept", killsThird, nil, 6, "1 of 40 events were lost"},
		{"the last worker", "os._exit(1)", []string{"-w", "1", "--max-restarts", "2"}, 5, "its child died 3 times within a minute"},
		{"policy abort", "if drp_info.worker_num == 0: os._exit(1)", []string{"--max-restarts", "2", "--restart-policy", "abort"}, 5,
			"its child died 3 times within a minute"},
		{"policy degrade", "if drp_info.worker_num == 0: os._exit(1)", []string{"--max-restarts", "2", "--max-loss", "100"}, 0,
			"the worker is out of service"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			script(t, looping(number, tt.body), tt.args...).wants(t, tt.code, tt.want).balanced(t)
		})
	}
}

// TestStoppedForSeconds: when drp stood still with all its children, nobody was silent.
func TestStoppedForSeconds(t *testing.T) {
	t.Parallel()
	v := pipeline(t, "-s", smallSim, "--events", "200", "-w", "2", "--slots", "8", "--deadline", "3s", "--soft-deadline", "2s",
		"-p", testkit.Script(t, looping(number, "time.sleep(0.03)"))).start()
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(v.Stderr.String(), "workers, Python") }) {
		t.Fatalf("it does not start:\n%s", v.Stderr.String())
	}
	time.Sleep(time.Second) // into the run
	all := testkit.Marked(v.Mark)
	for _, sig := range []syscall.Signal{syscall.SIGSTOP, syscall.SIGCONT} {
		for _, pid := range all {
			if err := syscall.Kill(pid, sig); err != nil {
				t.Error(err)
			}
		}
		if sig == syscall.SIGSTOP {
			time.Sleep(5 * time.Second)
		}
	}
	o := v.finish().wants(t, 0)
	if b := o.balanced(t); b.Received != 200 || b.Restarts != 0 || b.Damaged != 0 || strings.Contains(o.stderr, "no answer from the script") {
		t.Errorf("%+v\n%s", b, o.stderr)
	}
}
