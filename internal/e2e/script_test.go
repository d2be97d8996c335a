package e2e

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/xtc"
)

const (
	user     = xtc.DamageUserDefined
	oversize = xtc.DamageUserDefined | xtc.DamageTruncated
)

// TestScriptsThatFailOnEvents: the event keeps its raw data with a damage bit, a clear message names script, line and
// event, and the run goes on.
func TestScriptsThatFailOnEvents(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		bad      string // done at the events 3, 13, 23, 33
		damage   xtc.Damage
		message  string // behind script, line and event
		args     []string
		restarts int
		only     bool // event 3 only, since it takes long
		noLine   bool
	}{
		{name: "raises", bad: `raise ValueError("too bright")`, damage: user, message: "ValueError: too bright"},
		{name: "raises in a library", bad: `np.zeros(3).reshape(4)`, damage: user, message: "ValueError: cannot reshape"},
		{name: "too much", bad: `out.n, out.a = n, np.zeros(5000, np.uint8); evt.add(out)`, damage: oversize,
			message: "ResultTooLarge: result too large: ", args: []string{"--fex-bytes", "4096"}},
		{name: "wrong dtype", bad: `out.a = np.zeros(3)`, damage: user, message: "FieldError: Incorrect type for 'a'"},
		{name: "wrong rank", bad: `out.a = np.zeros((3, 3), np.uint8)`, damage: user, message: "FieldError: Incorrect rank for 'a'"},
		{name: "undeclared", bad: `out.colour = 3`, damage: user, message: "AttributeError: "},
		{name: "not all set", bad: `out.n = 3; evt.add(out)`, damage: user, message: "MissingDataError: Missing data for 'a'"},
		{name: "sys.exit", bad: `sys.exit("enough")`, damage: user, message: "SystemExit: enough"},
		{name: "sys.exit without a word", bad: `sys.exit()`, damage: user, message: "ScriptEnded: ", noLine: true},
		{name: "breaks off", bad: `break`, damage: user, message: "RuntimeError: the loop over the events was left"},
		{name: "writes into raw", bad: `raw[0, 0, 0] = 1`, damage: user, message: "ValueError: assignment destination is read-only"},
		{name: "prints megabytes and raises", bad: `print("x" * 3000000); raise ValueError("too bright")`, damage: user,
			message: "ValueError: too bright"},
		{name: "os._exit", bad: `os._exit(7)`, damage: user, message: "ended (exit status 7)", restarts: 2, only: true, noLine: true},
		{name: "segmentation fault", bad: `os.kill(os.getpid(), signal.SIGSEGV)`, damage: user, message: "Segmentation fault",
			restarts: 2, only: true},
		{name: "endless loop", bad: `while True: pass`, damage: user, message: "no answer in time", restarts: 2, only: true,
			args: []string{"--deadline", testkit.Deadline(t, time.Second).String()}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			bad := "n % 10 == 3"
			if tt.only {
				bad = "n == 3"
			}
			o := script(t, looping(number, "if "+bad+":\n    "+tt.bad+"\n"+addNumber), append(tt.args, "-o", t.TempDir())...)
			o.wants(t, 0, tt.message)
			where := regexp.MustCompile(`script\.py, event 3 \(time \d+\.\d{9}\): \S*script\.py:\d+: `)
			if tt.noLine {
				where = regexp.MustCompile(`script\.py, event 3 \(time \d+\.\d{9}\): `)
			}
			if !where.MatchString(o.stderr) {
				t.Errorf("no message names script, line and event:\n%s", o.stderr)
			}
			b := o.balanced(t)
			all := events(t, o.dataFiles(t)[0])
			damaged := 0
			for i, e := range all {
				isBad := e.n == 3 || !tt.only && e.n%10 == 3
				switch {
				case tt.only && i >= 3:
					if e.n != i+1 { // event 3 is in quarantine
						t.Fatalf("event %d in place %d", e.n, i)
					}
				case e.n != i:
					t.Fatalf("event %d in place %d", e.n, i)
				case isBad && (e.damage != tt.damage || e.raw != 1 || len(e.blocks) != 1):
					t.Errorf("bad event %d: damage %v, %d raw blocks, %d fields", e.n, e.damage, e.raw, len(e.blocks))
				case !isBad && (e.damage != 0 || e.raw != 0 || binary.LittleEndian.Uint32(e.blocks["number.n"].Data) != uint32(e.n)):
					t.Errorf("good event %d: damage %v, %d raw blocks, %v", e.n, e.damage, e.raw, e.blocks)
				}
				if isBad {
					damaged++
				}
			}
			quarantined := 0
			if tt.only {
				quarantined = 1
			}
			if len(all) != 40-quarantined || b.Received != 40 || b.Recorded != len(all) || b.Quarantined != quarantined ||
				b.Damaged != damaged || b.Restarts != tt.restarts {
				t.Errorf("%d events in the file, %+v", len(all), b)
			}
			if len(b.Failures) == 0 {
				t.Error("the summary names no failure")
			}
		})
	}
}

