package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

var watchedAt = regexp.MustCompile(`(http://127\.0\.0\.1:[0-9]+)/\?token=([A-Za-z0-9_-]+)`)

// status is what the test reads of the JSON.
type status struct {
	PID       int
	Partition string
	Script    string
	State     string
	Events    struct{ Received, Recorded int64 }
	Settings  struct{ Parameters, Generation, Applied, Refused int64 }
	Workers   []struct {
		Number   int
		PID      int
		Resident int64 `json:"resident_bytes"`
		Share    int64 `json:"proportional_bytes"`
	}
}

// beside runs another command of the program in the same run-time folder.
func (v *invocation) beside(args ...string) outcome {
	v.t.Helper()
	other := prepare(v.t, nil, args...)
	other.Cmd.Env = append(other.Cmd.Env, "XDG_RUNTIME_DIR="+v.RunDir)
	other.Start()
	other.WaitFor(testkit.Patience)
	return outcome{code: other.Cmd.ProcessState.ExitCode(), stdout: other.Stdout.String(), stderr: other.Stderr.String()}
}

// enabled waits until events come, and gives the status then.
func (v *invocation) enabled() (s status) {
	v.t.Helper()
	if !testkit.Within(testkit.Patience, func() bool {
		var all []status
		o := v.beside("status", "--json", "--pid", strconv.Itoa(v.PID()))
		if o.code != 0 || json.Unmarshal([]byte(o.stdout), &all) != nil || len(all) != 1 {
			return v.Over()
		}
		s = all[0]
		return s.State == "enabled" && s.Events.Received > 100
	}) || v.Over() {
		v.t.Fatalf("no event has come: %+v\n%s", s, v.LastWords())
	}
	return s
}

// TestARunIsWatched from its start to its end, by all who may.
func TestARunIsWatched(t *testing.T) {
	t.Parallel()
	v := pipeline(t, "-s", smallSim+",events=0", "--rate", "2000", "-w", "2", "--partition", "tst", "--http", "127.0.0.1:0", "-p",
		bundled("passthrough.py")).start()
	s := v.enabled()
	if s.PID != v.PID() || s.Partition != "tst" || s.Script != "passthrough.py" || len(s.Workers) != 2 {
		t.Errorf("%+v", s)
	}
	for _, w := range s.Workers {
		line := testkit.CommandLine(w.PID)
		if !strings.HasPrefix(line, "drp worker "+strconv.Itoa(w.Number)+" ") || !strings.Contains(line, " passthrough.py") {
			t.Errorf("worker %d, process %d, is called %q", w.Number, w.PID, line)
		}
		if w.Resident < 1e6 || w.Share < 1e6 || w.Share > w.Resident {
			t.Errorf("memory: %+v", w)
		}
	}
	m := watchedAt.FindStringSubmatch(v.Stderr.String())
	if m == nil {
		t.Fatalf("no address is printed:\n%s", v.Stderr.String())
	}
	code, text := testkit.Ask(t, http.MethodGet, m[1]+"/metrics", m[2], "")
	if code != http.StatusOK || !strings.Contains(text, `drp_worker_state{partition="tst",worker="1",state="idle"}`) ||
		!regexp.MustCompile(`drp_stage_seconds_count\{partition="tst",stage="total"\} [1-9]`).MatchString(text) {
		t.Errorf("%d: %s", code, text)
	}
	if code, text = testkit.Ask(t, http.MethodGet, m[1]+"/metrics", "x", ""); code != http.StatusUnauthorized {
		t.Errorf("%d: %s", code, text)
	}
	for _, o := range []outcome{v.beside("status", "--partition", "tst"), v.beside("status", m[0]), v.beside("top", "--count", "2", "--every", "200ms")} {
		if o.wants(t, 0); !strings.Contains(o.stdout, "of partition tst: ") || !strings.Contains(o.stdout, "passthrough.py on ") {
			t.Errorf("it shows\n%s", o.stdout)
		}
	}
	v.beside("status", "--partition", "other").wants(t, 1, `no run of this user of the partition "other" is going on`, "--partition tst")
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130)
	if left, _ := filepath.Glob(filepath.Join(v.RunDir, "drp", "*-*")); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	v.beside("status").wants(t, 1, "no run of this user is going on")
}

