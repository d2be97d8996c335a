package e2e

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// trialScript runs body for each event, with the result out and the camera's frame raw.
func trialScript(t *testing.T, body string) string {
	t.Helper()
	return testkit.Script(t, looping(`out = ds.add_detector("cam", alg="fex", fields={"n": (np.uint32, 0),
    "a": (np.float32, 2), "note": (str, 1)})`, body))
}

const addAll = `out.n, out.a, out.note = 7, raw[0].astype(np.float32), "hel\x1blo"
evt.add(out)
evt.remove("cam", "raw")
evt.trigger(sum=2.5)`

// oneEvent is a file with a single event, as a quarantined one is.
func oneEvent(t *testing.T) string {
	t.Helper()
	run := testkit.Camera{}.Run(3)
	all := append(append([]xtc.Dgram{}, run[:4]...), run[5])
	for i, s := range []xtc.TransitionID{xtc.Disable, xtc.EndStep, xtc.EndRun} {
		all = append(all, testkit.Plain(s, run[5].Time()+uint64(i)+1))
	}
	return testkit.File(t, all...)
}

// trialRun runs the verb with the interpreter of the tests.
func trialRun(t *testing.T, args ...string) outcome {
	t.Helper()
	return prepare(t, nil, append([]string{"test", "--python", testkit.Python(t)}, args...)...).run()
}

func (o outcome) prints(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		words := strings.Fields(line)
		found := false
		for printed := range strings.Lines(o.stdout) {
			found = found || strings.Join(strings.Fields(printed), " ") == strings.Join(words, " ")
		}
		if !found {
			t.Errorf("%q is not printed:\n%s", line, o.stdout)
		}
	}
}

func TestTrialThatPasses(t *testing.T) {
	t.Parallel()
	file := oneEvent(t)
	o := trialRun(t, trialScript(t, addAll), "--event", file).wants(t, 0)
	o.prints(t, "event 0, time 0.000000102, "+eventBytes(t, file)+" bytes: script.py",
		"+ cam fex n uint32 7", "+ cam fex a float32 4 x 6 min 7 max 312 mean 159.5", `+ cam fex note str 'hel\x1blo'`,
		"+ trigger input sum float64 2.5", "- cam raw 2 segments", "damage: none")
	trialRun(t, trialScript(t, "if drp_info.trial: evt.reject()"), "--event", file).wants(t, 0).prints(t, "rejected: the event is not recorded")
	trialRun(t, trialScript(t, "pass"), "--event", file).wants(t, 0).prints(t, "the script adds and removes nothing")
}

func eventBytes(t *testing.T, file string) string {
	t.Helper()
	for _, d := range testkit.Dgrams(t, file) {
		if d.Service().IsEvent() {
			text, _ := json.Marshal(len(d))
			return string(text)
		}
	}
	return ""
}

func TestTrialThatFails(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, body string
		args       []string
		want       []string
	}{
		{"raises", `raise ValueError("too bright")`, nil, []string{"ValueError: too bright", "script.py\", line ", "failed at L1Accept"}},
		{"leaves", `sys.exit()`, nil, []string{"ScriptEnded", "failed at L1Accept"}},
		{"aborts", `os.abort()`, nil, []string{"Fatal Python error: Aborted", "script.py\", line ", "signal: aborted"}},
		{"reads at 0", `import ctypes; ctypes.string_at(0)`, nil, []string{"Segmentation fault", "script.py\", line ", "signal: segmentation fault"}},
		{"exits", `os._exit(0)`, nil, []string{"exit status 0", "before it was through"}},
		{"hangs", `subprocess.Popen(["sleep", "1000"]); time.sleep(1000)`, []string{"--deadline", testkit.Deadline(t, 3*time.Second).String()},
			[]string{"the script hangs", "script.py\", line "}},
		{"hangs and holds on", `signal.signal(signal.SIGTERM, signal.SIG_IGN); sum(iter(int, 1))`, []string{"--deadline", testkit.Deadline(t, 3*time.Second).String()},
			[]string{"the script hangs"}},
		{"starts others", `subprocess.Popen(["sleep", "1000"]); raise ValueError("too bright")`, nil, []string{"ValueError: too bright"}},
		{"has a thread", "import threading; threading.Thread(target=time.sleep, args=(1000,)).start(); 1 / 0", nil,
			[]string{"ZeroDivisionError"}},
		{"wants a debugger", `breakpoint()`, nil, []string{"drp test --pdb"}},
	}
	file := oneEvent(t)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			code := 5
			if tt.name == "wants a debugger" {
				code = 1
			}
			trialRun(t, append([]string{trialScript(t, tt.body), "--event", file}, tt.args...)...).wants(t, code, tt.want...)
		})
	}
	t.Run("at Configure", func(t *testing.T) {
		trialRun(t, testkit.Script(t, "import nothing_of_this_name\n"), "--event", file).
			wants(t, 5, "ModuleNotFoundError", "failed at Configure")
	})
	t.Run("at EndRun", func(t *testing.T) {
		trialRun(t, testkit.Script(t, looping("", "pass")+"    1 / 0\n"), "--event", file).
			wants(t, 5, "ZeroDivisionError", "failed at EndRun").prints(t, "the script adds and removes nothing")
	})
	t.Run("in the short form", func(t *testing.T) {
		trialRun(t, testkit.Script(t, "import drp, numpy as np\n@drp.fex(fields={'n': (int, 0)})\ndef f(evt, raw): 1 / 0\n"),
			"--event", file).wants(t, 5, "ZeroDivisionError", "failed at L1Accept").prints(t, "damage: UserDefined")
	})
}