// TestStrict: the first failure ends the run, with all that came before it recorded.
func TestStrict(t *testing.T) {
	t.Parallel()
	o := script(t, looping(number, `if n == 13: raise ValueError("too bright")`+"\n"+addNumber), "--strict", "-o", t.TempDir())
	o.wants(t, 5, "event 13", "ValueError: too bright", "--strict")
	all := events(t, o.dataFiles(t)[0])
	if len(all) < 14 || all[13].damage != user || all[12].damage != 0 {
		t.Errorf("%d events are recorded", len(all))
	}
}

// TestScriptsThatDoNoHarm are odd and yet no failure.
func TestScriptsThatDoNoHarm(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		raw        int // blocks of each event
	}{
		{"declares and adds nothing", looping("", "pass"), 1},
		{"prints megabytes", looping("", `print("spam and eggs\n" * 200000, flush=True)`), 1},
		{"closes its output", looping("", "if n == 3: sys.stdout.close(); sys.stderr.close()"), 1},
		{"changes what it has added", looping(number, `a = np.full(n, 7, np.uint8)
out.n, out.a = n, a
evt.add(out)
a[:] = 9
evt.remove(ds.camera, "raw")`), 0},
		{"forks", looping("", `if n == 3: subprocess.Popen(["sleep", "1000"])`), 1},
		{"forks a daemon", looping("", `if n == 3 and os.fork() == 0: time.sleep(1000)`), 1},
		{"reads the standard input", looping("", `if n == 3: assert sys.stdin.read() == ""`), 1},
		{"has threads", looping("", `if n == 3:
    import threading
    threading.Thread(target=time.sleep, args=(1000,)).start()`), 1},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			began := time.Now()
			o := script(t, tt.text, "-o", t.TempDir()).wants(t, 0)
			if b := o.balanced(t); b.Recorded != 40 || b.Damaged != 0 || b.Restarts != 0 {
				t.Errorf("%+v", b)
			}
			// Lines of a script are let through at a pace, so that a slow run has more of them.
			if most := 100<<10 + int(time.Since(began).Seconds())*8<<10; len(o.stderr) > most {
				t.Errorf("the log has %d bytes, of %d at the most", len(o.stderr), most)
			}
			for _, e := range events(t, o.dataFiles(t)[0]) {
				if e.raw != tt.raw || e.damage != 0 {
					t.Errorf("event %d has %d raw blocks, damage %v", e.n, e.raw, e.damage)
				}
				if tt.raw == 0 && !bytes.Equal(e.blocks["number.a"].Data, bytes.Repeat([]byte{7}, e.n)) {
					t.Errorf("event %d holds %v", e.n, e.blocks["number.a"].Data)
				}
			}
		})
	}
}

