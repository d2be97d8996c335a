package watch_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"

	"drp/watch"
)

// TestReloadPage: who may steer is told what becomes of the scripts, or why it is not done.
func TestReloadPage(t *testing.T) {
	reload := func(_ context.Context, asked watch.Reload) (watch.Reloaded, error) {
		if asked.Check {
			return watch.Reloaded{SHA256: "5f1c", State: "only tried"}, nil
		}
		if asked.Now {
			return watch.Reloaded{}, errors.New("line 3: no Python")
		}
		return watch.Reloaded{SHA256: "5f1c", State: "taken at the next step", Tried: "event 17", Ends: asked.Ends}, nil
	}
	path, page := watch.PageOfReload(reload)
	socket := filepath.Join(t.TempDir(), "s")
	s, err := watch.Listen(watch.Options{Socket: socket, Status: full, Post: map[string]http.Handler{path: page},
		Root: http.NotFoundHandler()})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	c := watch.DialSocket(socket)
	defer c.Close()
	got, err := c.Reload(context.Background(), watch.Reload{})
	if err != nil || got.SHA256 != "5f1c" || got.Tried != "event 17" || got.State != "taken at the next step" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Reload(context.Background(), watch.Reload{Check: true, Now: true}); err != nil || got.State != "only tried" {
		t.Errorf("%+v, %v", got, err)
	}
	if got, err := c.Reload(context.Background(), watch.Reload{Ends: true}); err != nil || !got.Ends {
		t.Errorf("with the ends: %+v, %v", got, err)
	}
	for body, want := range map[string]int{`{}`: 200, ` {"now": true} `: 422, `null`: 400, `[1]`: 400, `{"now": 1}`: 400, `{"then": true}`: 400,
		`{} {}`: 400, `{`: 400} {
		w := httptest.NewRecorder()
		page.ServeHTTP(w, httptest.NewRequest(http.MethodPost, path, strings.NewReader(body)))
		if w.Code != want {
			t.Errorf("%s: %d, want %d: %s", body, w.Code, want, w.Body)
		}
	}
	var refused *watch.RefusedError
	if _, err = c.Reload(context.Background(), watch.Reload{Now: true}); !errors.As(err, &refused) || refused.Code != 422 || refused.Why != "line 3: no Python" {
		t.Errorf("%v", err)
	}
	if _, err := c.Get(context.Background(), path); err == nil || !errors.As(err, &refused) || refused.Code != 405 {
		t.Errorf("where it can only be posted to: %v", err)
	}
	if _, err = c.Post(context.Background(), path, []int{1}); !errors.As(err, &refused) || !strings.Contains(refused.Why, "send {}") {
		t.Errorf("%v", err)
	}
}
