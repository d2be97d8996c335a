package main

import (
	"bufio"
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"drp/control"
	"drp/internal/testkit"
)

// TestControlSaysWhatToDo has one sentence and the exit code for what cannot be meant.
func TestControlSaysWhatToDo(t *testing.T) {
	noEnvironment(t)
	testkit.RuntimeFolder(t)
	dir := t.TempDir()
	script := write(t, dir+"/s.py", "import drp\n")
	for _, test := range []struct {
		name string
		args []string
		code int
		want string
	}{
		{"no partition", []string{"control"}, 2, "no partition: give its name with --partition"},
		{"a path as partition", []string{"control", "--partition", "../x"}, 2, `partition "../x": give up to 64 letters`},
		{"open to others", []string{"control", "--partition", "p", "--listen", "tcp://0.0.0.0:0"}, 2, "others could reach it: give --token-file"},
		{"no endpoint", []string{"control", "--partition", "p", "--listen", "5700"}, 2, `--listen: "5700" is no endpoint`},
		{"twice the same process", []string{"control", "--partition", "p", "--processes", "a,a", "--journal", dir + "/j"}, 2, `process "a": each has a name of its own`},
		{"no journal", []string{"control", "--partition", "p", "--journal", script}, 3, "it is no journal of run control: choose another file"},
		{"nobody here", []string{"ctl", "status"}, 3, "this user has no run control on this machine: start one with drp up or drp control"},
		{"nobody there", []string{"ctl", "status", "--control", "http://127.0.0.1:1"}, 3, "run control at http://127.0.0.1:1: dial tcp 127.0.0.1:1: connect: connection refused"},
		{"no address", []string{"ctl", "status", "--control", "daq"}, 2, `"daq" is no address of run control: give http://HOST:PORT, or ipc://`},
		{"no state", []string{"ctl", "state", "happy", "--partition", "p"}, 2, `there is no state "happy": there are unconfigured, configured, running, in-step, enabled`},
		{"no verb", []string{"ctl", "dance"}, 2, `ctl has no verb "dance"; drp ctl --help lists them`},
		{"nobody to drop", []string{"ctl", "drop"}, 2, "ctl drop takes NAME [PARTITION], and 0 words are given"},
		{"a process without a name", []string{"-p", script, "--control", "http://127.0.0.1:1"}, 2, "this process needs a name there: give --process NAME"},
		{"a name without control", []string{"-p", script, "--process", "a"}, 2, "--process is the name at run control: give --control, too"},
		{"events and control", []string{"-p", script, "--process", "a", "--control", "http://127.0.0.1:1", "--events", "5"}, 2, "run control says when a run ends"},
		{"a run and control", []string{"-p", script, "--process", "a", "--control", "http://127.0.0.1:1", "--run", "5"}, 2, "run control gives runs their numbers"},
		{"no deadline", []string{"ctl", "configure", "--partition", "p", "--deadline", "0s"}, 2, "--deadline 0s: give a time above 0"},
		{"a partition twice", []string{"ctl", "status", "p", "--partition", "q"}, 2, "the partition is p, and --partition says q: give one of them"},
		{"one that is not there", []string{"ctl", "state", "enabled", "p"}, 3, "control/p"},
		{"a name that cannot be", []string{"ctl", "status", "p/q"}, 2, `partition "p/q": give up to 64 letters`},
		{"too many words", []string{"ctl", "drop", "a", "b", "c"}, 2, "ctl drop takes NAME [PARTITION], and 3 words are given"},
		{"down by flag", []string{"down", "--partition", "nope"}, 3, "partition nope is not up: drp up has started nothing of it"},
		{"down twice", []string{"down", "nope", "--partition", "other"}, 2, "the partition is nope, and --partition says other: give one of them"},
		{"down of no name", []string{"down", "--partition", "a/b"}, 2, `partition "a/b": give up to 64 letters`},
		{"another is down", []string{"down", "nope"}, 3, "partition nope is not up: drp up has started nothing of it"},
		{"nothing up", []string{"down"}, 3, "no partition is up"},
		{"no file", []string{"up", dir + "/none.yaml"}, 3, "no such file"},
	} {
		t.Run(test.name, func(t *testing.T) {
			code, _, errs := command(t, test.args...)
			if last := errs[strings.LastIndex(strings.TrimSpace(errs), "\n")+1:]; code != test.code || !strings.Contains(last, test.want) {
				t.Errorf("exit code %d, want %d: %s, want %q", code, test.code, errs, test.want)
			}
		})
	}
}

