package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
)

const reloaded = `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="out", fields={"text": (np.uint32, 0)})
for run in ds.runs():
    for evt in run.events():
        out.text = TEXT
        evt.add(out)
`

// TestReloadOnRequest: a run takes another text of its script when somebody asks, and not one that cannot work.
func TestReloadOnRequest(t *testing.T) {
	t.Parallel()
	script := testkit.Script(t, strings.ReplaceAll(reloaded, "TEXT", "1"))
	dir := t.TempDir()
	v := pipeline(t, "-s", smallSim+",events=0", "--rate", "2000", "-w", "2", "-o", dir, "--http", "127.0.0.1:0", "-p", script).start()
	v.enabled()
	if o := v.beside("reload").wants(t, 0); !strings.Contains(o.stdout, "in use") {
		t.Errorf("it says %s", o.stdout)
	}
	testkit.WriteFile(t, script, "for:\n")
	v.beside("reload", "--now").wants(t, 5, "line 1", "SyntaxError")
	testkit.WriteFile(t, script, strings.ReplaceAll(reloaded, "TEXT", "no_such_name"))
	v.beside("reload", "--now").wants(t, 5, "it fails on event ", "NameError", ":7")
	m := watchedAt.FindStringSubmatch(v.Stderr.String())
	v.beside("reload", m[0]).wants(t, 1, "this token is for watching")
	testkit.WriteFile(t, script, strings.ReplaceAll(reloaded, "TEXT", "2"))
	if o := v.beside("reload", "--now", "--wait"); o.code != 0 || !regexp.MustCompile(
		`^SHA-256 [0-9a-f]{64}: taken before the next event, tried up to event \d+ .*, and not at its ends \(--ends\)\nin use, generation 2\n$`).MatchString(o.stdout) {
		t.Errorf("%d, %s%s", o.code, o.stdout, o.stderr)
	}
	testkit.WriteFile(t, script, strings.ReplaceAll(reloaded, "TEXT", "2")+"1 / 0\n")
	v.beside("reload", "--ends").wants(t, 5, "it fails at Unconfigure", "ZeroDivisionError", ":9")
	once := filepath.Join(t.TempDir(), "once")
	testkit.WriteFile(t, script, "open('"+once+"', 'x')\n"+strings.ReplaceAll(reloaded, "TEXT", "2"))
	v.beside("reload", "--now", "--wait").wants(t, 5, "the trial went well, but a worker's new process cannot begin", "FileExistsError")
	twice := strings.Replace(reloaded, "run in ds.runs():\n", "run in ds.runs():\n    open('"+once+".run', 'x')\n", 1)
	testkit.WriteFile(t, script, strings.ReplaceAll(twice, "TEXT", "2"))
	v.beside("reload", "--now", "--wait").wants(t, 5, "a worker's new process cannot begin", "FileExistsError")
	if o := v.beside("status").wants(t, 0); !strings.Contains(o.stdout, "text 2 of the script, SHA-256 ") ||
		!strings.Contains(o.stdout, "the last one asked for is not used: script "+script) {
		t.Errorf("the status is\n%s", o.stdout)
	}
	testkit.WriteFile(t, script, strings.ReplaceAll(reloaded, "TEXT", "3"))
	signal(t, v, syscall.SIGUSR1)
	var all []struct {
		Loaded struct {
			Generation int
			Next       struct{ State string }
		}
	}
	if !testkit.Within(testkit.Patience, func() bool {
		o := v.beside("status", "--json")
		return o.code == 0 && json.Unmarshal([]byte(o.stdout), &all) == nil && all[0].Loaded.Next.State == "taken at the next step"
	}) || all[0].Loaded.Generation != 2 {
		t.Errorf("after the signal: %+v\n%s", all, v.LastWords())
	}
	signal(t, v, syscall.SIGUSR1)
	v.Says("SIGUSR1: the text of the script is the same, SHA-256 ")
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130)
	files, err := filepath.Glob(filepath.Join(dir, "*.xtc2"))
	if err != nil || len(files) != 1 {
		t.Fatalf("%v, %v", files, err)
	}
	if o := prepare(t, nil, "xtc", "check", files[0]).run().wants(t, 0); strings.Contains(o.stdout, "while not enabled") {
		t.Errorf("a Disable for a text that was not taken has no Enable:\n%s", o.stdout)
	}
	if _, err := os.Stat(filepath.Join(dir, "quarantine")); err == nil {
		t.Error("something was quarantined")
	}
}
