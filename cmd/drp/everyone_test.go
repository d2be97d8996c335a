package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"drp/drp"
	"drp/internal/settings"
	"drp/watch"
)

// member is a process of a partition, as far as others see it.
type member struct {
	steeredBook
	asked  func() // called before it is set; nil is nothing
	fails  error  // why it refuses to be set after it has agreed
	server *watch.Server
	reload func(asked watch.Reload) (watch.Reloaded, error)
}

func (m *member) SetForAll(values map[string]any, who string) (int64, error) {
	if m.asked != nil {
		m.asked()
	}
	if m.fails != nil {
		return 0, m.fails
	}
	return m.steeredBook.SetForAll(values, who)
}

// memberOf begins one that declares parameters; nothing yet where the text is empty.
func memberOf(t *testing.T, pid int, declares string) (*member, seen) {
	t.Helper()
	m := &member{}
	if declares != "" {
		all, err := settings.Declared([]byte(declares), "script")
		if err == nil {
			_, err = m.Declare(all, nil, time.Now())
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	get, post := watch.SettingsPages(func() watch.Steered { return m })
	path, page := watch.PageOfReload(func(_ context.Context, asked watch.Reload) (watch.Reloaded, error) { return m.reload(asked) })
	post[path] = page
	dir, err := os.MkdirTemp("", "m") //nolint:usetesting // a socket has a short name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	status := &watch.Status{PID: pid, Partition: "tst", Script: "a.py", Source: "sim"}
	socket := filepath.Join(dir, "s")
	if m.server, err = watch.Listen(watch.Options{Socket: socket, Status: func() watch.Status { return *status }, Get: get, Post: post,
		Root: http.NotFoundHandler()}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.server.Close)
	client := watch.DialSocket(socket)
	t.Cleanup(client.Close)
	return m, seen{client, status}
}

const (
	declaresI  = `[{"name":"i","type":"int","default":3,"max":10}]`
	declaresIJ = `[{"name":"i","type":"int","default":3},{"name":"j","type":"int","default":3}]`
)

func (m *member) value(t *testing.T, name string) any {
	t.Helper()
	for _, s := range m.Settings().Settings {
		if s.Name == name {
			return s.Value
		}
	}
	t.Fatalf("%s is not declared", name)
	return nil
}

// TestSetEverywhere changes parameters in all processes that declare them, or in none.
func TestSetEverywhere(t *testing.T) {
	a, sa := memberOf(t, 1, declaresI)
	b, sb := memberOf(t, 2, declaresIJ)
	_, sc := memberOf(t, 3, `[]`)
	_, sd := memberOf(t, 4, declaresI)
	all := []seen{sa, sb, sc, sd}
	for _, test := range []struct {
		name   string
		values map[string]any
		kind   drp.Kind // 0 is none
		says   string
		want   string // outcomes
		ai, bi int64
	}{
		{"all that declare it", map[string]any{"i": "4"}, 0, "process 3 (a.py on sim): left as it is, since it does not declare i", "set set left set", 4, 4},
		{"each what it declares", map[string]any{"i": 5, "j": 6}, 0, "process 1 (a.py on sim): generation 2, without j, which it does not declare",
			"set set left set", 5, 5},
		{"one refuses", map[string]any{"i": 11}, drp.Configuration,
			"process 1 (a.py on sim): i: 11 is more than 10, the most that the script allows; 5 stays", "refused unchanged unchanged refused", 5, 5},
		{"nobody knows one", map[string]any{"i": 7, "nothing": 1}, drp.Configuration, `nothing was changed in any process:
  process 1, 4: no setting has the name "nothing"; there are i
  process 2: no setting has the name "nothing"; there are i, j
  process 3: "nothing": nothing can be set in this process: no script declares a parameter (ds.param)`,
			"unchanged unchanged unchanged unchanged", 5, 5},
	} {
		result, err := setEverywhere(t.Context(), all, test.values)
		var said strings.Builder
		writeChanged(&said, result)
		if f := (*drp.Failure)(nil); errors.As(err, &f) != (test.kind != 0) || f != nil && f.Kind != test.kind {
			t.Errorf("%s: %v", test.name, err)
		}
		if text := fmt.Sprint(said.String(), err); !strings.Contains(text, test.says) {
			t.Errorf("%s: it says %s", test.name, text)
		}
		if got := outcomes(result); got != test.want {
			t.Errorf("%s: %s", test.name, got)
		}
		for _, m := range []*member{a, b} {
			if _, _, _, own := m.Words(); len(own) > 0 {
				t.Errorf("%s: %v is set for one alone", test.name, own)
			}
		}
		if ai, bi := a.value(t, "i"), b.value(t, "i"); ai != test.ai || bi != test.bi {
			t.Errorf("%s: the values are %v and %v", test.name, ai, bi)
		}
	}
	if a.Settings().Refused != 0 {
		t.Error("a question counts as a change that was refused")
	}
}

func outcomes(result []changed) string {
	var all []string
	for _, r := range result {
		all = append(all, r.Outcome)
	}
	return strings.Join(all, " ")
}

// TestSetWhileRunControlIsDead is said once of all processes, and of each in JSON.
func TestSetWhileRunControlIsDead(t *testing.T) {
	a, sa := memberOf(t, 1, declaresI)
	b, sb := memberOf(t, 2, declaresI)
	a.lost, b.lost = "no run control", "no run control"
	result, err := setEverywhere(t.Context(), []seen{sa, sb}, map[string]any{"i": 4})
	if err != nil || result[0].Warning != a.lost || result[1].Warning != a.lost {
		t.Errorf("%+v, %v", result, err)
	}
	if lines := warnings(result); len(lines) != 1 || lines[0] != a.lost {
		t.Error(lines)
	}
}

// TestSetThatFailsInBetween names who has the values and who has not, since all had agreed.
func TestSetThatFailsInBetween(t *testing.T) {
	a, sa := memberOf(t, 1, declaresI)
	b, sb := memberOf(t, 2, declaresI)
	c, sc := memberOf(t, 3, declaresI)
	b.fails = errors.New("another script is there")
	c.asked = func() { panic(http.ErrAbortHandler) }
	result, err := setEverywhere(t.Context(), []seen{sa, sb, sc}, map[string]any{"i": 4})
	if f := (*drp.Failure)(nil); !errors.As(err, &f) || f.Kind != drp.General {
		t.Fatalf("%v", err)
	}
	for _, want := range []string{"not all processes have the values now:", "process 1 (a.py on sim) has the values\n",
		"process 2 (a.py on sim) has not: another script is there", "process 3 (a.py on sim) did not answer, and may have or not: "} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("it does not say %q: %v", want, err)
		}
	}
	if got := outcomes(result); got != "set refused unanswered" || a.value(t, "i") != int64(4) {
		t.Errorf("%s, %v", got, a.value(t, "i"))
	}
}

