package control_test

import (
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"drp/control"
)

// lives is processes that tell run control of their parameters, and come and go.
type lives struct {
	t        *testing.T
	p        *control.Partition
	journal  string
	sessions map[string]string
	pids     map[string]int // of the last of each name
	pid      int
}

func living(t *testing.T) *lives {
	t.Helper()
	journal := filepath.Join(t.TempDir(), "journal")
	p, err := control.Open(control.Config{Partition: "tst", Journal: journal})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = p.Close() })
	return &lives{t: t, p: p, journal: journal, sessions: map[string]string{}, pids: map[string]int{}}
}

// begin starts a process, after the end of one of its name, and gives what it is to begin with.
func (l *lives) begin(name, role string) control.Settings {
	l.t.Helper()
	l.pid++
	l.pids[name] = l.pid
	place, err := l.p.Register(control.Process{Name: name, Role: role, PID: l.pid})
	if err != nil {
		l.t.Fatal(err)
	}
	l.sessions[name] = place.Session
	s, err := l.p.Settings(name, place.Session)
	if err != nil {
		l.t.Fatal(err)
	}
	return s
}

// tell is a process that tells of its parameters, as "threshold=9! distance=2~ rows=3": those with a mark were set, for all or for it alone.
func (l *lives) tell(name string, generation int64, words string) {
	l.t.Helper()
	s := &control.Settings{Generation: generation, Values: map[string]string{}}
	for _, w := range strings.Fields(words) {
		name, value, _ := strings.Cut(strings.TrimRight(w, "!~"), "=")
		if s.Values[name] = value; strings.HasSuffix(w, "!") || strings.HasSuffix(w, "~") {
			s.Set = append(s.Set, name)
		}
		if strings.HasSuffix(w, "~") {
			s.Own = append(s.Own, name)
		}
	}
	l.report(name, control.Report{Settings: s})
}

func (l *lives) report(name string, r control.Report) {
	l.t.Helper()
	r.Session = l.sessions[name]
	if err := l.p.Report(name, r); err != nil {
		l.t.Fatal(err)
	}
}

func (l *lives) die(name string) { l.t.Helper(); l.report(name, control.Report{Left: "killed"}) }

// trouble is what the status says of a process.
func (l *lives) trouble(name string) string {
	for _, p := range l.p.Status().Processes {
		if p.Name == name {
			return p.Troubles["settings"]
		}
	}
	return "there is none"
}

