package e2e

import (
	"encoding/json"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestDoctor: this machine can run what the tests run, and what is in trouble is said with what to do.
func TestDoctor(t *testing.T) {
	t.Parallel()
	o := prepare(t, nil, "doctor", "--python", testkit.Python(t), "-w", "1", "-o", t.TempDir()).run()
	for _, item := range []string{"Python", "memory", "shared memory", "removed segments", "run-time folder", "output speed", "clock"} {
		if !strings.Contains(o.stdout, " "+item+" ") {
			t.Errorf("%s is missing", item)
		}
	}
	if !strings.Contains(o.stdout, "with NumPy") || o.code > 1 {
		t.Errorf("exit code %d\n%s%s", o.code, o.stdout, o.stderr)
	}
	var report struct {
		Version  string
		Worst    string
		Findings []struct{ Item, Status, Says, Fix string }
	}
	o = prepare(t, nil, "doctor", "--json", "--python", "/nowhere/python").run().wants(t, 1)
	if err := json.Unmarshal([]byte(o.stdout), &report); err != nil {
		t.Fatalf("%v\n%s", err, o.stdout)
	}
	found, roots := "", 0
	for _, f := range report.Findings {
		if f.Item == "Python" {
			found = f.Status + ": " + f.Says
		}
		if strings.Contains(f.Says, "as root") {
			roots++
		}
	}
	if !strings.HasPrefix(found, "trouble: Python interpreter /nowhere/python: there is no such program") || report.Worst != "trouble" || roots > 1 {
		t.Errorf("%s\n%s", found, o.stdout)
	}
}

// TestDoctorFindsTheLimit: under a limit that a run does not survive.
func TestDoctorFindsTheLimit(t *testing.T) {
	t.Parallel()
	wrapper := []string{"prlimit", "--nofile=60"}
	o := prepare(t, wrapper, "doctor", "--python", testkit.Python(t), "-w", "4").run().wants(t, 1)
	if !strings.Contains(o.stdout, "60 files may be open, and a run with 4 workers needs up to 72") {
		t.Errorf("%s", o.stdout)
	}
}
