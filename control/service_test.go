package control_test

import (
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
)

// call makes a request of a handler, and gives the number and the text of the answer.
func call(h http.Handler, method, path, body string, header ...string) (int, string) {
	r := httptest.NewRequestWithContext(context.Background(), method, "http://localhost"+path, strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
		if header[i] == "Host" {
			r.Host = header[i+1]
		}
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Code, w.Body.String()
}

// TestRefusedRequests get a number and a sentence.
func TestRefusedRequests(t *testing.T) {
	s := open(t, path(t))
	free := control.Handler(s.Partition, "", s.over)
	locked := control.Handler(s.Partition, "0123456789abcdef", s.over)
	for name, test := range map[string]struct {
		h                  http.Handler
		method, path, body string
		header             []string
		code               int
		want               string
	}{
		"no such path":      {free, "GET", "/v2", "", nil, 404, "docs/control.md has a table"},
		"no such method":    {free, "PUT", "/v1/state", "{}", nil, 404, "there is no PUT /v1/state"},
		"no JSON":           {free, "POST", "/v1/state", "enabled", nil, 400, "not the JSON that is wanted here: it is no JSON from byte 1 on"},
		"more than JSON":    {free, "POST", "/v1/state", `{"state":"enabled"} {}`, nil, 400, "something follows"},
		"an unknown field":  {free, "POST", "/v1/state", `{"stat":"enabled"}`, nil, 400, `unknown field`},
		"a number as name":  {free, "POST", "/v1/transition", `{"transition":5}`, nil, 400, `: \"transition\" is a number, and is to be a text"`},
		"a list":            {free, "POST", "/v1/transition", `[]`, nil, 400, `: the whole is a list, and is to be an object"`},
		"no such state":     {free, "POST", "/v1/state", `{"state":"happy"}`, nil, 400, "there are unconfigured, configured, running"},
		"no state":          {free, "POST", "/v1/state", `{}`, nil, 400, "the state to be reached is missing"},
		"no transition":     {free, "POST", "/v1/transition", `{}`, nil, 400, `there is no transition`},
		"a bad deadline":    {free, "POST", "/v1/transition", `{"transition":"configure","deadline":"9"}`, nil, 400, "such as 30s"},
		"a long deadline":   {free, "POST", "/v1/transition", `{"transition":"configure","deadline":"9h"}`, nil, 400, "up to 1h0m0s"},
		"nobody there":      {free, "POST", "/v1/transition", `{"transition":"configure"}`, nil, 409, "no process is there"},
		"not now":           {free, "POST", "/v1/transition", `{"transition":"enable"}`, nil, 409, "configure comes next"},
		"an unknown one":    {free, "DELETE", "/v1/processes/x", "", nil, 404, "there is no process x"},
		"no session":        {free, "GET", "/v1/processes/x/order?after=0", "", nil, 404, "register"},
		"no number":         {free, "GET", "/v1/processes/x/order?after=-1", "", nil, 400, "the number of the last order"},
		"a strange report":  {free, "POST", "/v1/processes/x/report", `{"number":-1}`, nil, 400, "not the JSON"},
		"a large body":      {free, "POST", "/v1/state", `{"state":"` + strings.Repeat("x", 1<<20), nil, 400, "too large"},
		"a form":            {free, "POST", "/v1/state", `{"state":"enabled"}`, []string{"Content-Type", "text/plain"}, 400, "application/json"},
		"another host":      {free, "GET", "/v1/status", "", []string{"Host", "evil.example"}, 401, "is not this machine"},
		"no token":          {locked, "GET", "/v1/status", "", nil, 401, "DRP_CONTROL_TOKEN"},
		"a wrong token":     {locked, "GET", "/v1/status", "", []string{"Authorization", "Bearer x"}, 401, "DRP_CONTROL_TOKEN"},
		"the token":         {locked, "GET", "/v1/status", "", []string{"Authorization", "Bearer 0123456789abcdef", "Host", "daq"}, 200, `"unconfigured"`},
		"this machine":      {free, "GET", "/v1/state", "", []string{"Host", "[::1]:5700"}, 200, `{"state":"unconfigured"}`},
		"a number too high": {free, "GET", "/v1/processes/x/order?after=99999999999999999999", "", nil, 400, "the number of the last order"},
	} {
		t.Run(name, func(t *testing.T) {
			code, text := call(test.h, test.method, test.path, test.body, test.header...)
			if code != test.code || !strings.Contains(text, test.want) {
				t.Errorf("%d: %s", code, text)
			}
			var p control.Problem
			if err := json.Unmarshal([]byte(text), &p); err != nil || code != 200 && p.Message == "" {
				t.Errorf("%v: %s", err, text)
			}
		})
	}
	if st := s.Status(); st.State != control.Unconfigured || st.Order != 0 {
		t.Errorf("%+v", st)
	}
}

// TestABodyThatDoesNotCome holds nobody up for long.
func TestABodyThatDoesNotCome(t *testing.T) {
	t.Parallel()
	s := open(t, path(t))
	l, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := control.NewServer(control.Handler(s.Partition, "", s.over))
	go func() { _ = server.Serve(l) }()
	defer func() { _ = server.Close() }()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, err = c.Write([]byte("POST /v1/state HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 20\r\n\r\n{"))
	if err != nil {
		t.Fatal(err)
	}
	_ = c.SetDeadline(time.Now().Add(testkit.Patience))
	answer, _ := io.ReadAll(c) // until it is closed
	if !strings.Contains(string(answer), "400 Bad Request") || !strings.Contains(string(answer), "i/o timeout") {
		t.Errorf("%q", answer)
	}
}

// FuzzBodies sends anything to every path that takes a body: each answer is JSON, and what is refused changes nothing.
func FuzzBodies(f *testing.F) {
	paths := []string{"/v1/state", "/v1/transition", "/v1/processes", "/v1/processes/a/report", "/v1/shutdown", "/v1/status"}
	for i, body := range []string{`{"state":"unconfigured","deadline":"1ms"}`, `{"transition":"configure"}`, `{"name":"a","role":"drp","host":"h","pid":1}`,
		`{"session":"","number":0,"last":18446744073709551615,"events":-1,"through":true,"warning":"w","left":"l"}`, `{"deadline":"1ns"}`,
		"", "[", `{"state":null}`, `{"transition":"begin-run","transition":"configure"}`, `{"name":"a","journal":"x","number":1}`} {
		f.Add(uint8(i), body)
	}
	f.Fuzz(func(t *testing.T, which uint8, body string) {
		p, err := control.Open(control.Config{Partition: "tst", Journal: path(t)})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = p.Close() }()
		h := control.Handler(p, "", make(chan struct{}, 1))
		code, text := call(h, "POST", paths[int(which)%len(paths)], body)
		if !json.Valid([]byte(text)) || code >= 500 && code != http.StatusGatewayTimeout {
			t.Errorf("%d: %q", code, text)
		}
		if st := p.Status(); st.Order != 0 || st.Run != 0 || len(st.Processes) > 1 {
			t.Errorf("%+v", st)
		}
	})
}