func TestTrialChoosesAnEvent(t *testing.T) {
	t.Parallel()
	file := testkit.File(t, testkit.Camera{}.Run(5)...)
	script := trialScript(t, `print("arguments", sys.argv[1:], raw[0, 0, 0])`)
	trialRun(t, script, "1", "two words", "--event", file, "--event-number", "3").wants(t, 0).
		prints(t, "arguments ['1', 'two words'] 21")
	trialRun(t, "--event", file, "--time", "0x68", "--", script, "-v").wants(t, 0).prints(t, "arguments ['-v'] 21")
	trialRun(t, script, "--event", file, "--time", "0.000000105").wants(t, 0).prints(t, "arguments [] 28")
	for _, tt := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"which one", []string{script, "--event", file}, 2, "more than one event"},
		{"both", []string{script, "--event", file, "--time", "5", "--event-number", "5"}, 2, "choose one event"},
		{"no time", []string{script, "--event", file, "--time", "noon"}, 2, "seconds.nanoseconds"},
		{"short time", []string{script, "--event", file, "--time", "0.5"}, 2, "9 digits"},
		{"not there", []string{script, "--event", file, "--event-number", "5"}, 4, "no such event"},
		{"no event", []string{script}, 2, "--event"},
		{"no file", []string{script, "--event", file + "x"}, 4, "no such file"},
		{"no XTC2", []string{script, "--event", script}, 4, "script.py"},
		{"no script", []string{"--event", file, "--event-number", "3"}, 2, "no report beside"},
		{"no such script", []string{script + "x", "--event", file, "--event-number", "3"}, 5, "no such file"},
		{"no interpreter", []string{script, "--event", file, "--event-number", "3", "--python", "/nowhere/python"}, 3, "/nowhere/python"},
		{"no Python", []string{script, "--event", file, "--event-number", "3", "--python", "/bin/false"}, 3, "/bin/false"},
		{"no deadline", []string{script, "--event", file, "--deadline", "0s"}, 2, "--deadline"},
	} {
		t.Run(tt.name, func(t *testing.T) { trialRun(t, tt.args...).wants(t, tt.code, tt.want) })
	}
}

// TestTrialOfQuarantined: script, arguments and detector come from the report; a script that has changed is no secret.
func TestTrialOfQuarantined(t *testing.T) {
	t.Parallel()
	file := oneEvent(t)
	script := trialScript(t, `print("arguments", sys.argv[1:], ds.camera)`)
	text, err := os.ReadFile(script)
	if err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(text)
	report, err := json.Marshal(map[string]any{"version": 1, "event": 17, "script": script, "args": []string{"a b", "-v"},
		"script_sha256": hex.EncodeToString(sum[:]), "detector": "cam"})
	if err != nil {
		t.Fatal(err)
	}
	testkit.WriteFile(t, strings.TrimSuffix(file, ".xtc2")+".json", string(report))
	o := trialRun(t, "--event", file).wants(t, 0)
	o.prints(t, "arguments ['a b', '-v'] cam")
	if !strings.HasPrefix(o.stdout, "event 17, ") || strings.Contains(o.stderr, "changed") {
		t.Errorf("%s%s", o.stdout, o.stderr)
	}
	testkit.WriteFile(t, script, string(text)+"\n")
	trialRun(t, "--event", file).wants(t, 0, "has changed since")
	if o := trialRun(t, script, "--event", file).wants(t, 0); strings.Contains(o.stderr, "changed") {
		t.Error(o.stderr)
	}
	testkit.WriteFile(t, strings.TrimSuffix(file, ".xtc2")+".json", "{")
	trialRun(t, "--event", file).wants(t, 2, "report")
	trialRun(t, script, "--event", file).wants(t, 0)
}

