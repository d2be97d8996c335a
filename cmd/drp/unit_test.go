package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/spf13/cobra"

	"drp/drp"
	"drp/internal/testkit"
)

const unitProgram = "/usr/local/bin/drp"

func unitFile() string { return filepath.Join(testkit.Root(), "docs", "systemd", "drp@.service") }

// unit reads the settings of the service; a key may stand several times.
func unit(t *testing.T) map[string][]string {
	t.Helper()
	settings := map[string][]string{}
	for line := range strings.Lines(text(t, unitFile())) {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") || strings.HasPrefix(line, "[") {
			continue
		}
		key, value, pair := strings.Cut(line, "=")
		if !pair {
			t.Fatalf("no setting: %s", line)
		}
		settings[key] = append(settings[key], value)
	}
	return settings
}

// TestUnitRunsWhatThereIs: each command of the service is one that this program takes.
func TestUnitRunsWhatThereIs(t *testing.T) {
	settings := unit(t)
	for _, key := range []string{"ExecStart", "ExecStopPost"} {
		if len(settings[key]) != 1 {
			t.Fatalf("%s is %v", key, settings[key])
		}
		words := strings.Fields(strings.TrimPrefix(settings[key][0], "-"))
		if words[0] != unitProgram {
			t.Errorf("%s runs %s", key, words[0])
		}
		root := newRunCommand()
		root.AddCommand(newXTCCommand())
		cmd, rest, err := root.Find(words[1:])
		if err == nil {
			err = cmd.ParseFlags(rest)
		}
		var args cobra.PositionalArgs = cmd.Args
		if err == nil {
			err = args(cmd, cmd.Flags().Args())
		}
		if err != nil {
			t.Errorf("%s: %v", key, err)
		}
	}
}

// TestUnitRestarts: after a kill and a failure of the machine, and not after what would only happen again.
func TestUnitRestarts(t *testing.T) {
	settings := unit(t)
	codes := map[string]bool{}
	for _, code := range strings.Fields(settings["RestartPreventExitStatus"][0]) {
		codes[code] = true
	}
	for kind, final := range map[drp.Kind]bool{drp.General: false, drp.Usage: true, drp.Configuration: true, drp.SourceTrouble: true,
		drp.Script: true, drp.Loss: true} {
		if codes[strconv.Itoa(int(kind))] != final {
			t.Errorf("exit code %d is final: %v", kind, !final)
		}
	}
	for key, want := range map[string]string{"Restart": "on-failure", "SuccessExitStatus": strconv.Itoa(int(drp.Interrupted)),
		"OOMPolicy": "continue", "KillMode": "mixed", "NoNewPrivileges": "yes", "ProtectSystem": "strict",
		"RestrictAddressFamilies": "AF_UNIX", "LimitCORE": "0"} {
		if len(settings[key]) != 1 || settings[key][0] != want {
			t.Errorf("%s is %v, want %s", key, settings[key], want)
		}
	}
}

// TestUnitIsUnderstood by systemd, where it is installed.
func TestUnitIsUnderstood(t *testing.T) {
	analyze, err := exec.LookPath("systemd-analyze")
	if err != nil {
		t.Skipf("systemd cannot be asked: %v", err)
	}
	here, err := os.Executable() // a program that is there, in the place of ours
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "drp@test.service")
	write(t, path, strings.ReplaceAll(text(t, unitFile()), unitProgram+" ", here+" "))
	if out, err := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("%v: %s", err, out)
	}
	write(t, path, strings.Replace(text(t, path), "Restart=", "Restrat=", 1))
	if out, _ := exec.Command(analyze, "verify", "--man=no", "--recursive-errors=no", path).CombinedOutput(); !strings.Contains(string(out), "Restrat") {
		t.Errorf("a mistake is not found: %s", out)
	}
}
