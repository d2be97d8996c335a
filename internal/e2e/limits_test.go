package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
)

const few = smallSim + ",events=200"

// limited makes a run under a limit of the shell's ulimit ready.
func limited(t *testing.T, limit string, args ...string) *invocation {
	t.Helper()
	v := pipeline(t, append([]string{"-w", "2", "--slots", "32"}, args...)...)
	v.Cmd.Args = append([]string{"bash", "-c", "ulimit " + limit + `; exec "$0" "$@"`}, v.Cmd.Args...)
	v.Cmd.Path = "/bin/bash"
	return v
}

// TestFewOpenFiles: with too few a run does not begin, and says what it ran out of and what to do; with enough it is as
// any other. In between there is nothing: no half run, no hang, nothing left.
func TestFewOpenFiles(t *testing.T) {
	t.Parallel()
	for _, n := range []int{5, 6, 12, 16, 20, 24, 40, 64} {
		t.Run(fmt.Sprint(n), func(t *testing.T) {
			dir := t.TempDir()
			o := limited(t, fmt.Sprintf("-n %d", n), "-s", few, "-p", bundled("passthrough.py"), "-o", dir).run()
			if o.code == 0 {
				if b := o.balanced(t); b.Recorded != 200 {
					t.Errorf("%+v", b)
				}
				return
			}
			if n >= 40 {
				t.Errorf("two workers need more than %d files:\n%s", n, o.stderr)
			}
			if n < 16 { // not even the runtime can be relied on
				o.wants(t, 3, fmt.Sprintf("drp: no more than %d files may be open: raise the limit (ulimit -n) to 16", n))
				return
			}
			if !strings.Contains(o.stderr, fmt.Sprintf("WRN %d files may be open, and a run with 2 workers needs up to 56", n)) {
				t.Errorf("nothing is said beforehand:\n%s", o.stderr)
			}
			said := strings.Contains(o.stderr, "too many open files") &&
				strings.Contains(o.stderr, fmt.Sprintf("no more than %d files may be open: raise the limit", n))
			if !said || o.code != 1 && o.code != 3 {
				t.Errorf("exit code %d:\n%s", o.code, o.stderr)
			}
			if files := testkit.FilesIn(dir); len(files) > 0 {
				t.Errorf("left: %v", files)
			}
		})
	}
}

// TestFewThreads: where the Go runtime would abort, a run does not begin, and says why. The limit does not hold for root.
func TestFewThreads(t *testing.T) {
	t.Parallel()
	wrapper := []string{"prlimit", "--nproc=14"}
	if os.Geteuid() == 0 {
		wrapper = append([]string{"setpriv", "--reuid=54322", "--regid=54322", "--clear-groups"}, wrapper...)
		if err := os.Chmod(filepath.Dir(filepath.Dir(program)), 0o755); err != nil { // it is run as another user
			t.Fatal(err)
		}
	}
	if _, err := exec.LookPath(wrapper[0]); err != nil {
		t.Skipf("no limit can be set: %v", err)
	}
	v := prepare(t, wrapper, "-w", "2", "-p", "script.py")
	v.run().wants(t, 3, "drp: this user may have 14 processes and threads and has ", "a run with 2 workers needs up to 20: end what is not "+
		"needed, or raise the limit")
}

// TestFewOpenFilesLater: a run that began with little room replaces children and changes files all the same.
func TestFewOpenFilesLater(t *testing.T) {
	t.Parallel()
	dying := testkit.Script(t, looping("", "if n % 50 == 3: os._exit(1)"))
	for name, args := range map[string][]string{
		"children die": {"-s", few, "-p", dying},
		"many runs":    {"-s", smallSim + ",runs=20,events=10", "-p", bundled("passthrough.py")},
	} {
		t.Run(name, func(t *testing.T) {
			o := limited(t, "-n 40", append(args, "-o", t.TempDir())...).run().wants(t, 0)
			if b := o.balanced(t); b.Recorded+b.Quarantined != b.Received || b.Received < 100 {
				t.Errorf("%+v", b)
			}
		})
	}
}

// TestAScriptUsesItsFilesUp: the events of its worker fail, those of the other and all raw data do not, and the run goes on.
func TestAScriptUsesItsFilesUp(t *testing.T) {
	t.Parallel()
	text := looping("", `if n > 3 and drp_info.worker_num == 1:
    keep = [os.open("/dev/null", 0) for _ in range(100000)]`)
	o := limited(t, "-n 64", "-s", few, "-p", testkit.Script(t, text), "-o", t.TempDir()).run().wants(t, 0, "Too many open files")
	if b := o.balanced(t); b.Recorded != 200 || b.Damaged == 0 || b.Damaged == 200 {
		t.Errorf("%+v", b)
	}
}

// plain is the program without the race detector, which takes more addresses than a limit would leave.
func plain(t *testing.T) string {
	t.Helper()
	if !testkit.RaceDetector {
		return program
	}
	path := filepath.Join(t.TempDir(), "drp")
	build := exec.Command("go", "build", "-o", path, "./cmd/drp")
	build.Dir = testkit.Root()
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// TestLittleMemory: a segment that cannot be attached ends the start with a sentence, and no segment is left.
func TestLittleMemory(t *testing.T) {
	t.Parallel()
	binary := plain(t)
	v := limited(t, "-v 2000000", "-s", few, "-p", bundled("passthrough.py"), "-o", t.TempDir())
	for i, word := range v.Cmd.Args {
		if word == program {
			v.Cmd.Args[i] = binary
		}
	}
	v.run().wants(t, 3, "attach segment", "cannot allocate memory", "ulimit -v")
}

// TestTheInterpreterHasLittle: a child that cannot start says so, whatever it lacks, and the run does not begin.
func TestTheInterpreterHasLittle(t *testing.T) {
	t.Parallel()
	for _, limit := range []string{"-v 30000", "-n 4"} {
		t.Run(limit, func(t *testing.T) {
			wrapper := filepath.Join(t.TempDir(), "python")
			text := fmt.Sprintf("#!/bin/bash\nulimit %s\nexec %s \"$@\"\n", limit, testkit.Python(t))
			testkit.WriteFile(t, wrapper, text)
			if err := exec.Command("chmod", "700", wrapper).Run(); err != nil {
				t.Fatal(err)
			}
			o := limited(t, "-n 1024", "-s", few, "--python", wrapper, "-p", bundled("passthrough.py")).run()
			if o.code != 3 || !strings.HasPrefix(lastLine(o.stderr), "drp: ") {
				t.Errorf("exit code %d:\n%s", o.code, o.stderr)
			}
		})
	}
}
