package watch_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"drp/internal/testkit"
	"drp/watch"
)

// serve opens a Server, and gives its address without the token, and the token.
func serve(t *testing.T, o watch.Options) (s *watch.Server, base, token string) {
	t.Helper()
	if o.Status == nil {
		o.Status = full
	}
	s, err := watch.Listen(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	base, token, _ = strings.Cut(s.URL(), "/?token=")
	return s, base, token
}

// get asks as a client does that is told nothing of the server but what the test says.
func get(t *testing.T, r *http.Request) (code int, body string, header http.Header) {
	t.Helper()
	transport := &http.Transport{DisableKeepAlives: true}
	defer transport.CloseIdleConnections()
	got, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = got.Body.Close() }()
	text, err := io.ReadAll(got.Body)
	if err != nil {
		t.Fatal(err)
	}
	return got.StatusCode, string(text), got.Header
}

func request(t *testing.T, method, address string) *http.Request {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, address, http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestWhoIsLetIn(t *testing.T) {
	_, base, token := serve(t, watch.Options{Address: "127.0.0.1:0"})
	port := base[strings.LastIndexByte(base, ':')+1:]
	own, _ := os.Hostname()
	for _, tt := range []struct {
		name   string
		path   string
		header map[string]string // Host, too
		method string
		want   int
	}{
		{name: "the token in the address", path: "/v1/status?token=" + token, want: 200},
		{name: "the token as a header", header: map[string]string{"Authorization": "Bearer " + token}, want: 200},
		{name: "the token as a cookie", header: map[string]string{"Cookie": "drp_" + port + "=" + token}, want: 200},
		{name: "the cookie of another port", header: map[string]string{"Cookie": "drp_1=" + token}, want: 401},
		{name: "no token", want: 401},
		{name: "no token, another page", path: "/", want: 401},
		{name: "no token, no such page", path: "/etc/passwd", want: 401},
		{name: "an empty token", path: "/v1/status?token=", want: 401},
		{name: "a part of the token", path: "/v1/status?token=" + token[:len(token)-1], want: 401},
		{name: "the token and more", path: "/v1/status?token=" + token + "x", want: 401},
		{name: "another scheme", header: map[string]string{"Authorization": "Basic " + token}, want: 401},
		{name: "localhost", path: "/v1/status?token=" + token, header: map[string]string{"Host": "localhost:" + port}, want: 200},
		{name: "through a tunnel", path: "/v1/status?token=" + token, header: map[string]string{"Host": "localhost:9999"}, want: 200},
		{name: "its own name", path: "/v1/status?token=" + token, header: map[string]string{"Host": own}, want: 200},
		{name: "an address", path: "/v1/status?token=" + token, header: map[string]string{"Host": "[::1]:80"}, want: 200},
		{name: "a name that points here", path: "/v1/status?token=" + token, header: map[string]string{"Host": "evil.example:" + port}, want: 421},
		{name: "a name like ours", path: "/v1/status?token=" + token, header: map[string]string{"Host": "localhost.evil.example"}, want: 421},
		{name: "a page of our own", path: "/v1/status?token=" + token, header: map[string]string{"Origin": base}, want: 200},
		{name: "a page of somebody else", path: "/v1/status?token=" + token, header: map[string]string{"Origin": "http://evil.example"}, want: 403},
		{name: "a page of another port", path: "/v1/status?token=" + token, header: map[string]string{"Origin": "http://127.0.0.1:1"}, want: 403},
		{name: "a page of nobody", path: "/v1/status?token=" + token, header: map[string]string{"Origin": "null"}, want: 403},
		{name: "a foreign site", path: "/v1/status?token=" + token, header: map[string]string{"Sec-Fetch-Site": "cross-site"}, want: 403},
		{name: "a page that was typed in", path: "/v1/status?token=" + token, header: map[string]string{"Sec-Fetch-Site": "none"}, want: 200},
		{name: "writing, with the token for watching", path: "/v1/status?token=" + token, method: http.MethodPost, want: 403},
		{name: "another method", path: "/v1/status?token=" + token, method: http.MethodPut, want: 405},
		{name: "no such page", path: "/../../etc/passwd?token=" + token, want: 404},
		{name: "metrics", path: "/metrics?token=" + token, want: 200},
		{name: "the description", path: "/v1/openapi.json?token=" + token, want: 200},
		{name: "what there is", path: "/?token=" + token, want: 200},
	} {
		t.Run(tt.name, func(t *testing.T) {
			path, method := tt.path, tt.method
			if path == "" {
				path = "/v1/status"
			}
			if method == "" {
				method = http.MethodGet
			}
			r := request(t, method, base+path)
			for name, text := range tt.header {
				if name == "Host" {
					r.Host = text
				} else {
					r.Header.Set(name, text)
				}
			}
			code, body, header := get(t, r)
			if code != tt.want {
				t.Errorf("%d, not %d: %s", code, tt.want, body)
			}
			if code != 200 && strings.Contains(body, token) {
				t.Errorf("the token is told: %s", body)
			}
			if !strings.HasPrefix(header.Get("Content-Security-Policy"), "default-src 'self'") || header.Get("Referrer-Policy") != "no-referrer" {
				t.Errorf("%v", header)
			}
			if c := header.Get("Set-Cookie"); c != "" && (!strings.Contains(c, "HttpOnly") || !strings.Contains(c, "SameSite=Strict") || code != 200) {
				t.Errorf("%d: %s", code, c)
			}
		})
	}
}

func TestTheTokenIsAnotherOneEachTime(t *testing.T) {
	_, _, first := serve(t, watch.Options{Address: "127.0.0.1:0"})
	_, _, second := serve(t, watch.Options{Address: "127.0.0.1:0"})
	if first == second || len(first) < 32 {
		t.Errorf("%q, %q", first, second)
	}
	_, _, chosen := serve(t, watch.Options{Address: "127.0.0.1:0", Token: "a word of my own"})
	if chosen != "a+word+of+my+own" {
		t.Error(chosen)
	}
	if _, err := watch.Listen(watch.Options{Address: "127.0.0.1:0", Token: "one", Control: "one"}); err == nil || !strings.Contains(err.Error(), "give two") {
		t.Error(err)
	}
}

func TestASocketOfThisUser(t *testing.T) {
	t.Setenv("XDG_RUNTIME_DIR", t.TempDir())
	dir := shortFolder(t)
	path := filepath.Join(dir, "s")
	s, _, _ := serve(t, watch.Options{Socket: path})
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	c := watch.DialSocket(path)
	defer c.Close()
	got, err := c.Status(t.Context())
	want := full()
	if err != nil || got.Events != want.Events || got.Workers[3].State != "stopped" || got.Stages[2].Latency.P99 != want.Stages[2].Latency.P99 {
		t.Errorf("%+v, %v", got, err)
	}
	s.Close()
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
	if _, err := c.Status(t.Context()); err == nil {
		t.Error("it answers after its end")
	}
}

// shortFolder is one that a socket fits in.
func shortFolder(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "w") //nolint:usetesting // t.TempDir has a long name
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func TestAClientOfAnAddress(t *testing.T) {
	s, base, _ := serve(t, watch.Options{Address: "127.0.0.1:0"})
	c, err := watch.DialURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if got, err := c.Status(t.Context()); err != nil || got.PID != 17 {
		t.Errorf("%v, %v", got, err)
	}
	stranger, err := watch.DialURL(base)
	if err != nil {
		t.Fatal(err)
	}
	defer stranger.Close()
	if _, err := stranger.Status(t.Context()); err == nil || !strings.Contains(err.Error(), "the token is missing or wrong") {
		t.Error(err)
	}
	for _, bad := range []string{"", "127.0.0.1:80", "ftp://x/", "http://", "http://%zz"} {
		if _, err := watch.DialURL(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// TestManyWhoAskCostLittle: the run is asked four times a second at most, and requests wait instead of piling up.
func TestManyWhoAskCostLittle(t *testing.T) {
	var asked atomic.Int64
	_, base, token := serve(t, watch.Options{Address: "127.0.0.1:0", Status: func() watch.Status { asked.Add(1); return full() }})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var answered, refused atomic.Int64
	began := time.Now()
	done := make(chan struct{})
	for i := range 40 {
		go func() {
			defer func() { done <- struct{}{} }()
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			for ctx.Err() == nil {
				path := base + "/v1/status"
				if i%2 == 0 {
					path += "?token=" + token
				}
				r, err := http.NewRequestWithContext(ctx, http.MethodGet, path, http.NoBody)
				if err != nil {
					t.Error(err)
					return
				}
				got, err := client.Do(r)
				if err != nil {
					continue // time is over
				}
				_, _ = io.Copy(io.Discard, got.Body)
				_ = got.Body.Close()
				if got.StatusCode == http.StatusOK {
					answered.Add(1)
				} else {
					refused.Add(1)
				}
			}
		}()
	}
	testkit.Within(testkit.Patience, func() bool {
		return time.Since(began) > time.Second && answered.Load() >= 20 && refused.Load() >= 20
	})
	cancel()
	for range 40 {
		<-done
	}
	// Five and twenty come at once, then 4 and 10 a second; with room for a machine that is slow to stop.
	seconds := int64(time.Since(began)/time.Second) + 1
	if n := answered.Load(); n < 1 || n > 5+10*seconds {
		t.Errorf("%d were answered in %d s", n, seconds)
	}
	if n := refused.Load(); n < 1 || n > 20+15*seconds {
		t.Errorf("%d were refused in %d s", n, seconds)
	}
	if n := asked.Load(); n < 1 || n > 6*seconds {
		t.Errorf("the run was asked %d times in %d s", n, seconds)
	}
}

// TestMoreThanAreAnsweredInTime: who would have his turn too late is told so at once; nobody is left without an answer.
func TestMoreThanAreAnsweredInTime(t *testing.T) {
	s, _, _ := serve(t, watch.Options{Address: "127.0.0.1:0", Status: full})
	codes := make(chan int)
	for range 50 {
		go func() {
			code := 0
			client := &http.Client{Transport: &http.Transport{}}
			defer client.CloseIdleConnections()
			if got, err := client.Get(strings.Replace(s.URL(), "/?", "/v1/status?", 1)); err == nil {
				code = got.StatusCode
				_ = got.Body.Close()
			}
			codes <- code
		}()
	}
	count := map[int]int{}
	for range 50 {
		count[<-codes]++
	}
	if len(count) != 2 || count[http.StatusOK] < 5 || count[http.StatusServiceUnavailable] < 5 {
		t.Errorf("answered with %v", count)
	}
}

// TestWhoSaysNothing holds nobody up but those who come after 63 others, and is cut off.
func TestWhoSaysNothing(t *testing.T) {
	s, base, _ := serve(t, watch.Options{Address: "127.0.0.1:0"})
	for range 63 {
		silent, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = silent.Close() }()
		if _, err := silent.Write([]byte("GET / HTTP/1.1\r\n")); err != nil {
			t.Fatal(err)
		}
	}
	c, err := watch.DialURL(s.URL())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestAHeaderThatIsTooLarge(t *testing.T) {
	_, base, token := serve(t, watch.Options{Address: "127.0.0.1:0"})
	c, err := net.Dial("tcp", strings.TrimPrefix(base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_, _ = fmt.Fprintf(c, "GET /?token=%s HTTP/1.1\r\nHost: localhost\r\nX: %s\r\n\r\n", token, strings.Repeat("x", 1<<20))
	line, _ := bufio.NewReader(c).ReadString('\n')
	if !strings.Contains(line, "431") {
		t.Errorf("%q", line)
	}
}

func TestAnAddressThatIsTaken(t *testing.T) {
	_, base, _ := serve(t, watch.Options{Address: "127.0.0.1:0"})
	_, err := watch.Listen(watch.Options{Address: strings.TrimPrefix(base, "http://"), Status: full})
	if err == nil || err.Error() != "watch: "+strings.TrimPrefix(base, "http://")+": address already in use: another process listens there; give another port, or 0 for any that is free" {
		t.Error(err)
	}
}