// TestSetBeforeOneHasBegun is refused by that one, and so nobody changes.
func TestSetBeforeOneHasBegun(t *testing.T) {
	a, sa := memberOf(t, 1, declaresI)
	_, sb := memberOf(t, 2, "")
	_, err := setEverywhere(t.Context(), []seen{sa, sb}, map[string]any{"i": 4})
	if err == nil || !strings.Contains(err.Error(), "its script has not said yet what can be set") || a.value(t, "i") != int64(3) {
		t.Errorf("%v, %v", err, a.value(t, "i"))
	}
}

// TestReloadEverywhere: all take their scripts anew, or none.
func TestReloadEverywhere(t *testing.T) {
	a, sa := memberOf(t, 1, `[]`)
	b, sb := memberOf(t, 2, `[]`)
	taken, bad, late := 0, error(nil), error(nil)
	a.reload = func(asked watch.Reload) (watch.Reloaded, error) {
		if !asked.Check {
			taken++
		}
		return watch.Reloaded{SHA256: "5f1c", State: "taken at the next step", Tried: "event 17"}, nil
	}
	b.reload = func(asked watch.Reload) (watch.Reloaded, error) {
		if asked.Check {
			return watch.Reloaded{State: "only tried"}, bad
		}
		return watch.Reloaded{State: "taken at the next step"}, late
	}
	bad = errors.New("line 3: no Python")
	result, err := reloadEverywhere(t.Context(), []seen{sa, sb}, &reloadOptions{})
	f := (*drp.Failure)(nil)
	if !errors.As(err, &f) || f.Kind != drp.Script || !strings.Contains(err.Error(), "no process takes its script anew:\n  process 2 (a.py on sim): line 3: no Python") ||
		taken != 0 || result[0].Outcome != outcomeSame || result[1].Outcome != outcomeRefused {
		t.Errorf("%d, %+v, %v", taken, result, err)
	}
	bad, late = nil, errors.New("saved once more")
	result, err = reloadEverywhere(t.Context(), []seen{sa, sb}, &reloadOptions{})
	if !errors.As(err, &f) || f.Kind != drp.General || taken != 1 || result[0].Outcome != outcomeReloads ||
		!strings.Contains(err.Error(), "process 1 (a.py on sim) takes it\n  process 2 (a.py on sim) does not: saved once more") {
		t.Errorf("%d, %+v, %v", taken, result, err)
	}
	late = nil
	if result, err = reloadEverywhere(t.Context(), []seen{sa, sb}, &reloadOptions{}); err != nil || result[1].Outcome != outcomeReloads || result[0].Tried != "event 17" {
		t.Errorf("%+v, %v", result, err)
	}
}