func TestWhatAProcessBeginsWith(t *testing.T) {
	type step struct{ name, says string } // says "-" when it dies
	for _, tt := range []struct {
		name       string
		before     []step
		generation int64
		want       string
	}{
		{name: "nothing was set", before: []step{{"a", "1 x=1"}, {"b", "1 x=1"}, {"a", "-"}}, generation: 1},
		{name: "it was set in all", before: []step{{"a", "2 x=9! y=2"}, {"b", "2 x=9! y=2"}, {"a", "-"}}, generation: 2, want: "x=9"},
		{name: "it was set in the others later", before: []step{{"a", "2 x=9!"}, {"b", "2 x=9!"}, {"a", "-"}, {"b", "3 x=5!"}, {"c", "3 x=5!"}},
			generation: 3, want: "x=5"},
		{name: "for the first time", before: []step{{"a", "1 x=1"}, {"b", "1 x=1"}, {"a", "-"}, {"b", "2 x=5!"}}, generation: 2, want: "x=5"},
		{name: "in another one alone", before: []step{{"a", "2 x=9!"}, {"b", "2 x=9!"}, {"a", "-"}, {"b", "3 x=5~"}}, generation: 3, want: "x=9"},
		{name: "in all others, each alone", before: []step{{"a", "1 x=1"}, {"b", "2 x=5~"}, {"c", "2 x=5~"}, {"a", "-"}}, generation: 2},
		{name: "in it alone", before: []step{{"b", "2 x=9!"}, {"a", "2 x=9!"}, {"a", "3 x=5~"}, {"a", "-"}}, generation: 3, want: "x=5~"},
		{name: "in it alone, to what all have", before: []step{{"a", "2 x=9!"}, {"b", "2 x=9!"}, {"a", "2 x=9~"}, {"a", "-"}}, generation: 2, want: "x=9~"},
		{name: "in each alone", before: []step{{"a", "2 x=9~"}, {"b", "2 x=5~"}, {"c", "1 x=1"}, {"a", "-"}}, generation: 2, want: "x=9~"},
		{name: "in it alone, and in all others later", before: []step{{"a", "2 x=9~"}, {"b", "1 x=1"}, {"a", "-"}, {"b", "2 x=5!"}}, generation: 3, want: "x=5"},
		{name: "in it alone, and in all later to the same", before: []step{{"a", "2 x=9~"}, {"b", "1 x=1"}, {"a", "2 x=9!"}, {"b", "2 x=9!"}, {"a", "-"}},
			generation: 2, want: "x=9"},
		{name: "in it alone twice, in all in between", before: []step{{"a", "2 x=9~"}, {"b", "2 x=5!"}, {"a", "3 x=5!"}, {"a", "4 x=9~"}, {"a", "-"}},
			generation: 4, want: "x=9~"},
		{name: "in all, and in some to what others have already", before: []step{{"a", "2 x=9!"}, {"b", "2 x=9!"}, {"c", "2 x=9!"}, {"b", "3 x=5!"}, {"b", "4 x=9!"}, {"a", "-"}},
			generation: 4, want: "x=9"},
		{name: "the others do not have it", before: []step{{"a", "2 x=9!"}, {"b", "1 z=1"}, {"a", "-"}}, generation: 2, want: "x=9"},
		{name: "it has lived without what all were to have", before: []step{{"b", "2 x=9!"}, {"a", "1 x=1"}, {"a", "-"}}, generation: 2, want: "x=9"},
		{name: "all have died", before: []step{{"a", "2 x=9!"}, {"b", "3 x=7!"}, {"b", "-"}, {"a", "-"}}, generation: 2, want: "x=9"},
		{name: "it never was there", before: []step{{"b", "4 x=9! y=2"}, {"c", "4 x=9! y=2"}}, generation: 4, want: "x=9"},
		{name: "it never was there, and one lacks it", before: []step{{"b", "4 x=9!"}, {"c", "3 x=1"}}, generation: 4, want: "x=9"},
		{name: "it never was there, and one has its own", before: []step{{"b", "4 x=9!"}, {"c", "3 x=1~"}}, generation: 4, want: "x=9"},
		{name: "another role", before: []step{{"teb0", "4 x=9!"}}},
		{name: "its generation had other values", before: []step{{"a", "3 x=9!"}, {"b", "2 x=8!"}, {"a", "-"}, {"b", "3 x=5!"}}, generation: 4, want: "x=5"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			l := living(t)
			for _, s := range tt.before {
				role := strings.TrimRight(s.name, "0") // those of a run are a, b and c
				if role != "teb" {
					role = "drp"
				}
				if l.sessions[s.name] == "" {
					l.begin(s.name, role)
				}
				if s.says == "-" {
					l.die(s.name)
					continue
				}
				generation, words, _ := strings.Cut(s.says, " ")
				n, err := strconv.ParseInt(generation, 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				l.tell(s.name, n, words)
			}
			got := l.begin("a", "drp")
			if got.Generation != tt.generation || worded(got) != tt.want {
				t.Errorf("it begins with %+v, not with %s of generation %d", got, tt.want, tt.generation)
			}
			if again, err := l.p.Settings("a", l.sessions["a"]); err != nil || worded(again) != tt.want {
				t.Errorf("asked again, it begins with %+v, %v", again, err)
			}
		})
	}
}

// worded is what a process is to begin with, as tell has it; no mark is for all.
func worded(s control.Settings) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(s.Values)) {
		word := name + "=" + s.Values[name]
		if slices.Contains(s.Own, name) {
			word += "~"
		}
		all = append(all, word)
	}
	return strings.Join(all, " ")
}

// TestWhatIsOnesOwn goes back to the one for whom it was set, and to nobody else, through several lives and those of run control, and
// nobody is named for it; what was set for all goes to all.
func TestWhatIsOnesOwn(t *testing.T) {
	l := living(t)
	names := []string{"a", "b", "c"}
	for _, name := range names {
		l.begin(name, "drp")
		l.tell(name, 1, "distance=0 energy=0 x="+name)
	}
	l.tell("a", 2, "distance=1~ energy=0 x=a")
	l.tell("b", 2, "distance=2~ energy=0 x=b")
	for generation, name := range names {
		has := map[string]string{"a": "distance=1~ ", "b": "distance=2~ ", "c": "distance=0 "}[name]
		l.tell(name, int64(3+generation), has+"energy=8! x="+name)
	}
	begins := map[string]string{"a": "distance=1~ energy=8", "b": "distance=2~ energy=8", "c": "energy=8"}
	lives := func() {
		t.Helper()
		for _, name := range names {
			l.die(name)
			got := l.begin(name, "drp")
			if worded(got) != begins[name] {
				t.Errorf("%s begins with %s, and not with %s", name, worded(got), begins[name])
			}
			for _, other := range names {
				if text := l.trouble(other); text != "" {
					t.Errorf("%s: %q", other, text)
				}
			}
			words := strings.ReplaceAll(worded(got), "energy=8", "energy=8!") + " x=" + name
			if name == "c" {
				words += " distance=0"
			}
			l.tell(name, got.Generation, words)
		}
	}
	lives()
	lives()
	l.again()
	for _, name := range names {
		l.back(name)
	}
	lives()
	l.tell("a", 9, "distance=5! energy=8! x=a")
	if b, c := l.trouble("b"), l.trouble("c"); b != "" || c != "distance is 0, and was set to 5 in a" {
		t.Errorf("%q, %q", b, c)
	}
	l.tell("b", 9, "distance=5! energy=8! x=b")
	l.tell("c", 9, "distance=5! energy=8! x=c")
	begins = map[string]string{"a": "distance=5 energy=8", "b": "distance=5 energy=8", "c": "distance=5 energy=8"}
	for _, name := range names {
		l.die(name)
		if got := worded(l.begin(name, "drp")); got != begins[name] {
			t.Errorf("%s begins with %s", name, got)
		}
		l.tell(name, 10, "distance=5! energy=8! x="+name)
	}
}

