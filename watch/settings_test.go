package watch_test

import (
	"net/http"
	"strings"
	"testing"

	"drp/watch"
)

// ask posts to the page of settings, or reads it where there is no body.
func ask(t *testing.T, s *watch.Server, body string) (code int, said string) {
	t.Helper()
	return askAt(t, s, watch.SettingsPath, body)
}

func askAt(t *testing.T, s *watch.Server, path, body string) (code int, said string) {
	t.Helper()
	base, token, _ := strings.Cut(s.ControlURL(), "/?token=")
	method := http.MethodGet
	if body != "" {
		method = http.MethodPost
	}
	r, err := http.NewRequestWithContext(t.Context(), method, base+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+token)
	r.Header.Set("Content-Type", "application/json")
	code, said, _ = get(t, r)
	return code, said
}

func settingsServer(t *testing.T, steered func() watch.Steered) *watch.Server {
	t.Helper()
	get, post := watch.SettingsPages(steered)
	s, _, _ := serve(t, watch.Options{Address: "127.0.0.1:0", Get: get, Post: post})
	return s
}

func TestSettingsPages(t *testing.T) {
	b := newBoard(t)
	s := settingsServer(t, func() watch.Steered { return b })
	for _, test := range []struct {
		body string
		code int
		says string
	}{
		{"", 200, `"value": 50`},
		{`{"threshold": 60}`, 200, `"generation": 2`},
		{`{"threshold": 61, "dark": true}`, 200, `"generation": 2`},
		{"", 200, `"value": 61`},
		{`{"threshold": -1}`, 422, "threshold: -1 is less than 0, the least that the script allows; 61 stays"},
		{`{"treshold": 1}`, 422, "did you mean threshold?"},
		{`{"threshold": {"a": 1}}`, 422, `threshold: {"a":1} is no finite number`},
		{`[1]`, 400, `send an object of values by name, as {"threshold": 60}: this is none`},
		{"{\"threshold\": \"\xff\"}", 400, "this is no UTF-8"},
		{`{"threshold": "\ud83d"}`, 400, "this is no UTF-8"},
		{`{"threshold": "\ude00\ud83d"}`, 400, "this is no UTF-8"},
		{`{"threshold": "\ud83d\u0041"}`, 400, "this is no UTF-8"},
		{`{"threshold": "\ud83d\ude00"}`, 422, "is no finite number"},
		{`{"threshold": "\\ud83d"}`, 422, "is no finite number"},
		{`{"threshold": 1, "threshold": 2}`, 400, `"threshold" is there twice`},
		{`{"threshold": 1, "thresh\u006fld": 2}`, 400, `"threshold" is there twice`},
		{`{"threshold": [1, {"a": "b"}]}`, 422, `threshold: [1,{"a":"b"}] is no finite number`},
		{`{"threshold": 1e-400}`, 422, "threshold: 1e-400 is no finite number"},
		{`{"threshold" 1}`, 400, `as {"threshold": 60}: it is no JSON from byte 14 on`},
		{`{1: 2}`, 400, "it is no JSON from byte 2 on"},
		{`{"threshold": 60`, 400, "it ends too early"},
		{`{"threshold": 60 "dark": 1}`, 400, "it is no JSON from byte 18 on"},
		{`{"threshold": 60} {}`, 400, "something follows it"},
		{`null`, 400, "send an object"},
		{`{"threshold": `, 400, "send an object"},
		{`{}`, 200, `"generation": 2`},
	} {
		if code, said := ask(t, s, test.body); code != test.code || !strings.Contains(strings.ReplaceAll(said, `\"`, `"`), test.says) {
			t.Errorf("%s: %d: %s", test.body, code, said)
		}
	}
	if b.value() != 61.0 {
		t.Error(b.value())
	}
}

// TestForWhomItIsSet: for this process alone, unless the whole partition is meant; anybody else is not known.
func TestForWhomItIsSet(t *testing.T) {
	b := newBoard(t)
	s := settingsServer(t, func() watch.Steered { return b })
	for _, test := range []struct {
		path string
		code int
		own  bool
	}{{watch.SettingsPath, 200, true}, {watch.ForAllPath, 200, false}, {watch.SettingsPath + "?for=all", 400, false}, {watch.SettingsPath + "?for", 400, false},
		{watch.ForAllPath + "&for=me", 400, false}, {watch.SettingsPath + "?token=x", 200, true}} {
		code, said := askAt(t, s, test.path, `{"threshold": 60}`)
		if own := b.Settings().Settings[0].Own; code != test.code || own != test.own || code == 400 && !strings.Contains(said, "give partition, or leave it out") {
			t.Errorf("%s: %d, %v: %s", test.path, code, own, said)
		}
	}
}

// TestCheckChangesNothing, and says which names are known.
func TestCheckChangesNothing(t *testing.T) {
	b := newBoard(t)
	s := settingsServer(t, func() watch.Steered { return b })
	for _, test := range []struct {
		body string
		code int
		says string
	}{
		{`{"threshold": 60, "dark": true}`, 200, `"known":["dark","threshold"],"unknown":{}`},
		{`{"threshold": 60, "treshold": 60}`, 200, `"known":["threshold"],"unknown":{"treshold":"nosettinghasthename\"treshold\";didyoumeanthreshold?"}`},
		{`{"threshold": -1, "treshold": 60}`, 422, "-1islessthan0"},
		{`[1]`, 400, "sendanobject"},
		{`{}`, 200, `"known":[],"unknown":{}`},
	} {
		code, said := askAt(t, s, watch.CheckPath, test.body)
		if said = strings.Join(strings.Fields(said), ""); code != test.code || !strings.Contains(said, test.says) {
			t.Errorf("%s: %d: %s", test.body, code, said)
		}
	}
	if l := b.Settings(); b.value() != 50.0 || l.Generation != 1 || l.Refused != 0 || b.sets != 0 {
		t.Errorf("it has changed something: %+v", l)
	}
}

func TestSettingsOfNoRun(t *testing.T) {
	s := settingsServer(t, func() watch.Steered { return nil })
	for _, body := range []string{"", "{}"} {
		if code, said := ask(t, s, body); code != http.StatusServiceUnavailable || !strings.Contains(said, "the run has not begun") {
			t.Errorf("%d: %s", code, said)
		}
	}
}

// settingsPaths gives what is answered, by the names of its schemas.
func settingsPaths(t *testing.T) (all []map[string]string) {
	t.Helper()
	b := newBoard(t)
	s := settingsServer(t, func() watch.Steered { return b })
	for _, body := range []string{"", `{"threshold": 60}`, `{"threshold": -1}`} {
		name := map[string]string{"": "Listing", `{"threshold": 60}`: "Accepted", `{"threshold": -1}`: "Refused"}[body]
		_, said := ask(t, s, body)
		all = append(all, map[string]string{name: said})
	}
	_, said := askAt(t, s, watch.CheckPath, `{"threshold": 60, "treshold": 1}`)
	return append(all, map[string]string{"Checked": said})
}
