package e2e

import (
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

var steeredAt = regexp.MustCompile(`steered at (http://127\.0\.0\.1:[0-9]+)/\?token=([A-Za-z0-9_-]+)`)

// settled is a script with parameters, which notes what it used, fails now and then, and now and then ends its process, once
// for an event.
const settled = `threshold = ds.param("threshold", 50, min=0, doc="of nothing")
mode = ds.param("mode", "slow", choices=["slow", "fast"])
out = ds.add_detector(ds.camera, alg="number", fields={"n": (np.uint32, 0), "t": (np.int64, 0), "m": (str, 1)})`

const settledBody = `if n % 211 == 100:
    try: os.mkdir(sys.argv[1] + "/" + str(n))
    except FileExistsError: pass
    else: os.kill(os.getpid(), signal.SIGKILL)
if n % 53 == 20: raise ValueError
out.n, out.t, out.m = n, threshold.value, mode.value
evt.add(out)`

const secondSettled = `scale = ds.param("scale", 1.5, max=1e9)
out = ds.add_detector(ds.camera, alg="second", fields={"s": (np.float64, 0)})`

// TestSettingsHoldFromAnEventOn, the same one for all workers and both scripts, whoever dies; and the data tells.
func TestSettingsHoldFromAnEventOn(t *testing.T) {
	t.Parallel()
	v := pipeline(t, "-s", smallSim+",events=0", "--rate", "1000", "-w", "3", "--http", "127.0.0.1:0", "-o", t.TempDir(), "--set", "threshold=51",
		"--max-restarts", "0", "-p", testkit.Script(t, looping(settled, settledBody))+" "+t.TempDir(),
		"--post", testkit.Script(t, looping(secondSettled, "out.s = scale.value\nevt.add(out)"))).start()
	v.enabled()
	pid := strconv.Itoa(v.PID())
	set := func(code int, words ...string) outcome {
		return v.beside(append([]string{"set", "--pid", pid}, words...)...).wants(t, code)
	}
	if o := set(0); !strings.Contains(o.stdout, "threshold       51") || !strings.Contains(o.stdout, "int, from 0, by default 50") || !strings.Contains(o.stdout, "of nothing") {
		t.Errorf("it shows\n%s", o.stdout)
	}
	set(3, "treshold=1").wants(t, 3, "did you mean threshold?")
	set(3, "threshold=-1", "mode=fast").wants(t, 3, "threshold: -1 is less than 0, the least that the script allows; 51 stays")
	set(2, "threshold").wants(t, 2, "give NAME=VALUE")
	m := steeredAt.FindStringSubmatch(v.Stderr.String())
	if m == nil {
		t.Fatalf("no address is printed:\n%s", v.Stderr.String())
	}
	for i := range 12 {
		set(0, fmt.Sprintf("threshold=%d", 100+i), "mode="+[]string{"slow", "fast"}[i%2])
		if code, text := testkit.Ask(t, http.MethodPost, m[1]+"/v1/settings", m[2], fmt.Sprintf(`{"post.scale": %d.25}`, i)); code != http.StatusOK {
			t.Errorf("%d: %s", code, text)
		}
	}
	if code, text := testkit.Ask(t, http.MethodPost, m[1]+"/v1/settings", m[2], `{"post.scale": 1e10}`); code != http.StatusUnprocessableEntity || !strings.Contains(text, "11.25 stays") {
		t.Errorf("%d: %s", code, text)
	}
	var listing struct{ Generation, Applied, Refused int64 }
	if !testkit.Within(testkit.Patience, func() bool {
		return json.Unmarshal([]byte(set(0, "--json").stdout), &listing) == nil && listing.Applied == listing.Generation
	}) || listing.Refused != 3 {
		t.Errorf("%+v", listing)
	}
	at := v.enabled()
	testkit.Within(testkit.Patience, func() bool { at = v.enabled(); return at.Settings.Applied == listing.Applied }) // it is that of a moment ago
	if s := at.Settings; s.Parameters != 5 || s.Generation != listing.Generation || s.Applied != listing.Applied || s.Refused != 3 {
		t.Errorf("the status has %+v, the list %+v", s, listing)
	}
	if o := v.beside("status"); !strings.Contains(o.stdout, fmt.Sprintf("settings: generation %d of 5 parameters, refused 3", listing.Generation)) {
		t.Errorf("the status is\n%s", o.stdout)
	}
	before := at.Events.Received
	testkit.Within(testkit.Patience, func() bool { return v.enabled().Events.Received > before+200 })
	signal(t, v, syscall.SIGINT)
	o := v.finish().wants(t, 130, "settings: generation 1: ")
	if o.balanced(t); o.books.Restarts == 0 {
		t.Error("no process died")
	}
	u := usedIn(t, o.dataFiles(t)[0])
	if u.generations < 5 || u.last != "111 fast 11.25" || u.generation != listing.Generation || u.failed == 0 {
		t.Errorf("%+v, %+v", u, listing)
	}
}

// used is what a file says of settings.
type used struct {
	generation          int64 // of the last event
	generations, failed int
	last                string
}

// usedIn looks whether the values that are recorded for each event are those that the scripts have used.
func usedIn(t *testing.T, path string) (u used) {
	t.Helper()
	table := xtc.NewTable()
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if d.Service() != xtc.L1Accept {
			continue
		}
		values := map[string]string{}
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			for i, e := range b.Names.Entries {
				if b.Names.Alg != "raw" {
					values[b.Names.Alg+"."+e.Name] = b.Field(i).String()
				}
			}
		}
		generation, err := strconv.ParseInt(values["script.generation"], 10, 64)
		if err != nil || generation < u.generation || d.Damage() == 0 && values["post.generation"] != values["script.generation"] {
			t.Fatalf("an event has the settings %v after generation %d", values, u.generation)
		}
		if generation != u.generation {
			u.generations++
		}
		u.generation = generation
		if d.Damage() != 0 {
			u.failed++
			continue
		}
		if values["number.t"] != values["script.threshold"] || values["number.m"] != values["script.mode"] || values["second.s"] != values["post.scale"] {
			t.Fatalf("the scripts have used other values than are recorded: %v", values)
		}
		u.last = values["number.t"] + " " + values["number.m"] + " " + values["second.s"]
	}
	return u
}