// TestPartitionFiles: what is wrong in one is said with its line.
func TestPartitionFiles(t *testing.T) {
	noEnvironment(t)
	testkit.RuntimeFolder(t)
	const head, one = "partition: p\nfolder: out\n", "drp:\n  a: {script: s.py}\n"
	for _, test := range []struct{ name, text, want string }{
		{"nothing", "", "the partition has no name: partition: NAME"},
		{"no folder", "partition: p\n" + one, "there is no folder for logs and the journal"},
		{"no process", head, "there is no process: drp: is a mapping of names to flags"},
		{"another key", head + one + "drb: {}\n", `:5: unknown key "drb": there are partition, folder, control, teb, defaults and drp`},
		{"another flag", head + "drp:\n  a: {script: s.py, worker: 2}\n", `:4: unknown key "worker"; did you mean "workers"?`},
		{"a bad value", head + "drp:\n  a:\n    script: s.py\n    workers: many\n", ":6: workers: invalid argument"},
		{"a flag of ours", head + "drp:\n  a: {contributor: b}\n", ":4: contributor follows from the rest: leave it out"},
		{"a bad default", head + "defaults: {stroam: 1}\n" + one, `:3: unknown key "stroam"; did you mean "stream"?`},
		{"a bad name", head + "drp:\n  ../a: {}\n", `:4: "../a" is no name of a process`},
		{"a reserved name", head + "drp:\n  control: {}\n", `:4: "control" is no name of a process`},
		{"twice a name", head + "teb:\n  a: {trigger: t.yaml}\n" + one, "two processes have the same name"},
		{"events", head + "drp:\n  a: {script: s.py, events: 5}\n", ":4: events: run control says when a run ends: leave it out"},
		{"a file in it", head + "drp:\n  a: {config: x}\n", ":4: config is for the command line alone"},
		{"no script", head + "drp:\n  a: {}\n", ":4: a: script: give it a file: script: FILE"},
		{"no such script", head + one, ":4: a: script: stat s.py: no such file"},
		{"no such rules", head + "teb:\n  t: {trigger: none.yaml}\n" + one, ":4: t: trigger: stat none.yaml: no such file"},
		{"open to others", head + "control: {listen: \"tcp://0.0.0.0:5700\"}\n" + one, ":3: control: --listen tcp://0.0.0.0:5700: others could reach it: give --token-file"},
		{"the same files", head + "defaults: {script: control_test.go, output: x, stream: 3}\ndrp:\n  a: {}\n  b: {}\n", ":6: a and b write the same files: give each another stream"},
		{"a list", head + "drp: [a, b]\n", ":3: a mapping is wanted"},
		{"no YAML", head + "drp: {", "partition.yaml"},
		{"a bad partition", "partition: ../p\nfolder: out\n" + one, `partition "../p": give up to 64 letters`},
	} {
		t.Run(test.name, func(t *testing.T) {
			file := write(t, filepath.Join(t.TempDir(), "partition.yaml"), test.text)
			code, _, errs := command(t, "up", file, "--dry-run")
			if code != 3 || !strings.Contains(errs, test.want) {
				t.Errorf("exit code %d: %s, want %q", code, errs, test.want)
			}
		})
	}
	t.Chdir(t.TempDir())
	write(t, "s.py", "import drp\n")
	write(t, "my rules.yaml", "rules: []\n")
	file := write(t, filepath.Join(t.TempDir(), "partition.yaml"), head+`
control: {listen: "tcp://127.0.0.1:5700"}
teb: {t0: {trigger: "my rules.yaml", listen: "tcp://127.0.0.1:5600"}}
defaults: {script: s.py, workers: 3, stream: 7}
drp:
  a: {workers: 1, source: ["a.xtc2", "b.xtc2"]}
  b:
`)
	code, out, errs := command(t, "up", file, "--dry-run")
	for _, want := range []string{"drp control --listen=tcp://127.0.0.1:5700 --journal=out/journal --processes=t0,a,b --partition=p\n",
		"drp teb '--trigger=my rules.yaml' --listen=tcp://127.0.0.1:5600 --contributors=a,b --process=t0 ",
		"drp --script=s.py --stream=7 --workers=1 --source=a.xtc2 --source=b.xtc2 --teb=tcp://127.0.0.1:5600 --contributor=a ",
		"drp --script=s.py --workers=3 --stream=7 --teb=tcp://127.0.0.1:5600 --contributor=b "} {
		if code != 0 || !strings.Contains(out, want) {
			t.Errorf("exit code %d, %s: %q is not in\n%s", code, errs, want, out)
		}
	}
}

// TestControlListens at its socket without a token, and by TCP with one; both ways lead to the same partition.
func TestControlListens(t *testing.T) {
	if os.Getenv("DRP_TEST_SERVE") != "" {
		os.Exit(execute(strings.Fields(os.Getenv("DRP_TEST_SERVE"))))
	}
	noEnvironment(t)
	testkit.RuntimeFolder(t)
	dir := t.TempDir()
	token := write(t, dir+"/token", "0123456789abcdef\n")
	cmd := exec.Command(os.Args[0], "-test.run=^TestControlListens$")
	cmd.Env = append(os.Environ(), "DRP_TEST_SERVE=control --partition p --listen tcp://127.0.0.1:0 --token-file "+token+" --journal "+dir+"/j")
	out, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Process.Kill() }()
	address := ""
	lines := bufio.NewScanner(out)
	for address == "" && lines.Scan() {
		if _, at, found := strings.Cut(lines.Text(), "http://"); found {
			address = "http://" + at
		}
	}
	if o := ok(t, "ctl", "state"); o != "unconfigured\n" {
		t.Errorf("%q", o)
	}
	code, _, errs := command(t, "ctl", "status", "--control", address)
	if code != 3 || !strings.Contains(errs, "$DRP_CONTROL_TOKEN") && !strings.Contains(errs, "set DRP_CONTROL_TOKEN") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	t.Setenv(controlToken, "0123456789abcdef")
	var s control.Status
	if err := json.Unmarshal([]byte(ok(t, "ctl", "status", "--json", "--control", address)), &s); err != nil || s.Partition != "p" {
		t.Errorf("%v, %+v", err, s)
	}
	code, _, errs = command(t, "ctl", "configure")
	if code != 1 || !strings.Contains(errs, "configure: no process is there: start some with --control") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	ok(t, "ctl", "shutdown")
	http.DefaultClient.CloseIdleConnections()
	if err := cmd.Wait(); err != nil {
		t.Errorf("run control ends with %v", err)
	}
}
