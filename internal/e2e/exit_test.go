package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestExitCodes: one clear sentence, the right exit code, nothing half-written left under a final name.
func TestExitCodes(t *testing.T) {
	t.Parallel()
	pass := bundled("passthrough.py")
	file := testkit.File(t, testkit.Camera{}.Run(3)...)
	folder := t.TempDir()
	yaml := filepath.Join(folder, "drp.yaml")
	testkit.WriteFile(t, yaml, "workers: 2\nworkres: 3\n")
	notYAML := filepath.Join(folder, "not.yaml")
	testkit.WriteFile(t, notYAML, "workers: [1\n")
	bare := filepath.Join(folder, "bare")
	if out, err := exec.Command(testkit.Python(t), "-m", "venv", "--without-pip", bare).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	tests := []struct {
		name string
		args []string
		code int
		want []string
	}{
		{"no script", nil, 2, []string{"no script", "-p"}},
		{"unknown flag", []string{"-p", pass, "--wrokers", "3"}, 2, []string{"unknown flag: --wrokers"}},
		{"no number", []string{"-p", pass, "-w", "many"}, 2, []string{"invalid argument"}},
		{"no workers", []string{"-p", pass, "-w", "0"}, 2, []string{"0 workers: give 1 to 1024"}},
		{"unknown policy", []string{"-p", pass, "--policy", "hope"}, 2, []string{`"hope" for "--policy": give block or drop`}},
		{"missing script", []string{"-p", "nowhere.py 1 2"}, 5, []string{"nowhere.py: there is no such file"}},
		{"missing source", []string{"-p", pass, "-s", "/nowhere/run.xtc2"}, 4, []string{"/nowhere/run.xtc2: no such file"}},
		{"source is no XTC2", []string{"-p", pass, "-s", yaml}, 4, []string{"drp.yaml"}},
		{"bad YAML key", []string{"-p", pass, "--config", yaml}, 3, []string{"drp.yaml:2", `"workres"`, `did you mean "workers"?`}},
		{"bad YAML", []string{"-p", pass, "--config", notYAML}, 3, []string{"not.yaml"}},
		{"missing YAML", []string{"-p", pass, "--config", "/nowhere.yaml"}, 3, []string{"/nowhere.yaml"}},
		{"output below a file", []string{"-p", pass, "-s", file, "-o", yaml + "/out"}, 3, []string{"not a directory"}},
		{"no such interpreter", []string{"-s", smallSim, "-p", pass, "--python", "/nowhere/python"}, 3, []string{"/nowhere/python"}},
		{"interpreter without numpy", []string{"-s", smallSim, "-p", pass, "--python", filepath.Join(bare, "bin", "python3")}, 3,
			[]string{"numpy is missing in", "pip install numpy"}},
		{"event slot too small", []string{"-p", pass, "-s", file, "--buf-bytes", "64"}, 3, []string{"--buf-bytes 64 is too small"}},
		{"unwritable summary", []string{"-p", pass, "-s", file, "--summary", "/nowhere/s.json", "-w", "1"}, 3, []string{"--summary", "/nowhere/s.json"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"--python", testkit.Python(t)}, tt.args...)
			o := prepare(t, nil, args...).run().wants(t, tt.code, tt.want...)
			var sentences int
			for line := range strings.Lines(o.stderr) {
				if strings.HasPrefix(line, "drp: ") {
					sentences++
				}
			}
			if sentences != 1 {
				t.Errorf("%d sentences:\n%s", sentences, o.stderr)
			}
		})
	}
}

// TestAStartThatFailsLeavesNoFolder, neither that for the files nor those above and within.
func TestAStartThatFailsLeavesNoFolder(t *testing.T) {
	t.Parallel()
	for name, args := range map[string][]string{
		"script":  {"-s", smallSim, "-p", testkit.Script(t, "raise RuntimeError")},
		"no loop": {"-s", smallSim, "-p", testkit.Script(t, "import drp")},
		"source":  {"-s", "/nowhere/run.xtc2", "-p", bundled("passthrough.py")},
		"memory":  {"-s", smallSim, "-p", bundled("passthrough.py"), "--buf-bytes", "3GB", "--slots", "1"},
	} {
		t.Run(name, func(t *testing.T) {
			base := t.TempDir()
			o := pipeline(t, append(args, "-w", "1", "-o", filepath.Join(base, "runs", "out"))...).run()
			if o.code < 3 || o.code > 5 {
				t.Errorf("exit code %d:\n%s", o.code, o.stderr)
			}
			if left, err := os.ReadDir(base); err != nil || len(left) > 0 {
				t.Errorf("left: %v, %v", left, err)
			}
		})
	}
}