// TestTheExampleWithAThreshold over the simulator and over the file that is recorded.
func TestTheExampleWithAThreshold(t *testing.T) {
	t.Parallel()
	o := pipeline(t, "-s", smallSim+",events=50", "-w", "2", "-o", t.TempDir(), "--set", "mode=max threshold=1e9", "-p", bundled("threshold.py")).run().wants(t, 0)
	if o.balanced(t).Rejected != 50 {
		t.Errorf("%+v", o.books)
	}
	o = pipeline(t, "-s", smallSim+",events=50", "-w", "2", "-o", t.TempDir(), "-p", bundled("threshold.py")).run().wants(t, 0)
	path := o.dataFiles(t)[0]
	again := exec.Command(testkit.Python(t), "-m", "drp", bundled("threshold.py"))
	again.Env = append(os.Environ(), "DRP_FILES="+path, "DRP_SET=threshold=1e9", "DRP_OUT="+path+".again", "PYTHONPATH="+testkit.PythonPath())
	if out, err := again.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	events := 0
	for _, d := range testkit.Dgrams(t, path+".again") {
		if d.Service() == xtc.L1Accept {
			events++
		}
	}
	if events != 0 {
		t.Errorf("%d events are not below the threshold", events)
	}
}

// TestSettingsAtTheStart that cannot be are refused then.
func TestSettingsAtTheStart(t *testing.T) {
	t.Parallel()
	for set, says := range map[string]string{
		"treshold=1": "did you mean threshold?", "threshold=-1": "threshold: -1 is less than 0", "mode=x": `mode: "x" is none of sum max`,
		"threshold": "give NAME=VALUE",
	} {
		code := 3
		if set == "threshold" {
			code = 2
		}
		pipeline(t, "-s", smallSim+",events=5", "-w", "1", "--set", set, "-p", bundled("threshold.py")).run().wants(t, code, says)
	}
}

