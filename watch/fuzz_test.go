package watch_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"drp/watch"
)

// FuzzRequest lets anybody ask for anything: nobody is let in without a token, and with it only by a name of this machine
// and at a path that means what it says; nobody posts without the token for steering.
func FuzzRequest(f *testing.F) {
	const token, control = "secret-of-the-test", "another-secret"
	for _, path := range []string{"/", "/metrics", "//v1/status", "/v1/../metrics", "/%2e%2e/x", "/?token=" + token, "*", "/../?token=" + token} {
		f.Add("GET", path, "localhost:80", "", "")
	}
	f.Add("GET", "/", "[", "http://[", "Bearer "+token)
	f.Add("GET", "/", "evil.example", "", "Bearer "+token)
	f.Add("HEAD", "/", "127.0.0.1", "http://127.0.0.1", "Bearer "+token)
	f.Add("POST", "/v1/settings", "127.0.0.1", "http://127.0.0.1", "Bearer "+token)
	f.Add("POST", "/v1/settings", "127.0.0.1", "http://evil.example", "Bearer "+control)
	f.Add("POST", "/v1/settings?token="+control, "127.0.0.1", "", "")
	f.Add("PUT", "/v1/settings?token="+control, "127.0.0.1", "", "")
	f.Fuzz(func(t *testing.T, method, path, host, origin, authorization string) {
		text := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nAuthorization: %s\r\n\r\n", method, path, host, origin, authorization)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || watch.Refusal(token, control, "127.0.0.1:80", r) != 0 {
			return
		}
		given := r.URL.Query().Get("token")
		if !strings.Contains(text, "secret") && given != token && given != control {
			t.Errorf("%q is let in", text)
		}
		if r.Method == http.MethodPost && !strings.Contains(text, control) && given != control {
			t.Errorf("%q may steer", text)
		}
		if r.Method != http.MethodPost && r.Method != http.MethodGet && r.Method != http.MethodHead {
			t.Errorf("the method %q is taken", r.Method)
		}
		if strings.Contains(r.URL.Path, "..") && strings.Contains("/"+r.URL.Path+"/", "/../") {
			t.Errorf("the path %q is taken", r.URL.Path)
		}
		if name, _, _ := strings.Cut(r.Host, ":"); strings.Contains(name, "example") {
			t.Errorf("the host %q is taken", r.Host)
		}
	})
}