// TestTrialInTheDebugger: commands come from the standard input.
func TestTrialInTheDebugger(t *testing.T) {
	t.Parallel()
	file := oneEvent(t)
	tests := []struct {
		name, body, commands string
		code                 int
		want                 []string
	}{
		{"post mortem", "secret = 6 * 7\nraise ValueError(secret)", "p 'it is', secret\nq\n", 5, []string{"ValueError", "('it is', 42)"}},
		{"in a library", "secret = 6 * 7\nnp.zeros(3).reshape(4)", "p 'it is', secret\nq\n", 5, []string{"ValueError", "('it is', 42)"}},
		{"breakpoint", "secret = 6 * 7\nbreakpoint()\nsecret = 1", "p 'it is', secret\nc\n", 0, []string{"('it is', 42)"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			v := prepare(t, nil, "test", "--python", testkit.Python(t), "--pdb", trialScript(t, tt.body), "--event", file)
			v.Cmd.Stdin = strings.NewReader(tt.commands)
			o := v.run()
			if o.code != tt.code {
				t.Errorf("exit code %d, want %d", o.code, tt.code)
			}
			for _, want := range tt.want {
				if !strings.Contains(o.stdout+o.stderr, want) {
					t.Errorf("%q is not said:\n%s%s", want, o.stdout, o.stderr)
				}
			}
		})
	}
}

func TestTrialIsInterrupted(t *testing.T) {
	t.Parallel()
	up := filepath.Join(t.TempDir(), "up")
	script := trialScript(t, "open(sys.argv[1], 'w').close()\ntime.sleep(1000)")
	v := prepare(t, nil, "test", "--python", testkit.Python(t), script, up, "--event", oneEvent(t)).start()
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(up); return err == nil }) {
		t.Fatal("the script does not get there")
	}
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130, "interrupted")
}

// TestTrialFindsHits: with --hits a script sees of an event what it saw in the run, and what was recorded.
func TestTrialFindsHits(t *testing.T) {
	t.Parallel()
	const sim, events = "sim:segments=1,bank=8,hits=0.5,slow=0", 4
	script := testkit.Script(t, `
from drp import DataSource
ds = DataSource()
for run in ds.runs():
    for evt in run.events():
        print("seen", evt.is_hit, evt.hits.tobytes().hex()[:4000])
`)
	plain, searched := filepath.Join(t.TempDir(), "plain"), filepath.Join(t.TempDir(), "searched")
	seen := map[string]string{}
	for dir, more := range map[string][]string{plain: nil, searched: {"--hits", "peakfinder8"}} {
		file := pipeline(t, append([]string{"-s", sim, "--events", strconv.Itoa(events), "-w", "1", "-p", bundled("passthrough.py"), "-o", dir}, more...)...).
			run().wants(t, 0).dataFiles(t)[0]
		for event := range events {
			args := []string{script, "--event", file, "--event-number", strconv.Itoa(event)}
			if more == nil {
				args = append(args, "--hits", "peakfinder8", "--calib", sim)
			}
			o := trialRun(t, args...).wants(t, 0)
			for line := range strings.Lines(o.stdout) {
				if strings.HasPrefix(line, "seen ") {
					seen[dir] += line
				}
			}
		}
		if more != nil {
			trialRun(t, script, "--event", file, "--event-number", "0", "--hits", "peakfinder8", "--calib", sim).
				wants(t, 2, "has hits of epixhr already")
		} else {
			trialRun(t, script, "--event", file, "--event-number", "0", "--hits", "peakfinder8", "--calib", "none").
				wants(t, 3, "name a store with --calib")
		}
	}
	if seen[plain] != seen[searched] || strings.Count(seen[plain], "\n") != events || !strings.Contains(seen[plain], "seen True") ||
		!strings.Contains(seen[plain], "seen False") {
		t.Errorf("drp test finds\n%s\nand the run recorded\n%s", seen[plain], seen[searched])
	}
}
