package control_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"drp/control"
	"drp/internal/testkit"
)

// TestControlIsStopped: it takes connections, as the kernel does for a stopped process, and never answers.
func TestControlIsStopped(t *testing.T) {
	testkit.NoLeaks(t)
	l, err := listen("127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	c, err := control.NewClient("http://"+l.Addr().String(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.Patience = soon
	state := control.Enabled
	for name, ask := range map[string]func(context.Context) (control.Status, error){
		"status":   c.Status,
		"state":    func(ctx context.Context) (control.Status, error) { return c.Do(ctx, control.Wish{State: &state}) },
		"drop":     func(ctx context.Context) (control.Status, error) { return c.Drop(ctx, "a") },
		"shutdown": func(ctx context.Context) (control.Status, error) { return c.Shutdown(ctx, "1h") },
	} {
		ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
		_, err := ask(ctx)
		if err == nil || !strings.Contains(err.Error(), "has not answered within 300ms: its process is stopped") || ctx.Err() != nil {
			t.Errorf("%s: %v", name, err)
		}
		cancel()
	}
}

// TestWhatTakesLongIsWaitedFor, longer than the patience, as long as run control says how things are.
func TestWhatTakesLongIsWaitedFor(t *testing.T) {
	testkit.NoLeaks(t)
	s := open(t, path(t))
	w := s.worker("a", "configure")
	c := s.client()
	c.Patience = 3 * time.Second
	time.AfterFunc(c.Patience+time.Second, w.hear)
	if st, err := c.Do(t.Context(), control.Wish{Transition: "configure"}); err != nil || st.State != control.Configured {
		t.Error(st.State, err)
	}
}

// TestWhoeverAskedHasGone: what was asked for while nobody could answer, by somebody who has given up since, is not done.
func TestWhoeverAskedHasGone(t *testing.T) {
	for _, request := range []string{"POST /v1/shutdown", "POST /v1/transition", "DELETE /v1/processes/a"} {
		t.Run(request, func(t *testing.T) {
			s := open(t, path(t), "a")
			s.worker("a", "")
			l, err := listen("127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			c, err := net.Dial("tcp", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			body := map[string]string{"POST /v1/transition": `{"transition":"configure"}`, "POST /v1/shutdown": "{}"}[request]
			_, err = fmt.Fprintf(c, "%s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", request,
				len(body), body)
			if err != nil || c.Close() != nil {
				t.Fatal(err)
			}
			over, ended := make(chan struct{}, 1), make(chan struct{}, 8)
			server := control.NewServer(control.Handler(s.Partition, "", over))
			server.ConnState = func(_ net.Conn, state http.ConnState) {
				if state == http.StateClosed {
					ended <- struct{}{}
				}
			}
			go func() { _ = server.Serve(l) }()
			defer func() { _ = server.Close() }()
			<-ended
			if st := s.Status(); len(over) > 0 || st.Order > 0 || len(st.Processes) != 1 {
				t.Errorf("%d, %+v", len(over), st)
			}
		})
	}
}