// TestScriptsThatCannotWork end the run with exit code 5 and a sentence. What is lost is counted.
func TestScriptsThatCannotWork(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name, text string
		messages   []string
		recorded   int
		damaged    int
	}{
		{"syntax error", "import drp\nfor in x:\n", []string{"script.py:2: SyntaxError"}, 0, 0},
		{"missing module", "import nowhere_to_be_found\n", []string{"script.py:1: ModuleNotFoundError: No module named 'nowhere_to_be_found'"}, 0, 0},
		{"raises at once", "raise OSError('no constants')\n", []string{"script.py:1: OSError: no constants"}, 0, 0},
		{"exits at once", "raise SystemExit('usage: roi ROW')\n", []string{"script.py:1: SystemExit: usage: roi ROW"}, 0, 0},
		{"has no DataSource", "x = 1\n", []string{"the script made no DataSource"}, 0, 0},
		{"asks for no runs", "import drp\ndrp.DataSource()\n", []string{"without asking for runs"}, 0, 0},
		{"declares badly", "import drp\nds = drp.DataSource()\nds.add_detector('a b', fields={'x': (int, 0)})\n", []string{"script.py:3: "}, 0, 0},
		{"declares by worker", looping(`ds.add_detector("x", alg=f"w{drp_info.worker_num}", fields={"n": (int, 0)})`, "pass"),
			[]string{"script.py: the script declares other things in worker 1 than in worker 0"}, 0, 0},
		{"raises at BeginRun", "from drp import DataSource\nds = DataSource()\nfor run in ds.runs():\n    raise OSError('no constants')\n",
			[]string{"script.py at BeginRun, worker 0: ", "script.py:4: OSError: no constants"}, 40, 40},
		{"raises at EndRun", looping("", "pass") + "    raise OSError('disk full')\n", []string{"script.py at EndRun, worker 0: ",
			"OSError: disk full"}, 40, 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			o := script(t, tt.text, "-o", dir).wants(t, 5, tt.messages...)
			b := o.balanced(t)
			if b.Recorded != tt.recorded || b.Damaged != tt.damaged {
				t.Errorf("%+v", b)
			}
			if last := lastLine(o.stderr); !strings.HasPrefix(last, "drp: ") || !strings.Contains(last, "script.py") {
				t.Errorf("the last line is %q", last)
			}
			if files := testkit.FilesIn(dir); tt.recorded == 0 && len(files) > 0 {
				t.Errorf("left in the output folder: %v", files)
			}
			for _, path := range o.dataFiles(t) {
				for _, e := range events(t, path) {
					if e.raw != 1 {
						t.Errorf("event %d has %d raw blocks", e.n, e.raw)
					}
				}
			}
		})
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// TestScriptThatCannotStartAgain: the run ends, or goes on with fewer workers, with every event accounted for.
func TestScriptThatCannotStartAgain(t *testing.T) {
	t.Parallel()
	for policy, code := range map[string]int{"abort": 5, "degrade": 0} {
		t.Run(policy, func(t *testing.T) { cannotStartAgain(t, policy, code) })
	}
}

func cannotStartAgain(t *testing.T, policy string, code int) {
	flag := filepath.Join(t.TempDir(), "flag")
	text := looping(`if os.path.exists(sys.argv[1]): raise SystemExit("not again")`, `if n == 3:
    open(sys.argv[1], "w").close()
    os._exit(1)`)
	o := pipeline(t, "-s", smallSim, "--events", "40", "-w", "2", "-o", t.TempDir(), "-p", testkit.Script(t, text)+" "+flag,
		"--restart-policy", policy).run()
	o.wants(t, code, "no child could be started 4 times in a row", "not again")
	b := o.balanced(t)
	all := events(t, o.dataFiles(t)[0])
	if b.Received != b.Recorded || len(all) != b.Recorded || b.Damaged == 0 || all[3].damage != user || all[3].raw != 1 {
		t.Errorf("%d events in the file, %+v", len(all), b)
	}
}

// TestRejectedAndPrescaled: of rejected events every fifth is kept all the same, with its raw data.
func TestRejectedAndPrescaled(t *testing.T) {
	t.Parallel()
	o := script(t, looping(number, addNumber+"\nif n % 2 == 0: evt.reject()"), "--prescale", "5", "-o", t.TempDir()).wants(t, 0)
	if b := o.balanced(t); b.Rejected != 16 || b.Recorded != 24 || b.Damaged != 0 {
		t.Errorf("%+v", b)
	}
	var got []int
	for _, e := range events(t, o.dataFiles(t)[0]) {
		got = append(got, e.n)
		if kept := e.n%5 == 0; (e.raw == 1) != kept || len(e.blocks["number.a"].Data) != e.n {
			t.Errorf("event %d has %d raw blocks", e.n, e.raw)
		}
	}
	want := []int{0, 1, 3, 5, 7, 9, 10, 11}
	if fmt.Sprint(got[:len(want)]) != fmt.Sprint(want) {
		t.Errorf("recorded are %v…", got)
	}
}

