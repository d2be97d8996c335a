package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"drp/internal/testkit"
	"drp/xtc"
)

// command runs a command line as main does, and gives its exit code and what it printed.
func command(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	out, err := os.Create(filepath.Join(t.TempDir(), "stdout"))
	if err != nil {
		t.Fatal(err)
	}
	errs, err := os.Create(filepath.Join(t.TempDir(), "stderr"))
	if err != nil {
		t.Fatal(err)
	}
	oldOut, oldErr := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = out, errs
	defer func() { os.Stdout, os.Stderr = oldOut, oldErr }()
	code = execute(append([]string{}, args...))
	return code, readBack(t, out), readBack(t, errs)
}

func readBack(t *testing.T, f *os.File) string {
	t.Helper()
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(f.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// TestExitCodes has what goes wrong before any Python is started.
func TestExitCodes(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "my roi.py"), "import drp\n")
	file := testkit.File(t, testkit.Camera{}.Run(3)...)
	unfinished := write(t, filepath.Join(t.TempDir(), "test-r0005-s000-c000.xtc2.inprogress"), text(t, file)+"a rest")
	empty := write(t, filepath.Join(t.TempDir(), "test-r0006-s000-c000.xtc2.inprogress"), "")
	bad := write(t, filepath.Join(dir, "bad.xtc2"), strings.Repeat("no datagram", 10))
	p := func(rest ...string) []string {
		return append([]string{"-p", "'" + script + "' 100", "-w", "1"}, rest...)
	}
	const sim = "sim:segments=1,rows=4,cols=4"
	tests := []struct {
		name string
		args []string
		code int
		want string // on stderr; on stdout where the code is 0
	}{
		{"no script", nil, 2, `no script: give one with -p "SCRIPT ARGS"`},
		{"an empty script", []string{"-p", " "}, 2, "no script"},
		{"a quote without partner", []string{"-p", "myroi.py 'a"}, 2, "-p: a quote or backslash has no partner: myroi.py 'a"},
		{"the same in a second script", p("--post", "crop.py 'a"), 2, "--post: a quote or backslash has no partner: crop.py 'a"},
		{"a second script that is missing", p("--post", "crop.py 1:2 3:4"), 5, "script crop.py: there is no such file"},
		{"an unknown verb", []string{"rum"}, 2, `"rum" is neither a verb nor a flag`},
		{"a script without -p", []string{"myroi.py", "100"}, 2, `in one string: -p "myroi.py …"`},
		{"an unknown flag", p("--bufbytes", "5"), 2, "unknown flag: --bufbytes"},
		{"a flag without a value", p("--rate"), 2, "flag needs an argument: --rate"},
		{"a bad rate", p("--rate", "fast"), 2, `rate "fast": give full, recorded, or a number of events per second`},
		{"a bad policy", p("--policy", "wait"), 2, `"wait" for "--policy": give block or drop`},
		{"the script shown what", p("--hits", "peakfinder8", "--fex-on", "some"), 2, `"some" for "--fex-on": give all or hits`},
		{"a rate of the file", p("--config", write(t, dir+"/rate.yaml", "workers: 1\nrate: fast\n")), 3, `rate.yaml:2: --rate "fast": give full`},
		{"a distance of the file", p("--config", write(t, dir+"/metres.yaml", "distance: 95\n"), "-s", sim, "--http", "127.0.0.1:0"), 3, "metres.yaml:1: --distance 95: that would be"},
		{"a distance beside the file", p("--config", dir+"/metres.yaml", "-s", sim, "--http", "127.0.0.1:0", "--distance", "96"), 2, "drp: --distance 96: that would be"},
		{"a file that asks for hits of nobody", p("--config", write(t, dir+"/hits.yaml", "fex-on: hits\n"), "-s", sim), 3, "hits.yaml:1: --fex-on hits: nobody looks"},
		{"a deadline of the file", p("--config", write(t, dir+"/late.yaml", "\ndeadline: 1ms\n")), 3, "late.yaml:2: --deadline 1ms: give 100ms or more"},
		{"a place to listen of the file", []string{"teb", "--config", write(t, dir+"/teb.yaml", "contributors: a\nlisten: x\n"), "-t", write(t, dir+"/true.yaml", "rules:\n  - {name: a, when: \"true\"}\n")}, 3, "teb.yaml:2: --listen"},
		{"an address and a process", []string{"status", "http://127.0.0.1:1/", "--pid", "3"}, 2, "the address says which run is meant: leave --pid and --partition out"},
		{"an address and a partition", []string{"set", "--url", "http://127.0.0.1:1/", "--partition", "tst", "a=1"}, 2, "the address says which run is meant"},
		{"nobody at an address", []string{"top", "http://127.0.0.1:1/"}, 1, "nobody answers at 127.0.0.1:1: connection refused\n"},
		{"a run that nobody shows", []string{"monitor", "tst/none"}, 1, "nobody publishes tst/none: start drp with --monitor tst/none\n"},
		{"a replay that is too fast", []string{"replay", file, "--speed", "5000"}, 2, "speed 5000: give 0.01 to 1000"},
		{"a replay without a name", []string{"replay", file, "--monitor", "a b"}, 2, `"a b": give PARTITION/DETECTOR`},
		{"a page at another machine", []string{"replay", file, "--http", "192.0.2.1:8080"}, 3, "192.0.2.1:8080: cannot assign requested address: this machine has no such address"},
		{"a page at no port", []string{"replay", file, "--http", "127.0.0.1:99999"}, 3, "--http: watch: address 99999: invalid port"},
		{"a replay of no slots", []string{"replay", file, "--monitor-slots", "-3"}, 2, "--monitor-slots -3: give a whole number from 0 on"},
		{"a monitor of no slots", p("--monitor", "a/b", "--monitor-slots", "-3"), 2, "-3 slots for monitors: give 1 or more"},
		{"too much loss", p("--max-loss", "101"), 2, "--max-loss 101: give a percentage from 0 to 100"},
		{"loss that is no number", p("--max-loss", "nan"), 2, "--max-loss NaN: give a percentage"},
		{"a word for a number", p("--slots", "many"), 2, `invalid argument "many" for "--slots"`},
		{"a token for nothing", p("-s", sim, "--http-token-file", script), 2, "give --http HOST:PORT, too"},
		{"a token to steer nothing", p("-s", sim, "--http-control-file", script), 2, "give --http HOST:PORT, too"},
		{"rings for nobody", p("-s", sim, "--energy", "9500"), 2, "give --http HOST:PORT, too"},
		{"photons without energy", p("-s", sim, "--http", "127.0.0.1:0", "--energy", "-9500"), 2, "give electronvolts, from 100 to 1000000"},
		{"photons in keV", p("-s", sim, "--http", "127.0.0.1:0", "--energy", "9.5"), 2, "give electronvolts, from 100 to 1000000; 9.5 keV are 9500"},
		{"photons of nothing", p("-s", sim, "--http", "127.0.0.1:0", "--energy", "0"), 2, "give electronvolts, from 100 to 1000000"},
		{"photons without number", p("-s", sim, "--http", "127.0.0.1:0", "--energy", "nan"), 2, "give electronvolts, from 100 to 1000000, as 9500 or 9.5keV"},
		{"a distance in other units", p("-s", sim, "--http", "127.0.0.1:0", "--distance", "95"), 2, "--distance 95: that would be 95 m: give the unit, too, as 95mm"},
		{"a parameter twice", p("-s", sim, "--set", "a=1 b=2", "--set", "a=2"), 2, "a is given twice"},
		{"a parameter of half a character", p("-s", sim, "--set", "a=\xff"), 2, "this is no UTF-8"},
		{"networks for nothing", p("-s", sim, "--calib-allow", "10.0.3.0/24"), 2, "give --calib-listen HOST:PORT, too"},
		{"a source that is nothing", p("-s", ""), 2, "-s: no source is named"},
		{"a source with half a quote", p("-s", "'a"), 2, "-s: a quote"},
		{"no workers", p("-w", "0"), 2, "0 workers: give 1 to 1024"},
		{"too many workers", p("-w", "1025"), 2, "1025 workers: give 1 to 1024"},
		{"fewer than no events", p("--events", "-1"), 2, "-1 events"},
		{"a negative prescale", p("--prescale", "-1"), 2, "prescale -1"},
		{"a run above all", p("--run", "10000"), 2, "run 10000: give 1 to 9999"},
		{"a run that is no number", p("--run", "r0014"), 2, `invalid argument "r0014" for "--run"`},
		{"an experiment with a slash", p("--expt", "../x"), 2, `experiment "../x"`},
		{"too many slots", p("--slots", "100000"), 2, "100000 slots"},
		{"a negative size", p("--fex-bytes", "-1"), 2, `invalid argument "-1" for "--fex-bytes": give a number of bytes`},
		{"a file of settings that is missing", p("--config", dir+"/missing.yaml"), 3, "--config: open "},
		{"a bad setting", p("--config", write(t, dir+"/bad.yaml", "rat: full\n")), 3, `bad.yaml:1: unknown key "rat"; did you mean "rate"?`},
		{"slots smaller than events", p("-s", sim, "--buf-bytes", "10"), 3, "--buf-bytes 10 is too small"},
		{"slots smaller than transitions", p("-s", sim, "--transition-bytes", "100"), 3, "--transition-bytes 100 is too small"},
		{"a file in place of a folder", p("-o", file, "-s", file), 3, "not a directory"},
		{"a source that is missing", p("-s", dir+"/missing.xtc2"), 4, "missing.xtc2: no such file or directory"},
		{"a source that is nonsense", p("-s", bad), 4, "bad.xtc2 is no XTC2 file: its first 24 bytes do not begin a datagram"},
		{"a simulator that cannot be", p("-s", "sim:rows=0"), 4, "rows=0: give a whole number from 1 to 8192"},
		{"a scheme not known", p("-s", "kafka:topic"), 4, `"kafka:topic" is no source`},
		{"a script that is missing", []string{"-p", "missing.py"}, 5, "script missing.py: there is no such file"},
		{"a script that is a folder", []string{"-p", dir}, 5, "not a regular file"},
		{"help", []string{"--help"}, 0, "Exit codes: 0 ok, 1 failure, 2 usage"},
		{"version", []string{"version"}, 0, "drp "},
		{"version of what", []string{"version", "2"}, 2, `unknown command "2" for "drp version"`},
		{"clean with arguments", []string{"clean", "all"}, 2, `unknown command "all" for "drp clean"`},
		{"a simulation of nothing", []string{"sim-test", "--seeds", "0"}, 2, "--seeds 0: give 1 or more"},
		{"xtc alone", []string{"xtc"}, 0, "Account for every byte"},
		{"xtc with a wrong verb", []string{"xtc", "lss", file}, 2, `xtc has no verb "lss"; drp xtc --help lists them`},
		{"bench with a wrong verb", []string{"bench", "all"}, 2, `bench has no verb "all"; drp bench --help lists them`},
		{"bench teb of nothing", []string{"bench", "teb", "--rounds", "0"}, 2, "--rounds and --seconds must be above 0"},
		{"a trigger and another", p("--trigger", "a.yaml", "--teb", "tcp://localhost:1"), 2, "--trigger and --teb: one of them decides"},
		{"a trigger nowhere", p("--teb", "localhost:1"), 2, `"localhost:1" is no endpoint: give tcp://HOST:PORT`},
		{"a trigger that does what", p("--trigger", "a.yaml", "--trigger-default", "drop"), 2, `"drop" for "--trigger-default": give keep or veto`},
		{"a contributor to nothing", p("--contributor", "a"), 2, "are for --trigger or --teb"},
		{"rules that are missing", p("--trigger", dir+"/missing.yaml"), 3, "--trigger: open "},
		{"rules with a wrong word", p("--trigger", write(t, dir+"/wrong.yaml", "rules:\n  - {name: a, wen: \"true\"}\n")), 3, `unknown field "wen"`},
		{"no rules", p("--trigger", write(t, dir+"/none.yaml", "prescale: {0: 5}\n")), 3, "there are no rules in it"},
		{"a group too far", p("--trigger", write(t, dir+"/far.yaml", "rules:\n  - {name: a, when: \"true\"}\nprescale: {16: 5}\n")), 3,
			"there is no readout group 16"},
		{"rules and a script", p("--trigger", write(t, dir+"/both.yaml", "rules:\n  - {name: a, when: \"true\"}\nscript: a.py\n")), 3,
			"there are rules: and a script: in it"},
		{"a script that is rules", p("--trigger", write(t, dir+"/self.yaml", "script: a.yaml\n")), 3, `script: "a.yaml" is no script`},
		{"a trigger script that is missing", p("--trigger", "missing.py 15"), 3, "--trigger: script: lstat missing.py: no such file"},
		{"a trigger script with a quote", p("--trigger", "missing.py '15"), 3, "--trigger: open missing.py '15"},
		{"no process for a trigger script", p("--trigger", "'"+script+"' 15", "--trigger-workers", "0"), 2, "--trigger-workers 0: give 1 to 64"},
		{"processes for no script", p("--trigger", write(t, dir+"/alone.yaml", "rules:\n  - {name: a, when: \"true\"}\n"), "--trigger-workers", "2"), 2,
			"--trigger-workers is about a trigger script, and rules decide"},
		{"processes elsewhere", p("--teb", "tcp://localhost:1", "--trigger-workers", "2"), 2, "with --teb give it to drp teb"},
		{"teb with a script that is missing", []string{"teb", "-t", "missing.py 15"}, 3, "-t: script: lstat missing.py: no such file"},
		{"teb with too many processes", []string{"teb", "-t", "missing.py", "--trigger-workers", "65"}, 2, "--trigger-workers 65: give 1 to 64"},
		{"teb with an energy, and without pictures", []string{"teb", "--energy", "9500"}, 2, "unknown flag: --energy"},
		{"teb without rules", []string{"teb"}, 2, "no rules: give a file or a script with -t"},
		{"teb without contributors", []string{"teb", "-t", write(t, dir+"/r.yaml", "rules:\n  - {name: a, when: \"true\"}\n")}, 2,
			"0 contributors: name 1 to 64 with --contributors"},
		{"teb of a name that is taken", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a,c"}, 2,
			"contributor c: the name means something else in expressions"},
		{"teb of one name twice", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a,b,a"}, 2, "contributor a is named twice"},
		{"teb nowhere", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a"}, 2, "no place to listen: give --listen"},
		{"teb at a strange place", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a", "--listen", "ipc://x"}, 2, "is no endpoint"},
		{"teb where it may not be", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a", "--listen", "tcp://203.0.113.1:1"}, 3,
			"--listen: wire: "},
		{"teb at two places in one", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a", "--listen", "tcp://:0,tcp://:0"}, 2,
			`--listen: "tcp://:0,tcp://:0" is no endpoint: give the flag once for each`},
		{"teb in no folder", []string{"teb", "-t", dir + "/r.yaml", "--contributors", "a", "--listen", "ipc://" + dir + "/no/x"}, 3,
			"there is no folder " + dir + "/no: make it"},
		{"teb with processes for no script", []string{"teb", "-t", dir + "/r.yaml", "--trigger-workers", "2"}, 2, "and rules decide"},
		{"teb with a script that is none", []string{"teb", "-t", write(t, dir+"/syntax.py", "for\n"), "--contributors", "a"}, 3,
			"line 1: SyntaxError"},
		{"a number for a truth", []string{"teb", "-t", write(t, dir+"/one.yaml", "rules:\n  - {name: a, when: x, persist: 1}\n")}, 3,
			"[2:33] true or false belongs here\n"},
		{"a list for a text", []string{"teb", "-t", write(t, dir+"/list.yaml", "rules:\n  - {name: a, when: [x]}\n")}, 3, "a text belongs here"},
		{"a number below 0", []string{"teb", "-t", write(t, dir+"/below.yaml", "rules:\n  - {name: a, when: x, monitor: -1}\n")}, 3,
			"a whole number from 0 on that fits belongs here"},
		{"a name with a gap", p("--trigger", dir+"/r.yaml", "--contributor", "a b"), 2, "--contributor: "},
		{"no time for a trigger", p("--trigger", dir+"/r.yaml", "--trigger-deadline", "0s"), 2, "--trigger-deadline is a time above 0"},
		{"less time for a trigger", p("--trigger", dir+"/r.yaml", "--trigger-deadline", "-1s"), 2, "--trigger-deadline is a time above 0"},
		{"ls of nothing", []string{"xtc", "ls"}, 2, "drp xtc ls: name files, as in: drp xtc ls "},
		{"ls", []string{"xtc", "ls", file}, 0, "experiment test, run 5"},
		{"ls as JSON", []string{"xtc", "ls", "--json", file}, 0, `"experiment": "test"`},
		{"ls of a missing file", []string{"xtc", "ls", dir + "/missing.xtc2"}, 4, "missing.xtc2: no such file"},
		{"ls of nonsense", []string{"xtc", "ls", bad}, 4, "bad.xtc2"},
		{"dump", []string{"xtc", "dump", "--first", "5", "--last", "5", file}, 0, "L1Accept"},
		{"dump of two files", []string{"xtc", "dump", file, file}, 2, "drp xtc dump: name one file, and not 2"},
		{"dump with a word for a number", []string{"xtc", "dump", "--elements", "all", file}, 2, `invalid argument "all"`},
		{"dump from before the first", []string{"xtc", "dump", "--first", "-3", file}, 2, "--first -3: give a whole number from 0 on"},
		{"fewer pictures than none", []string{"top", "--count", "-1"}, 2, "--count -1: give a whole number from 0 on"},
		{"fewer constants than none", []string{"calib", "watch", "-n", "-1"}, 2, "-n -1: give a whole number from 0 on"},
		{"check of a good file", []string{"xtc", "check", file}, 0, ": good; "},
		{"check as JSON", []string{"xtc", "check", "--json", file}, 0, `"explained"`},
		{"check of a bad file", []string{"xtc", "check", bad}, 1, "the check found what is printed above"},
		{"repair of nothing", []string{"xtc", "repair"}, 2, "drp xtc repair: name files of unfinished runs, or the folder with them, as in: drp xtc repair out"},
		{"repair of nonsense", []string{"xtc", "repair", bad}, 1, "bad.xtc2 is not the first chunk of a run"},
		{"repair", []string{"xtc", "repair", filepath.Dir(unfinished)}, 0, ": 3 events and 8 transitions were recovered, the last of " +
			"0.001000004; 6 bytes were cut off"},
		{"repair again", []string{"xtc", "repair", unfinished}, 0, "is complete, there is nothing to do"},
		{"check of a repaired file", []string{"xtc", "check", strings.TrimSuffix(unfinished, ".inprogress")}, 0,
			"repaired: the run was aborted: on 20"},
		{"repair of what is empty", []string{"xtc", "repair", empty}, 0, "was empty, and so was its small data: removed"},
		{"repair of a folder without", []string{"xtc", "repair", filepath.Dir(unfinished)}, 0, ""},
		{"check of a missing file", []string{"xtc", "check", dir + "/missing.xtc2"}, 4, "no such file"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			code, stdout, stderr := command(t, test.args...)
			said := stderr
			if test.code == 0 {
				said = stdout
			}
			if code != test.code || !strings.Contains(said, test.want) {
				t.Errorf("exit code %d, want %d with %q\nstdout: %s\nstderr: %s", code, test.code, test.want, stdout, stderr)
			}
			if test.code != 0 && !strings.Contains(stderr, "drp: ") {
				t.Errorf("nothing is said: %s", stderr)
			}
		})
	}
}

// TestSettingsReachTheRun has a setting of each kind that is wrong, to see where it came from.
func TestSettingsReachTheRun(t *testing.T) {
	noEnvironment(t)
	dir := t.TempDir()
	config := write(t, dir+"/drp.yaml", "script: fromfile.py\nrate: fast\n")
	if code, _, said := command(t, "--config", config); code != 3 || !strings.Contains(said, `drp.yaml:2: --rate "fast"`) {
		t.Errorf("%d %s", code, said)
	}
	if code, _, said := command(t, "--config", config, "--rate", "full"); code != 5 || !strings.Contains(said, "fromfile.py") {
		t.Errorf("%d %s", code, said)
	}
	t.Setenv("DRP_SCRIPT", "fromenv.py")
	t.Setenv("DRP_RATE", "5")
	if code, _, said := command(t, "--config", config); code != 5 || !strings.Contains(said, "fromenv.py") {
		t.Errorf("%d %s", code, said)
	}
	if code, _, said := command(t, "--config", config, "-p", "fromflag.py"); code != 5 || !strings.Contains(said, "fromflag.py") {
		t.Errorf("%d %s", code, said)
	}
}

// TestCheckCountsDamage prints what a check found in words.
func TestCheckCountsDamage(t *testing.T) {
	all := testkit.Camera{}.Run(4)
	all[5].SetDamage(xtc.DamageTimedOut)
	code, stdout, _ := command(t, "xtc", "check", testkit.File(t, all...))
	if code != 0 || !strings.Contains(stdout, "damage TimedOut: 1 datagrams") {
		t.Errorf("%d %s", code, stdout)
	}
	var cut bytes.Buffer
	for _, d := range all {
		cut.Write(d)
	}
	path := write(t, filepath.Join(t.TempDir(), "test-r0005-s000-c000.xtc2"), cut.String()[:cut.Len()-30])
	code, stdout, _ = command(t, "xtc", "check", path)
	if code != 1 || !strings.Contains(stdout, "BAD") || !strings.Contains(stdout, "ends inside the datagram") {
		t.Errorf("%d %s", code, stdout)
	}
}

func TestRanges(t *testing.T) {
	for _, test := range []struct {
		numbers []uint32
		want    string
	}{
		{nil, ""}, {[]uint32{3}, "3"}, {[]uint32{0, 1, 2, 3}, "0-3"}, {[]uint32{0, 2, 3, 7}, "0,2-3,7"}, {[]uint32{1, 3, 5}, "1,3,5"},
	} {
		if got := ranges(test.numbers); got != test.want {
			t.Errorf("%v gives %s, want %s", test.numbers, got, test.want)
		}
	}
}

func text(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}
