package watch_test

import (
	"bufio"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"drp/watch"
)

// FuzzRequest lets anybody ask for anything: nobody is let in without the token, and with it only by a name of this machine
// and at a path that means what it says.
func FuzzRequest(f *testing.F) {
	const token = "secret-of-the-test"
	for _, path := range []string{"/", "/metrics", "//v1/status", "/v1/../metrics", "/%2e%2e/x", "/?token=" + token, "*", "/../?token=" + token} {
		f.Add(path, "localhost:80", "", "")
	}
	f.Add("/", "[", "http://[", "Bearer "+token)
	f.Add("/", "evil.example", "", "Bearer "+token)
	f.Add("/", "127.0.0.1", "http://127.0.0.1", "Bearer "+token)
	f.Fuzz(func(t *testing.T, path, host, origin, authorization string) {
		text := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: %s\r\nOrigin: %s\r\nAuthorization: %s\r\n\r\n", path, host, origin, authorization)
		r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(text)))
		if err != nil || watch.Refusal(token, "127.0.0.1:80", r) != 0 {
			return
		}
		if !strings.Contains(text, "secret") && r.URL.Query().Get("token") != token {
			t.Errorf("%q is let in", text)
		}
		if strings.Contains(r.URL.Path, "..") && strings.Contains("/"+r.URL.Path+"/", "/../") {
			t.Errorf("the path %q is taken", r.URL.Path)
		}
		if name, _, _ := strings.Cut(r.Host, ":"); strings.Contains(name, "example") {
			t.Errorf("the host %q is taken", r.Host)
		}
	})
}
