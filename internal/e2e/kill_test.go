package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

// TestKill9: whenever the program is killed, nothing of it is alive five seconds later, on a busy machine, not even what the script had
// started, no shared memory is left, and no half file has a final name.
func TestKill9(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 7))
	script := testkit.Script(t, looping("", `if n % 100 == 0:
    subprocess.Popen(["sleep", "1000"])
    if os.fork() == 0: time.sleep(1000)`))
	for range 20 {
		dir := t.TempDir()
		v := pipeline(t, "-s", smallSim+",events=0", "--rate", "2000", "-w", "2", "--slots", "32", "-p", script, "-o", dir).start()
		<-time.After(time.Duration(rng.IntN(500)) * time.Millisecond) // the moment is what is tested
		if err := v.Cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		<-v.Done
		v.nothingLeft()
		for _, path := range testkit.FilesIn(dir) {
			if !strings.HasSuffix(path, ".inprogress") {
				t.Errorf("%s has its final name", path)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestInterruptAtAnyMoment: from the first moment on a run ends in order: with a complete file, or with none.
func TestInterruptAtAnyMoment(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	rng := rand.New(rand.NewPCG(seed, 8))
	for range 10 {
		dir := t.TempDir()
		v := pipeline(t, "-s", smallSim+",events=200,steps=1000", "--rate", "4000", "-w", "2", "--slots", "32", "-p",
			bundled("sumimage.py"), "-o", dir).start()
		testkit.Within(testkit.Patience, func() bool { return len(testkit.FilesIn(dir)) > 0 }) // from here on it listens
		<-time.After(time.Duration(rng.IntN(400)) * time.Millisecond)                          // the moment is what is tested
		signal(t, v, syscall.SIGINT)
		o := v.finish().wants(t, 130, "drp: interrupted")
		for _, path := range testkit.FilesIn(dir) {
			if strings.HasSuffix(path, ".inprogress") {
				t.Errorf("%s is unfinished", path)
			}
			if strings.Contains(path, ".smd.") {
				continue
			}
			report, err := xtc.Check(path, xtc.CheckOptions{})
			if err != nil || !report.OK() || report.Count["BeginRun"] != report.Count["EndRun"] {
				t.Errorf("%v, %+v", err, report)
			}
			if o.books == nil || report.Count["L1Accept"] != o.books.Recorded {
				t.Errorf("%d events in the file, %+v", report.Count["L1Accept"], o.books)
			}
		}
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

// TestAnAbortedRunIsMarked: the next run into its folder names it, not one that goes on, and a check of the repaired file
// tells what became of it.
func TestAnAbortedRunIsMarked(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	into := func(run string, more ...string) *invocation {
		return pipeline(t, append([]string{"-s", smallSim + ",events=0", "--rate", "1000", "-w", "1", "--slots", "32", "-o", dir, "--run", run,
			"--expt", "marked", "--stream", "3", "-p", bundled("passthrough.py")}, more...)...)
	}
	const sentence = "WRN run 1 of marked, stream 3, was aborted: its files in "
	aborted := into("1").start()
	aborted.Says("1 workers, Python")
	beside := into("2", "--events", "1").run().wants(t, 0)
	if strings.Contains(beside.stderr, "was aborted") {
		t.Errorf("while it goes on: %s", beside.stderr)
	}
	signal(t, aborted, syscall.SIGKILL)
	<-aborted.Done
	aborted.nothingLeft()
	path := filepath.Join(dir, "marked-r0001-s003-c000.xtc2")
	into("3", "--events", "1").run().wants(t, 0, sentence, "drp xtc repair "+path+" completes them")
	into("1", "--events", "1").run().wants(t, 3, sentence, "was left by a run that was aborted: drp xtc repair "+path+" completes it")
	prepare(t, nil, "xtc", "repair", path).run().wants(t, 0)
	if o := prepare(t, nil, "xtc", "check", path).run().wants(t, 0); !strings.Contains(o.stdout, "repaired: the run was aborted: on ") ||
		!strings.Contains(o.stdout, "the file ends without EndRun") {
		t.Errorf("%s", o.stdout)
	}
	if o := into("4", "--events", "1").run().wants(t, 0); strings.Contains(o.stderr, "was aborted") {
		t.Errorf("after the repair: %s", o.stderr)
	}
}

// TestKill9WhileScriptHangs: a child that does not read its pipe ends all the same.
func TestKill9WhileScriptHangs(t *testing.T) {
	t.Parallel()
	for _, body := range []string{"while True: pass", "os.kill(os.getpid(), signal.SIGSTOP)", "time.sleep(1000)"} {
		t.Run(body, func(t *testing.T) {
			hung := filepath.Join(t.TempDir(), "hung")
			v := pipeline(t, "-s", smallSim, "-w", "1", "-p",
				testkit.Script(t, looping("", "open(sys.argv[1], 'w').close()\n"+body))+" "+hung).start()
			if !testkit.Within(testkit.Patience, func() bool { _, err := os.Stat(hung); return err == nil }) {
				t.Fatal("the script does not get there")
			}
			signal(t, v, syscall.SIGKILL)
			<-v.Done
			v.nothingLeft()
		})
	}
}
