package control_test

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"drp/control"
)

// again starts run control anew, as after a kill: nothing but its files is left of it.
func (l *lives) again() {
	l.t.Helper()
	_ = l.p.Close()
	p, err := control.Open(control.Config{Partition: "tst", Journal: l.journal})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = p.Close() })
	l.p, l.sessions = p, map[string]string{}
}

// back lets a process that has survived run control register again, as its agent does.
func (l *lives) back(name string) {
	l.t.Helper()
	place, err := l.p.Register(control.Process{Name: name, Role: "drp", PID: l.pids[name]})
	if err != nil {
		l.t.Fatal(err)
	}
	l.sessions[name] = place.Session
}

// TestControlForgetsNoSettings: what a process begins with after run control was started again is what it would have begun with
// otherwise, unless nobody is left of before.
func TestControlForgetsNoSettings(t *testing.T) {
	for _, tt := range []struct {
		name   string
		before []string // what processes tell, and "-" where one dies
		after  []string // of those that are there again, and of others
		want   string   // with which a begins
	}{
		{"it dies with run control, and had what no other has", []string{"a 4 x=9! y=1", "b 2 z=1"}, []string{"b 2 z=1"}, "4 x=9"},
		{"it died before", []string{"a 2 x=9!", "b 1 x=1", "a -"}, []string{"b 1 x=1"}, "2 x=9"},
		{"the others tell nothing yet", []string{"a 1 x=1", "a -", "b 2 x=5!"}, []string{"b"}, "2 x=5"},
		{"it has lived without what all were to have", []string{"b 2 x=9!", "a 1 x=1"}, []string{"b 2 x=9!"}, "2 x=9"},
		{"it had its own", []string{"b 2 x=9!", "a 2 x=9!", "a 3 x=5~"}, []string{"b 2 x=9!"}, "3 x=5~"},
		{"it had its own, and had died before", []string{"b 2 x=9!", "a 3 x=5~", "a -"}, []string{"b 2 x=9!"}, "3 x=5~"},
		{"it had its own, and in all others it is set while run control is dead", []string{"b 2 x=9!", "a 3 x=5~"}, []string{"b 3 x=7!"}, "4 x=7"},
		{"another one has its own", []string{"b 2 x=9~", "a 1 x=1"}, []string{"b 2 x=9~"}, "2"},
		{"it is set in all others while run control is dead", []string{"a 2 x=9!", "b 2 x=9!"}, []string{"b 3 x=5!"}, "3 x=5"},
		{"in another one alone", []string{"a 2 x=9!", "b 2 x=9!", "c 2 x=9!"}, []string{"c 2 x=9!", "b 3 x=5~"}, "3 x=9"},
		{"all have died", []string{"a 2 x=9!", "b 2 x=9!"}, nil, "0"},
		{"all have died, and others have come", []string{"a 2 x=9!", "b 2 x=9!"}, []string{"c 1 x=1"}, "1"},
		{"the partition was shut down", []string{"a 2 x=9!", "a -", "shutdown"}, nil, "0"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel() // some wait for those who do not come
			l := living(t)
			l.say(tt.before, l.begin)
			l.again()
			l.say(tt.after, func(name, role string) control.Settings {
				if l.pids[name] == 0 {
					return l.begin(name, role)
				}
				l.back(name)
				return control.Settings{}
			})
			got := l.begin("a", "drp")
			if text := strings.TrimSpace(strconv.FormatInt(got.Generation, 10) + " " + worded(got)); text != tt.want {
				t.Errorf("it begins with %s, and not with %s", text, tt.want)
			}
		})
	}
}

// say lets processes tell what they have, each after its beginning.
func (l *lives) say(all []string, begin func(name, role string) control.Settings) {
	l.t.Helper()
	for _, line := range all {
		name, words, _ := strings.Cut(line, " ")
		if name == "shutdown" {
			if err := l.p.Shutdown(0); err != nil {
				l.t.Fatal(err)
			}
			continue
		}
		if l.sessions[name] == "" {
			begin(name, "drp")
		}
		if words == "-" {
			l.die(name)
			continue
		}
		if generation, values, is := strings.Cut(words, " "); is {
			n, err := strconv.ParseInt(generation, 10, 64)
			if err != nil {
				l.t.Fatal(err)
			}
			l.tell(name, n, values)
		}
	}
}

// TestWhoIsBehindAfterARestart: the order of two changes is known still, whoever comes back first.
func TestWhoIsBehindAfterARestart(t *testing.T) {
	l := living(t)
	l.say([]string{"b 2 x=9!", "a 2 x=5!"}, l.begin)
	for range 2 {
		l.again()
		l.back("a")
		l.tell("a", 2, "x=5!")
		l.back("b")
		l.tell("b", 2, "x=9!")
		if a, b := l.trouble("a"), l.trouble("b"); a != "" || b != "x is 9, and was set to 5 in a" {
			t.Errorf("%q, %q", a, b)
		}
	}
}

// TestSettingsAreNotKept: neither a file that makes no sense nor one that cannot be written is in the way of anything, nor is that of
// another journal meant.
func TestSettingsAreNotKept(t *testing.T) {
	l := living(t)
	l.say([]string{"a 2 x=9!", "b 1 x=1"}, l.begin)
	file := l.journal + ".settings"
	text, err := os.ReadFile(file)
	if err != nil || !strings.Contains(string(text), `"x":"9"`) {
		t.Fatalf("%v\n%s", err, text)
	}
	for _, is := range []string{"", "{}", "[]", string(text[:len(text)/2]), strings.Replace(string(text), `"journal":"`, `"journal":"0`, 1)} {
		if err := os.WriteFile(file, []byte(is), 0o600); err != nil {
			t.Fatal(err)
		}
		l.again()
		l.back("b")
		if got := l.begin("a", "drp"); len(got.Values) > 0 {
			t.Errorf("after %.40q it begins with %+v", is, got)
		}
		l.pids["a"] = 0
	}
	if err := os.RemoveAll(filepath.Dir(l.journal)); err != nil {
		t.Fatal(err)
	}
	l.tell("b", 2, "x=7!")
}