// TestDiffering: one that was started anew has the values of its script, and who looks at the partition is told.
func TestDiffering(t *testing.T) {
	a, sa := memberOf(t, 1, declaresI)
	b, sb := memberOf(t, 2, declaresIJ)
	late, anew := memberOf(t, 3, declaresI)
	_, otherwise := memberOf(t, 5, strings.Replace(declaresI, `"default":3`, `"default":4`, 1))
	if lines := differingOf(t.Context(), []seen{sa, otherwise}); lines != nil {
		t.Errorf("of other defaults, which nobody has changed, it says %q", lines)
	}
	_, other := memberOf(t, 4, declaresI)
	other.status.Partition = "other"
	all := []seen{sa, sb, anew, other}
	if lines := differingOf(t.Context(), all); lines != nil {
		t.Errorf("of the same values it says %q", lines)
	}
	for _, m := range []*member{a, b} {
		if _, err := m.SetForAll(map[string]any{"i": 9}, "me"); err != nil {
			t.Fatal(err)
		}
	}
	if a.value(t, "i") != int64(9) || b.value(t, "i") != int64(9) {
		t.Fatal("it is not set")
	}
	if lines := differingOf(t.Context(), all); !slices.Equal(lines, []string{"partition tst: i differs between processes: 9 in 1, 2; 3 in 3"}) {
		t.Errorf("it says %q", lines)
	}
	var text strings.Builder
	writeShown(&text, []shown{{sa.process(), a.Settings()}, {sb.process(), b.Settings()}, {anew.process(), late.Settings()}}, false)
	if !strings.HasSuffix(text.String(), "\ni differs between processes: 9 in 1, 2; 3 in 3\n") || strings.Contains(text.String(), "alone") {
		t.Errorf("it shows\n%s", &text)
	}
	if _, err := late.Set(map[string]any{"i": 5}, "me"); err != nil {
		t.Fatal(err)
	}
	if lines := differingOf(t.Context(), all); lines != nil {
		t.Errorf("of what is set for one alone it says %q", lines)
	}
	text.Reset()
	writeShown(&text, []shown{{sa.process(), a.Settings()}, {anew.process(), late.Settings()}}, false)
	if !strings.HasSuffix(text.String(), "by default 3  \ngeneration 2\nset for this process alone: i\n") || strings.Count(text.String(), "alone") != 1 {
		t.Errorf("it shows\n%s", &text)
	}
}

