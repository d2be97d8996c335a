package e2e

import (
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"drp/internal/testkit"
)

// TestRunControlRemembersSettings: a process that dies together with run control comes back with what it alone had, and who has not
// what was set last is still named; where all have died, the partition begins anew.
func TestRunControlRemembersSettings(t *testing.T) {
	t.Parallel()
	s := newSite(t, strings.Replace(two, "scripts/passthrough.py", "FOLDER/run.py", 1))
	testkit.WriteFile(t, filepath.Join(s.folder, "run.py"), looping(`threshold = ds.param("threshold", 50, max=100)`, "pass"))
	s.up()
	s.ctl("state", "enabled")
	s.more(20, "x0", "x1")
	s.setForAllIn("x1", "threshold", 60)
	s.do(3, "set", "--pid", strconv.Itoa(s.pid("x1")), "threshold=101")
	behind := func(p processStatus) bool { return p.Trouble == "threshold is 50, and was set to 60 in x1" }
	s.until("x0", "named", behind)
	s.kill("control")
	s.kill("x1")
	s.up()
	s.until("x1", "enabled", func(p processStatus) bool { return p.State == "enabled" && p.Behind == 0 })
	if value, generation := s.parameter("threshold", "x1"); value != 60 || generation != 2 {
		t.Errorf("it has %d of generation %d", value, generation)
	}
	s.until("x0", "named", behind)
	for _, name := range []string{"control", "x0", "x1"} {
		s.kill(name)
	}
	s.up()
	for _, name := range []string{"x0", "x1"} {
		s.until(name, "enabled", func(p processStatus) bool { return p.State == "enabled" && p.Behind == 0 && p.Trouble == "" })
		if value, generation := s.parameter("threshold", name); value != 50 || generation != 1 {
			t.Errorf("%s begins anew with %d of generation %d", name, value, generation)
		}
	}
	s.ctl("state", "unconfigured")
	s.down()
	if left, _ := filepath.Glob(filepath.Join(s.folder, "log", "*.settings*")); len(left) > 0 {
		t.Errorf("it leaves %v", left)
	}
}
