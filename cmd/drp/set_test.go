package main

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"drp/internal/settings"
	"drp/watch"
)

// steeredBook is what a run is to who changes settings.
type steeredBook struct {
	settings.Book
	lost string // why what is set may be lost
}

func (b *steeredBook) Unheard() string { return b.lost }

func (b *steeredBook) Settings() settings.Listing { return b.List() }

// TestSetSaysItInJSON where it is asked to, of a change as of a list.
func TestSetSaysItInJSON(t *testing.T) {
	noEnvironment(t)
	var b steeredBook
	all, err := settings.Declared([]byte(`[{"name":"i","type":"int","default":3,"unit":"","doc":""}]`), "script")
	if err == nil {
		_, err = b.Declare(all, nil, time.Now())
	}
	if err != nil {
		t.Fatal(err)
	}
	get, post := watch.SettingsPages(func() watch.Steered { return &b })
	s, err := watch.Listen(watch.Options{Address: "127.0.0.1:0", Status: func() watch.Status { return watch.Status{} }, Get: get, Post: post})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	var accepted watch.Accepted
	code, out, errs := command(t, "set", "--url", s.ControlURL(), "--json", "i=4")
	if err := json.Unmarshal([]byte(out), &accepted); code != 0 || err != nil || accepted.Generation != 2 {
		t.Errorf("%d: %v: %s%s", code, err, out, errs)
	}
	var l settings.Listing
	code, out, errs = command(t, "set", "--url", s.ControlURL(), "--json")
	if err := json.Unmarshal([]byte(out), &l); code != 0 || err != nil || l.Generation != 2 || len(l.Settings) != 1 {
		t.Errorf("%d: %v: %s%s", code, err, out, errs)
	}
	if code, out, _ = command(t, "set", "--url", s.ControlURL(), "i=9007199254740993"); code != 0 || out != "accepted: generation 2\n" {
		t.Errorf("%d: %s", code, out)
	}
	b.lost = "run control does not answer"
	if code, out, errs = command(t, "set", "--url", s.ControlURL(), "i=9007199254740993"); code != 0 || errs != "drp: warning: run control does not answer\n" {
		t.Errorf("%d: %s%s", code, out, errs)
	}
	if _, out, _ = command(t, "set", "--url", s.ControlURL(), "--json", "i=9007199254740993"); !strings.Contains(out, `"warning": "run control does not answer"`) {
		t.Error(out)
	}
	b.Turn(time.Now())
	if code, out, _ = command(t, "set", "--url", s.ControlURL(), "--history"); code != 0 || !strings.Contains(out, "i  9007199254740993 ") ||
		!strings.Contains(out, "i 3 -> 9007199254740993 (") {
		t.Errorf("%d: %s", code, out)
	}
}

// TestTheRunHasEnded between its status and what is asked of it then: that is said, and nothing of its socket.
func TestTheRunHasEnded(t *testing.T) {
	noEnvironment(t)
	for _, words := range [][]string{{"set", "a=1", "--url"}, {"set", "--url"}, {"reload"}} {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		run := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
			_ = listener.Close()
			w.Header().Set("Connection", "close")
			_, _ = w.Write([]byte(`{"pid":1}`))
		}))
		run.Listener = listener
		run.Start()
		code, out, errs := command(t, append(words, run.URL+"/?token=x")...)
		if code != 1 || out != "" || errs != "drp: the run has ended, or is about to\n" {
			t.Errorf("%v: %d: %s%s", words, code, out, errs)
		}
		run.Close()
	}
}
