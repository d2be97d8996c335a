package watch_test

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"drp/watch"
)

// TestNoDRPAnswers: whoever names an address where there is no drp reads that, and nothing of the library that asks.
func TestNoDRPAnswers(t *testing.T) {
	page := httptest.NewServer(http.NotFoundHandler())
	defer page.Close()
	page.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if r.Method == http.MethodPost {
			w.WriteHeader(http.StatusNotFound)
		}
		_, _ = io.WriteString(w, "<!doctype html>\n<p>hello")
	})
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	nobody := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	other, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	go func() {
		for {
			c, err := other.Accept()
			if err != nil {
				return
			}
			_, _ = io.WriteString(c, "SSH-2.0-OpenSSH\r\n")
			_ = c.Close()
		}
	}()
	for address, want := range map[string]string{
		page.URL:                          "watch: ask " + strings.TrimPrefix(page.URL, "http://") + ": it answers 200 OK with a page, and is no drp",
		"http://" + nobody:                "watch: nobody answers at " + nobody + ": connection refused",
		"http://" + other.Addr().String(): "watch: what answers at " + other.Addr().String() + " is no drp",
	} {
		c, err := watch.DialURL(address)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Status(t.Context()); err == nil || err.Error() != want {
			t.Errorf("%v, and not %s", err, want)
		}
		c.Close()
	}
	c, err := watch.DialURL(page.URL)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Post(t.Context(), watch.SettingsPath, map[string]any{"a": 1}); err == nil || !strings.Contains(err.Error(), "it answers 404 Not Found with a page, and is no drp") {
		t.Error(err)
	}
}