// TestTruncatedSource: every whole event is recorded, and the file is complete under its final name.
func TestTruncatedSource(t *testing.T) {
	t.Parallel()
	path := testkit.File(t, testkit.Camera{}.Run(10)[:12]...) // eight events
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(path, info.Size()-3); err != nil {
		t.Fatal(err)
	}
	o := pipeline(t, "-s", path, "-w", "2", "-p", bundled("passthrough.py"), "-o", t.TempDir()).run().wants(t, 4, filepath.Base(path))
	if b := o.balanced(t); b.Recorded != 7 || b.Received != 7 {
		t.Errorf("%+v", b)
	}
	whole, _ := os.ReadFile(path)
	got, err := os.ReadFile(o.dataFiles(t)[0])
	if err != nil || len(got) == 0 || !strings.HasPrefix(string(whole), string(got)) {
		t.Errorf("%d bytes were recorded of %d, %v", len(got), len(whole), err)
	}
}

// TestFullDisk stands for whatever keeps a file from growing.
func TestFullDisk(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	v := pipeline(t, "-s", "sim:segments=1,rows=32,cols=32", "--events", "2000", "-w", "2", "-p", bundled("passthrough.py"), "-o", dir)
	v.Cmd.Args = append([]string{"bash", "-c", `ulimit -f 256; exec "$0" "$@"`}, v.Cmd.Args...)
	v.Cmd.Path = "/bin/bash"
	o := v.run().wants(t, 6, "recording stopped: ", "events are counted as failed")
	b := o.balanced(t)
	if b.Failed == 0 || b.Recorded == 0 {
		t.Errorf("%+v", b)
	}
	// What is in the file is whole, and is what the books say.
	all := 0
	for _, path := range b.Files {
		if !strings.Contains(path, ".smd.") {
			all += len(events(t, path))
		}
	}
	if all != b.Recorded {
		t.Errorf("%d events are in the file, %d in the books", all, b.Recorded)
	}
}

func TestTwoRunsIntoOneFolder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	args := []string{"-s", smallSim, "--events", "5", "-w", "1", "-p", bundled("passthrough.py"), "-o", dir}
	o := pipeline(t, args...).run().wants(t, 0)
	before, err := os.ReadFile(o.dataFiles(t)[0])
	if err != nil {
		t.Fatal(err)
	}
	pipeline(t, args...).run().wants(t, 3, "exists already")
	if after, err := os.ReadFile(o.dataFiles(t)[0]); err != nil || string(after) != string(before) {
		t.Errorf("the first run's file changed, %v", err)
	}
	if files := testkit.FilesIn(dir); len(files) != 2 {
		t.Errorf("there are %v", files)
	}
	t.Run("at the same time", func(t *testing.T) {
		dir := t.TempDir()
		first := pipeline(t, "-s", smallSim+",events=0", "--rate", "500", "-w", "1", "-p", bundled("passthrough.py"), "-o", dir).start()
		recording(t, dir)
		pipeline(t, append(args[:len(args)-1:len(args)-1], dir)...).run().wants(t, 3,
			fmt.Sprintf("another drp (pid %d) is writing", first.Cmd.Process.Pid))
		signal(t, first, syscall.SIGTERM)
		first.finish().wants(t, 130)
	})
}

// TestSlowScriptAndDropPolicy: what cannot be kept up with is dropped and counted.
func TestSlowScriptAndDropPolicy(t *testing.T) {
	t.Parallel()
	slow := testkit.Script(t, looping("", "time.sleep(0.005)"))
	args := []string{"-s", smallSim, "--events", "400", "--rate", "2000", "-w", "1", "--slots", "4", "-p", slow, "--policy", "drop"}
	o := pipeline(t, append(args, "-o", t.TempDir())...).run().wants(t, 0, "events are dropped (--policy drop)")
	b := o.balanced(t)
	if b.Received != 400 || b.Dropped == 0 || b.Recorded+b.Dropped != 400 {
		t.Errorf("%+v", b)
	}
	if n := len(events(t, o.dataFiles(t)[0])); n != b.Recorded {
		t.Errorf("%d events are in the file, %d in the books", n, b.Recorded)
	}
	pipeline(t, append(args, "--max-loss", "1")...).run().wants(t, 6, "of 400 events were lost: more than --max-loss 1 %")
}