// TestBatchWithOneBadEvent: the others of its batch are not harmed.
func TestBatchWithOneBadEvent(t *testing.T) {
	t.Parallel()
	text := `import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="number", fields={"n": (np.uint32, 0), "a": (np.uint8, 1)})
for run in ds.runs():
    det = run.Detector(ds.camera)
    for batch in run.batches():
        raw = det.raw.raw(batch)
        assert raw.shape == (len(batch), 1, 8, 8)
        n = (batch.timestamps % 2**32 // 40000).astype(np.uint32)
        if 13 in n:
            raise ValueError("too bright")
        out.n, out.a = n, np.zeros((len(batch), 3), np.uint8)
        batch.add(out)
        batch.remove(ds.camera)
`
	o := script(t, text, "-o", t.TempDir()).wants(t, 0, "event 13", "ValueError: too bright")
	if b := o.balanced(t); b.Recorded != 40 || b.Damaged != 1 {
		t.Errorf("%+v", b)
	}
	for i, e := range events(t, o.dataFiles(t)[0]) {
		if bad := i == 13; e.n != i || (e.damage == user) != bad || (e.raw == 1) != bad {
			t.Errorf("event %d in place %d: damage %v, %d raw blocks", e.n, i, e.damage, e.raw)
		}
		if i != 13 && binary.LittleEndian.Uint32(e.blocks["number.n"].Data) != uint32(i) {
			t.Errorf("event %d has the number %v", i, e.blocks["number.n"].Data)
		}
	}
}

// TestScribbler: a script that writes all over its results, whenever it likes, spoils them and nothing else.
func TestScribbler(t *testing.T) {
	t.Parallel()
	o := pipeline(t, "-s", smallSim, "--events", "3000", "-w", "2", "-o", t.TempDir(), "-p", testkit.Script(t, `import threading
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="number", fields={"n": (np.uint32, 0), "a": (np.uint8, 1)})
area = ds._feed._out
def scribble():
    rng = np.random.default_rng(1)
    memory = np.frombuffer(area, np.uint8)[4096:]
    while True:
        at = int(rng.integers(0, ds._feed.transition_offset - 8192))
        memory[at:at + 16] = rng.integers(0, 256, 16, np.uint8)
        memory[at // 65536 * 65536 + int(rng.integers(0, 40))] = rng.integers(0, 256)
threading.Thread(target=scribble, daemon=True).start()
for run in ds.runs():
    for evt in run.events():
        n = evt.nanoseconds // 40000
        out.n, out.a = n, np.zeros(50, np.uint8)
        evt.add(out)
`)).run().wants(t, 0)
	b := o.balanced(t)
	if b.Recorded != 3000 {
		t.Errorf("%+v", b)
	}
	t.Logf("%d of %d results were spoilt", b.Damaged, b.Recorded)
	for i, e := range events(t, o.dataFiles(t)[0]) {
		if e.n != i || e.raw != 1 {
			t.Fatalf("event %d in place %d, with %d raw blocks", e.n, i, e.raw)
		}
	}
}

// TestReload: the script is read anew at each Configure.
func TestReload(t *testing.T) {
	t.Parallel()
	text := `import sys
import numpy as np
from drp import DataSource
ds = DataSource()
out = ds.add_detector(ds.camera, alg="first", fields={"n": (np.uint32, 0)})
for run in ds.runs():
    for evt in run.events():
        out.n = 1
        evt.add(out)
    with open(__file__) as f:
        text = f.read()
    with open(__file__, "w") as f:
        f.write(text.replace("fir" + "st", "second"))
`
	o := pipeline(t, "-s", smallSim+",configs=2,events=5", "-w", "1", "-o", t.TempDir(), "-p", testkit.Script(t, text)).run().wants(t, 0)
	files := o.dataFiles(t)
	if len(files) != 2 {
		t.Fatalf("%v", files)
	}
	for i, alg := range []string{"first", "second"} {
		for _, e := range events(t, files[i]) {
			if _, ok := e.blocks[alg+".n"]; !ok || len(e.blocks) != 2 {
				t.Errorf("file %d, event %d: %v", i, e.n, e.blocks)
			}
		}
	}
}
