package settings_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"time"

	"drp/internal/settings"
)

const declaration = `[
 {"name":"threshold","type":"float","default":50,"min":0,"max":null,"choices":null,"unit":"ADU","doc":"of pixels"},
 {"name":"rows","type":"int","default":3,"min":1,"max":9223372036854775807,"choices":null,"unit":"","doc":""},
 {"name":"mode","type":"str","default":"sum","min":null,"max":null,"choices":["sum","max"],"unit":"","doc":""},
 {"name":"dark","type":"bool","default":false,"min":null,"max":null,"choices":null,"unit":"","doc":""},
 {"name":"title","type":"str","default":"","min":null,"max":null,"choices":null,"unit":"","doc":""}]`

func parameters(t testing.TB) []settings.Parameter {
	t.Helper()
	all, err := settings.Declared([]byte(declaration), "script")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func book(t testing.TB) *settings.Book {
	t.Helper()
	var b settings.Book
	if _, err := b.Declare(parameters(t), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	return &b
}

func TestWhatIsAccepted(t *testing.T) {
	for _, test := range []struct {
		name  string
		given any
		want  any
		says  string // why it is refused
	}{
		{"threshold", 60.5, 60.5, ""},
		{"threshold", json.Number("60"), 60.0, ""},
		{"threshold", "6e1", 60.0, ""},
		{"threshold", "-1", nil, "threshold: -1 is less than 0, the least that the script allows; 50 stays"},
		{"threshold", "NaN", nil, "is no finite number"},
		{"threshold", "Inf", nil, "is no finite number"},
		{"threshold", json.Number("1e999"), nil, "is no finite number"},
		{"threshold", json.Number("1e-400"), nil, "threshold: 1e-400 is no finite number"},
		{"threshold", "0.0e-400", 0.0, ""},
		{"threshold", "0x1p4", nil, "is no finite number"},
		{"threshold", "1_0", nil, "is no finite number"},
		{"rows", "1e1", int64(10), ""},
		{"rows", "1e-400", nil, "is no whole number of 64 bits"},
		{"rows", "1e18", int64(1e18), ""},
		{"rows", json.Number("9007199254740993.0"), int64(9007199254740993), ""},
		{"rows", "9.223372036854775807e18", int64(9223372036854775807), ""},
		{"rows", "9.223372036854775808e18", nil, "is no whole number of 64 bits"},
		{"rows", "12345678901234567.5", nil, "is no whole number of 64 bits"},
		{"rows", "1e99999", nil, "is no whole number of 64 bits"},
		{"rows", "0e99999", nil, "rows: 0 is less than 1"},
		{"threshold", true, nil, "threshold: true is no finite number"},
		{"threshold", "", nil, "is no finite number"},
		{"threshold", nil, nil, "threshold: null is no finite number"},
		{"threshold", []any{1}, nil, "is no finite number"},
		{"rows", json.Number("9223372036854775807"), int64(9223372036854775807), ""},
		{"rows", json.Number("9223372036854775808"), nil, "is no whole number of 64 bits"},
		{"rows", 4.0, int64(4), ""},
		{"rows", 4.5, nil, "rows: 4.5 is no whole number of 64 bits; 3 stays"},
		{"rows", "0", nil, "rows: 0 is less than 1"},
		{"mode", "max", "max", ""},
		{"mode", "min", nil, `mode: "min" is none of sum max; "sum" stays`},
		{"mode", json.Number("1"), nil, "mode: 1 is no text"},
		{"dark", true, true, ""},
		{"dark", "On", true, ""},
		{"dark", json.Number("1"), true, ""},
		{"dark", "2", nil, `dark: "2" is no true or false; false stays`},
		{"title", strings.Repeat("x", 127), strings.Repeat("x", 127), ""},
		{"title", strings.Repeat("x", 128), nil, "128 bytes: 127 are allowed"},
		{"title", "a\x00b", nil, "is no text"},
		{"title", "\xff", nil, "is no text"},
		{"treshold", "1", nil, `no setting has the name "treshold"; did you mean threshold?`},
		{"ode", "1", nil, `did you mean mode?`},
		{"x", "1", nil, `no setting has the name "x"; there are`},
		{"", "1", nil, `no setting has the name ""; there are`},
		{"gain", "1", nil, `there are dark, mode, rows, threshold, title`},
	} {
		t.Run(fmt.Sprintf("%s=%.20v", test.name, test.given), func(t *testing.T) {
			b := book(t)
			generation, err := b.Set(map[string]any{test.name: test.given, "title": test.given}, "me")
			if test.name != "title" {
				generation, err = b.Set(map[string]any{test.name: test.given}, "me")
			}
			if test.says != "" {
				if err == nil || !strings.Contains(err.Error(), test.says) {
					t.Errorf("%v does not say %q", err, test.says)
				}
				return
			}
			if err != nil || generation != 2 {
				t.Fatal(generation, err)
			}
			if c := b.Turn(time.Now()); c == nil || c.Changes[test.name][1] != test.want || c.Generation != 2 || c.Who != "me" {
				t.Errorf("%+v", c)
			}
		})
	}
}

// TestNamesOfOthers are meant by their last part, and nothing is known before anybody has declared anything.
func TestNamesOfOthers(t *testing.T) {
	var b settings.Book
	if _, err := b.Set(map[string]any{"p": 1}, "me"); err == nil || !strings.Contains(err.Error(), "the run has not begun, and its script has not said yet what can be set") {
		t.Error(err)
	}
	all := parameters(t)
	all[0].Name = "post.p"
	if _, err := b.Declare(all, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Set(map[string]any{"p": 1}, "me"); err == nil || err.Error() != `no setting has the name "p"; did you mean post.p?` {
		t.Error(err)
	}
	if _, err := b.Declare(nil, nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if _, err := b.Set(map[string]any{"p": 1}, "me"); err == nil || !strings.Contains(err.Error(), "no script declares a parameter") {
		t.Error(err)
	}
}

// TestAllOrNothing is of changes that come together, and of what comes before the next event.
func TestAllOrNothing(t *testing.T) {
	b := book(t)
	if _, err := b.Set(map[string]any{"rows": 7, "threshold": -1, "mdoe": "max"}, "me"); err == nil ||
		err.Error() != `no setting has the name "mdoe"; did you mean mode?; threshold: -1 is less than 0, the least that the script allows; 50 stays` {
		t.Error(err)
	}
	if b.Pending() || b.Turn(time.Now()) != nil || b.List().Refused != 1 {
		t.Error("something of it was taken")
	}
	for i := range 1000 {
		if g, err := b.Set(map[string]any{"rows": i + 10}, fmt.Sprint("client ", i%3)); err != nil || g != 2 {
			t.Fatal(g, err)
		}
	}
	if l := b.List(); l.Generation != 2 || l.Applied != 1 || l.Settings[1].Value != int64(1009) {
		t.Errorf("%+v", l)
	}
	if c := b.Turn(time.Now()); c.Changes["rows"] != [2]any{int64(3), int64(1009)} || len(c.Changes) != 1 || c.Who != "client 0, client 1, client 2" ||
		c.String() != "generation 2: rows 3 -> 1009 (client 0, client 1, client 2)" {
		t.Errorf("%v", c)
	}
	if g, err := b.Set(map[string]any{"rows": 1009}, "me"); g != 2 || err != nil || b.Pending() {
		t.Errorf("a change to what it is: %d, %v", g, err)
	}
	_, _ = b.Set(map[string]any{"rows": 5}, "me")
	if _, err := b.Set(map[string]any{"rows": 1009}, "me"); err != nil || b.Pending() || b.Turn(time.Now()) != nil {
		t.Error("a change that was taken back is one")
	}
}

func TestDeclareAnew(t *testing.T) {
	b := book(t)
	_, _ = b.Set(map[string]any{"threshold": 70, "rows": 8, "mode": "max"}, "me")
	b.Turn(time.Now())
	others, err := settings.Declared([]byte(`[{"name":"threshold","type":"float","default":1},{"name":"rows","type":"int","default":2,"max":4},
		{"name":"mode","type":"int","default":9}]`), "script")
	if err != nil {
		t.Fatal(err)
	}
	c, err := b.Declare(others, nil, time.Now())
	if err != nil || c.Generation != 3 || len(c.Changes) != 2 || c.Changes["rows"][1] != int64(2) || c.Changes["mode"][1] != int64(9) {
		t.Errorf("%+v, %v", c, err)
	}
	if g, v := b.Values("script"); g != 3 || fmt.Sprint(v) != "[70 2 9]" {
		t.Error(g, v)
	}
	if c, err := b.Declare(others, nil, time.Now()); c != nil || err != nil {
		t.Error("the same once more is a change", c, err)
	}
}

func TestStart(t *testing.T) {
	for _, test := range []struct {
		start map[string]any
		says  string
	}{
		{map[string]any{"threshold": "60"}, ""},
		{map[string]any{"threshold": "-60"}, "threshold: -60 is less than 0"},
		{map[string]any{"treshold": "60"}, "did you mean threshold?"},
	} {
		var b settings.Book
		c, err := b.Declare(parameters(t), test.start, time.Now())
		if test.says == "" && (err != nil || c.Changes["threshold"][1] != 60.0) || test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says)) {
			t.Errorf("%v: %+v, %v", test.start, c, err)
		}
	}
	var none settings.Book
	if _, err := none.Declare(nil, map[string]any{"a": 1}, time.Now()); err == nil || !strings.Contains(err.Error(), "nothing can be set") {
		t.Error(err)
	}
}

// TestHistory is bounded, and its generations only go up, whoever asks at the same time.
func TestHistory(t *testing.T) {
	b := book(t)
	var setting sync.WaitGroup
	for k := range 4 {
		setting.Go(func() {
			for i := range 500 {
				if _, err := b.Set(map[string]any{"rows": 1 + i, "threshold": k}, fmt.Sprint("client ", k)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	done := make(chan struct{})
	go func() { setting.Wait(); close(done) }()
	for over := false; !over; {
		select {
		case <-done:
			over = true
		default:
		}
		b.Turn(time.Now())
	}
	for i := range 300 {
		_, _ = b.Set(map[string]any{"rows": 2000 + i}, "me")
		b.Turn(time.Now())
	}
	l := b.List()
	if len(l.History) != 256 || l.Applied != l.Generation || l.History[255].Generation != l.Generation {
		t.Fatalf("%d changes, generation %d", len(l.History), l.Generation)
	}
	for i, c := range l.History[1:] {
		if c.Generation != l.History[i].Generation+1 {
			t.Errorf("generation %d comes after %d", c.Generation, l.History[i].Generation)
		}
	}
}

func TestWhatIsNoDeclaration(t *testing.T) {
	for text, says := range map[string]string{
		"":     "makes no sense",
		"{}":   "makes no sense",
		"[1]":  "makes no sense",
		`[{}]`: `the name ""`,
		`[{"name":"a b","type":"int","default":1}]`:                                             `the name "a b"`,
		`[{"name":"a","type":"complex","default":1}]`:                                           `"complex" is no type`,
		`[{"name":"a","type":"int","default":1.5}]`:                                             "1.5 is no whole number",
		`[{"name":"a","type":"int","default":1,"min":2}]`:                                       "1 is less than 2",
		`[{"name":"a","type":"int","default":1,"min":"x"}]`:                                     "is no whole number",
		`[{"name":"a","type":"str","default":"x","min":1}]`:                                     "min and max are for numbers",
		`[{"name":"a","type":"str","default":"x","choices":["y"]}]`:                             "is none of y",
		`[{"name":"a","type":"int","default":1},{"name":"a","type":"int","default":1}]`:         "declared twice",
		"[" + strings.Repeat(`{"name":"a","type":"int","default":1},`, 64) + `{"name":"a"}]`:    "65 parameters",
		`[{"name":"a","type":"int","default":1,"choices":[1` + strings.Repeat(",1", 64) + "]}]": "65 choices",
	} {
		if _, err := settings.Declared([]byte(text), "script"); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%.60s: %v does not say %q", text, err, says)
		}
	}
}

// FuzzDeclared: whatever a script declares, and whatever is set then, makes sense or is refused.
func FuzzDeclared(f *testing.F) {
	f.Add([]byte(declaration), "threshold", "60")
	f.Add([]byte(declaration), "mode", "max")
	f.Add([]byte(`[{"name":"a","type":"bool","default":1,"choices":[true,"on"],"doc":"\u001b[2J"}]`), "a", "off")
	f.Fuzz(func(t *testing.T, text []byte, name, value string) {
		all, err := settings.Declared(text, "script")
		if err != nil {
			return
		}
		var b settings.Book
		if _, err := b.Declare(all, nil, time.Unix(0, 0)); err != nil {
			t.Fatal(err) // what Declared lets through has no name twice
		}
		_, _ = b.Set(map[string]any{name: value}, "somebody")
		b.Turn(time.Unix(1, 0))
		_, values := b.Values("script")
		for i, v := range values {
			if again, err := all[i].Value(v); err != nil || again != v {
				t.Errorf("%s is %v, which is not allowed: %v", all[i].Name, v, err)
			}
			if strings.ContainsFunc(all[i].Doc+all[i].Unit, func(r rune) bool { return r < ' ' }) {
				t.Errorf("%q", all[i].Doc)
			}
		}
		if _, err := json.Marshal(b.List()); err != nil {
			t.Error(err)
		}
	})
}

// TestTheModel compares a Book with what it should be, under random changes.
func TestTheModel(t *testing.T) {
	chance := rand.New(rand.NewPCG(1, 2))
	b := book(t)
	accepted, used, generation := int64(3), int64(3), int64(1)
	for range 5000 {
		if chance.IntN(3) == 0 {
			c := b.Turn(time.Now())
			if (c != nil) != (accepted != used) {
				t.Fatalf("%v, from %d to %d", c, used, accepted)
			}
			if c != nil {
				generation++
				if c.Generation != generation || c.Changes["rows"] != [2]any{used, accepted} {
					t.Fatalf("%v, not generation %d from %d to %d", c, generation, used, accepted)
				}
			}
			used = accepted
			continue
		}
		v := int64(chance.IntN(6)) - 1
		if _, err := b.Set(map[string]any{"rows": v}, "me"); (err == nil) != (v >= 1) {
			t.Fatal(v, err)
		}
		if v >= 1 {
			accepted = v
		}
	}
}
