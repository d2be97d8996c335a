package watch_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"drp/watch"
)

// echo answers with what was posted, and by whom.
func echo(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	w.WriteHeader(http.StatusAccepted)
	_, _ = w.Write([]byte(watch.Who(r) + " " + string(body)))
}

func TestWhoMaySteer(t *testing.T) {
	var log bytes.Buffer
	s, base, token := serve(t, watch.Options{Address: "127.0.0.1:0", Log: slog.New(slog.NewTextHandler(&log, nil)),
		Post: map[string]http.Handler{"/v1/echo": http.HandlerFunc(echo)}})
	_, control, _ := strings.Cut(s.ControlURL(), "/?token=")
	port := base[strings.LastIndexByte(base, ':')+1:]
	for _, tt := range []struct {
		name   string
		token  string
		cookie string
		method string
		path   string
		kind   string
		origin string
		body   string
		want   int
		says   string
	}{
		{name: "one who may", token: control, want: 202, says: "http 127.0.0.1 {}"},
		{name: "a page of ours", cookie: control, origin: base, want: 202, says: "page 127.0.0.1 {}"},
		{name: "with a character set", token: control, kind: "application/json; charset=utf-8", want: 202},
		{name: "one who may watch", token: token, want: 403, says: "this token is for watching"},
		{name: "a page that may watch", cookie: token, origin: base, want: 403},
		{name: "nobody", want: 401},
		{name: "a part of the token", token: control[1:], want: 401},
		{name: "a page of somebody else, with the cookie", cookie: control, origin: "http://evil.example", want: 403},
		{name: "a page of another port, with the cookie", cookie: control, origin: "http://127.0.0.1:1", want: 403},
		{name: "with the token in the address, and a wrong one beside", path: "/v1/echo?token=" + control, token: "wrong", want: 202},
		{name: "a form", token: control, kind: "text/plain", want: 415, says: `"error"`},
		{name: "no kind", token: control, kind: "-", want: 415},
		{name: "the longest", token: control, body: strings.Repeat(" ", 64<<10), want: 202},
		{name: "too long", token: control, body: strings.Repeat(" ", 64<<10+1), want: 413, says: "65536"},
		{name: "reading what can be posted to", token: control, method: http.MethodGet, want: 405},
		{name: "posting to what can be read", token: control, path: "/v1/status", want: 405},
		{name: "reading with it", token: control, method: http.MethodGet, path: "/v1/status", want: 200},
		{name: "rights of who may", token: control, method: http.MethodGet, path: "/v1/rights", want: 200, says: `"control": true`},
		{name: "rights of who may watch", token: token, method: http.MethodGet, path: "/v1/rights", want: 200, says: `"control": false`},
		{name: "rights of nobody", method: http.MethodGet, path: "/v1/rights", want: 401},
	} {
		t.Run(tt.name, func(t *testing.T) {
			method, path, kind, body := or(tt.method, http.MethodPost), or(tt.path, "/v1/echo"), or(tt.kind, "application/json"), or(tt.body, "{}")
			r := request(t, method, base+path)
			r.Body, r.ContentLength = io.NopCloser(strings.NewReader(body)), int64(len(body))
			for name, text := range map[string]string{"Authorization": "Bearer " + tt.token, "Cookie": "drp_" + port + "=" + tt.cookie,
				"Content-Type": strings.Trim(kind, "-"), "Origin": tt.origin} {
				if text != "" {
					r.Header.Set(name, text)
				}
			}
			code, said, _ := get(t, r)
			if code != tt.want || !strings.Contains(said, tt.says) {
				t.Errorf("%d, not %d: %s", code, tt.want, said)
			}
			if strings.Contains(said, control) && tt.token != control && !strings.Contains(path, control) {
				t.Errorf("the token is told: %s", said)
			}
		})
	}
	s.Close()
	if said := log.String(); strings.Count(said, "posted") != 5 || !strings.Contains(said, `page 127.0.0.1 posted \"{}\" to /v1/echo, answered with 202`) {
		t.Errorf("the log has %s", said)
	} else if len(said) > 8<<10 {
		t.Errorf("a long body made the log %d bytes long", len(said))
	}
}