// TestOtherWaysToSet: a file that is read anew, and lines by UDP.
func TestOtherWaysToSet(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "drp.yaml")
	write := func(text string) {
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write("workers: 2\nrate: 1000\nsettings: {threshold: 60, mode: max}\n")
	v := pipeline(t, "-s", smallSim+",events=0", "--config", file, "--liveline", "127.0.0.1:0", "-p", bundled("threshold.py")).start()
	v.enabled()
	pid := strconv.Itoa(v.PID())
	shows := func(threshold, mode string) {
		t.Helper()
		var l struct {
			Generation, Applied int64
			Settings            []struct{ Value any }
		}
		if !testkit.Within(testkit.Patience, func() bool {
			o := v.beside("set", "--json", "--pid", pid)
			return json.Unmarshal([]byte(o.stdout), &l) == nil && len(l.Settings) == 2 && l.Applied == l.Generation && fmt.Sprintf("%v %v", l.Settings[0].Value, l.Settings[1].Value) == threshold+" "+mode
		}) {
			t.Errorf("the settings are %+v, not %s and %s", l, threshold, mode)
		}
	}
	shows("60", "max")
	write("workers: 3\nsettings: {threshold: 70}\n")
	signal(t, v, syscall.SIGHUP)
	shows("70", "max")
	write("workers: 3\nsettings: {threshold: -70}\n")
	signal(t, v, syscall.SIGHUP)
	v.Says("SIGHUP: " + file + ": no setting changes: threshold: -70 is less than 0, the least that the script allows; 70 stays")
	write("workers: [\n")
	signal(t, v, syscall.SIGHUP)
	v.Says("SIGHUP: nothing changes: " + file)
	at := regexp.MustCompile(`settings are taken by UDP at (127\.0\.0\.1:[0-9]+)`).FindStringSubmatch(v.Stderr.String())
	if at == nil {
		t.Fatalf("no address is printed:\n%s", v.Stderr.String())
	}
	to, err := net.Dial("udp", at[1])
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"--threshold -1", "--size 3 --mode=sum --threshold 80"} {
		if _, err := to.Write([]byte(line)); err != nil {
			t.Fatal(err)
		}
	}
	_ = to.Close()
	shows("80", "sum")
	signal(t, v, syscall.SIGINT)
	v.finish().wants(t, 130, "a run that goes on cannot change rate, workers: that takes a start anew", "(SIGHUP), from event ", "(udp 127.0.0.1), from event ",
		"liveline: refused (1 of 1 lines so far)", "liveline: 2 lines, 1 of them refused; 1 options of other programs")
	for text, says := range map[string]string{"settings: 3\n": "drp.yaml:1: settings: names of parameters", "settings: {a: [1]}\n": "drp.yaml:1: settings: a: a single value",
		"settings: {treshold: 1}\n": "did you mean threshold?"} {
		write(text)
		pipeline(t, "-s", smallSim+",events=5", "--config", file, "-p", bundled("threshold.py")).run().wants(t, 3, says)
	}
}

// TestTheSearchForHitsChanges from one event on, and each event says what it was searched with.
func TestTheSearchForHitsChanges(t *testing.T) {
	t.Parallel()
	v := pipeline(t, "-s", "sim:segments=1,slow=0,hits=0.5,events=0", "--rate", "100", "-w", "2", "--hits", "peakfinder8:at_least=1",
		"-o", t.TempDir(), "-p", bundled("myroi.py")+" 1 1 2").start()
	v.enabled()
	set := func(code int, words ...string) outcome {
		return v.beside(append([]string{"set", "--pid", strconv.Itoa(v.PID())}, words...)...).wants(t, code)
	}
	set(3, "hits.min_pix_count=9", "hits.max_pix_count=3").wants(t, 3, "a peak cannot have more pixels at least than at most; all stays")
	set(3, "hits.min_pix=9").wants(t, 3, "no setting has the name")
	set(0, "hits.at_least=1000000")
	for range 2 {
		before := v.enabled().Events.Received
		testkit.Within(testkit.Patience, func() bool { return v.enabled().Events.Recorded > before+100 }) // who are searched already
		set(0, "hits.at_least=1")
	}
	signal(t, v, syscall.SIGINT)
	path := v.finish().wants(t, 130).dataFiles(t)[0]
	table, seen := xtc.NewTable(), map[string]int{}
	for _, d := range testkit.Dgrams(t, path) {
		if d.Service() == xtc.Configure {
			if err := table.Configure(d); err != nil {
				t.Fatal(err)
			}
		}
		if d.Service() != xtc.L1Accept {
			continue
		}
		least, hit := "", ""
		for it := table.Blocks(d); it.Next(); {
			b := it.Block()
			if b.Names.DetName == "settings" {
				f, _ := b.FieldNamed("at_least")
				least = f.String()
			} else if f, ok := b.FieldNamed("hit"); ok {
				hit = f.String()
			}
		}
		seen[least+" "+hit]++
	}
	if seen[" 1"] == 0 || seen["1000000 0"] < 100 || seen["1000000 1"] > 0 || seen["1 1"] == 0 {
		t.Errorf("events by at_least and hit: %v", seen)
	}
}