// TestAnotherLifeWithoutAWord: one that died before it said anything hands on what it was to begin with.
func TestAnotherLifeWithoutAWord(t *testing.T) {
	l := living(t)
	l.begin("a", "drp")
	l.tell("a", 2, "x=9!")
	for range 3 {
		l.die("a")
		if got := l.begin("a", "drp"); got.Generation != 2 || got.Values["x"] != "9" {
			t.Errorf("%+v", got)
		}
	}
}

// TestDifferingSettings: who has not what was set last is named for as long as that is so, and nobody who was started with other
// values than the others.
func TestDifferingSettings(t *testing.T) {
	l := living(t)
	for _, name := range []string{"a", "b", "c"} {
		l.begin(name, "drp")
		l.tell(name, 1, "x=1 y="+name)
	}
	for _, name := range []string{"a", "b", "c"} {
		if text := l.trouble(name); text != "" {
			t.Errorf("%s: %q", name, text)
		}
	}
	l.tell("b", 2, "x=9! y=b")
	l.tell("a", 2, "x=9! y=a")
	if a, b, c := l.trouble("a"), l.trouble("b"), l.trouble("c"); a != "" || b != "" || c != "x is 1, and was set to 9 in a" {
		t.Errorf("%q, %q, %q", a, b, c)
	}
	l.tell("c", 2, "x=9! y=c")
	if text := l.trouble("c"); text != "" {
		t.Errorf("%q", text)
	}
	l.report("c", control.Report{Settings: &control.Settings{Values: map[string]string{"x": "1"}}, Troubles: map[string]string{"settings": "none is known", "loss": "some"}})
	for _, p := range l.p.Status().Processes {
		if p.Name == "c" && p.Trouble != "some; x is 1, and was set to 9 in a" {
			t.Errorf("%q", p.Trouble)
		}
	}
}

// TestTooManySettings are not kept, and a report of all that a process can declare is taken.
func TestTooManySettings(t *testing.T) {
	l := living(t)
	l.begin("a", "drp")
	many := &control.Settings{Generation: 2, Values: map[string]string{}}
	for i := range 2000 {
		many.Values["x"+strconv.Itoa(i)] = "1"
	}
	many.Set = []string{"x1"}
	l.report("a", control.Report{Settings: many})
	if got := l.begin("b", "drp"); len(got.Values) > 0 {
		t.Errorf("%d values", len(got.Values))
	}
	s := open(t, path(t))
	place, err := s.Register(control.Process{Name: "a", Role: "drp"})
	if err != nil {
		t.Fatal(err)
	}
	var values []string
	for i := range 200 {
		values = append(values, `"`+strings.Repeat("n", 60)+strconv.Itoa(i)+`":"`+strings.Repeat(`\u0001`, 127)+`"`)
	}
	body := `{"session":"` + place.Session + `","number":0,"last":0,"events":0,"settings":{"generation":2,"values":{` + strings.Join(values, ",") + `}}}`
	answer, err := http.Post(s.server.URL+"/v1/processes/a/report", "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%d bytes are answered with %s", len(body), answer.Status)
	}
}

// TestSettingsByHTTP: an agent asks for them, and run control that was started again is waited for.
func TestSettingsByHTTP(t *testing.T) {
	s := open(t, path(t))
	a := s.worker("a", "")
	b, err := s.Register(control.Process{Name: "b", Role: "drp"})
	if err == nil {
		err = s.Report("b", control.Report{Session: b.Session, Settings: &control.Settings{Generation: 3, Values: map[string]string{"x": "9"}, Set: []string{"x"}}})
	}
	if err != nil {
		t.Fatal(err)
	}
	if got, err := a.Settings(); err != nil || got.Generation != 3 || got.Values["x"] != "9" {
		t.Errorf("%+v, %v", got, err)
	}
	s.close()
	if got, err := a.Settings(); err == nil {
		t.Errorf("nobody is there, and says %+v", got)
	}
}