// TestReloadEverywhereWithEnds: all try the ends before any takes its script, so that one whose ends are bad splits no partition.
func TestReloadEverywhereWithEnds(t *testing.T) {
	a, sa := memberOf(t, 1, `[]`)
	b, sb := memberOf(t, 2, `[]`)
	taken := 0
	tries := func(ends error) func(watch.Reload) (watch.Reloaded, error) {
		return func(asked watch.Reload) (watch.Reloaded, error) {
			if asked.Ends && ends != nil {
				return watch.Reloaded{}, ends
			}
			if !asked.Check {
				taken++
			}
			return watch.Reloaded{State: "taken at the next step", Tried: "event 17", Ends: asked.Ends}, nil
		}
	}
	bad := errors.New("it fails at EndRun")
	with := &reloadOptions{asked: watch.Reload{Ends: true}}
	for _, tt := range []struct {
		a, b  error
		taken int
	}{{nil, bad, 0}, {bad, bad, 0}, {nil, nil, 2}} {
		taken = 0
		a.reload, b.reload = tries(tt.a), tries(tt.b)
		_, err := reloadEverywhere(t.Context(), []seen{sa, sb}, with)
		f := (*drp.Failure)(nil)
		if taken != tt.taken || (err != nil) != (tt.b != nil) || err != nil && (!errors.As(err, &f) || f.Kind != drp.Script) {
			t.Errorf("with %v and %v: %d have taken it, %v", tt.a, tt.b, taken, err)
		}
	}
}

// TestReloadedText says of the ends whether they were tried.
func TestReloadedText(t *testing.T) {
	for _, tt := range []struct {
		got  watch.Reloaded
		ends bool
		want string
	}{
		{watch.Reloaded{State: "in use"}, false, ": in use"},
		{watch.Reloaded{State: "in use", Tried: "event 1", Ends: true}, true, ": in use, tried up to event 1, and at its ends"},
		{watch.Reloaded{State: "taken at the next step", Ends: true}, true, ": taken at the next step, its ends were tried before"},
		{watch.Reloaded{State: "taken at the Configure that comes"}, true, ": taken at the Configure that comes, its ends were not tried"},
		{watch.Reloaded{State: "taken at the next step", Tried: "event 1"}, false, ", tried up to event 1, and not at its ends (--ends)"},
		{watch.Reloaded{State: "in use", Trigger: "trigger script t.py: not looked at"}, false, ": in use\n  trigger script t.py: not looked at"},
	} {
		if got := reloadedText(&tt.got, watch.Reload{Ends: tt.ends}); !strings.HasSuffix(got, tt.want) {
			t.Errorf("%q does not end with %q", got, tt.want)
		}
	}
}

// TestTopOfSeveral has a row for each, with rates since the picture before.
func TestTopOfSeveral(t *testing.T) {
	one := &watch.Status{PID: 1, Partition: "tst", Script: "a.py", Source: "sim", State: "enabled", Seconds: 2, Events: watch.Events{Received: 300},
		Workers: []watch.Worker{{Restarts: 2}, {Restarts: 3, Script: watch.Latency{P99: 0.25}}}}
	two := &watch.Status{PID: 2, State: "starting"}
	before := map[int]*watch.Status{1: {PID: 1, Seconds: 1, Events: watch.Events{Received: 100}}}
	lines := severalTable(before, []seen{{status: one}, {status: two}})
	if fields := strings.Fields(lines[1]); len(fields) < 16 || fields[0] != "1" || fields[2] != "enabled" || fields[4] != "200" || fields[12] != "250ms" || fields[13] != "5" {
		t.Errorf("%q", lines[1])
	}
	if !strings.HasPrefix(lines[2], "      2 ") {
		t.Errorf("%q", lines[2])
	}
	if at := strings.Index(lines[0], "script 99 %"); at < 0 || !strings.HasPrefix(strings.TrimLeft(lines[1][at:], " "), "250ms") {
		t.Errorf("the columns are not below their names:\n%s\n%s", lines[0], lines[1])
	}
}