// TestInterrupt: the run ends in order, with a complete file.
func TestInterrupt(t *testing.T) {
	t.Parallel()
	for _, sig := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		t.Run(sig.String(), func(t *testing.T) {
			dir := t.TempDir()
			v := pipeline(t, "-s", smallSim+",events=0", "--rate", "5000", "-w", "2", "-p", bundled("sumimage.py"), "-o", dir).start()
			recording(t, dir)
			signal(t, v, sig)
			o := v.finish().wants(t, 130, "interrupted: finishing what is under way")
			b := o.balanced(t)
			path := o.dataFiles(t)[0]
			if strings.HasSuffix(path, ".inprogress") || b.Recorded != b.Received || len(events(t, path)) != b.Recorded {
				t.Errorf("%s with %d events, %+v", path, len(events(t, path)), b)
			}
			report, err := xtc.Check(path, xtc.CheckOptions{})
			if err != nil || len(report.Warnings) > 0 {
				t.Errorf("%v, %v", err, report.Warnings)
			}
			for _, s := range []string{"Disable", "EndStep", "EndRun"} {
				if report.Count[s] != 1 {
					t.Errorf("%d times %s", report.Count[s], s)
				}
			}
		})
	}
}

// TestSecondInterrupt stops at once what the first would wait for.
func TestSecondInterrupt(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	hung := filepath.Join(t.TempDir(), "hung")
	v := pipeline(t, "-s", smallSim+",events=0", "-w", "2", "-o", dir, "--deadline", "10m",
		"-p", testkit.Script(t, looping("", "if n == 2000:\n    open(sys.argv[1], 'w').close()\n    time.sleep(1000)"))+" "+hung).start()
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(hung); return err == nil }) {
		t.Fatal("the script does not get there")
	}
	signal(t, v, syscall.SIGINT)
	if !testkit.Within(testkit.Patience, func() bool { return strings.Contains(v.Stderr.String(), "interrupt again") }) {
		t.Fatal("the first interrupt is not noticed")
	}
	time.Sleep(300 * time.Millisecond) // two that come within 200 ms are one
	began := time.Now()
	signal(t, v, syscall.SIGINT)
	o := v.finish().wants(t, 130, "interrupted twice")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if o.books == nil || o.books.Received == 0 {
		t.Errorf("the books: %+v", o.books)
	}
	for _, path := range testkit.FilesIn(dir) {
		if !strings.HasSuffix(path, ".inprogress") {
			t.Errorf("%s has its final name", path)
		}
	}
}

// TestInterruptWhileStarting: nobody waits for an interpreter that does not come up.
func TestInterruptWhileStarting(t *testing.T) {
	t.Parallel()
	up := filepath.Join(t.TempDir(), "up")
	python := filepath.Join(t.TempDir(), "python3")
	testkit.WriteFile(t, python, "#!/bin/sh\n: > "+up+"\nsleep 1000\n")
	if err := os.Chmod(python, 0o700); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	v := prepare(t, nil, "--python", python, "-s", smallSim, "-w", "1", "-p", bundled("passthrough.py"), "-o", dir).start()
	if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(up); return err == nil }) {
		t.Fatal("the interpreter is not started")
	}
	began := time.Now()
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130, "drp: interrupted")
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
	if files := testkit.FilesIn(dir); len(files) > 0 {
		t.Errorf("left in the output folder: %v", files)
	}
}

func signal(t *testing.T, v *invocation, sig syscall.Signal) {
	t.Helper()
	if err := v.Cmd.Process.Signal(sig); err != nil {
		t.Fatal(err)
	}
}

// recording waits until events are in the file.
func recording(t *testing.T, dir string) {
	t.Helper()
	if !testkit.Within(testkit.Patience, func() bool {
		for _, path := range testkit.FilesIn(dir) {
			if info, err := os.Stat(path); err == nil && info.Size() > 30000 && !strings.Contains(path, ".smd.") {
				return true
			}
		}
		return false
	}) {
		t.Fatal("nothing is recorded")
	}
}