// TestTwoRunsAreToldApart, and what a killed one left is removed by the next.
func TestTwoRunsAreToldApart(t *testing.T) {
	t.Parallel()
	first := pipeline(t, "-s", smallSim+",events=0", "--rate", "2000", "-w", "1", "-p", bundled("passthrough.py")).start()
	first.enabled()
	second := pipeline(t, "-s", smallSim+",events=0", "--rate", "2000", "-w", "1", "-p", bundled("sumimage.py"))
	second.Cmd.Env = append(second.Cmd.Env, "XDG_RUNTIME_DIR="+first.RunDir)
	second.start()
	second.RunDir = first.RunDir
	second.enabled()
	first.beside("set", "a=1").wants(t, 2, "several runs go on: say which one", "--pid "+strconv.Itoa(first.PID()), "sumimage.py on ")
	if o := first.beside("top", "--count", "1").wants(t, 0); !strings.Contains(o.stdout, "passthrough.py on ") || !strings.Contains(o.stdout, "sumimage.py on ") {
		t.Errorf("top shows\n%s", o.stdout)
	}
	first.beside("set", "--partition", "nope", "a=1").wants(t, 1, `of the partition "nope" is going on`, "--pid "+strconv.Itoa(second.PID()))
	if o := first.beside("status"); strings.Count(o.stdout, "received ") != 2 {
		t.Errorf("not both are shown:\n%s", o.stdout)
	}
	for _, v := range []*invocation{first, second} {
		if err := v.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-v.Done
		v.NothingLeft()
	}
	sockets := func() []string {
		found, _ := filepath.Glob(filepath.Join(first.RunDir, "drp", "*", "status.sock"))
		return found
	}
	if len(sockets()) != 2 {
		t.Errorf("sockets of the killed: %v", sockets())
	}
	first.beside("status").wants(t, 1, "no run of this user is going on")
	third := pipeline(t, "-s", smallSim+",events=10", "-w", "1", "-p", bundled("passthrough.py"))
	third.Cmd.Env = append(third.Cmd.Env, "XDG_RUNTIME_DIR="+first.RunDir)
	third.run().wants(t, 0)
	if len(sockets()) != 0 {
		t.Errorf("left after the next run: %v", sockets())
	}
}

// TestWhatCannotBeWatched is said before the run begins, and what a run can do without is no reason not to begin.
func TestWhatCannotBeWatched(t *testing.T) {
	t.Parallel()
	sim := []string{"-s", smallSim + ",events=10", "-w", "1", "-p", bundled("passthrough.py")}
	open := filepath.Join(t.TempDir(), "token")
	testkit.WriteFile(t, open, "a token that all can read")
	if err := os.Chmod(open, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		args []string
		code int
		want string
	}{
		{[]string{"--http", "8080"}, 2, `--http "8080": give HOST:PORT`},
		{[]string{"--http", "192.0.2.1:80"}, 3, "--http: watch: 192.0.2.1:80: cannot assign requested address"},
		{[]string{"--http", "127.0.0.1:0", "--http-token-file", open}, 3, "others can read it"},
		{[]string{"--http", "0.0.0.0:0"}, 0, "other machines can connect to"},
	} {
		t.Run(strings.Join(tt.args[:2], " "), func(t *testing.T) {
			pipeline(t, append(append([]string{}, tt.args...), sim...)...).run().wants(t, tt.code, tt.want)
		})
	}
	v := pipeline(t, sim...)
	deep := filepath.Join(v.RunDir, strings.Repeat("d", 100))
	v.Cmd.Env = append(v.Cmd.Env, "XDG_RUNTIME_DIR="+deep)
	v.run().wants(t, 0, "drp status and drp top will not find this run", "set XDG_RUNTIME_DIR to a shorter folder")
	v.beside("status", "ftp://x").wants(t, 2, "is no address as drp prints it")
}