// TestTheLogOfAFlood has some of it, and how much there was.
func TestTheLogOfAFlood(t *testing.T) {
	var log bytes.Buffer
	path := filepath.Join(shortFolder(t), "s")
	s, _, _ := serve(t, watch.Options{Socket: path, Log: slog.New(slog.NewTextHandler(&log, nil)),
		Post: map[string]http.Handler{"/v1/echo": http.HandlerFunc(echo)}})
	c := watch.DialSocket(path)
	defer c.Close()
	const all = 60
	for range all {
		if _, err := c.Post(t.Context(), "/v1/echo", 1); err != nil {
			t.Fatal(err)
		}
	}
	s.Close()
	shown := strings.Count(log.String(), "socket posted")
	counted := shown
	for _, m := range regexp.MustCompile(`([0-9]+) others`).FindAllStringSubmatch(log.String(), -1) {
		n, _ := strconv.Atoi(m[1])
		counted += n
	}
	if shown < 20 || shown >= all || counted != all {
		t.Errorf("%d of %d are shown, %d counted:\n%s", shown, all, counted, log.String())
	}
}

// TestTheSocketAndPagesOfOthers: no browser comes there, and what says that it is one is not answered.
func TestTheSocketAndPagesOfOthers(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	serve(t, watch.Options{Socket: path, Post: map[string]http.Handler{"/v1/echo": http.HandlerFunc(echo)}})
	for origin, want := range map[string]int{"": 202, "http://localhost": 202, "http://evil.example": 403, "null": 403} {
		r := request(t, http.MethodPost, "http://localhost/v1/echo")
		r.Body, r.ContentLength = io.NopCloser(strings.NewReader("{}")), 2
		r.Header.Set("Content-Type", "application/json")
		if origin != "" {
			r.Header.Set("Origin", origin)
		}
		transport := &http.Transport{DisableKeepAlives: true, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", path)
		}}
		got, err := transport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		if _ = got.Body.Close(); got.StatusCode != want {
			t.Errorf("Origin %q: %d, not %d", origin, got.StatusCode, want)
		}
	}
}

// TestReadingWhatIsPosted is told from what is not there, also where a page serves all other paths.
func TestReadingWhatIsPosted(t *testing.T) {
	_, base, token := serve(t, watch.Options{Address: "127.0.0.1:0", Root: http.NotFoundHandler(),
		Post: map[string]http.Handler{"/v1/echo": http.HandlerFunc(echo)}})
	for path, want := range map[string]int{"/v1/echo": 405, "/v1/other": 404} {
		r := request(t, http.MethodGet, base+path)
		r.Header.Set("Authorization", "Bearer "+token)
		if code, said, header := get(t, r); code != want || want == 405 && header.Get("Allow") != "POST" {
			t.Errorf("%s: %d: %s", path, code, said)
		}
	}
}

func or(text, instead string) string {
	if text == "" {
		return instead
	}
	return text
}

func TestTheSocketMaySteer(t *testing.T) {
	path := filepath.Join(shortFolder(t), "s")
	serve(t, watch.Options{Socket: path, Post: map[string]http.Handler{"/v1/echo": http.HandlerFunc(echo)}})
	c := watch.DialSocket(path)
	defer c.Close()
	if said, err := c.Post(t.Context(), "/v1/echo", map[string]int{"a": 1}); err != nil || string(said) != `socket {"a":1}` {
		t.Errorf("%q, %v", said, err)
	}
	got, err := c.Get(t.Context(), "/v1/rights")
	var r watch.Rights
	if err != nil || json.Unmarshal(got, &r) != nil || !r.Control {
		t.Errorf("%s, %v", got, err)
	}
	if _, err := c.Post(t.Context(), "/v1/status", 1); err == nil || !strings.Contains(err.Error(), "405") {
		t.Error(err)
	}
}
